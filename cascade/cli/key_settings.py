"""What a key may do, as options of `cascade keys`, and what their words mean."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.output import UsageError
from cascade.core.budget import Budget
from cascade.errors import ConfigError

if TYPE_CHECKING:
    from cascade.accounts.keyring import Keyring

__all__ = [
    "ChainOption",
    "ConcurrencyOption",
    "DayOption",
    "ExpiresOption",
    "ModelOption",
    "MonthOption",
    "RequestsOption",
    "TokensOption",
    "amount_of",
    "names_of",
    "option_of",
    "settings_of",
]

NONE = "none"
"""Takes a limit away; as a model, all models."""

EVERY = "*"
"""All chains, or every model."""

SPAN = re.compile(r"(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

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


def settings_of(
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
            read[field] = amount_of(field, value, can_remove=can_remove)
        else:
            read[field] = _count(field, value, or_none=", or none" if can_remove else "")
    return read


def names_of(option: str, given: list[str] | None) -> tuple[str, ...] | None:
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


def amount_of(field: str, value: str, *, can_remove: bool) -> Decimal:
    """Dollars above 0; raises `UsageError` where the words are none."""
    try:
        return Budget(value).limit_usd
    except ConfigError as error:
        hint = "; none takes the limit away" if can_remove else ""
        raise UsageError(f"{option_of(field)}: {error}{hint}") from None


def _count(field: str, value: str, *, or_none: str) -> int:
    if not re.fullmatch(r"\d{1,15}", value) or not int(value):
        raise UsageError(
            f"{option_of(field)} {value!r} is no whole number above 0; expected e.g. 60{or_none}"
        )
    return int(value)


def option_of(field: str) -> str:
    """The option that gives a setting."""
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
