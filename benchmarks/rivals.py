"""A searched plan beside the better of the top tier and the best pair, on requests kept back.

What is compared: the plan that the search chose on one half for a share of the top tier's quality,
with the cheaper of the top tier and the pair chosen on that half for the same share. Costs are read
on the other half. A pair that was cheap there because it missed the share is no fair rival, so
those splits are also counted in which the rival kept it there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

__all__ = ["TARGETS", "Reading", "excess"]

TARGETS = (0.95, 0.98, 0.99, 1.0)
ABOVE = 1.01
"""Of the rival's cost: what a searched plan should never cost more than."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """A policy on the other half, in shares of the top tier's mean cost and quality.

    Attributes:
        hull: cost at which the hull of its plans reaches each target, NaN where it does not.
        paid: what each request costs with the plan chosen for a target, (targets, requests).
        quality: of that plan, (targets,).
    """

    hull: Floats
    paid: Floats
    quality: Floats

    @property
    def cost(self) -> Floats:
        """Mean cost of the plan chosen for each target."""
        return np.asarray(self.paid.mean(axis=1))


def excess(found: Sequence[Reading], pair: Sequence[Reading]) -> list[str]:
    """Lines that say by how much searched plans exceeded their rivals, by target.

    Args:
        found: of the search, by split.
        pair: of the best pair, likewise.
    """
    hull = _ratio([one.hull for one in found], [one.hull for one in pair])
    rival = np.array([one.cost for one in pair])
    ratio = _ratio([one.cost for one in found], rival)
    kept = (rival >= 1) | (np.array([one.quality for one in pair]) >= TARGETS)
    above = (ratio > ABOVE) & kept
    error = np.array([_error(one, other) for one, other in zip(found, pair, strict=True)])
    error /= np.minimum(1.0, rival)
    chance = np.array([_chance(column[column > 0]) for column in error.T])
    differs, kept_above = _cells((error > 0).sum(0), "d"), _cells(above.sum(0), "d")
    by_chance = _cells(100 * chance, ".0f")
    return [
        f"held-out hull: at most {_worst(hull)} % of the better of top tier and best pair",
        f"chosen plan: at most {_worst(ratio)} % of the better of them",
        f"  above 101 where the better one kept the target: {kept_above} splits",
        f"  not the pair itself in {differs} splits; were both equally dear, {by_chance} % of",
        "  those would be above 101 by chance",
    ]


def _ratio(found: Sequence[Floats] | Floats, pair: Sequence[Floats] | Floats) -> Floats:
    return np.asarray(np.array(found) / np.minimum(1.0, np.array(pair)))


def _error(one: Reading, other: Reading) -> Floats:
    """Standard error of the difference in cost, request by request, for each target."""
    less = one.paid - other.paid
    return np.asarray(less.std(axis=1, ddof=1) / np.sqrt(less.shape[1]))


def _chance(error: Floats) -> float:
    """Mean chance that plans of equal cost differ by so much to one side."""
    return float(norm.sf((ABOVE - 1) / error).mean()) if len(error) else 0.0


def _worst(ratio: Floats) -> str:
    pairs = zip(100 * ratio.max(axis=0), (ratio > ABOVE).sum(axis=0), strict=True)
    return ", ".join(f"{most:.1f} ({count} above 101)" for most, count in pairs)


def _cells(values: Floats | NDArray[np.int64], form: str) -> str:
    return " / ".join(format(value, form) for value in values.tolist())
