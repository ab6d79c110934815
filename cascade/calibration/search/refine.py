"""The cheapest thresholds that keep a floor: a coarse table, finer ones, then descent.

A coarse table tells where to look; tables over the scores between a cell's neighbours look there
again; descent takes the last steps. Thresholds fitted this closely fit the sample too: a search
over many plans is better served by the coarse table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.search.descent import Aim, descend, totals
from cascade.calibration.search.thresholds import Ending, Table, candidates, scores_of, tabulate

__all__ = ["cheapest"]

Floats = NDArray[np.float64]

STARTS = 8
"""Cells looked at again: the best corner of the coarse table need not hold the optimum."""

ROUNDS, ROOM = 2, 33
"""How often to look closer, and candidates of an axis each time."""


def cheapest(
    endings: Sequence[Ending], axes: int, floor: float, *, bins: int = 65
) -> tuple[float, ...] | None:
    """Thresholds that keep a floor at a cost close to the least possible.

    Args:
        endings: which between them hold each request once.
        axes: number of thresholds.
        floor: total value to keep.
        bins: candidates an axis of the coarse table.

    Returns:
        A threshold for each axis, `NEVER` where nothing should be accepted; `None` where the
        table holds nothing that keeps the floor.
    """
    coarse = tabulate(endings, [candidates(scores_of(endings, axis), bins) for axis in range(axes)])
    aim = Aim(floor=floor)
    surest = aim.best(coarse.value.ravel(), coarse.cost.ravel())
    found = [_closer(endings, coarse, cell, aim) for cell in _starts(coarse, floor)]
    if surest is not None:
        found.append(coarse.at(surest))
    kept = [
        (reached[1], -reached[0], one)
        for one in found
        if (reached := totals(endings, one))[0] >= floor
    ]
    return descend(endings, min(kept)[2], aim) if kept else None


def _starts(table: Table, floor: float) -> list[int]:
    """Cells near the floor, on either side, cheap for what they are worth; no two side by side."""
    value, cost = table.value.ravel(), table.cost.ravel()
    path = table.path()
    here = int(np.searchsorted(value[path], floor))
    low, high = path[max(here - 3, 0)], path[min(here + 3, len(path) - 1)]
    price = (cost[high] - cost[low]) / max(value[high] - value[low], 1e-12)
    width = max(abs(value[high] - floor), abs(value[low] - floor))
    near = np.flatnonzero(np.abs(value - floor) <= width)
    order = near[np.argsort(cost[near] - price * value[near], kind="stable")]
    places = np.stack(np.unravel_index(order, table.value.shape), 1)
    chosen: list[int] = []
    free = np.ones(len(order), bool)
    while free.any() and len(chosen) < STARTS:
        first = int(free.argmax())
        chosen.append(int(order[first]))
        free &= np.abs(places - places[first]).max(1) > 1
    return chosen


def _closer(endings: Sequence[Ending], table: Table, cell: int, aim: Aim) -> tuple[float, ...]:
    """The best thresholds near a cell, from tables over the scores between its neighbours."""
    for _ in range(ROUNDS):
        places = np.unravel_index(cell, table.value.shape)
        finer = [
            _between(scores_of(endings, axis), table.thresholds[axis], int(place))
            for axis, place in enumerate(places)
        ]
        table = tabulate(endings, finer)
        found = aim.best(table.value.ravel(), table.cost.ravel())
        cell = int(table.value.argmax()) if found is None else found
    return table.at(cell)


def _between(scores: Floats, thresholds: Floats, place: int) -> Floats:
    """Candidates from the threshold before a place to the one behind it, the place among them."""
    low, high = thresholds[max(place - 1, 0)], thresholds[min(place + 1, len(thresholds) - 1)]
    inside = np.unique(scores[(scores >= low) & (scores <= high)])
    if len(inside) > ROOM:
        inside = inside[np.linspace(0, len(inside) - 1, ROOM).round().astype(np.int64)]
    return np.unique(np.concatenate((inside, [low, thresholds[place], high])))
