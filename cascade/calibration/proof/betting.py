"""The test for graded quality, groups and weights: a bet against the promise that must not pay off.

Imagine a gambler who bets, request after request, that the loss of quality stays below epsilon. If
it does not, no strategy makes him rich: his wealth is a martingale or falls, and reaches 1 / delta
with a chance of delta at most. So wealth is evidence, at any time, however often one looks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cascade.errors import ConfigError

__all__ = ["betting_bound", "betting_p"]

Floats = NDArray[np.float64]

STAKES = np.geomspace(0.01, 0.98, 16)
"""Shares of the highest stake that can never ruin; the wealth is the mean over all of them.

Small ones suit losses that vary much, large ones rare losses; a mean over 16 costs a factor of 16
at most, whatever the best of them is."""

FINE = 1e-5


def betting_p(
    loss: Floats, epsilon: float, *, weights: Floats | None = None, heaviest: float | None = None
) -> float:
    """The p-value of "the mean loss is epsilon or more"; valid however often it is looked at.

    Args:
        loss: quality of the top tier minus that of the policy, per unit, shape (n,), in [-1, 1].
            Their order must have nothing to do with them, as that of `units_of`: in a file sorted
            by task or by loss, a good beginning proves nothing.
        epsilon: margin in (-1, 1).
        weights: how much each counts, above 0; the promise is then on the weighted mean.
        heaviest: none counts more than this, in the labels or later; needed with weights, and
            chosen before the labels were seen.

    Returns:
        In (0, 1]: one over the largest wealth reached; 1 where the losses seen do not even average
        below epsilon.

    Raises:
        ConfigError: a loss outside [-1, 1], a weight that is not above 0, or no `heaviest`.

    Source:
        I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting
        (2010.09686), section 4. Assumes independent draws from one population, of loss and weight
        together.
    """
    scaled = _shares_of_heaviest(loss, weights, heaviest)
    if not -1 < epsilon < 1:
        raise ConfigError(f"epsilon is {epsilon!r}: expected a share in (-1, 1), e.g. 0.02")
    if not np.all(np.abs(loss) <= 1):  # also refuses NaN
        raise ConfigError("a loss is outside [-1, 1]: expected a difference of two qualities")
    staked = scaled * (loss - epsilon)
    if staked.sum() >= 0:
        return 1.0
    bets = STAKES / (1 - epsilon)  # at most so much is lost: loss 1, weight the heaviest
    wealth = np.cumsum(np.log1p(-np.outer(staked, bets)), axis=0)
    best = wealth.max(axis=1, keepdims=True)
    total = best[:, 0] + np.log(np.exp(wealth - best).sum(axis=1))  # of all bets, in logarithms
    highest = total.max() - np.log(len(bets))
    return float(np.exp(-max(highest, 0.0)))


def betting_bound(
    loss: Floats,
    delta: float,
    *,
    weights: Floats | None = None,
    heaviest: float | None = None,
) -> float:
    """The least epsilon that these losses certify by `betting_p`; 1 where there is none.

    Args:
        loss: as in `betting_p`.
        delta: error allowed.
        weights: as in `betting_p`.
        heaviest: as in `betting_p`.
    """
    low, high = -1.0, 1.0
    while high - low > FINE:
        middle = (low + high) / 2
        certifies = betting_p(loss, middle, weights=weights, heaviest=heaviest) <= delta
        low, high = (low, middle) if certifies else (middle, high)
    return high


def _shares_of_heaviest(loss: Floats, weights: Floats | None, heaviest: float | None) -> Floats:
    if weights is None:
        return np.ones(len(loss))
    if heaviest is None or not np.all(weights > 0):
        raise ConfigError("weights must be above 0, and need heaviest=: what none counts above")
    return np.minimum(weights, heaviest) / heaviest
