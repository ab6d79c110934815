"""Quantiles of a stream of times in constant memory."""

from __future__ import annotations

import math

__all__ = ["Quantiles"]

GAMMA = 1.02
"""Each bin's upper edge is so many times its lower one: a quantile is right within one per cent."""

SMALLEST_S = 1e-6
"""Shorter times count as this long."""

LARGEST_S = 1e9


class Quantiles:
    """Counts times in bins whose edges grow by a constant factor.

    Whatever the number of times, there are at most some seventeen hundred bins.

    Source: Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
    relative-error guarantees", PVLDB 12 (2019), section 2.1.
    """

    def __init__(self) -> None:
        self.count = 0
        self._bins: dict[int, int] = {}
        self._least, self._most = LARGEST_S, 0.0

    def add(self, seconds: float) -> None:
        """Count one time; one that is no number is left out."""
        if math.isnan(seconds):
            return
        value = min(max(seconds, SMALLEST_S), LARGEST_S)
        place = math.ceil(math.log(value, GAMMA))
        self._bins[place] = self._bins.get(place, 0) + 1
        self._least, self._most = min(self._least, value), max(self._most, value)
        self.count += 1

    def at(self, share: float) -> float | None:
        """The time that this share of all times does not exceed, `None` without any.

        Args:
            share: in [0, 1], e.g. 0.95.

        Returns:
            Seconds, within one per cent of the time whose rank is the share of the count, rounded
            up; never less than the shortest time, nor more than the longest.
        """
        rank, passed = max(1, math.ceil(share * self.count)), 0
        for place in sorted(self._bins):
            passed += self._bins[place]
            if passed >= rank:
                middle = float(f"{2 * GAMMA**place / (GAMMA + 1):.4g}")
                return min(max(middle, self._least), self._most)
        return None
