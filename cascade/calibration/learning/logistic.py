"""Logistic regression with a prior on every weight: sensible from the first label on.

Newton's method in numpy; quality may be graded. Knows arrays only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_logistic", "log_loss", "logit", "sigmoid"]

Floats = NDArray[np.float64]

LIMIT = 30.0
"""Log-odds are held within this: a probability of 1e-13 says nothing that 1e-12 does not."""

STEPS = 60
"""Newton steps at most; a handful is the rule."""

CLOSE = 1e-6
"""Stop where no weight moves by more than this."""


def sigmoid(z: Floats) -> Floats:
    """Log-odds as probabilities, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.clip(z, -LIMIT, LIMIT)))


def logit(p: Floats) -> Floats:
    """Probabilities as log-odds, within `LIMIT`."""
    edge = float(sigmoid(np.array(-LIMIT)))
    inside = np.clip(p, edge, 1.0 - edge)
    return np.log(inside) - np.log1p(-inside)


def log_loss(z: Floats, quality: Floats, weights: Floats) -> float:
    """The weighted mean log-loss of log-odds against quality in [0, 1]; NaN for no request."""
    if not len(z):
        return float("nan")
    z = np.clip(z, -LIMIT, LIMIT)
    return float(np.average(np.logaddexp(0.0, z) - quality * z, weights=weights))


def fit_logistic(
    x: Floats,
    quality: Floats,
    weights: Floats,
    *,
    mean: Floats,
    spread: Floats,
    start: Floats | None = None,
) -> Floats:
    """The most probable weights: log-likelihood plus a normal prior on each of them.

    Args:
        x: features, (n, d); a column of ones makes an intercept. n may be 0: the prior speaks.
        quality: in [0, 1], (n,).
        weights: how much each request counts, (n,).
        mean: of the prior, (d,).
        spread: standard deviation of the prior, (d,), above 0.
        start: where to begin, (d,); the prior's mean unless given.

    Returns:
        Weights, (d,). The problem is strictly concave: there is one best, and it is finite.
    """
    precision = spread**-2.0
    point = np.array(mean if start is None else start, float)

    def objective(at: Floats) -> float:
        z = x @ at
        likelihood = weights @ (np.logaddexp(0.0, z) - quality * z)
        return float(likelihood + 0.5 * np.sum(precision * (at - mean) ** 2))

    worst, left, moved = objective(point), STEPS, np.inf
    while left and moved >= CLOSE:
        left -= 1
        p = sigmoid(x @ point)
        slope = x.T @ (weights * (quality - p)) - precision * (point - mean)
        curve = (x * (weights * p * (1.0 - p))[:, None]).T @ x
        curve[np.diag_indices_from(curve)] += precision
        step = np.linalg.solve(curve, slope)
        moved = float(np.max(np.abs(step), initial=0.0))
        while (value := objective(point + step)) > worst + 1e-12 and moved >= CLOSE:
            step, moved = step / 2, moved / 2  # far out a full step can overshoot
        point, worst = point + step, value
    return point
