"""What every step of a plan's shape would give and cost on each recorded request.

The arrays behind a table of thresholds, built so that any thresholds give exactly what `simulate`
gives for the plan with those thresholds. A search over few requests is led astray less by a mean
of what an answer was worth and what its score says it is worth: see `trust`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.logistic import fit_logistic, logit, sigmoid
from cascade.calibration.plan import Asked, Floats, ScoreSource
from cascade.calibration.recording import Recording
from cascade.calibration.search.shapes import Shape
from cascade.calibration.search.thresholds import Ending
from cascade.errors import RecordingError

__all__ = ["Seen", "endings_of"]


AS_SAID, LEEWAY = np.array([0.0, 1.0]), np.array([2.0, 1.0])
"""Prior of what a score is worth: what it says, give or take."""


@dataclass(slots=True, eq=False)
class Seen:
    """A recording with its scores, each asked for once and kept for some requests only.

    Attributes:
        recording: what the tiers answered.
        source: where scores come from.
        rows: the requests that count, indices.
    """

    recording: Recording
    source: ScoreSource
    rows: NDArray[np.int64]
    _kept: dict[object, tuple[Floats, Floats]] = field(default_factory=dict)

    def score(self, asked: Asked, returns: int) -> tuple[Floats, Floats]:
        """The score of an answer, NaN where no scorer sees it, and what scoring costs.

        Raises:
            RecordingError: the source cannot tell.
        """
        key = (asked, returns)
        if key not in self._kept:
            recording, rows = self.recording, self.rows
            can = recording.usable[rows, returns] & recording.answered[rows, asked[-1]]
            score = np.where(can, self.source.scores(asked, returns)[rows], np.nan)
            price = np.where(can, self.source.cost_pusd(asked, returns)[rows], 0)
            if (price < 0).any():
                raise RecordingError(
                    f"what it costs to score {recording.names[returns]!r} is unknown on "
                    f"{int((price < 0).sum()):,} requests"
                )
            self._kept[key] = score, price.astype(float)
        return self._kept[key]

    def likely(self, asked: Asked, returns: int) -> Floats:
        """What an answer is worth by its score, however its scorer is calibrated; NaN where none.

        Fitted on these same requests: the two numbers of a curve are soon learned.
        """
        key = ("likely", asked, returns)
        if key not in self._kept:
            score, _ = self.score(asked, returns)
            known = np.isfinite(score)
            found = np.full(len(score), np.nan)
            found[known] = self._curve(score[known], self.rows[known], returns)
            self._kept[key] = found, found
        return self._kept[key][0]

    def _curve(self, score: Floats, rows: NDArray[np.int64], returns: int) -> Floats:
        """A logistic curve of quality over a score, with the mean that quality has."""
        quality, weights = self.recording.quality[rows, returns], self.recording.weights[rows]
        if len(quality) < 2 or not np.ptp(quality):  # noqa: PLR2004  no curve through one level
            return np.asarray(quality)
        x = np.column_stack([np.ones(len(score)), logit(score)])
        curve = fit_logistic(x, quality, weights, mean=AS_SAID, spread=LEEWAY)
        likely = sigmoid(x @ curve)
        return np.asarray(likely + weights @ (quality - likely) / weights.sum())

    def gate(self, tier: int) -> Floats:
        """P(the tier is right | request); infinite where unknown, which opens any gate."""
        key = ("gate", tier)
        if key not in self._kept:
            chance = self.source.gate(tier)[self.rows]
            self._kept[key] = np.where(np.isnan(chance), np.inf, chance), chance
        return self._kept[key][0]


def endings_of(shape: Shape, seen: Seen, *, trust: float = 0.0) -> tuple[Ending, ...]:
    """The ways in which requests may end under a shape; axis 0 is its gate's, where it has one.

    Args:
        shape: the steps.
        seen: the requests.
        trust: how far an accepted answer is worth what its score says, in [0, 1]; the rest of its
            value is its recorded quality.

    Raises:
        RecordingError: a score that it needs cannot be told from the recording.
    """
    if not shape.gated:
        return _climb(shape, seen, (0, trust), {}, {})
    gate = seen.gate(shape.steps[0][0])
    is_open = _climb(shape, seen, (0, trust), {}, {0: gate})
    return is_open + _climb(shape, seen, (shape.start_at, trust), {0: gate}, {})


def _climb(
    shape: Shape,
    seen: Seen,
    begin: tuple[int, float],
    below: Mapping[int, Floats],
    above: Mapping[int, Floats],
) -> tuple[Ending, ...]:
    """The endings of the steps from one on, under conditions that hold for all of them."""
    recording, rows = seen.recording, seen.rows
    weights = recording.weights[rows]
    start, trust = begin
    cost, asked = np.zeros(len(rows)), shape.asked[start:]
    rejected = dict(below)
    fallback, best = np.zeros(len(rows)), np.full(len(rows), -np.inf)
    made = []
    for place, (asks, returns) in enumerate(shape.steps[start:-1], start):
        cost = cost + recording.cost_pusd[rows, asks]
        score, price = seen.score(asked[: place - start + 1], returns)
        cost = cost + price
        quality = recording.quality[rows, returns]
        worth = quality
        if trust:
            likely = seen.likely(asked[: place - start + 1], returns)
            worth = np.where(np.isnan(likely), quality, (1 - trust) * quality + trust * likely)
        axis = place + shape.gated
        made.append(Ending(worth * weights, cost * weights, dict(rejected), {**above, axis: score}))
        rejected[axis] = score
        rank = np.where(np.isnan(score), -1.0, score)
        better = recording.answered[rows, returns] & (rank >= best)
        fallback, best = np.where(better, quality, fallback), np.where(better, rank, best)
    top = shape.steps[-1][0]
    cost = cost + recording.cost_pusd[rows, top]
    stands = np.where(recording.answered[rows, top], recording.quality[rows, top], fallback)
    made.append(Ending(stands * weights, cost * weights, rejected, above))
    return tuple(made)
