"""One shape of plan with its best thresholds, and the front of many such shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.search.layout import Seen, endings_of
from cascade.calibration.search.shapes import Shape
from cascade.calibration.search.thresholds import (
    Ending,
    Table,
    candidates,
    pareto,
    scores_of,
    tabulate,
)
from cascade.errors import RecordingError

__all__ = ["EXTRA_STEP", "TRUST", "Fitted", "Spot", "axes_of", "fit", "front"]

Floats = NDArray[np.float64]

MOST_CELLS = 100_000
"""Cells of a table at most; with more axes the steps between thresholds are coarser."""

EXTRA_STEP = 0.02
"""Share of its cost that each step of a plan must save to be worth its latency and upkeep. It also
keeps out plans that are better by chance only."""

DECIMALS = 6
"""Of a total quality: sums that were added up in another order are equal all the same."""

TRUST = 0.5
"""How far an accepted answer counts by its score: half, which is right half the way even where
scores mislead. `python -m benchmarks.plans --trust 0` shows what searching without it costs."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A shape at certain thresholds.

    Attributes:
        shape: the steps.
        thresholds: of each axis.
        cost: total of the requests looked at, times their weights, in picodollars.
        value: total quality to be expected, times weights.
    """

    shape: Shape
    thresholds: tuple[float, ...]
    cost: float
    value: float

    @property
    def burden(self) -> float:
        """Its cost, raised for every step beyond the first."""
        return self.cost * (1 + EXTRA_STEP * (self.shape.size - 1))


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A shape, how requests may end under it, and its table of thresholds.

    Attributes:
        shape: the steps.
        endings: of the requests looked at.
        table: over all thresholds that accept something.
    """

    shape: Shape
    endings: tuple[Ending, ...]
    table: Table

    def spots(self) -> list[Spot]:
        """Its own Pareto path."""
        cost, value = self.table.cost.ravel(), self.table.value.ravel()
        return [
            Spot(self.shape, self.table.at(cell), float(cost[cell]), float(value[cell]))
            for cell in self.table.path().tolist()
        ]


def axes_of(endings: Sequence[Ending], axes: int, bins: int, cells: int) -> list[Floats]:
    """Candidates of each axis that accept something, so that a table has some cells at most."""
    room = bins if not axes else max(2, min(bins, int(cells ** (1 / axes) + 1e-9)))
    return [candidates(scores_of(endings, axis), room, never=False) for axis in range(axes)]


def fit(shape: Shape, seen: Seen, bins: int, trust: float = TRUST) -> Fitted:
    """Tabulate a shape.

    Args:
        shape: the steps.
        seen: the requests.
        bins: candidates per threshold at most.
        trust: as for `endings_of`.

    Raises:
        RecordingError: its scores cannot be told, or there are none.
    """
    endings = endings_of(shape, seen, trust=trust)
    axes = axes_of(endings, shape.axes, bins, MOST_CELLS)
    if not all(np.isfinite(axis).all() for axis in axes):
        raise RecordingError("a step has no score on any request")
    return Fitted(shape, endings, tabulate(endings, axes))


def front(spots: Iterable[Spot]) -> list[Spot]:
    """The spots that no other equals in quality at its burden or less, cheapest first.

    Along it both cost and quality rise.
    """
    listed = list(spots)
    kept = _pick(listed, [spot.burden for spot in listed])
    return _pick(kept, [spot.cost for spot in kept])  # burden may order them otherwise than cost


def _pick(spots: Sequence[Spot], costs: Sequence[float]) -> list[Spot]:
    values = np.round([spot.value for spot in spots], DECIMALS)
    return [spots[place] for place in pareto(np.array(costs), values)]
