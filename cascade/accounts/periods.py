"""Days, months and minutes of the clock in UTC, and which of them limit what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Literal

from cascade.accounts.key import Key

__all__ = ["Limit", "What", "finest", "limits_of", "moment_of", "part_of"]

What = Literal["usd", "requests", "tokens"]

FORMATS = {"day": "%Y-%m-%d", "month": "%Y-%m", "minute": "%Y-%m-%dT%H:%M"}

ROUGH = Context(prec=28, rounding=ROUND_FLOOR)

STEP = {"usd": Decimal("1e-9"), "requests": Decimal(1), "tokens": Decimal(1)}
"""What a part of an amount is rounded to."""


@dataclass(frozen=True, slots=True)
class Limit:
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
    if what == "usd":
        return (
            Limit("day", _named("day", now), key.budget_day_usd),
            Limit("month", _named("month", now), key.budget_month_usd),
        )
    most = key.requests_per_minute if what == "requests" else key.tokens_per_minute
    return (Limit("minute", _named("minute", now), None if most is None else Decimal(most)),)


def finest(what: What, now: float) -> tuple[str, float]:
    """The shortest period of a kind at a moment, and the moment at which it ends."""
    begun = datetime.fromtimestamp(now, UTC)
    if what == "usd":
        begun = begun.replace(hour=0, minute=0, second=0, microsecond=0)
        return begun.strftime(FORMATS["day"]), (begun + timedelta(days=1)).timestamp()
    begun = begun.replace(second=0, microsecond=0)
    return begun.strftime(FORMATS["minute"]), (begun + timedelta(minutes=1)).timestamp()


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


def _named(each: str, now: float) -> str:
    return moment_of(now).strftime(FORMATS[each])
