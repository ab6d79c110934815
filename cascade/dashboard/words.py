"""Numbers and moments as the pages write them; an unknown one is "unknown", never 0."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

from cascade.core.dollars import signed
from cascade.percent import percent
from cascade.traces.page.waterfall import seconds

__all__ = ["NONE", "about", "count", "day", "rounded", "share", "times"]

NONE = "\N{EN DASH}"

DIGITS = 3
"""Of an amount that is an estimate or a mean."""


def about(amount: Decimal | float | None) -> str:
    """An amount in three digits, for means and estimates: "$0.00348"."""
    if amount is None:
        return "unknown"
    value = _in_digits(Decimal(amount))
    return signed(f"{value:,f}") if value else "$0"


def rounded(amount: Decimal | float | None) -> str:
    """The same, with a mark where digits were rounded away: "≈ $0.000212"; for what is exact."""
    is_exact = amount is None or _in_digits(Decimal(amount)) == Decimal(amount)
    return f"{'' if is_exact else '≈ '}{about(amount)}"


def _in_digits(value: Decimal) -> Decimal:
    exponent = min(0, value.adjusted() - DIGITS + 1)
    return value.quantize(Decimal(1).scaleb(max(-12, min(-2, exponent))))


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1,319 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(value: float | None) -> str:
    """A share in [0, 1] as percent: "71 %", "0.4 %"; a dash for none."""
    if value is None or math.isnan(value):
        return NONE
    return percent(value, 0 if value >= 0.0995 or value == 0 else 1)  # noqa: PLR2004  two digits do


def times(value: float | None) -> str:
    """Seconds to read; a dash for none."""
    return NONE if value is None else seconds(value)


def day(moment: datetime | None) -> str:
    """A day in UTC; a dash for none."""
    return NONE if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d")
