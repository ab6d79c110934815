"""How well scores tell right answers from wrong ones, and how far they can be believed.

Right is quality in [0, 1]: an answer of quality 0.7 counts 0.7 right and 0.3 wrong. Answers without
a score rank below all others, because they are never accepted; measures of belief leave them out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["aurc", "auroc", "auroc_within", "brier", "ece", "equal_mass", "log_loss"]

Floats = NDArray[np.float64]

BINS = 15

SURE = 1e-12
"""Scores are held this far from 0 and 1 in the log-loss: a sure mistake costs 27.6 nats."""


def auroc(scores: Floats, right: Floats) -> float | None:
    """The chance that a right answer scores above a wrong one, ties counting half.

    Args:
        scores: shape (n,), NaN where there is none.
        right: quality, shape (n,), in [0, 1].

    Returns:
        In [0, 1]; `None` where all answers are right or all are wrong.

    Source:
        Hanley and McNeil, Radiology 143 (1982) 29.
    """
    good, bad = float(right.sum()), float((1 - right).sum())
    if good <= 0 or bad <= 0:
        return None
    codes = _ranks(scores)
    rights = np.bincount(codes, right)
    wrongs = np.bincount(codes, 1 - right)
    below = np.cumsum(wrongs) - wrongs
    pairs = float((rights * (below + wrongs / 2)).sum())
    own = float((right * (1 - right)).sum()) / 2  # a graded answer is no pair with itself
    every = good * bad - float((right * (1 - right)).sum())
    return (pairs - own) / every if every > 0 else None


def auroc_within(scores: Floats, right: Floats, slices: NDArray[np.object_]) -> float | None:
    """AUROC within each slice, averaged over the slices that have one.

    Pooled over tasks, a score that only recognises the task does well; within, it is worth 0.5.
    """
    found = []
    for name in dict.fromkeys(slices):
        rows = slices == name
        area = auroc(scores[rows], right[rows])
        if area is not None:
            found.append(area)
    return float(np.mean(found)) if found else None


def aurc(scores: Floats, right: Floats) -> float | None:
    """The mean share of wrong answers among the accepted, over all coverages; lower is better.

    Equal scores are accepted in random order, whose expectation this is.

    Source:
        Geifman and El-Yaniv, arXiv 1705.08500; Geifman et al., arXiv 1805.08206.
    """
    if not len(scores):
        return None
    codes = _ranks(scores)
    sizes = np.bincount(codes)[::-1]
    wrongs = np.bincount(codes, 1 - right)[::-1]
    ends, totals = np.cumsum(sizes), np.cumsum(wrongs)
    accepted = np.arange(1, len(scores) + 1)
    wrong = np.interp(accepted, np.concatenate([[0], ends]), np.concatenate([[0.0], totals]))
    return float(np.mean(wrong / accepted))


def brier(scores: Floats, right: Floats) -> float | None:
    """Mean squared distance between score and quality, over answers that have a score.

    Source:
        Brier, Monthly Weather Review 78 (1950) 1.
    """
    known = ~np.isnan(scores)
    return float(np.mean((scores[known] - right[known]) ** 2)) if known.any() else None


def log_loss(scores: Floats, right: Floats) -> float | None:
    """Mean negative log-likelihood in nats, over answers that have a score; see `SURE`."""
    known = ~np.isnan(scores)
    if not known.any():
        return None
    held = np.clip(scores[known], SURE, 1 - SURE)
    return float(-np.mean(right[known] * np.log(held) + (1 - right[known]) * np.log(1 - held)))


def ece(
    scores: Floats, right: Floats, bins: int = BINS, *, times: Floats | None = None
) -> float | None:
    """Expected calibration error: mean distance of score and quality over bins of equal size.

    Biased upward on few answers: compare it with what perfect scores would show.

    Args:
        scores: shape (n,), NaN where there is none (left out).
        right: quality, shape (n,).
        bins: how many.
        times: how often each answer counts, for a bootstrap; once unless given.

    Returns:
        In [0, 1]; `None` without a score.

    Source:
        Naeini et al., AAAI 2015; equal-mass bins: Roelofs et al., arXiv 2012.08668.
    """
    known = ~np.isnan(scores)
    if not known.any():
        return None
    weight = np.ones(len(scores)) if times is None else times
    values, mass = scores[known], weight[known]
    total = float(mass.sum())
    if total <= 0:
        return None
    place = _bins(values, mass, bins)
    gaps = np.bincount(place, mass * (values - right[known]), minlength=bins)
    return float(np.abs(gaps).sum() / total)


def equal_mass(scores: Floats, bins: int = BINS) -> list[NDArray[np.int64]]:
    """Indices of answers by rising score, in bins of equal size; empty ones are left out.

    Equal scores share a bin, so that no order of the rows shows: few scores make few bins.
    """
    order = np.argsort(scores, kind="stable")
    place = _bins(scores, np.ones(len(scores)), bins)[order]
    return [part for part in (order[place == one] for one in range(bins)) if len(part)]


def _bins(scores: Floats, mass: Floats, bins: int) -> NDArray[np.int64]:
    """The bin of each answer, by the middle of the mass of all that have its score."""
    codes = _ranks(scores)
    held = np.bincount(codes, mass)
    middle = np.cumsum(held) - held / 2
    total = max(float(mass.sum()), SURE)
    return np.minimum((middle * bins / total).astype(np.int64), bins - 1)[codes]


def _ranks(scores: Floats) -> NDArray[np.int64]:
    """Each score's place among the distinct ones, from 0; NaN is the lowest."""
    values = np.where(np.isnan(scores), -np.inf, scores)
    return np.unique(values, return_inverse=True)[1]
