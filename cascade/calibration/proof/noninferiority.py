"""The exact test that a cheaper policy loses at most epsilon of quality, from 0/1 labels in pairs.

Every request has two answers, the top tier's and the policy's. Harm is a request that only the top
tier got right, gain one that only the policy did; the rest tell nothing. The promise is that harm's
share minus gain's share, the net harm, lies below epsilon.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.needs import needed
from cascade.errors import ConfigError

special = needed("scipy.special")

__all__ = ["GAMMA", "noninferiority_p", "tango_score"]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

GAMMA = 0.002
"""What is spent on not knowing gain's share (Berger and Boos): 4 % of an error of 5 %."""

GRID = 32
"""Shares of gain at which the null hypothesis is tried; then a third as many around the worst."""

TIE = 1e-9
"""Scores this close are equal: an outcome as extreme as the observed one must count."""

REACH = 5.5
"""Standard deviations within which counts of harm are summed; beyond, all count as extreme."""

TINY = 1e-300


def tango_score(harm: Any, gain: Any, n: int, epsilon: float) -> Any:
    """How far harm minus gain lies from n epsilon, in standard errors under the null hypothesis.

    Args:
        harm: requests only the top tier got right; number or array.
        gain: requests only the policy got right; of the same shape.
        n: requests.
        epsilon: margin in (-1, 1).

    Returns:
        The score; low speaks for the promise. Grows with `harm` and falls with `gain`.

    Source:
        T. Tango, Statistics in Medicine 17 (1998) 891, equations 4 to 6.
    """
    spread = epsilon * (1 - epsilon)
    b = (2 * n - harm + gain) * epsilon - harm - gain
    root = np.sqrt(np.maximum(b * b + 8 * n * gain * spread, 0.0))
    share_of_gain = (root - b) / (4 * n)
    variance = n * (2 * share_of_gain + spread)
    return (harm - gain - n * epsilon) / np.sqrt(np.maximum(variance, 1e-300))


def noninferiority_p(
    harm: int, gain: int, n: int, epsilon: float, *, gamma: float = GAMMA
) -> float:
    """The p-value of "net harm is epsilon or more", exact for every sample size.

    Args:
        harm: requests only the top tier got right.
        gain: requests only the policy got right.
        n: requests, each independent of the others.
        epsilon: margin as a share in (-1, 1); below 0 it asks whether the policy is better.
        gamma: spent on the unknown share of gain; fixed before the labels are seen, below the
            error that is allowed.

    Returns:
        In [gamma, 1]. Reject, and so certify, where it is at most the error allowed.

    Raises:
        ConfigError: counts that cannot be, or a margin outside its range.

    Source:
        Tango's score orders the outcomes; the unknown share of gain is bounded by its
        Clopper-Pearson interval (R. Berger and D. Boos, JASA 89 (1994) 1012; R. Berger and
        K. Sidik, Stat. Methods Med. Res. 12 (2003) 91). Assumes independent requests.
    """
    _check(harm, gain, n, epsilon, gamma)
    low, high = _shares_of_gain(gain, n, epsilon, gamma)
    grid = np.linspace(low, high, GRID)
    region = _as_extreme(tango_score(harm, gain, n, epsilon) + TIE, n, epsilon, grid)
    chances = _chance(region, n, epsilon, grid)
    worst = int(chances.argmax())
    around = np.linspace(grid[max(worst - 1, 0)], grid[min(worst + 1, GRID - 1)], GRID // 3)
    closer = _chance(region, n, epsilon, around)
    return float(min(1.0, gamma + max(chances[worst], closer.max())))


def _check(harm: int, gain: int, n: int, epsilon: float, gamma: float) -> None:
    if n < 1 or harm < 0 or gain < 0 or harm + gain > n:
        raise ConfigError(f"harm {harm!r} and gain {gain!r} of n {n!r}: expected counts within n")
    if not -1 < epsilon < 1:
        raise ConfigError(f"epsilon is {epsilon!r}: expected a share in (-1, 1), e.g. 0.02")
    if not 0 < gamma < 1:
        raise ConfigError(f"gamma is {gamma!r}: expected a share of the error, e.g. {GAMMA}")


def _shares_of_gain(gain: int, n: int, epsilon: float, gamma: float) -> tuple[float, float]:
    """The Clopper-Pearson interval of gain's share, cut to what the null hypothesis allows."""
    low = special.betaincinv(gain, n - gain + 1, gamma / 2) if gain else 0.0
    high = special.betaincinv(gain + 1, n - gain, 1 - gamma / 2) if gain < n else 1.0
    least, most = max(0.0, -epsilon), (1 - epsilon) / 2
    return min(max(low, least), most), max(min(high, most), least)


def _as_extreme(score: float, n: int, epsilon: float, gains: Floats) -> tuple[Whole, Whole]:
    """The outcomes whose score is at most `score`, for every count of harm that is likely.

    Args:
        score: of the outcome that was observed.
        n: requests.
        epsilon: margin.
        gains: the shares of gain that will be tried, shape (m,).

    Returns:
        Counts of harm, consecutive, and the least gain that is enough for each; it never falls,
        and is n + 1 where none is enough.
    """
    mean = n * np.clip(gains + epsilon, 0.0, 1.0)
    reach = REACH * (np.sqrt(mean * (1 - mean / n)) + 1)
    first, last = max(0, int((mean - reach).min())), min(n, int((mean + reach).max()) + 1)
    harms = np.arange(first, last + 1)
    low, high = np.full(len(harms), -1), n - harms + 1
    while (high - low > 1).any():
        middle = (low + high) // 2
        fits = tango_score(harms, middle, n, epsilon) <= score
        high, low = np.where(fits, middle, high), np.where(fits, low, middle)
    high[high > n - harms] = n + 1
    return harms, np.minimum.accumulate(high[::-1])[::-1]  # rounding may not break the order


def _chance(region: tuple[Whole, Whole], n: int, epsilon: float, gains: Floats) -> Floats:
    """P(region) where net harm is exactly epsilon, for each share of gain; shape (m,).

    Sums P(harm = h) P(gain is enough | harm = h) over h. Counts of harm that `region` leaves out
    as unlikely count as extreme.
    """
    harms, need = region
    shares = np.clip(gains + epsilon, 0.0, 1.0)
    mass = _binomial(harms, n, shares)
    left_out: Floats = np.clip(1 - mass.sum(1), 0.0, 1.0)
    possible = int((need <= n - harms).sum())  # the first so many
    if not possible:
        return left_out
    among_rest = np.clip(gains / np.maximum(1 - shares, TINY), TINY, 1 - 1e-16)
    reached = _gain_reached(n - harms[:possible], need[:possible], among_rest)
    total: Floats = (mass[:, :possible] * reached).sum(1) + left_out
    return total


def _binomial(counts: Whole, n: int, shares: Floats) -> Floats:
    """Binomial probabilities, shape (shares, counts)."""
    share = shares[:, None]
    logs = special.xlogy(counts, share) + special.xlog1py(n - counts, -share)
    return np.asarray(np.exp(_log_ways(n, counts) + logs))


def _log_ways(n: Any, k: Any) -> Any:
    """Logarithm of n choose k; minus infinity where k is outside 0 to n."""
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)


def _gain_reached(rest: Whole, need: Whole, shares: Floats) -> Floats:
    """P(Binomial(rest, share) >= need), shape (shares, rest), by walking along `need`.

    From one count to the next `rest` falls by one and `need` rises or stays; each such step is
    one binomial term, so a tail is computed once per share and not once per count.
    """
    first = np.where(
        need[0] > 0, special.betainc(max(need[0], 1), rest[0] - need[0] + 1, shares), 1
    )
    length = np.diff(need) + 1
    owner = np.repeat(np.arange(len(length)), length)
    place = np.arange(len(owner)) - (np.cumsum(length) - length)[owner]  # 0: `rest` falls
    of, k = rest[owner] - 1, need[owner] + place - 1
    log, log_not = np.log(shares)[:, None], np.log1p(-shares)[:, None]
    logs = _log_ways(of, k) + (k + (place == 0)) * log + (of - k) * log_not
    lost = np.cumsum(np.exp(logs), axis=1)[:, np.cumsum(length) - 1]
    reached = first[:, None] - np.hstack([np.zeros((len(shares), 1)), lost])
    return np.asarray(np.clip(reached, 0.0, 1.0))
