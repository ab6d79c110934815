"""What every step of a plan's shape would give and cost on each recorded request.

The arrays behind a table of thresholds, built so that any thresholds give exactly what `simulate`
gives for the plan with those thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.plan import Asked, Floats, ScoreSource
from cascade.calibration.recording import Recording
from cascade.calibration.shapes import Shape
from cascade.calibration.thresholds import Ending
from cascade.errors import RecordingError

__all__ = ["Seen", "endings_of"]


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

    def gate(self, tier: int) -> Floats:
        """P(the tier is right | request); infinite where unknown, which opens any gate."""
        key = ("gate", tier)
        if key not in self._kept:
            chance = self.source.gate(tier)[self.rows]
            self._kept[key] = np.where(np.isnan(chance), np.inf, chance), chance
        return self._kept[key][0]


def endings_of(shape: Shape, seen: Seen) -> tuple[Ending, ...]:
    """The ways in which requests may end under a shape; axis 0 is its gate's, where it has one.

    Raises:
        RecordingError: a score that it needs cannot be told from the recording.
    """
    if not shape.gated:
        return _climb(shape, seen, 0, {}, {})
    gate = seen.gate(shape.steps[0][0])
    is_open = _climb(shape, seen, 0, {}, {0: gate})
    return is_open + _climb(shape, seen, shape.start_at, {0: gate}, {})


def _climb(
    shape: Shape,
    seen: Seen,
    start: int,
    below: Mapping[int, Floats],
    above: Mapping[int, Floats],
) -> tuple[Ending, ...]:
    """The endings of the steps from one on, under conditions that hold for all of them."""
    recording, rows = seen.recording, seen.rows
    weights = recording.weights[rows]
    cost, asked = np.zeros(len(rows)), shape.asked[start:]
    rejected = dict(below)
    fallback, best = np.zeros(len(rows)), np.full(len(rows), -np.inf)
    made = []
    for place, (asks, returns) in enumerate(shape.steps[start:-1], start):
        cost = cost + recording.cost_pusd[rows, asks]
        score, price = seen.score(asked[: place - start + 1], returns)
        cost = cost + price
        quality = recording.quality[rows, returns]
        axis = place + shape.gated
        made.append(
            Ending(quality * weights, cost * weights, dict(rejected), {**above, axis: score})
        )
        rejected[axis] = score
        worth = np.where(np.isnan(score), -1.0, score)
        better = recording.answered[rows, returns] & (worth >= best)
        fallback, best = np.where(better, quality, fallback), np.where(better, worth, best)
    top = shape.steps[-1][0]
    cost = cost + recording.cost_pusd[rows, top]
    stands = np.where(recording.answered[rows, top], recording.quality[rows, top], fallback)
    made.append(Ending(stands * weights, cost * weights, rejected, above))
    return tuple(made)
