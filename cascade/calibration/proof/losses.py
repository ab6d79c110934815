"""What each plan of a path loses against the top tier, request by request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.plan import Outcomes, Plan, ScoreSource, simulate
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError, RecordingError

__all__ = ["Missing", "PathLosses", "is_graded", "path_losses"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

Missing = Literal["harm", "drop"]
"""What an unknown quality does: count as the worst it can be, or leave its request out."""


@dataclass(frozen=True, eq=False)
class PathLosses:
    """The losses of some plans on the same requests.

    Attributes:
        plans: the path, the most conservative first.
        outcomes: of each plan on the whole recording.
        loss: quality of the top tier minus that of the answer returned, shape (plans, n kept), in
            [-1, 1]; 0 where the top tier itself answered, whatever its quality.
        unknown: where the loss is above 0 because a quality is not known, and the largest it can
            be, shape (plans, n kept).
        kept: which requests of the recording these are, shape (n,).
    """

    plans: tuple[Plan, ...]
    outcomes: tuple[Outcomes, ...]
    loss: Floats
    unknown: Bools
    kept: Bools


def path_losses(
    path: Sequence[Plan],
    recording: Recording,
    source: ScoreSource,
    *,
    missing: Missing = "harm",
    stands: Bools | None = None,
) -> PathLosses:
    """The losses of every plan of a path.

    A request needs a label only where some plan keeps an answer below the top tier. An answer that
    is kept without one counts as wrong, and a top tier that it cannot be compared with as right:
    labels are often missing just where answers are bad.

    Args:
        path: plans, the most conservative first.
        recording: what the tiers answered.
        source: where scores come from.
        missing: "drop" leaves requests without labels out instead, all of them, kept or not:
            leaving out only those that were kept would make harm look rarer than it is. Then
            labels must be missing for reasons that have nothing to do with the answers.
        stands: as for `simulate`.

    Raises:
        ConfigError: the path is empty, or `missing` is neither.
        RecordingError: not one request has the labels it needs.
    """
    if not path:
        raise ConfigError("the path holds no plan: expected one or more, the top tier alone first")
    if missing not in ("harm", "drop"):
        raise ConfigError(f"missing is {missing!r}: expected 'harm' or 'drop'")
    outcomes = tuple(simulate(plan, recording, source, stands=stands) for plan in path)
    lower = np.array([outcome.returned != recording.top for outcome in outcomes])
    quality = np.array([outcome.quality for outcome in outcomes])
    of_top = recording.quality[:, recording.top]
    blind = lower & (np.isnan(quality) | np.isnan(of_top))
    worst = np.where(np.isnan(of_top), 1.0, of_top) - np.where(np.isnan(quality), 0.0, quality)
    loss = np.where(lower, worst, 0.0)
    kept = np.ones(len(recording), bool)
    if blind.any():
        known = _known(path, recording)
        kept = known if missing == "drop" else kept
    unknown = blind & (loss > 0)
    return PathLosses(tuple(path), outcomes, loss[:, kept], unknown[:, kept], kept)


def is_graded(recording: Recording) -> bool:
    """Whether some quality lies between right and wrong."""
    return bool(((recording.quality > 0) & (recording.quality < 1)).any())


def _known(path: Sequence[Plan], recording: Recording) -> Bools:
    """Which requests have the quality of every answer that the path may return."""
    top = recording.names[recording.top]
    names = sorted({step.returns for plan in path for step in plan.steps} | {top})
    judged = recording.quality[:, [recording.index(name) for name in names]]
    known = np.asarray(~np.isnan(judged).any(axis=1), bool)
    if not known.any():
        raise RecordingError(
            f"none of {len(recording)} requests has the quality of all of "
            f"{', '.join(map(repr, names))}: grade the answers before certifying"
        )
    return known
