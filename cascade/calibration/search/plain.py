"""Plain plans before rich ones, unless those are cheaper beyond doubt.

A plain plan asks one tier, or two with a threshold between them. A richer one has more places to
be lucky in, and where it is ahead by no more than chance explains, fresh requests often put it
behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.plan import Plan
from cascade.calibration.search.plan_path import PlanPoint

__all__ = ["Paid", "choices"]

Floats = NDArray[np.float64]

DEVIATIONS = 2.0
"""A rich plan must save more than so many standard errors of what it saves."""


@dataclass(frozen=True, slots=True, eq=False)
class Paid:
    """What plans paid for the same requests.

    Attributes:
        costs: by plan, each of shape (n,).
        weights: of the requests.
        groups: of the requests, from 0; those of one group count as one observation.
    """

    costs: Mapping[Plan, Floats]
    weights: Floats
    groups: NDArray[np.int64]

    def is_cheaper(self, one: PlanPoint, other: PlanPoint) -> bool:
        """Whether one costs less than another beyond doubt, request by request."""
        less = self.costs[other.plan] - self.costs[one.plan]
        total = self.weights.sum()
        mean = self.weights @ less / total
        parts = np.bincount(self.groups, self.weights * (less - mean))
        if len(parts) < 2:  # noqa: PLR2004  one observation has no spread
            return False
        error = np.sqrt(len(parts) / (len(parts) - 1) * (parts @ parts)) / total
        return bool(mean > DEVIATIONS * error)


def choices(
    points: Sequence[PlanPoint], plain: Collection[PlanPoint], paid: Paid
) -> tuple[tuple[float, PlanPoint], ...]:
    """The plan to take for each level of quality, rising: it serves up to the level beside it.

    The cheapest plain plan that is expected to reach it; or the cheapest rich one that does and is
    cheaper beyond doubt, or the only one to.

    Args:
        points: plain and rich ones, cheapest first.
        plain: those of them that are.
        paid: by all of them.
    """
    is_cheaper = cache(paid.is_cheaper)

    def choose(level: float) -> PlanPoint:
        enough = [point for point in points if point.expected_quality >= level]
        best = next((point for point in enough if point in plain), None)
        if best is None:
            return enough[0]
        cheaper = enough[: enough.index(best)]
        return next((point for point in cheaper if is_cheaper(point, best)), best)

    levels = sorted({point.expected_quality for point in points})
    return tuple((level, choose(level)) for level in levels)
