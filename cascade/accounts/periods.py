"""Days, months and minutes of the clock in UTC, and which of them limit what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from cascade.accounts.key import Key

__all__ = ["Limit", "What", "finest", "limits_of", "moment_of", "part_of"]

What = Literal["usd", "requests", "tokens"]

MINUTE_S = 60

ROUGH = Context(prec=28, rounding=ROUND_FLOOR)

STEP = {"usd": Decimal("1e-9"), "requests": Decimal(1), "tokens": Decimal(1)}
"""What a part of an amount is rounded to."""


class Limit(NamedTuple):
    """How much of something there is in a period.

    Attributes:
        each: "day", "month" or "minute".
        period: the one that it is, e.g. "2026-11-27"; a day's begins with its month's.
        most: the limit; `None` where there is none.
    """

    each: str
    period: str
    most: Decimal | None


def limits_of(key: Key, what: What, now: float) -> tuple[Limit, ...]:
    """The limits of a key at a moment, the shortest period first."""
    period, _ = finest(what, now)
    if what == "usd":
        month = Limit("month", period[: len("2026-11")], key.budget_month_usd)
        return (Limit("day", period, key.budget_day_usd), month)
    most = key.requests_per_minute if what == "requests" else key.tokens_per_minute
    return (Limit("minute", period, None if most is None else Decimal(most)),)


def finest(what: What, now: float) -> tuple[str, float]:
    """The shortest period of a kind at a moment, and the moment at which it ends."""
    minute = int(now // MINUTE_S)
    return _day_of(minute) if what == "usd" else _minute(minute)


@lru_cache(8)
def _day_of(minute: int) -> tuple[str, float]:
    """The day of a minute, counted since 1970."""
    begun = moment_of(minute * MINUTE_S).replace(hour=0, minute=0)
    return begun.strftime("%Y-%m-%d"), (begun + timedelta(days=1)).timestamp()


@lru_cache(8)
def _minute(minute: int) -> tuple[str, float]:
    begun = minute * MINUTE_S
    return moment_of(begun).strftime("%Y-%m-%dT%H:%M"), float(begun + MINUTE_S)


def part_of(amount: Decimal, share: int, what: What) -> Decimal:
    """One of so many parts of an amount, rounded down; nothing of what is below 0."""
    if amount <= 0:
        return Decimal(0)
    part = ROUGH.divide(amount, Decimal(share))
    step = STEP[what]
    return ROUGH.multiply(ROUGH.divide_int(part, step), step)


def moment_of(now: float) -> datetime:
    """A clock reading as a moment."""
    return datetime.fromtimestamp(now, UTC)
