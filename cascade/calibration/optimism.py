"""How far a search flatters what it finds, by searching on parts and reading on the rest.

Whoever picks the best of many thresholds and plans on a sample picks its luck too. The same choice
made on four fifths and read on the fifth left out, in turn, shows how much luck that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.fitted import EXTRA_STEP, Fitted
from cascade.calibration.folds import group_folds
from cascade.calibration.layout import Seen
from cascade.calibration.thresholds import Ending, candidates, pareto, scores_of, tabulate

__all__ = ["Optimism", "optimism_of"]

Floats = NDArray[np.float64]

CELLS = 20_000
"""Cells of each table: coarser ones than the search's own, for there are `folds` of them."""

PRICES = np.concatenate(([0.0], np.geomspace(0.01, 10.0, 31)))
"""What a share of the dearest plan's cost is worth in shares of the best quality: along these
prices the choice goes from the best plan to the cheapest."""

WINDOW = 5
"""Neighbouring prices that are averaged."""


@dataclass(frozen=True, slots=True, eq=False)
class Optimism:
    """What choosing flatters by, along the path.

    Attributes:
        quality: mean quality of the plans chosen, ascending, shape (m,).
        excess: how much lower fresh requests' is at equal cost, shape (m,).
    """

    quality: Floats
    excess: Floats

    def expected(self, quality: float) -> float:
        """What fresh requests may be expected to have, given what the chosen plan seems to."""
        return max(0.0, quality - float(np.interp(quality, self.quality, self.excess)))


def optimism_of(fits: Sequence[Fitted], seen: Seen, folds: int, seed: int) -> Optimism:
    """Cross-fit the choice among some shapes.

    Args:
        fits: shapes to choose from.
        seen: the requests; groups are not split.
        folds: parts.
        seed: of the parts.
    """
    rows = seen.rows
    parts = group_folds(seen.recording.groups[rows], folds, seed)
    total = float(seen.recording.weights[rows].sum())
    if not parts.any():
        return Optimism(np.zeros(1), np.zeros(1))
    cells = [_Cells.of(one, parts) for one in fits]
    most_value = max(float(one.value.sum(0).max()) for one in cells)
    most_cost = max(float(one.cost.sum(0).max()) for one in cells)
    prices = PRICES * most_value / most_cost if most_cost else PRICES * 0
    count = int(parts.max()) + 1
    seems = _choices(cells, prices, np.ones(count, bool), np.ones(count, bool))
    fresh = np.zeros_like(seems)
    for part in range(count):
        held_out = np.arange(count) == part
        fresh += _choices(cells, prices, ~held_out, held_out)
    gap = (seems - fresh) @ np.array([1.0, 0.0]) - prices * ((seems - fresh) @ np.array([0.0, 1.0]))
    order = np.argsort(seems[:, 0], kind="stable")
    return Optimism(seems[order, 0] / total, np.maximum(_smooth(gap[order]), 0.0) / total)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """A shape's table in each part of the requests, flattened: (parts, cells)."""

    value: Floats
    cost: Floats
    steps: int

    @classmethod
    def of(cls, one: Fitted, parts: NDArray[np.int64]) -> _Cells:
        axes = one.shape.axes
        room = int(CELLS ** (1 / axes)) if axes else 1
        places = [candidates(scores_of(one.endings, a), room, never=False) for a in range(axes)]
        tables = [
            tabulate(_some(one.endings, parts == part), places) for part in range(parts.max() + 1)
        ]
        value = np.stack([table.value.ravel() for table in tables])
        return cls(value, np.stack([table.cost.ravel() for table in tables]), one.shape.size)


def _some(endings: Sequence[Ending], rows: NDArray[np.bool_]) -> list[Ending]:
    return [
        Ending(
            ending.value[rows],
            ending.cost[rows],
            {axis: scores[rows] for axis, scores in ending.below.items()},
            {axis: scores[rows] for axis, scores in ending.above.items()},
        )
        for ending in endings
    ]


def _choices(
    cells: Sequence[_Cells],
    prices: Floats,
    chosen_on: NDArray[np.bool_],
    read_on: NDArray[np.bool_],
) -> Floats:
    """Value and cost, (prices, 2), on some parts of what is best at each price on some parts."""
    best = np.full(len(prices), -np.inf)
    found = np.zeros((len(prices), 2))
    for one in cells:
        value, cost = one.value[chosen_on].sum(0), one.cost[chosen_on].sum(0)
        path = pareto(cost, value)
        burden = cost[path] * (1 + EXTRA_STEP * (one.steps - 1))
        worth = value[path] - prices[:, None] * burden
        place = worth.argmax(1)
        top = worth[np.arange(len(prices)), place]
        better = top > best
        at = path[place[better]]
        best[better] = top[better]
        read = one.value[read_on].sum(0)[at], one.cost[read_on].sum(0)[at]
        found[better] = np.stack(read, 1)
    return found


def _smooth(values: Floats) -> Floats:
    """Means over a window, shorter at the ends."""
    kernel = np.ones(min(WINDOW, len(values)))
    counts = np.convolve(np.ones(len(values)), kernel, "same")
    return np.asarray(np.convolve(values, kernel, "same") / counts)
