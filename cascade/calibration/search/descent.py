"""From a good combination of thresholds to a better one, one threshold at a time.

Each move is exact over all scores: one sort and two prefix sums tell the totals at every place
that a threshold could have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.search.thresholds import NEVER, Ending

__all__ = ["Aim", "descend", "totals"]

Floats = NDArray[np.float64]

MOST_ROUNDS = 50
"""Rounds of descent at most; it stops by itself after a handful."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is best: the cheapest that is worth at least `floor`, or the most of value - price cost.

    Attributes:
        floor: total value to keep; `None` to trade by price.
        price: of a unit of cost in units of value.
    """

    floor: float | None = None
    price: float = 0.0

    def best(self, value: Floats, cost: Floats) -> int | None:
        """The place of the best of some points, shape (n,); `None` where none keeps the floor."""
        if self.floor is None:
            return int(np.argmax(value - self.price * cost))
        kept = np.flatnonzero(value >= self.floor)
        if not len(kept):
            return None
        cheapest = kept[cost[kept] == cost[kept].min()]
        return int(cheapest[np.argmax(value[cheapest])])

    def prefers(self, one: tuple[float, float], other: tuple[float, float]) -> bool:
        """Whether one (value, cost) is truly better than another."""
        if self.floor is None:
            return one[0] - self.price * one[1] > other[0] - self.price * other[1]
        if other[0] < self.floor:
            return one[0] > other[0]  # first reach the floor, whatever it costs
        return one[0] >= self.floor and (-one[1], one[0]) > (-other[1], other[0])


def totals(endings: Sequence[Ending], thresholds: Sequence[float]) -> tuple[float, float]:
    """Total value and cost at one combination of thresholds."""
    value = cost = 0.0
    for ending in endings:
        holds = ending.holds(thresholds)
        value += float(ending.value[holds].sum())
        cost += float(ending.cost[holds].sum())
    return value, cost


def descend(endings: Sequence[Ending], start: Sequence[float], aim: Aim) -> tuple[float, ...]:
    """Thresholds that no change of a single one improves.

    Args:
        endings: which between them hold each request once.
        start: thresholds to begin with.
        aim: what is better. Where the start misses its floor, the first moves seek it.
    """
    best = list(start)
    reached = totals(endings, best)
    for _ in range(MOST_ROUNDS):
        moved = False
        for axis in range(len(best)):
            places, value, cost = _along(endings, best, axis)
            chosen = aim.best(value, cost)
            chosen = int(np.argmax(value)) if chosen is None else chosen
            found = float(value[chosen]), float(cost[chosen])
            if aim.prefers(found, reached):
                best[axis], reached, moved = float(places[chosen]), found, True
        if not moved:
            break
    return tuple(best)


def _along(
    endings: Sequence[Ending], thresholds: Sequence[float], axis: int
) -> tuple[Floats, Floats, Floats]:
    """Every place one threshold could have, with total value and cost there.

    With the threshold at its lowest all scored requests are accepted; as it passes a score, those
    that were accepted with it go on instead.
    """
    fixed = [0.0, 0.0]
    passed, gained = [], []
    for ending in endings:
        holds = ending.holds(thresholds, without=axis)
        parts = np.stack((ending.value[holds], ending.cost[holds]), 1)
        if axis in ending.above:
            scores, sign = ending.above[axis][holds], -1.0
        elif axis in ending.below:
            scores, sign = ending.below[axis][holds], 1.0
        else:
            fixed += parts.sum(0)
            continue
        finite = scores > -np.inf  # NaN and -inf are below the threshold wherever it is
        fixed += parts[finite if sign < 0 else ~finite].sum(0)
        passed.append(scores[finite])
        gained.append(sign * parts[finite])
    scores, gains = np.concatenate(passed), np.concatenate(gained)
    order = np.argsort(scores, kind="stable")
    scores = scores[order]
    after = np.cumsum(gains[order], 0)
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])
    places = np.append(scores[last], NEVER)
    sums = np.concatenate((np.zeros((1, 2)), after[last])) + fixed
    return places, sums[:, 0], sums[:, 1]
