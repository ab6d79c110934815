"""How far the scores of a step can be believed: predicted beside observed, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.bootstrap import Bootstrap, group_codes
from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.comparing.scorer_measures import (
    aurc,
    auroc,
    auroc_within,
    brier,
    ece,
    equal_mass,
    log_loss,
)
from cascade.calibration.comparing.shares import turns
from cascade.calibration.plan import Outcomes, Plan, ScoreSource
from cascade.calibration.proof.intervals import clopper_pearson
from cascade.calibration.recording import Recording

__all__ = ["Bin", "Reliability", "reliability"]

Floats = NDArray[np.float64]

MOST_DRAWS = 300
"""Draws for the interval of an ECE, each of which bins everything again; more change no digit."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with neighbouring scores; bins hold equally many, as far as equal scores allow.

    Attributes:
        low: lowest score in it.
        high: highest score in it.
        n: answers.
        predicted: mean score.
        observed: mean quality, with its interval (exact for 0/1 quality).
    """

    low: float
    high: float
    n: int
    predicted: float
    observed: Estimate


@dataclass(frozen=True, slots=True)
class Reliability:
    """How the scores of one step fit what was right.

    Attributes:
        step: the tier or witness whose step it is.
        returns: the tier whose answer is judged.
        threshold: at which the plan accepts.
        n: answers with a score and a known quality.
        without_signal: answers that got no score.
        bins: equal-mass bins, lowest scores first.
        ece: expected calibration error over the bins, with a bootstrap interval.
        ece_null: what `ece` would be on average for perfect scores on so few answers.
        ece_accepted: of the answers that the plan accepts; `None` where it accepts none.
        auroc: within slices, then averaged; `None` where all are right or all wrong.
        auroc_pooled: over everything, which flatters whatever recognises the task.
        aurc: area under the risk-coverage curve.
        brier: mean squared error.
        log_loss: mean negative log-likelihood in nats.
    """

    step: str
    returns: str
    threshold: float
    n: int
    without_signal: int
    bins: tuple[Bin, ...]
    ece: Estimate | None
    ece_null: float | None
    ece_accepted: float | None
    auroc: float | None
    auroc_pooled: float | None
    aurc: float | None
    brier: float | None
    log_loss: float | None


def reliability(
    plan: Plan, recording: Recording, source: ScoreSource, found: Outcomes, boot: Bootstrap
) -> tuple[Reliability, ...]:
    """How far the scores of each step can be believed, on the requests that reach it.

    Args:
        plan: what was simulated.
        recording: on what.
        source: with whose scores.
        found: what came of it.
        boot: says how often to draw for intervals, from which seed and for which confidence.
    """
    scores = np.full((len(plan.steps), len(recording)), np.nan)
    judged = np.zeros(scores.shape, bool)
    for turn in turns(plan, recording, found):
        if turn.judged.any():
            said = source.scores(turn.asked, turn.returns)
            scores[turn.place, turn.judged] = said[turn.judged]
            judged[turn.place] |= turn.judged
    made = []
    for place, step in enumerate(plan.steps[:-1]):
        quality = recording.quality[:, recording.index(step.returns)]
        rows = np.flatnonzero(judged[place] & ~np.isnan(quality))
        seen = _Seen(scores[place, rows], quality[rows], recording.groups[rows])
        silent = int(np.isnan(seen.scores).sum())
        accepted = seen.scores >= step.threshold
        made.append(
            Reliability(
                step.asks,
                step.returns,
                step.threshold,
                len(rows) - silent,
                silent,
                _diagram(seen, boot.confidence),
                _ece(seen, boot),
                _null(seen, boot),
                ece(seen.scores[accepted], seen.right[accepted]),
                auroc_within(seen.scores, seen.right, recording.slices[rows]),
                auroc(seen.scores, seen.right),
                aurc(seen.scores, seen.right),
                brier(seen.scores, seen.right),
                log_loss(seen.scores, seen.right),
            )
        )
    return tuple(made)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What one step judged: scores (NaN where there is none), quality and groups, shape (m,)."""

    scores: Floats
    right: Floats
    groups: NDArray[np.object_]


def _diagram(seen: _Seen, confidence: float) -> tuple[Bin, ...]:
    known = ~np.isnan(seen.scores)
    scores, right = seen.scores[known], seen.right[known]
    return tuple(
        Bin(
            float(scores[rows].min()),
            float(scores[rows].max()),
            len(rows),
            float(scores[rows].mean()),
            _share(right[rows], confidence),
        )
        for rows in equal_mass(scores)
    )


def _share(right: Floats, confidence: float) -> Estimate:
    """Mean quality; exact interval for 0/1 quality, Hoeffding's (wide, always valid) for graded."""
    mean = float(right.mean())
    if np.isin(right, (0.0, 1.0)).all():
        return Estimate(mean, *clopper_pearson(int(right.sum()), len(right), confidence))
    reach = float(np.sqrt(np.log(2 / (1 - confidence)) / (2 * len(right))))
    return Estimate(mean, max(0.0, mean - reach), min(1.0, mean + reach))


def _ece(seen: _Seen, boot: Bootstrap) -> Estimate | None:
    value = ece(seen.scores, seen.right)
    if value is None:
        return None
    codes = group_codes(seen.groups)
    count, rng = int(codes.max()) + 1, np.random.default_rng(boot.seed)
    draws = []
    for _ in range(min(boot.resamples, MOST_DRAWS)):
        times = np.bincount(rng.integers(0, count, count), minlength=count)[codes]
        drawn = ece(seen.scores, seen.right, times=times.astype(float))
        draws.append(np.nan if drawn is None else drawn)
    # A draw repeats answers, which puts its ECE higher on average: only the spread is taken.
    spread = np.array(draws) - np.nanmean(draws)
    return boot.estimate(value, np.clip(value + spread, 0.0, 1.0))


def _null(seen: _Seen, boot: Bootstrap) -> float | None:
    """The mean ECE that scores would show which are right about every answer."""
    known = ~np.isnan(seen.scores)
    if not known.any():
        return None
    scores, rng = seen.scores[known], np.random.default_rng(boot.seed)
    draws = [
        ece(scores, (rng.random(len(scores)) < scores).astype(float))
        for _ in range(min(boot.resamples, MOST_DRAWS))
    ]
    return float(np.mean([draw for draw in draws if draw is not None]))
