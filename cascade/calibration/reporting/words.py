"""Numbers as people read them; an unknown one is "unknown", never 0."""

from __future__ import annotations

import math
from collections.abc import Callable

from cascade.calibration.reporting.view import Range
from cascade.core.dollars import signed
from cascade.percent import percent as written

__all__ = [
    "MINUS",
    "UNKNOWN_WORD",
    "between",
    "count",
    "money",
    "percent",
    "points",
    "share",
    "weighed",
]

UNKNOWN_WORD = "unknown"

MINUS = "\N{MINUS SIGN}"

LARGE = 1_000

ALMOST_ALL = 0.995
"""A share from which on whole percent would say that it is everything."""


def money(amount: float | None) -> str:
    """An amount of USD with three significant digits or all whole dollars: "$0.0123", "$4,210"."""
    if amount is None or math.isnan(amount):
        return UNKNOWN_WORD
    if amount == 0:
        return "$0"
    if abs(amount) >= LARGE:
        return signed(f"{amount:,.0f}")
    digits = max(0, 2 - math.floor(math.log10(abs(amount))))
    return signed(f"{amount:.{max(digits, 2)}f}")


def percent(value: float | None, digits: int | None = 1) -> str:
    """A share in [0, 1] as percent: "71.3 %"; without digits, as few as say it exactly."""
    if value is None or math.isnan(value):
        return UNKNOWN_WORD
    return written(value, digits).replace("-", MINUS)


def share(value: float | None) -> str:
    """A share as whole percent, with one digit below 10 %, and more where it is almost 100 %."""
    if value is None or math.isnan(value):
        return UNKNOWN_WORD
    if ALMOST_ALL <= value < 1:  # 100 % less would be for nothing
        return percent(value, math.ceil(-math.log10(1 - value)) - 2)
    return percent(value, 0 if abs(value) >= 0.0995 else 1)  # noqa: PLR2004  rounds to 10


def points(value: float | None) -> str:
    """A difference of two shares in percentage points: "2.0 points"."""
    if value is None or math.isnan(value):
        return UNKNOWN_WORD
    return f"{100 * value:.1f} points".replace("-0.0 ", "0.0 ").replace("-", MINUS)


def weighed(number: float) -> str:
    """A count that may weigh its parts by quality: "12", "12.4"."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1,319 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def between(ends: Range | None, shown: Callable[[float], str] = percent) -> str:
    """An interval: "69.1 % to 73.4 %"; "" where there is none."""
    if ends is None or any(math.isnan(end) for end in ends):
        return ""
    return f"{shown(ends[0])} to {shown(ends[1])}"
