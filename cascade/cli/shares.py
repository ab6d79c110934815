"""Shares of a whole as people write them on a command line."""

from __future__ import annotations

from cascade.cli.output import UsageError
from cascade.percent import percent

__all__ = ["certainty_of", "margin_of", "points_of", "share_of", "target_of"]

LEAST = 0.1
"""Points: a margin below it is rather a share, 0.05 for 5 points, unless it is written as 0.05%."""

HALF = 0.5
"""A target below it is rather the loss that may be: 0.05 for 95 %, unless it is written as 5%."""


def share_of(text: str, option: str) -> float:
    """A share from "98%", "98" or "0.98"; what is above 1 is percent.

    Raises:
        UsageError: no number from 0 to 100.
    """
    bare = text.strip().removesuffix("%").strip()
    value = _number(bare, text, option)
    share = value / 100 if value > 1 or text.strip().endswith("%") else value
    if not 0 <= share <= 1:
        raise UsageError(f"{option} {text!r}: expected a share, e.g. 98% or 0.98")
    return share


def target_of(text: str, option: str) -> float:
    """The share of quality to keep, as `share_of` reads it.

    Raises:
        UsageError: no number from 0 to 100, or one that was rather meant as a loss.
    """
    share = share_of(text, option)
    if share < HALF and not text.strip().endswith("%"):
        raise UsageError(
            f"{option} {text!r} keeps {percent(share, None)} of the quality: did you mean "
            f"{100 - 100 * share:g}%? Write {100 * share:g}% if not"
        )
    return share


def points_of(text: str, option: str) -> float:
    """A share from points of quality: "2" and "2%" are 0.02, "0.5" is half a point.

    Raises:
        UsageError: no number from 0 to 100.
    """
    value = _number(text.strip().removesuffix("%").strip(), text, option)
    if not 0 <= value <= 100:  # noqa: PLR2004  percent
        raise UsageError(f"{option} {text!r}: expected points of quality from 0 to 100, e.g. 2")
    return value / 100


def margin_of(text: str, option: str, *, zero: bool = True) -> float:
    """A margin from points of quality, as `points_of` reads them.

    Args:
        text: as written.
        option: by whose name it is refused.
        zero: whether no loss at all may be asked for.

    Raises:
        UsageError: no number below 100, or one that was rather meant as a share.
    """
    margin = points_of(text, option)
    if margin >= 1 or not (margin or zero):
        least = "from 0" if zero else "above 0"
        raise UsageError(
            f"{option} {text!r}: expected points of quality {least} and below 100, e.g. 2"
        )
    if 0 < margin < LEAST / 100 and not text.strip().endswith("%"):
        raise UsageError(
            f"{option} {text!r} is less than {LEAST:g} points: did you mean {1e4 * margin:g} "
            f"(points)? Write {text.strip()}% if not"
        )
    return margin


def certainty_of(text: str, option: str) -> float:
    """A share above 0 and below 1, as `share_of` reads it: nothing is certain.

    Raises:
        UsageError: no number above 0 and below 100.
    """
    share = share_of(text, option)
    if not 0 < share < 1:
        raise UsageError(f"{option} {text!r}: expected percent above 0 and below 100, e.g. 95")
    return share


def _number(bare: str, text: str, option: str) -> float:
    try:
        return float(bare)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no number; e.g. {option} 2") from None
