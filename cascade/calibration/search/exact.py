"""The true optimum of two thresholds, among all there are.

The first threshold sweeps upward over the scores, block by block. A request that it passes moves on
to the second step, which changes the totals at all places of the second threshold at once. Asking
more costs more, so a block can cost no less than at its start; one that even then, with all the
quality that its requests might gain, is no cheaper than the best so far is passed as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.search.thresholds import NEVER, candidates, endings_of_chain, tabulate

__all__ = ["exact_pair"]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

BLOCK = 64
"""Requests that are passed at once where nothing can be found among them."""


def exact_pair(
    scores: Floats, values: Floats, costs: Floats, floor: float
) -> tuple[float, float] | None:
    """The cheapest two thresholds that keep a floor: O(N^2) time at worst, O(N) memory.

    Args:
        scores: of the two steps, shape (n, 2); NaN never accepts.
        values: times weights, shape (n, 3).
        costs: paid by the time a request ends there, never falling along a row; shape (n, 3).
        floor: total value to keep.

    Returns:
        The thresholds, `NEVER` where a step had better accept nothing; `None` where nothing keeps
        the floor.

    Raises:
        ValueError: the costs of a row fall.
    """
    if (np.diff(costs, axis=1) < 0).any():
        raise ValueError("costs fall along a row: expected what was paid by then, which only grows")
    known = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(known[:, 0], kind="stable")
    first, second = known[order, 0], known[order, 1]
    places = np.append(np.unique(second[second > -np.inf]), NEVER)
    reached = np.searchsorted(places, second, side="right")  # accepted at the places before it
    sweep = _Sweep.of(values[order], costs[order], reached, len(places))
    best = _coarse(scores, values, costs, floor)
    ends = np.flatnonzero(np.append(first[1:] != first[:-1], True)) + 1
    if first[0] > -np.inf:
        ends = np.append(0, ends)  # the lowest threshold passes nobody
    for block in np.array_split(ends, max(1, len(first) // BLOCK)):
        if not len(block):
            continue
        most = np.inf if best is None else best[0]
        if not sweep.may_beat(most, floor, int(block[-1])):
            sweep.skip_to(int(block[-1]))
            continue
        for end in block.tolist():
            sweep.step_to(end)
            found = sweep.cheapest(floor, np.inf if best is None else best[0])
            if found is not None:
                at_first = float(first[end]) if end < len(first) else NEVER
                best = found[0], at_first, float(places[found[1]])
    return None if best is None else best[1:]


def _coarse(
    scores: Floats, values: Floats, costs: Floats, floor: float
) -> tuple[float, float, float] | None:
    """Cost and thresholds of a coarse table's best cell: something to beat."""
    axes = [candidates(column) for column in scores.T]
    table = tabulate(endings_of_chain(scores, values, costs), axes)
    kept = np.flatnonzero(table.value >= floor)
    if not len(kept):
        return None
    cell = int(kept[table.cost.ravel()[kept].argmin()])
    at_first, at_second = table.at(cell)
    return float(table.cost.ravel()[cell]), at_first, at_second


@dataclass(slots=True, eq=False)
class _Sweep:
    """Totals at every place of the second threshold, while requests move on to it.

    Attributes:
        base: value and cost were all that moved on to end at the last step.
        value: what ending at the second step adds to the value, by place.
        cost: what it adds to the cost, which rises along the places; never above 0.
        at: requests that have moved on, in the order of their first scores.
    """

    goes_on: Floats
    stays: Floats
    reached: Whole
    gains: Floats
    base: Floats
    value: Floats
    cost: Floats
    at: int = 0

    @classmethod
    def of(cls, values: Floats, costs: Floats, reached: Whole, places: int) -> _Sweep:
        """Before any request has moved on."""
        return cls(
            goes_on=np.stack((values[:, 2] - values[:, 0], costs[:, 2] - costs[:, 0]), 1),
            stays=np.stack((values[:, 1] - values[:, 2], costs[:, 1] - costs[:, 2]), 1),
            reached=reached,
            gains=np.concatenate(
                ([0.0], np.cumsum(np.maximum(values[:, 1:].max(1) - values[:, 0], 0.0)))
            ),
            base=np.array([values[:, 0].sum(), costs[:, 0].sum()]),
            value=np.zeros(places),
            cost=np.zeros(places),
        )

    def may_beat(self, most: float, floor: float, end: int) -> bool:
        """Whether passing requests up to one might cost less than the most and keep the floor."""
        gain = float(self.gains[end] - self.gains[self.at])
        last = int(np.searchsorted(self.cost, most - self.base[1]))
        return bool((self.value[:last] >= floor - self.base[0] - gain).any())

    def skip_to(self, end: int) -> None:
        """Move requests on, all at once."""
        rows = slice(self.at, end)
        self.base += self.goes_on[rows].sum(0)
        size = len(self.value) + 1
        for total, part in ((self.value, 0), (self.cost, 1)):
            sums = np.bincount(self.reached[rows], self.stays[rows, part], size)
            total += np.cumsum(sums[:0:-1])[::-1]  # noqa: PLW2901  in place
        self.at = end

    def step_to(self, end: int) -> None:
        """Move requests on, one by one, which is quicker for a few."""
        for row in range(self.at, end):
            self.base += self.goes_on[row]
            accepted = self.reached[row]
            value, cost = self.stays[row]
            self.value[:accepted] += value
            self.cost[:accepted] += cost
        self.at = end

    def cheapest(self, floor: float, below: float) -> tuple[float, int] | None:
        """Cost and place of the cheapest total that keeps the floor, if below a cost."""
        last = int(np.searchsorted(self.cost, below - self.base[1]))
        if not last:
            return None
        keeps = self.value[:last] >= floor - self.base[0]
        place = int(keeps.argmax())
        if not keeps[place]:
            return None
        return float(self.base[1] + self.cost[place]), place
