"""Curves in the cost-quality plane: hulls, what they reach at a price, and their area.

Between two plans on a hull lies every random mix of them, so that straight lines are reachable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CLOSE", "Hull", "aiq", "area", "gap_closed", "hull_of"]

Floats = NDArray[np.float64]

CLOSE = 1e-9
"""Sums of floating dollars and qualities that differ by no more are equal."""


@dataclass(frozen=True, eq=False)
class Hull:
    """The best quality for each cost, and what stands at its corners.

    Attributes:
        cost: of the corners, rising.
        quality: of the corners, rising, with falling slopes.
        corners: which of the given points they are.
    """

    cost: Floats
    quality: Floats
    corners: NDArray[np.int64]

    def cost_at(self, quality: float) -> float | None:
        """The least cost for a quality; `None` where it is not reached."""
        if quality > self.quality[-1] + CLOSE:
            return None
        return float(np.interp(quality, self.quality, self.cost))

    def quality_at(self, cost: float) -> float | None:
        """The best quality for a cost; `None` where nothing is so cheap."""
        if cost < self.cost[0] * (1 - CLOSE):
            return None
        return float(np.interp(cost, self.cost, self.quality))

    def mix_at(self, quality: float) -> tuple[int, int, float] | None:
        """The two corners, as given points, and the share of the second that reach a quality."""
        if quality > self.quality[-1] + CLOSE:
            return None
        quality = min(quality, float(self.quality[-1]))
        after = int(np.searchsorted(self.quality, quality))
        if after == 0:
            return int(self.corners[0]), int(self.corners[0]), 0.0
        low, high = self.quality[after - 1], self.quality[after]
        share = float((quality - low) / (high - low))
        return int(self.corners[after - 1]), int(self.corners[after]), share


def hull_of(cost: ArrayLike, quality: ArrayLike) -> Hull:
    """The non-decreasing concave hull of points.

    Args:
        cost: shape (m,), m >= 1.
        quality: shape (m,).
    """
    costs, qualities = np.asarray(cost, float), np.asarray(quality, float)
    kept: list[int] = []
    for place in np.lexsort((-qualities, costs)):
        if kept and qualities[place] <= qualities[kept[-1]]:
            continue
        while len(kept) > 1 and _is_below(costs, qualities, kept[-2], kept[-1], int(place)):
            kept.pop()
        kept.append(int(place))
    corners = np.array(kept)
    return Hull(costs[corners], qualities[corners], corners)


def _is_below(costs: Floats, qualities: Floats, first: int, middle: int, last: int) -> bool:
    """Whether the middle point lies on or below the line from the first to the last."""
    rise = (qualities[middle] - qualities[first]) * (costs[last] - costs[first])
    return bool(rise <= (qualities[last] - qualities[first]) * (costs[middle] - costs[first]))


def aiq(hull: Hull, low: float, high: float) -> float | None:
    """Average improvement in quality: the hull's area over a cost range, divided by its width.

    Right of its last corner the hull goes on level; left of its first there is nothing, worth 0.

    Args:
        hull: of a router's or cascade's plans.
        low: lower end of the cost range.
        high: upper end; `None` comes back where it is not above `low`.

    Source:
        Hu et al., RouterBench, arXiv 2403.12031, section 3.2. Compare only over one cost range.
    """
    if not high > low:
        return None
    inside = hull.cost[(hull.cost > low) & (hull.cost < high)]
    begin = max(low, float(hull.cost[0]))
    if begin >= high:
        return 0.0
    grid = np.unique(np.concatenate([[begin], inside, [high]]))
    heights = np.interp(grid, hull.cost, hull.quality)
    return area(grid, heights) / (high - low)


def area(x: Floats, y: Floats) -> float:
    """The area under a line through points, by trapezoids (numpy 2 has no `trapz`)."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def gap_closed(cost: float, mixing: float | None, oracle: float | None) -> float | None:
    """How far a plan has come from random mixing (0) to the oracle (1) at equal quality.

    Args:
        cost: of the plan, per request.
        mixing: of random mixing at the plan's quality.
        oracle: of the oracle cascade at the plan's quality.

    Returns:
        (mixing - cost) / (mixing - oracle); negative where mixing is cheaper; `None` where there is
        no gap, or one of them does not reach the quality.
    """
    if mixing is None or oracle is None or not mixing > oracle:
        return None
    return (mixing - cost) / (mixing - oracle)
