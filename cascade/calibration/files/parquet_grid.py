"""Which row of a file is which request and tier, whatever order the rows come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.errors import RecordingError

__all__ = ["Grid"]


def _place(row: int) -> str:
    return f"row {row + 1}"


class Grid:
    """Requests by tiers, and where each row of a file belongs.

    Args:
        ids: request of each row.
        tiers: tier of each row.
        known: tiers in their order; others follow as they occur.
        place: where a row stands, in words.

    Attributes:
        ids: the requests, in the order in which they occur first.
        names: the tiers.
        row: index of each file row's request; `column` of its tier.
        first: for each request its first row in the file.

    Raises:
        RecordingError: no row, a row without id or tier, or two of the same request and tier.
    """

    def __init__(
        self,
        ids: Iterable[Any],
        tiers: Iterable[Any],
        known: Sequence[str],
        place: Callable[[int], str] = _place,
    ) -> None:
        self.ids, self.row = _numbered(ids, "request_id", (), place)
        self.names, self.column = _numbered(tiers, "tier", known, place)
        self._count = len(self.row)
        if not self._count:
            raise RecordingError("it holds no row: a recording needs one request at least")
        self.first = np.full(len(self.ids), -1)
        self.first[self.row[::-1]] = np.arange(self._count)[::-1]
        cell = self.row * len(self.names) + self.column
        times = np.bincount(cell, minlength=len(self.ids) * len(self.names))
        if (times > 1).any():
            twice = int(np.flatnonzero(times > 1)[0])
            cells = np.flatnonzero(cell == twice)
            raise RecordingError(
                f"{self.named(int(cells[0]))} has {len(cells)} rows, again in "
                f"{place(int(cells[1]))}: "
                "expected one; drop the others, or give each answer a request_id of its own"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Requests and tiers."""
        return len(self.ids), len(self.names)

    def named(self, row: int) -> str:
        """A row of the file, for messages."""
        return f"request {self.ids[self.row[row]]!r}, tier {self.names[self.column[row]]!r}"

    def spread(self, values: NDArray[Any], empty: Any) -> NDArray[Any]:
        """A column of the file as (n, k); `empty` where there is no row."""
        made = np.full(self.shape, empty, values.dtype)
        made[self.row, self.column] = values
        return made

    def once(self, values: NDArray[Any], name: str) -> NDArray[Any]:
        """A column of the file that is the same in all rows of a request, as (n,).

        Raises:
            RecordingError: it is not the same.
        """
        made: NDArray[Any] = values[self.first]
        other = values != made[self.row]
        if values.dtype != object:
            other &= ~(np.isnan(values) & np.isnan(made[self.row]))
        if other.any():
            row = int(np.flatnonzero(other)[0])
            raise RecordingError(
                f"{name} of {self.named(row)} is {values[row]!r:.80}, and "
                f"{made[self.row[row]]!r:.80} in an earlier row of that request: expected the same"
            )
        return made

    def first_of_tiers(self, values: NDArray[Any]) -> list[Any]:
        """What a column of the file says of each tier first; `None` where it has no row."""
        made: list[Any] = [None] * len(self.names)
        for place in np.unique(self.column, return_index=True)[1]:
            made[self.column[place]] = values[place]
        return made


def _numbered(
    values: Iterable[Any], what: str, known: Sequence[str], place: Callable[[int], str]
) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct values in order, and for each value its number."""
    seen = {name: number for number, name in enumerate(known)}
    found = np.array([seen.setdefault(value, len(seen)) for value in values], np.int64)
    names = list(seen)
    for bad in (None, ""):
        if bad in seen:
            row = int(np.flatnonzero(found == seen[bad])[0])
            raise RecordingError(f"{place(row)} has no {what}: expected text")
    return names, found
