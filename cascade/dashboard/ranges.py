"""The times that pages look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cascade.traces.series import Step

__all__ = ["DEFAULT", "RANGES", "Range", "range_of"]


@dataclass(frozen=True, slots=True)
class Range:
    """The last so many hours or days.

    Attributes:
        name: in addresses, e.g. "7d"; "all" for everything.
        words: on pages.
        step: of its pictures.
    """

    name: str
    words: str
    step: Step

    @property
    def since(self) -> str | None:
        """As a filter; `None` for everything."""
        return None if self.name == "all" else self.name


RANGES: Mapping[str, Range] = {
    item.name: item
    for item in (
        Range("24h", "24 hours", "hour"),
        Range("7d", "7 days", "day"),
        Range("30d", "30 days", "day"),
        Range("all", "all time", "day"),
    )
}

DEFAULT = "7d"


def range_of(name: str | None) -> Range:
    """The range of that name; the default for none, or one that is none."""
    return RANGES.get(name or DEFAULT, RANGES[DEFAULT])
