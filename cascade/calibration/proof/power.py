"""What the exact test will say before there are labels: its critical counts and its power."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.needs import needed
from cascade.calibration.proof.noninferiority import GAMMA, noninferiority_p

stats: Any = needed("scipy.stats")

__all__ = ["chance_to_certify", "critical_harm", "power"]

UNLIKELY = 1e-7
"""Counts of gain less likely than this, on either side, are left out of the power."""


def critical_harm(
    n: int, epsilon: float, delta: float, gains: range, *, gamma: float = GAMMA
) -> NDArray[np.int64]:
    """The most harm that still certifies, for each count of gain.

    Args:
        n: requests.
        epsilon: margin, a share.
        delta: error allowed.
        gains: consecutive counts of gain within n.
        gamma: as in `noninferiority_p`.

    Returns:
        Counts of harm, shape (len(gains),); -1 where not even none would do.
    """
    found = np.full(len(gains), -1)
    near = gains.start
    for place, gain in enumerate(gains):

        def certifies(harm: int, gain: int = gain) -> bool:
            return noninferiority_p(harm, gain, n, epsilon, gamma=gamma) <= delta

        found[place] = near = _last(certifies, near, n - gain)
    return found


def _last(certifies: Callable[[int], bool], near: int, most: int) -> int:
    """The last count that certifies, as p grows with harm; looked for near the last gain's."""
    low, high = -1, most + 1
    for at in (near + 1, near, near + 2):
        if low < at < high:
            low, high = (at, high) if certifies(at) else (low, at)
    while high - low > 1:
        at = (low + high) // 2
        low, high = (at, high) if certifies(at) else (low, at)
    return low


def chance_to_certify(
    critical: NDArray[np.int64], gains: range, n: int, harm: Any, gain: Any
) -> Any:
    """P(the counts certify) for true shares of harm and gain.

    Args:
        critical: as `critical_harm` found for `gains`.
        gains: the counts of gain it holds; others count as not certified.
        n: requests.
        harm: true share of harm; number or array.
        gain: true share of gain, of the same shape.
    """
    harm, gain = np.asarray(harm, float)[..., None], np.asarray(gain, float)[..., None]
    counts = np.asarray(gains)
    of_rest = np.clip(harm / np.maximum(1 - gain, 1e-300), 0, 1)
    fits = stats.binom.cdf(critical, n - counts, of_rest)
    return (stats.binom.pmf(counts, n, gain) * fits).sum(-1)


def power(
    n: int, epsilon: float, harm: float, gain: float, delta: float = 0.05, *, gamma: float = GAMMA
) -> float:
    """The chance that n labels certify a policy with these true shares of harm and gain.

    Args:
        n: labelled requests.
        epsilon: margin, a share.
        harm: true share of requests that only the top tier gets right.
        gain: true share of requests that only the policy gets right.
        delta: error allowed.
        gamma: as in `noninferiority_p`.
    """
    first = int(stats.binom.ppf(UNLIKELY, n, gain))
    gains = range(max(first, 0), int(stats.binom.isf(UNLIKELY, n, gain)) + 1)
    critical = critical_harm(n, epsilon, delta, gains, gamma=gamma)
    return float(chance_to_certify(critical, gains, n, harm, gain))
