"""Every combination of thresholds at once: what each is worth and what each costs, exactly.

A request ends at the first step whose score reaches its threshold. How it may end is a list of
`Ending`s: below some thresholds, then at or above one. For each a histogram over threshold bins,
summed up along its axes, tells the total at every combination; the totals of all combinations
are the broadcast sums of those tables. N requests, K steps and M candidates a step take
O(N K + M^(K-1)) time and O(N + M^(K-1)) memory.

Knows arrays only: no plan, no recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NEVER",
    "Ending",
    "Table",
    "candidates",
    "endings_of_chain",
    "pareto",
    "scores_of",
    "tabulate",
]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

NEVER = float("inf")
"""The threshold that accepts nothing; a plan has no such step, it leaves the step out."""


@dataclass(frozen=True, slots=True, eq=False)
class Ending:
    """One way in which requests may end, and what it gives and costs each of them.

    Attributes:
        value: what a request that ends so is worth, times its weight; shape (n,).
        cost: what it has paid by then, times its weight; shape (n,).
        below: scores by axis that must stay below the axis' threshold, each of shape (n,). NaN and
            -inf are below every threshold.
        above: scores by axis that must reach it.
    """

    value: Floats
    cost: Floats
    below: Mapping[int, Floats] = field(default_factory=dict)
    above: Mapping[int, Floats] = field(default_factory=dict)

    @property
    def axes(self) -> list[int]:
        """The axes whose thresholds it depends on, ascending."""
        return sorted({*self.below, *self.above})

    def holds(self, thresholds: Sequence[float], *, without: int = -1) -> NDArray[np.bool_]:
        """Which requests end so, shape (n,); `without` leaves the condition of one axis out."""
        found = np.ones(len(self.value), bool)
        for axis, scores in self.above.items():
            if axis != without:
                found &= scores >= thresholds[axis]
        for axis, scores in self.below.items():
            if axis != without:
                found &= ~(scores >= thresholds[axis])
        return found


def endings_of_chain(
    scores: Floats, values: Floats, costs: Floats, weights: Floats | None = None
) -> tuple[Ending, ...]:
    """The endings of plain steps, each tried only where all before it rejected.

    Args:
        scores: of all steps but the last, shape (n, K - 1); NaN never accepts.
        values: of what is returned where the step accepts, shape (n, K).
        costs: paid by the time a request ends there, shape (n, K).
        weights: of the requests, shape (n,); 1 each if left out.
    """
    counts = np.ones(len(values)) if weights is None else weights
    columns = [np.ascontiguousarray(column, float) for column in np.asarray(scores).T]
    last = len(columns)
    return tuple(
        Ending(
            values[:, step] * counts,
            costs[:, step] * counts,
            below=dict(enumerate(columns[:step])),
            above={step: columns[step]} if step < last else {},
        )
        for step in range(last + 1)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Totals over all requests at every combination of thresholds.

    Sums of whole numbers, such as 0/1 quality and picodollars, are exact below 2**53.

    Attributes:
        thresholds: candidates of each axis, ascending.
        value: total value, shape (M_0, M_1, ...).
        cost: total cost, same shape.
    """

    thresholds: tuple[Floats, ...]
    value: Floats
    cost: Floats

    def at(self, cell: int) -> tuple[float, ...]:
        """The thresholds of a cell, counted in the flattened table."""
        places = np.unravel_index(cell, self.value.shape)
        pairs = zip(self.thresholds, places, strict=True)
        return tuple(float(axis[place]) for axis, place in pairs)

    def path(self) -> Whole:
        """Cells that nothing beats in value at their cost, cheapest first."""
        return pareto(self.cost.ravel(), self.value.ravel())


def scores_of(endings: Sequence[Ending], axis: int) -> Floats:
    """All scores that an axis' threshold is held against; those shared by endings once."""
    columns = {}
    for ending in endings:
        for side in (ending.above, ending.below):
            if axis in side:
                columns[id(side[axis])] = side[axis]
    return np.concatenate(list(columns.values()))


def candidates(scores: Floats, most: int = 65, *, never: bool = True) -> Floats:
    """Thresholds worth trying on a step, ascending: values that occur, at even quantiles.

    The first accepts every finite score. Where there are few distinct scores, all are candidates;
    requests with the same score are never told apart.

    Args:
        scores: of the step, shape (n,); NaN and infinite ones need no threshold of their own.
        most: candidates at most, 2 or more.
        never: end with `NEVER`, which accepts nothing.
    """
    ordered = np.sort(scores[np.isfinite(scores)])
    tail = [NEVER] if never or not len(ordered) else []
    room = most - len(tail)
    if len(ordered) > room:
        distinct = ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]
        if len(distinct) > room:
            places = np.linspace(0, len(ordered) - 1, room).round().astype(np.int64)
            distinct = np.unique(ordered[places])
        ordered = distinct
    return np.concatenate((np.unique(ordered), tail))


def tabulate(endings: Sequence[Ending], thresholds: Sequence[Floats]) -> Table:
    """The table over some thresholds for each axis.

    Args:
        endings: which between them hold each request once, whatever the thresholds.
        thresholds: candidates of axis 0, 1, ..., each ascending.
    """
    shape = tuple(len(axis) for axis in thresholds)
    value, cost = np.zeros(shape), np.zeros(shape)
    known: dict[tuple[int, int], Whole] = {}
    for ending in endings:
        places = [_bins(ending, axis, thresholds, known) for axis in ending.axes]
        sizes = [shape[axis] + 1 for axis in ending.axes]
        flat = np.zeros(len(ending.value), np.int64)
        for size, place in zip(sizes, places, strict=True):
            flat *= size
            flat += place
        broad = [shape[axis] if axis in ending.axes else 1 for axis in range(len(shape))]
        room = int(np.prod(sizes))
        value += _summed(np.bincount(flat, ending.value, room), sizes, ending).reshape(broad)
        cost += _summed(np.bincount(flat, ending.cost, room), sizes, ending).reshape(broad)
    return Table(tuple(thresholds), value, cost)


def _bins(
    ending: Ending, axis: int, thresholds: Sequence[Floats], known: dict[tuple[int, int], Whole]
) -> Whole:
    """How many of the axis' thresholds each score reaches; each column is looked up once."""
    scores = ending.above[axis] if axis in ending.above else ending.below[axis]
    key = (axis, id(scores))
    if key not in known:
        found = np.searchsorted(thresholds[axis], scores, side="right")
        known[key] = np.where(np.isnan(scores), 0, found)  # NaN sorts last, and reaches none
    return known[key]


def _summed(bins: NDArray[Any], sizes: Sequence[int], ending: Ending) -> Floats:
    """From sums per bin to totals per threshold: bin b reaches the thresholds 0 to b - 1."""
    counts: Floats = bins.reshape(sizes)
    for place, axis in enumerate(ending.axes):
        if axis in ending.above:
            from_end = np.flip(np.cumsum(np.flip(counts, place), place), place)
            counts = from_end.take(range(1, from_end.shape[place]), place)
        else:
            counts = np.cumsum(counts, place)
            counts = counts.take(range(counts.shape[place] - 1), place)
    return counts


def pareto(cost: Floats, value: Floats) -> Whole:
    """Indices of the points that nothing cheaper or as cheap equals in value, cheapest first.

    Args:
        cost: shape (n,).
        value: shape (n,).
    """
    order = np.argsort(cost, kind="stable")
    best = np.maximum.accumulate(value[order])
    rises = np.concatenate(([True], best[1:] > best[:-1]))[: len(order)]
    kept = order[rises]
    if not len(kept):
        return kept
    last_of_cost = np.concatenate((cost[kept[1:]] > cost[kept[:-1]], [True]))
    return kept[last_of_cost]
