"""`cascade keys`: who may use a gateway, for what, and for how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.key_settings import (
    ChainOption,
    ConcurrencyOption,
    DayOption,
    ExpiresOption,
    ModelOption,
    MonthOption,
    RequestsOption,
    TokensOption,
    amount_of,
    names_of,
    option_of,
    settings_of,
)
from cascade.cli.output import JsonOption, UsageError, print_json, say, show, write
from cascade.errors import ConfigError

if TYPE_CHECKING:
    from cascade.accounts import Key
    from cascade.accounts.keyring import Keyring
    from cascade.accounts.spending import DaySpent

__all__ = ["keys"]

keys = typer.Typer(no_args_is_help=True, help="Make, show, change and revoke keys of the gateway.")

WhichArgument = Annotated[str, typer.Argument(help="The key's name, or its id.")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        "--store",
        help="Where keys are kept: an SQLite file or an SQLAlchemy URL; CASCADE_DATABASE_URL "
        "unless given, else traces.sqlite3.",
    ),
]


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    *,
    chain: ChainOption = None,
    model: ModelOption = None,
    budget_day: DayOption = None,
    budget_month: MonthOption = None,
    requests_per_minute: RequestsOption = None,
    tokens_per_minute: TokensOption = None,
    concurrency: ConcurrencyOption = None,
    expires: ExpiresOption = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="May see what all keys do, and manage them.")
    ] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is shown this once and kept nowhere."""
    keyring = _keyring(database, must_exist=False)
    settings = settings_of(
        keyring,
        chains=names_of("--chain", chain),
        models=names_of("--model", model),
        budget_day_usd=budget_day,
        budget_month_usd=budget_month,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        expires_at=expires,
    )
    made, secret = keyring.create(name, is_admin=admin, **settings)
    if as_json:
        print_json({"key": _data(made), "secret": secret})
        return
    write(f"{secret}\n")
    say(f"key {made.name!r} ({made.id}); its secret, above, cannot be shown again")
    if not made.has_budget:  # a default that may cost a lot is said, not left to be found out
        say(f"it may spend without limit; `cascade keys change {made.id} --budget-day 5` sets one")
    _say_of_chains(settings)


@keys.command("list")
def list_keys(
    *,
    every: Annotated[bool, typer.Option("--all", help="Revoked and expired keys, too.")] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the keys that work, and what they spent today and this month (UTC)."""
    keyring = _keyring(database)
    now, spent = keyring.now(), keyring.spent()
    found = [key for key in keyring.list() if every or key.works_at(now)]
    if as_json:
        data = [{**_data(key), "spent": _spent(spent.get(key.id))} for key in found]
        print_json({"keys": data})
        return
    from cascade.cli.keys_view import keys_table, unknown_words  # noqa: PLC0415  loads rich's tables

    show(keys_table(found, spent, now))
    if words := unknown_words(found, spent):
        say(words)
    if not found:
        say("no keys; make one with `cascade keys create NAME`")


@keys.command("show")
def show_key(
    which: WhichArgument, *, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Show one key, what it may do, and what it spent."""
    keyring = _keyring(database)
    key = keyring.get(which)
    spent, now, days = keyring.spent(), keyring.now(), keyring.spent_by_day(key.id)
    if as_json:
        by_day = [_day(entry) for entry in days]
        print_json({"key": _data(key), "spent": {**_spent(spent.get(key.id)), "by_day": by_day}})
        return
    from cascade.cli.keys_view import key_table, unknown_words  # noqa: PLC0415

    show(key_table(key, spent.get(key.id), now))
    if words := unknown_words([key], spent):
        say(words)


@keys.command("revoke")
def revoke_key(
    which: WhichArgument, *, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """End a key for good; a gateway that runs refuses it within seconds."""
    key = _keyring(database).revoke(which)
    if as_json:
        print_json({"key": _data(key)})
    else:
        say(f"key {key.name!r} ({key.id}) is revoked")


@keys.command("release")
def release_key(
    which: WhichArgument,
    *,
    period: Annotated[
        str | None,
        typer.Option(help="Day or month (UTC), 2026-11-27 or 2026-11; this month unless given."),
    ] = None,
    billed: Annotated[
        str | None,
        typer.Option(help="US dollars that those calls did cost, which stay spent; else 0."),
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back to a key's budget what is held for calls of unknown cost.

    A call that failed on the provider's side, or that was left while a model reasoned, may have
    been billed: it counts at its worst case until you have looked at the bill. A gateway that runs
    can spend at once what is given back.
    """
    keyring = _keyring(database)
    key = keyring.get(which)
    cost = (
        Decimal(0) if billed in (None, "0") else amount_of("billed_usd", billed, can_remove=False)
    )
    try:
        done = keyring.release(key.id, period, billed_usd=cost)
    except ConfigError as error:
        raise UsageError(f"{option_of(error.param or 'period')}: {error.why}") from None
    if as_json:
        print_json({"key": _data(key), "released": {**asdict(done), "usd": done.usd}})
        return
    from cascade.cli.keys_view import released_words  # noqa: PLC0415

    say(released_words(key, done))


@keys.command("change")
def change_key(
    which: WhichArgument,
    *,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    chain: ChainOption = None,
    model: ModelOption = None,
    budget_day: DayOption = None,
    budget_month: MonthOption = None,
    requests_per_minute: RequestsOption = None,
    tokens_per_minute: TokensOption = None,
    concurrency: ConcurrencyOption = None,
    expires: ExpiresOption = None,
    admin: Annotated[
        bool | None, typer.Option("--admin/--no-admin", help="May manage all keys, or not.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what a key may do; a gateway that runs sees it within seconds."""
    keyring = _keyring(database)
    changes = settings_of(
        keyring,
        can_remove=True,
        chains=names_of("--chain", chain),
        models=names_of("--model", model),
        budget_day_usd=budget_day,
        budget_month_usd=budget_month,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        expires_at=expires,
    )
    given = {"name": name, "is_admin": admin}
    changes.update({field: value for field, value in given.items() if value is not None})
    if not changes:
        raise UsageError(f"nothing to change in key {which!r}; see `cascade keys change --help`")
    key = keyring.change(which, **changes)
    if as_json:
        print_json({"key": _data(key)})
    else:
        say(f"key {key.name!r} ({key.id}) is changed")
        _say_of_chains(changes)


def _say_of_chains(settings: Mapping[str, Any]) -> None:
    """That nobody looked whether there are such chains: their files are the gateway's."""
    if named := settings.get("chains"):
        names = ", ".join(repr(name) for name in named)
        say(f"not checked here: {names}; `cascade serve` warns of chains that it does not know")


def _keyring(database: str | None, *, must_exist: bool = True) -> Keyring:
    """The keys of a place.

    Raises:
        UsageError: it must exist, and does not.
    """
    from cascade.accounts.keyring import Keyring  # noqa: PLC0415  loads SQLAlchemy
    from cascade.database.place import file_of, url_of  # noqa: PLC0415

    file = file_of(url_of(database))
    if must_exist and file is not None and not Path(file).exists():
        raise UsageError(
            f"there are no keys at {str(file)!r}; name their place with --database, or make one "
            "with `cascade keys create`"
        )
    return Keyring(database)


def _data(key: Key) -> dict[str, Any]:
    data = asdict(key)
    moments = ("created_at", "expires_at", "revoked_at")
    return {**data, **{name: data[name] and data[name].isoformat() for name in moments}}


def _day(entry: DaySpent) -> Mapping[str, Any]:
    data = asdict(entry)
    del data["key_id"]
    return data


def _spent(spent: Any) -> Mapping[str, Any]:
    return asdict(spent) if spent is not None else {}
