"""Exact intervals for harm, for gain, and for net harm, which is one minus the other."""

from __future__ import annotations

from cascade.calibration.needs import needed
from cascade.calibration.proof.noninferiority import GAMMA, noninferiority_p, tango_score
from cascade.errors import ConfigError

special = needed("scipy.special")

__all__ = ["clopper_pearson", "net_harm_bound", "net_harm_interval"]

FINE = 1e-5
"""Bounds of net harm are rounded outward to a thousandth of a point."""

NEAR = 20
"""The exact bound mostly lies within such a part of the interval from where the score puts it."""


def clopper_pearson(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share.

    Args:
        count: how many of n.
        n: independent requests.
        confidence: in (0, 1).

    Returns:
        Lower and upper bound, shares in [0, 1].

    Raises:
        ConfigError: a count outside 0 to n.

    Source:
        C. Clopper and E. Pearson, Biometrika 26 (1934) 404.
    """
    if n < 1 or not 0 <= count <= n:
        raise ConfigError(f"count {count!r} of n {n!r}: expected a count within n")
    tail = (1 - confidence) / 2
    low = special.betaincinv(count, n - count + 1, tail) if count else 0.0
    high = special.betaincinv(count + 1, n - count, 1 - tail) if count < n else 1.0
    return float(low), float(high)


def net_harm_bound(harm: int, gain: int, n: int, delta: float, *, gamma: float = GAMMA) -> float:
    """The least epsilon that these counts certify: an upper confidence bound of net harm.

    Args:
        harm: requests only the top tier got right.
        gain: requests only the policy got right.
        n: requests.
        delta: error allowed, above gamma; the bound holds with confidence 1 - delta.
        gamma: as in `noninferiority_p`, which is inverted here.

    Returns:
        A share, above (harm - gain) / n; below 0 where the policy is surely better. 1 where the
        counts bound nothing.
    """

    def certifies(epsilon: float) -> bool:
        return noninferiority_p(harm, gain, n, epsilon, gamma=gamma) <= delta

    least = low = max((harm - gain) / n, -1 + FINE)
    high = 1.0
    guess = _by_score(harm, gain, n, max(delta - gamma, FINE))
    margin = max(FINE, (guess - least) / NEAR)
    for epsilon in (guess + margin, guess - margin):  # a bracket, so that few steps are left
        if low < epsilon < high:
            low, high = (low, epsilon) if certifies(epsilon) else (epsilon, high)
    if high == 1.0 and not certifies(1 - FINE):
        return high
    while high - low > FINE:
        middle = (low + high) / 2
        low, high = (low, middle) if certifies(middle) else (middle, high)
    return high


def _by_score(harm: int, gain: int, n: int, tail: float) -> float:
    """The bound that the normal distribution gives Tango's score; close, and not exact."""
    low, high = max((harm - gain) / n, -1 + FINE), 1 - FINE
    wanted = special.ndtri(tail)
    while high - low > FINE:
        middle = (low + high) / 2
        enough = tango_score(harm, gain, n, middle) <= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high


def net_harm_interval(
    harm: int, gain: int, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The two-sided interval of net harm that the exact test leaves.

    Args:
        harm: requests only the top tier got right.
        gain: requests only the policy got right.
        n: requests.
        confidence: in (0, 1).

    Returns:
        Lower and upper bound, shares in [-1, 1].
    """
    tail = (1 - confidence) / 2
    gamma = min(GAMMA, tail / 20)
    return (
        -net_harm_bound(gain, harm, n, tail, gamma=gamma),
        net_harm_bound(harm, gain, n, tail, gamma=gamma),
    )
