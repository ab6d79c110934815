"""Shares of a whole as people write them on a command line."""

from __future__ import annotations

from cascade.cli.output import UsageError

__all__ = ["points_of", "share_of"]


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


def points_of(text: str, option: str) -> float:
    """A share from points of quality: "2" and "2%" are 0.02, "0.5" is half a point.

    Raises:
        UsageError: no number from 0 to 100.
    """
    value = _number(text.strip().removesuffix("%").strip(), text, option)
    if not 0 <= value <= 100:  # noqa: PLR2004  percent
        raise UsageError(f"{option} {text!r}: expected points of quality from 0 to 100, e.g. 2")
    return value / 100


def _number(bare: str, text: str, option: str) -> float:
    try:
        return float(bare)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no number; e.g. {option} 2") from None
