"""`cascade keys`: who may use a gateway, for what, and for how much."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.output import JsonOption, UsageError, print_json, say, show, write
from cascade.core.budget import Budget
from cascade.errors import ConfigError

if TYPE_CHECKING:
    from cascade.accounts import Key
    from cascade.accounts.keyring import Keyring
    from cascade.accounts.spending import DaySpent

__all__ = ["keys"]

keys = typer.Typer(no_args_is_help=True, help="Make, show, change and revoke keys of the gateway.")

NONE = "none"
"""Takes a limit away; as a model, all models."""

EVERY = "*"
"""All chains, or every model."""

SPAN = re.compile(r"(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

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
ChainOption = Annotated[
    list[str] | None,
    typer.Option(
        help='Chain that it may use, and no others; may be given more than once, "*" for all. A '
        "new key may use all unless given."
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Plain model that it may use, with its dated snapshots, and no others; may be given "
        'more than once, "*" for every one, "none" for none. A new key may use none unless given.'
    ),
]
DayOption = Annotated[
    str | None, typer.Option(help='US dollars a day (UTC), e.g. 5 or 0.50; "none" for no limit.')
]
MonthOption = Annotated[
    str | None, typer.Option(help='US dollars a month (UTC); "none" for no limit.')
]
RequestsOption = Annotated[str | None, typer.Option(help='Requests a minute; "none" for no limit.')]
TokensOption = Annotated[str | None, typer.Option(help='Tokens a minute; "none" for no limit.')]
ConcurrencyOption = Annotated[
    str | None,
    typer.Option(
        help='Requests in flight at once, in each process that serves it; "none" for no limit.'
    ),
]
ExpiresOption = Annotated[
    str | None,
    typer.Option(
        help="When it ends: 30d, 12h, 2027-01-31 (it works through that day, UTC), "
        '2027-01-31T09:00; "none" for never.'
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
    settings = _settings(
        keyring,
        chains=_names("--chain", chain),
        models=_names("--model", model),
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
    cost = Decimal(0) if billed in (None, "0") else _amount("billed_usd", billed, can_remove=False)
    try:
        done = keyring.release(key.id, period, billed_usd=cost)
    except ConfigError as error:
        raise UsageError(f"{_option(error.param or 'period')}: {error.why}") from None
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
    changes = _settings(
        keyring,
        can_remove=True,
        chains=_names("--chain", chain),
        models=_names("--model", model),
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


def _settings(
    keyring: Keyring, *, can_remove: bool = False, **given: str | tuple[str, ...] | None
) -> dict[str, Any]:
    """What was given on the command line, read.

    Args:
        keyring: whose clock applies.
        can_remove: there may be a limit already, which "none" takes away; errors tell so.
        given: names, or words, by setting.
    """
    read: dict[str, Any] = {}
    for field, value in given.items():
        if value is None:
            continue
        if not isinstance(value, str):
            read[field] = value
        elif value == NONE:
            read[field] = None
        elif field == "expires_at":
            read[field] = _moment(value, keyring, or_none=", or none" if can_remove else "")
        elif field.endswith("_usd"):
            read[field] = _amount(field, value, can_remove=can_remove)
        else:
            read[field] = _count(field, value, or_none=", or none" if can_remove else "")
    return read


def _names(option: str, given: list[str] | None) -> tuple[str, ...] | None:
    """Names of chains, empty for all of them; or of models, empty for none.

    Raises:
        UsageError: they contradict each other, or no chain at all is meant.
    """
    if not given:
        return None
    takes_chains = option == "--chain"
    if takes_chains and NONE in given:
        raise UsageError(
            f"{option} {NONE}: a key without any chain cannot be; name chains, or give "
            f"{option} '{EVERY}' for all of them"
        )
    empty = EVERY if takes_chains else NONE
    if empty not in given:
        return tuple(given)
    if len(given) > 1:
        raise UsageError(f"{option} '{empty}' stands alone; it was given with other names")
    return ()


def _amount(field: str, value: str, *, can_remove: bool) -> Decimal:
    try:
        return Budget(value).limit_usd
    except ConfigError as error:
        hint = "; none takes the limit away" if can_remove else ""
        raise UsageError(f"{_option(field)}: {error}{hint}") from None


def _count(field: str, value: str, *, or_none: str) -> int:
    if not re.fullmatch(r"\d{1,15}", value) or not int(value):
        raise UsageError(
            f"{_option(field)} {value!r} is no whole number above 0; expected e.g. 60{or_none}"
        )
    return int(value)


def _option(field: str) -> str:
    return f"--{field.removesuffix('_usd').replace('_', '-')}"


def _moment(value: str, keyring: Keyring, *, or_none: str) -> datetime:
    """A moment to come, by the database's clock.

    Raises:
        UsageError: it is none, or it has passed.
    """
    now = keyring.now()
    try:
        moment = _read_moment(value, now)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--expires {value!r} is no moment; expected e.g. 30d, 12h, 2027-01-31{or_none}"
        ) from None
    if moment <= now:
        raise UsageError(f"--expires {value!r} has passed; `cascade keys revoke` ends a key now")
    return moment


def _read_moment(value: str, now: datetime) -> datetime:
    """A time from now, a day's end, or a moment; in UTC where it does not say."""
    from cascade.accounts.key import end_of_day  # noqa: PLC0415

    if (span := SPAN.fullmatch(value)) is not None:
        return now + timedelta(**{UNITS[span[2]]: int(span[1])})
    with suppress(ValueError):  # it has a time
        return end_of_day(value)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


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
