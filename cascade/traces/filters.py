"""What narrows a list of traces, checked before a database is asked: a mistake would find nothing.

Knows no database and no command line; both read the same words.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypedDict, get_args

from cascade.core.pricing import Basis
from cascade.core.trace import Status
from cascade.errors import ConfigError

__all__ = [
    "BASES",
    "SORTS",
    "STATUSES",
    "Moment",
    "Sort",
    "Usd",
    "Wanted",
    "check_limit",
    "check_sort",
    "checked",
    "later",
]

Moment = str | date
"""A date or datetime, ISO 8601 text of one, or so long ago: "30m", "12h", "7d", "2w"."""

Usd = Decimal | str | int
"""An amount of dollars; text rather than a float, which is none to the cent."""

Sort = Literal["time", "cost", "duration"]
"""What a list begins with: the newest, the dearest, or the longest."""

SORTS: tuple[Sort, ...] = get_args(Sort)

STATUSES: tuple[str, ...] = get_args(Status)

BASES: tuple[str, ...] = get_args(Basis)

MAGNITUDE = 40
"""Powers of ten that an amount may reach, either way."""

AGO = re.compile(r"(\d{1,6})([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Wanted(TypedDict, total=False):
    """What narrows a list of traces; all that is given must hold.

    Attributes:
        status: only those that ended so.
        tier: only those that this tier answered.
        since: only those begun at this moment or later; without a zone it counts as UTC.
        until: only those begun before this moment.
        chain: only those of the chain of that name.
        tag: only those with this tag.
        tags: only those with all of these.
        parent: only those made for this trace or run, or for one of several.
        escalated: only those that asked more than one tier, or only those that asked one at most.
        basis: only those whose cost is so sure: "exact", "estimated" or "unknown".
        min_cost_usd: only those of a known cost of at least so many dollars.
        max_cost_usd: only those of a known cost of at most so many.
        min_duration_s: only those that took at least so many seconds.
        max_duration_s: only those that took at most so many.
    """

    status: str | None
    tier: str | None
    since: Moment | None
    until: Moment | None
    chain: str | None
    tag: str | None
    tags: Collection[str] | None
    parent: str | Collection[str] | None
    escalated: bool | None
    basis: str | None
    min_cost_usd: Usd | None
    max_cost_usd: Usd | None
    min_duration_s: float | None
    max_duration_s: float | None


def checked(wanted: Wanted, *, before: str = "") -> Wanted:
    """The same filters, with moments as datetimes.

    Args:
        wanted: as a caller gave them.
        before: stands before a filter's name in messages: "--" for a command's options.

    Raises:
        TypeError: there is no such filter.
        ConfigError: a status that there is not, a moment that is none, or no text for a name.
    """
    unknown = wanted.keys() - Wanted.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"{min(unknown)!r} filters no traces; "
            f"expected one of {', '.join(Wanted.__annotations__)}"
        )
    found: Wanted = {**wanted}
    for name in ("status", "tier", "chain", "tag"):
        value = wanted.get(name)
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{before}{name} {value!r} is no text; expected one {name}")
    marks = wanted.get("tags")
    if isinstance(marks, str) or not _are_texts(marks):
        raise ConfigError(f"{before}tags {marks!r}: expected several tags")
    _check_word(wanted.get("status"), f"{before}status", "status", STATUSES)
    _check_word(wanted.get("basis"), f"{before}basis", "basis", BASES)
    parent = wanted.get("parent")
    if not _are_texts(parent):
        raise ConfigError(
            f"{before}parent {parent!r} is no id; expected that of a trace or run, or several"
        )
    found["since"] = _moment(wanted.get("since"), f"{before}since")
    found["until"] = _moment(wanted.get("until"), f"{before}until")
    _check_numbers(wanted, found, before)
    return found


def later(one: Moment | None, other: Moment | None) -> Moment | None:
    """The later of two moments that traces began `since`: both filters hold then.

    Raises:
        ConfigError: one of them is no moment.
    """
    first, second = _moment(one, "since"), _moment(other, "since")
    if first is None or second is None:
        return second if first is None else first
    return max(first, second, key=lambda moment: moment.replace(tzinfo=moment.tzinfo or UTC))


def check_limit(limit: int | None) -> int | None:
    """How many traces at most; `None` for all.

    Raises:
        ConfigError: it is negative or no whole number.
    """
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise ConfigError(f"limit {limit!r}: expected a number of traces, or None for all")
    return limit


def check_sort(sort: str) -> str:
    """What a list begins with.

    Raises:
        ConfigError: there is no such order.
    """
    if sort not in SORTS:
        raise ConfigError(f"sort {sort!r} is no order; expected one of {', '.join(SORTS)}")
    return sort


def _are_texts(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return True
    return isinstance(value, Collection) and all(isinstance(each, str) for each in value)


def _check_word(value: str | None, name: str, kind: str, known: tuple[str, ...]) -> None:
    if value is None or value in known:
        return
    near = difflib.get_close_matches(str(value).lower(), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    raise ConfigError(f"{name} {value!r} is no {kind}; {hint}")


def _check_numbers(wanted: Wanted, found: Wanted, before: str) -> None:
    escalated = wanted.get("escalated")
    if escalated is not None and not isinstance(escalated, bool):
        raise ConfigError(f"{before}escalated {escalated!r}: expected True or False")
    found["min_cost_usd"] = _amount(wanted.get("min_cost_usd"), f"{before}min_cost_usd")
    found["max_cost_usd"] = _amount(wanted.get("max_cost_usd"), f"{before}max_cost_usd")
    for name in ("min_duration_s", "max_duration_s"):
        value = wanted.get(name)
        if value is not None and not _is_number(value):
            raise ConfigError(f"{before}{name} {value!r}: expected a number of seconds")


def _amount(value: Usd | None, name: str) -> Decimal | None:
    if value is None:
        return None
    try:
        found = None if isinstance(value, float | bool) else Decimal(value)
    except (TypeError, ValueError, ArithmeticError):
        found = None
    if found is None or not found.is_finite() or abs(found.adjusted()) > MAGNITUDE:
        raise ConfigError(f"{name} {value!r} is no amount; expected dollars as text, e.g. '0.01'")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _moment(value: Moment | None, name: str) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        ago = AGO.fullmatch(value)
        try:
            if ago is not None:
                return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            pass
    raise ConfigError(
        f"{name} {value!r} is no moment; expected e.g. 2026-11-22, 2026-11-22T09:30, 12h or 7d"
    )
