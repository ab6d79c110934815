"""How a step's scores lay when it was certified, to notice later that they have moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.shares import turns
from cascade.calibration.plan import Outcomes, Plan, ScoreSource
from cascade.calibration.recording import Recording

__all__ = ["BINS", "ScoreHistogram", "score_histograms"]

Floats = NDArray[np.float64]

BINS = 10
"""Enough to see a shift, few enough that a few hundred scores fill them."""

SMOOTHING = 0.5
"""Added to every count, so that a bin without scores says "few" and not "never"."""


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """The scores that one step of a plan gave.

    Attributes:
        step: the tier or witness asked.
        counts: scores in 10 bins of equal width over [0, 1].
        missing: drafts that it judged and had no score for.
    """

    step: str
    counts: tuple[int, ...]
    missing: int

    @classmethod
    def of(cls, step: str, scores: Floats) -> ScoreHistogram:
        """Count scores.

        Args:
            step: the tier or witness asked.
            scores: in [0, 1], NaN where there was none, shape (n,).
        """
        known = scores[~np.isnan(scores)]
        counts, _ = np.histogram(known, BINS, (0.0, 1.0))
        return cls(step, tuple(counts.tolist()), len(scores) - len(known))

    def shift(self, scores: Floats) -> float:
        """How far later scores have moved from these: their population stability index.

        0 where nothing moved. Commonly, below 0.1 is taken for none, from 0.25 for a new
        population. It takes a few hundred scores: with fewer, chance alone makes it large.
        """
        later = ScoreHistogram.of(self.step, scores)
        before, now = _shares(self), _shares(later)
        return float(((now - before) * np.log(now / before)).sum())


def _shares(found: ScoreHistogram) -> Floats:
    counts = np.array([*found.counts, found.missing], float) + SMOOTHING
    shares: Floats = counts / counts.sum()
    return shares


def score_histograms(
    plan: Plan, recording: Recording, source: ScoreSource, found: Outcomes
) -> tuple[ScoreHistogram, ...]:
    """The scores that each step gave to the drafts it judged; the last step judges none.

    Args:
        plan: that decided.
        recording: what was decided.
        source: where scores come from.
        found: the outcome.
    """
    scores: dict[int, list[Floats]] = {place: [] for place in range(len(plan.steps) - 1)}
    for turn in turns(plan, recording, found):
        if turn.place in scores and turn.judged.any():
            scores[turn.place].append(source.scores(turn.asked, turn.returns)[turn.judged])
    return tuple(
        ScoreHistogram.of(plan.steps[place].asks, np.concatenate([np.zeros(0), *parts]))
        for place, parts in scores.items()
    )
