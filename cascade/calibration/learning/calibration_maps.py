"""Maps from a score to a probability that holds on the task at hand.

Below 100 labels the log-odds are shifted, with a prior that keeps the shift small; from 100 on
Platt's line or a beta map may win, by held-out log-loss, and from 500 on an isotonic one. Isotonic
fits on few labels are worse than none (log-loss 0.75 against 0.51 at 25 labels).

On a task that scores were not learned on, the shape of the curve is unknown as well as its level,
and 100 to 499 labels are too few to tell by held-out log-loss which family has it: there the mean
of a rigid map, a smooth one and an isotonic one does better than whichever of them wins.

Source: Platt, "Probabilistic outputs for support vector machines", 1999; Kull, Silva Filho and
Flach, "Beta calibration", AISTATS 2017; Jiang, Osl, Kim and Ohno-Machado, "Smooth isotonic
regression", 2011.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.logistic import fit_logistic, log_loss, logit, sigmoid
from cascade.calibration.needs import needed

__all__ = ["MapKind", "ScoreMap", "best_map", "fit_map"]

Floats = NDArray[np.float64]
MapKind = Literal["shift", "platt", "beta", "isotonic", "mean"]

SLOPES_FROM = 100
"""Labels from which a slope is fitted beside the shift."""

ISOTONIC_FROM = 500
"""Labels from which an isotonic map may enter the contest, and on another task the contest begins.
"""

SHIFT_SPREAD = 1.0
"""Standard deviation of the prior on a shift, in log-odds."""

SLOPE_SPREAD = 0.7
"""Standard deviation of the prior on a slope, around 1."""

TILT = 0.02
"""Least slope of an isotonic map: plateaus would make ties, which no threshold can part."""

FOLDS = 5


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """A monotone map of log-odds.

    Attributes:
        kind: which.
        numbers: shift: (b,); platt: (a, b) of a·z + b; beta: (a, b, c) of a·ln p - b·ln(1 - p) + c;
            isotonic: log-odds of the knots, followed by what they are mapped to, less `TILT` times
            the knot; mean: those of a shift, a beta and an isotonic map, one after another, of
            whose probabilities it is the mean.
    """

    kind: MapKind
    numbers: tuple[float, ...]

    def __call__(self, z: Floats) -> Floats:
        """Log-odds mapped to log-odds, any shape."""
        if self.kind == "shift":
            return z + self.numbers[0]
        if self.kind == "platt":
            return self.numbers[0] * z + self.numbers[1]
        if self.kind == "beta":
            a, b, c = self.numbers
            return c - a * np.logaddexp(0.0, -z) + b * np.logaddexp(0.0, z)
        if self.kind == "mean":
            return _pooled([part(z) for part in self.parts])
        half = len(self.numbers) // 2
        return np.interp(z, self.numbers[:half], self.numbers[half:]) + TILT * z

    def one(self, z: float) -> float:
        """One log-odds mapped; the same as calling it, in a fraction of the time."""
        numbers = self.numbers
        if self.kind == "shift":
            return z + numbers[0]
        if self.kind == "platt":
            return numbers[0] * z + numbers[1]
        return float(self(np.asarray(z)))

    @property
    def parts(self) -> tuple[ScoreMap, ...]:
        """The maps that a mean is of."""
        one, four = 1, 4
        cut = self.numbers[:one], self.numbers[one:four], self.numbers[four:]
        return tuple(ScoreMap(kind, part) for kind, part in zip(MEAN_OF, cut, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"kind": self.kind, "numbers": list(self.numbers)}


MEAN_OF: tuple[MapKind, ...] = ("shift", "beta", "isotonic")
"""What a mean is of, from rigid to flexible."""

NO_MAP = ScoreMap("shift", (0.0,))


def _pooled(parts: list[Floats]) -> Floats:
    """The log-odds of the mean of probabilities that are given as log-odds."""
    right = np.logaddexp.reduce([-np.logaddexp(0.0, -z) for z in parts])
    wrong = np.logaddexp.reduce([-np.logaddexp(0.0, z) for z in parts])
    return np.asarray(right - wrong)


def best_map(
    z: Floats,
    quality: Floats,
    weights: Floats,
    groups: NDArray[np.int64],
    *,
    seed: int,
    at_home: bool = False,
) -> ScoreMap:
    """The map that wins among those that so many labels allow.

    Args:
        z: log-odds, (n,).
        quality: in [0, 1], (n,).
        weights: of the requests, (n,).
        groups: what belongs together and is not split, (n,).
        seed: of the split for held-out log-loss.
        at_home: the scores were learned on this very task, so their level is right already, and
            no map at all is the first candidate.

    Returns:
        Below 100 labels a shift. Up to 499 labels of another task, the mean of three maps.
        Elsewhere the simplest map within a thousandth of the best log-loss.
    """
    if len(z) < SLOPES_FROM:
        return NO_MAP if at_home else fit_map("shift", z, quality, weights)
    kinds: list[MapKind] = ["shift", "platt", "beta"]
    if len(z) >= ISOTONIC_FROM:
        kinds += ["isotonic"] if at_home else ["mean", "isotonic"]
    elif not at_home:
        return fit_map("mean", z, quality, weights)
    names, place = np.unique(groups, return_inverse=True)
    folds = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[place]
    losses: dict[MapKind, float] = {}
    for kind in kinds:
        held_out = np.empty(len(z))
        for fold in range(FOLDS):
            rest = folds != fold
            held_out[~rest] = fit_map(kind, z[rest], quality[rest], weights[rest])(z[~rest])
        losses[kind] = log_loss(held_out, quality, weights)
    close = min(losses.values()) + 1e-3
    if at_home and log_loss(z, quality, weights) <= close:
        return NO_MAP
    winner = next(kind for kind in kinds if losses[kind] <= close)
    return fit_map(winner, z, quality, weights)


def fit_map(kind: MapKind, z: Floats, quality: Floats, weights: Floats) -> ScoreMap:
    """A map of one kind, fitted; without labels it changes nothing.

    Raises:
        ValueError: an unknown kind.
    """
    fit = _FITS.get(kind)
    if fit is None:
        raise ValueError(f"map {kind!r} is unknown; there are {', '.join(_FITS)}")
    return ScoreMap(kind, tuple(float(f"{number:.9g}") for number in fit(z, quality, weights)))


def _shift(z: Floats, quality: Floats, weights: Floats) -> Floats:
    return fitted_with_offset(z, quality, weights, SHIFT_SPREAD)


def fitted_with_offset(z: Floats, quality: Floats, weights: Floats, spread: float) -> Floats:
    """The most probable shift of log-odds, shape (1,), under a normal prior around 0."""
    shift, step, left = 0.0, np.inf, 60
    while left and abs(step) > 1e-9:  # noqa: PLR2004
        left -= 1
        p = sigmoid(z + shift)
        slope = weights @ (quality - p) - shift / spread**2
        curve = weights @ (p * (1.0 - p)) + 1.0 / spread**2
        step = float(np.clip(slope / curve, -2.0, 2.0))
        shift += step
    return np.array([shift])


def _platt(z: Floats, quality: Floats, weights: Floats) -> Floats:
    x = np.column_stack([z, np.ones(len(z))])
    mean, spread = np.array([1.0, 0.0]), np.array([SLOPE_SPREAD, SHIFT_SPREAD * 3])
    found = fit_logistic(x, quality, weights, mean=mean, spread=spread)
    return found if found[0] > 0 else np.array([0.0, _level(quality, weights)])


def _beta(z: Floats, quality: Floats, weights: Floats) -> Floats:
    x = np.column_stack([-np.logaddexp(0.0, -z), np.logaddexp(0.0, z), np.ones(len(z))])
    mean, spread = np.array([1.0, 1.0, 0.0]), np.array([SLOPE_SPREAD] * 2 + [SHIFT_SPREAD * 3])
    found = fit_logistic(x, quality, weights, mean=mean, spread=spread)
    if (found[:2] >= 0).all():
        return found
    platt = _platt(z, quality, weights)  # a slope below 0 would turn the order of scores around
    return np.array([platt[0], platt[0], platt[1]])


def _level(quality: Floats, weights: Floats) -> float:
    share = (weights @ quality + 0.5) / (weights.sum() + 1.0)
    return float(logit(np.array(share)))


def _isotonic(z: Floats, quality: Floats, weights: Floats) -> Floats:
    """Pooled adjacent violators, each pool one knot at its centre: no steps, hence no new ties."""
    if not len(z):
        return np.array([-1.0, 1.0, TILT - 1.0, 1.0 - TILT])
    order = np.argsort(z, kind="stable")
    isotonic = needed("sklearn.isotonic").isotonic_regression
    level = np.asarray(isotonic(quality[order], sample_weight=weights[order]))
    starts = np.flatnonzero(np.concatenate([[True], np.diff(level) > 0]))
    weight = np.add.reduceat(weights[order], starts)
    good = np.add.reduceat(weights[order] * quality[order], starts)
    knots = np.add.reduceat(weights[order] * z[order], starts) / weight
    # Half a success and half a failure in each pool: a pool of right answers alone is not certain.
    level = logit((good + 0.5) / (weight + 1.0))
    keep = np.concatenate([[True], np.diff(knots) > 1e-9])  # noqa: PLR2004
    knots, level = knots[keep], level[keep]
    return np.concatenate([knots, np.maximum.accumulate(level - TILT * knots)])


def _mean(z: Floats, quality: Floats, weights: Floats) -> Floats:
    return np.concatenate([_FITS[kind](z, quality, weights) for kind in MEAN_OF])


_FITS: Mapping[MapKind, Any] = {
    "shift": _shift,
    "platt": _platt,
    "beta": _beta,
    "isotonic": _isotonic,
    "mean": _mean,
}
