"""What hindsight reaches: the least cost for each quality when one knows who will be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.curves import CLOSE

__all__ = ["Oracle", "oracle_cascade", "oracle_router"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Oracle:
    """An oracle's whole curve, from the cheapest to the best it can do.

    Attributes:
        cost: USD per request along the curve, rising.
        quality: mean quality along it.
        best_cost: what each request costs where the oracle gets all it can, shape (n,).
        best_quality: the quality of each request then.
    """

    cost: Floats
    quality: Floats
    best_cost: Floats
    best_quality: Floats

    def cost_at(self, quality: float) -> float | None:
        """The least cost for a quality; `None` where even the oracle does not reach it."""
        if quality > self.quality[-1] + CLOSE:
            return None
        return float(np.interp(quality, self.quality, self.cost))


def oracle_router(costs: Floats, quality: Floats, weights: Floats) -> Oracle:
    """Asks one tier per request: the one that buys most quality for the money.

    Args:
        costs: USD, shape (n, k).
        quality: shape (n, k).
        weights: shape (n,).
    """
    return _oracle(costs, quality, weights)


def oracle_cascade(costs: Floats, quality: Floats, weights: Floats) -> Oracle:
    """Climbs from the first tier, pays for every answer, and stops at the one worth stopping at.

    Args:
        costs: USD, shape (n, k), tiers in the order they are asked.
        quality: shape (n, k).
        weights: shape (n,).
    """
    return _oracle(np.cumsum(costs, axis=1), quality, weights)


def _oracle(costs: Floats, quality: Floats, weights: Floats) -> Oracle:
    """Every request climbs its own hull of options; the steepest steps of all come first."""
    rows = np.arange(len(costs))
    now = np.lexsort((-quality, costs), axis=1)[:, 0]
    share = weights / weights.sum()
    start = (float(share @ costs[rows, now]), float(share @ quality[rows, now]))
    steps: list[tuple[Floats, Floats]] = []
    while True:  # at most one step per tier: every step costs more
        more = costs - costs[rows, now][:, None]
        better = quality - quality[rows, now][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where((better > 0) & (more > 0), better / more, -np.inf)
        after = slope.argmax(axis=1)
        goes = slope[rows, after] > -np.inf
        if not goes.any():
            break
        steps.append(((share * more[rows, after])[goes], (share * better[rows, after])[goes]))
        now = np.where(goes, after, now)
    dearer = np.concatenate([step[0] for step in steps]) if steps else np.zeros(0)
    gained = np.concatenate([step[1] for step in steps]) if steps else np.zeros(0)
    order = np.argsort(-gained / np.where(dearer > 0, dearer, 1), kind="stable")
    return Oracle(
        start[0] + np.concatenate([[0.0], np.cumsum(dearer[order])]),
        start[1] + np.concatenate([[0.0], np.cumsum(gained[order])]),
        costs[rows, now],
        quality[rows, now],
    )
