"""How far thresholds flatter themselves, by fitting them on parts and reading on the rest.

Whoever picks the best of many thresholds on a sample picks its luck too, and the more of it the
more thresholds there are to pick. The same choice made on four fifths and read on the fifth left
out, in turn, shows how much luck that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.folds import group_folds
from cascade.calibration.search.fitted import Fitted, Spot, axes_of
from cascade.calibration.search.layout import Seen
from cascade.calibration.search.thresholds import Ending, pareto, tabulate

__all__ = ["Optimism"]

Floats = NDArray[np.float64]

CELLS = 6_000
"""Cells of each table: coarser ones than the search's own, for there is one for every part."""

PRICES = np.concatenate(([0.0], np.geomspace(0.01, 10.0, 31)))
"""What the cost of the dearest model is worth in quality: along these prices the choice goes from
the best thresholds to the cheapest."""

WINDOW = 5
"""Neighbouring prices that are averaged."""


@dataclass(slots=True, eq=False)
class Optimism:
    """Takes from plans what they are flattered by.

    Attributes:
        seen: the requests; groups are not split.
        folds: parts.
        seed: of the parts.
    """

    seen: Seen
    folds: int
    seed: int
    _parts: NDArray[np.int64] = field(init=False)
    _prices: Floats = field(init=False)

    def __post_init__(self) -> None:
        recording, rows = self.seen.recording, self.seen.rows
        self._parts = group_folds(recording.groups[rows], self.folds, self.seed)
        weights = recording.weights[rows]
        dearest = float((weights @ recording.cost_pusd[rows]).max())
        self._prices = PRICES * (float(weights.sum()) / dearest if dearest > 0 else 0.0)

    def sober(self, one: Fitted, spots: Sequence[Spot]) -> list[Spot]:
        """A shape's spots with the quality that fresh requests may be expected to have.

        Args:
            one: the shape; a model alone chooses nothing, and flatters by nothing.
            spots: its Pareto path, cheapest first.
        """
        count = int(self._parts.max()) + 1
        if not one.shape.axes or count < 2:  # noqa: PLR2004  nothing to leave out
            return list(spots)
        value, cost = (np.array([getattr(spot, n) for spot in spots]) for n in ("value", "cost"))
        worth = value - self._prices[:, None] * cost
        chosen = worth.argmax(1)
        # The excess falls as requests grow: what is fitted on all of them has a little less.
        excess = (worth.max(1) - self._cross_fitted(one, count)) * (count - 1) / count
        order = np.argsort(value[chosen], kind="stable")
        smooth = np.maximum(_smooth(excess[order]), 0.0)
        less = value - np.interp(value, value[chosen][order], smooth)
        pairs = zip(spots, less.tolist(), strict=True)
        return [replace(spot, value=max(0.0, expected)) for spot, expected in pairs]

    def _cross_fitted(self, one: Fitted, count: int) -> Floats:
        """Total value less cost at each price, each part by what the others chose, (prices,)."""
        axes = axes_of(one.endings, one.shape.axes, CELLS, CELLS)
        tables = [tabulate(_some(one.endings, self._parts == p), axes) for p in range(count)]
        value = np.stack([table.value.ravel() for table in tables])
        cost = np.stack([table.cost.ravel() for table in tables])
        all_value, all_cost = value.sum(0), cost.sum(0)
        found = np.zeros(len(self._prices))
        for part in range(count):
            rest_value, rest_cost = all_value - value[part], all_cost - cost[part]
            path = pareto(rest_cost, rest_value)
            worth = rest_value[path] - self._prices[:, None] * rest_cost[path]
            cell = path[worth.argmax(1)]
            found += value[part, cell] - self._prices * cost[part, cell]
        return found


def _some(endings: Sequence[Ending], rows: NDArray[np.bool_]) -> list[Ending]:
    """The endings of some requests."""
    return [
        Ending(
            ending.value[rows],
            ending.cost[rows],
            {axis: scores[rows] for axis, scores in ending.below.items()},
            {axis: scores[rows] for axis, scores in ending.above.items()},
        )
        for ending in endings
    ]


def _smooth(values: Floats) -> Floats:
    """Means over a window, shorter at the ends."""
    kernel = np.ones(min(WINDOW, len(values)))
    counts = np.convolve(np.ones(len(values)), kernel, "same")
    return np.asarray(np.convolve(values, kernel, "same") / counts)
