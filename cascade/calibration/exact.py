"""The true optimum of two thresholds, to measure what quicker ways give away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.thresholds import NEVER

__all__ = ["exact_pair"]

Floats = NDArray[np.float64]


def exact_pair(
    scores: Floats, values: Floats, costs: Floats, floor: float
) -> tuple[float, float] | None:
    """The cheapest two thresholds that keep a floor, over all there are: O(N^2) time, O(N) memory.

    The first threshold sweeps upward; each request it passes moves on to the second step and
    changes the totals at all places of the second threshold at once. Asking more costs more, so
    those totals of cost rise along the second threshold, and only places cheaper than the best so
    far need to be looked at.

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
    first = np.where(np.isnan(scores[:, 0]), -np.inf, scores[:, 0])
    second = np.where(np.isnan(scores[:, 1]), -np.inf, scores[:, 1])
    places = np.append(np.unique(second[second > -np.inf]), NEVER)
    reached = np.searchsorted(places, second, side="right")  # accepted by the places before it
    order = np.argsort(first, kind="stable")
    ordered = first[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(order) - 1) + 1
    sweep = _Sweep(values, costs, reached, len(places))
    best: tuple[float, float, float] | None = None
    start = 0
    for end in (0, *ends.tolist()):
        if end == 0 and ordered[0] == -np.inf:
            continue  # no threshold lies below -inf
        sweep.reject(order[start:end].tolist())
        start = end
        found = sweep.cheapest(floor, np.inf if best is None else best[0])
        if found is not None:
            at_first = float(ordered[end]) if end < len(order) else NEVER
            best = found[0], at_first, float(places[found[1]])
    return None if best is None else best[1:]


class _Sweep:
    """Totals at every place of the second threshold, as requests move on to it one by one."""

    def __init__(
        self, values: Floats, costs: Floats, reached: NDArray[np.int64], places: int
    ) -> None:
        self._value = np.zeros(places)
        self._cost = np.zeros(places)
        self._base_value = float(values[:, 0].sum())
        self._base_cost = float(costs[:, 0].sum())
        self._reached: list[int] = reached.tolist()
        self._goes_on = (values[:, 2] - values[:, 0]).tolist(), (costs[:, 2] - costs[:, 0]).tolist()
        self._stays = (values[:, 1] - values[:, 2]).tolist(), (costs[:, 1] - costs[:, 2]).tolist()

    def reject(self, rows: list[int]) -> None:
        """Let the first step reject some requests: they end at the second one or the last."""
        for row in rows:
            self._base_value += self._goes_on[0][row]
            self._base_cost += self._goes_on[1][row]
            accepted = self._reached[row]
            self._value[:accepted] += self._stays[0][row]
            self._cost[:accepted] += self._stays[1][row]

    def cheapest(self, floor: float, below: float) -> tuple[float, int] | None:
        """Cost and place of the cheapest total that keeps the floor, if below a cost."""
        last = int(np.searchsorted(self._cost, below - self._base_cost))
        if not last:
            return None
        keeps = self._value[:last] >= floor - self._base_value
        place = int(keeps.argmax())
        if not keeps[place]:
            return None
        return self._base_cost + float(self._cost[place]), place
