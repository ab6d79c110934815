"""Shares as percent, for people: the one place that writes them."""

from __future__ import annotations

__all__ = ["percent"]

FINE = 9
"""Decimals of a percent that a mean of floats has. The rest is noise, which would round 2.5 up at
one end of an interval and down at the other."""


def percent(share: float, digits: int | None = 1) -> str:
    """A share as percent, with a space before the sign: "54.8 %".

    Args:
        share: 0.548 is 54.8 %; differences may be below 0.
        digits: after the point; `None` for as few as say it exactly, e.g. "95 %" and "99.9 %".
    """
    number = f"{100 * share:g}" if digits is None else f"{round(100 * share, FINE):.{digits}f}"
    return f"{number.removeprefix('-') if float(number) == 0 else number} %"
