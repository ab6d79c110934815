"""What each plan of a path loses against the top tier, request by request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.betting import group_means
from cascade.calibration.plan import Outcomes, Plan, ScoreSource, simulate
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError, RecordingError

__all__ = ["PathLosses", "Units", "path_losses", "units_of"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PathLosses:
    """The losses of some plans on the same requests.

    Attributes:
        plans: the path, the most conservative first.
        outcomes: of each plan on the whole recording.
        loss: quality of the top tier minus that of the answer returned, shape (plans, n kept), in
            [-1, 1]; 0 where the top tier itself answered, whatever its quality.
        kept: which requests of the recording these are, shape (n,).
        graded: some quality lies between 0 and 1.
    """

    plans: tuple[Plan, ...]
    outcomes: tuple[Outcomes, ...]
    loss: Floats
    kept: Bools
    graded: bool


@dataclass(frozen=True, eq=False)
class Units:
    """What counts as one independent observation: a request, or a group of them.

    Attributes:
        loss: of each unit, shape (plans, units).
        weights: of each unit; `None` where all count the same.
        grouped: some unit holds several requests.
    """

    loss: Floats
    weights: Floats | None
    grouped: bool


def path_losses(
    path: Sequence[Plan],
    recording: Recording,
    source: ScoreSource,
    *,
    stands: Bools | None = None,
) -> PathLosses:
    """The losses of every plan of a path.

    A request needs a label only where some plan keeps an answer below the top tier. Where one of
    those lacks it, all requests without labels are left out, kept or not: leaving out only those
    that were kept would make harm look rarer than it is. Then labels must be missing for reasons
    that have nothing to do with the answers.

    Args:
        path: plans, the most conservative first.
        recording: what the tiers answered.
        source: where scores come from.
        stands: as for `simulate`.

    Raises:
        ConfigError: the path is empty.
        RecordingError: not one request has the labels it needs.
    """
    if not path:
        raise ConfigError("the path holds no plan: expected one or more, the top tier alone first")
    outcomes = tuple(simulate(plan, recording, source, stands=stands) for plan in path)
    top = recording.top
    of_top = recording.quality[:, top]
    loss = np.array([np.where(o.returned == top, 0.0, of_top - o.quality) for o in outcomes])
    kept = np.ones(len(recording), bool)
    names = {step.returns for plan in path for step in plan.steps} | {recording.names[top]}
    judged = recording.quality[:, [recording.index(name) for name in sorted(names)]]
    if np.isnan(loss).any():
        kept = np.asarray(~np.isnan(judged).any(axis=1), bool)
        if not kept.any():
            raise RecordingError(
                f"none of {len(recording)} requests has the quality of all of "
                f"{', '.join(map(repr, sorted(names)))}: grade the answers before certifying"
            )
    seen = judged[kept]
    graded = bool(((seen > 0) & (seen < 1)).any())
    return PathLosses(tuple(path), outcomes, loss[:, kept], kept, graded)


def units_of(losses: PathLosses, recording: Recording, rows: Bools | None = None) -> Units:
    """The independent observations among the kept requests.

    Args:
        losses: of the path.
        recording: that they come from.
        rows: which of the kept requests, shape (n kept,); all unless given.
    """
    chosen = slice(None) if rows is None else rows
    loss = losses.loss[:, chosen]
    groups = recording.groups[losses.kept][chosen]
    weights = recording.weights[losses.kept][chosen]
    grouped = len(set(groups.tolist())) < len(groups)
    if grouped:
        means = [group_means(one, weights, groups) for one in loss]
        loss, weights = np.array([mean for mean, _ in means]), means[0][1]
    equal = len(weights) == 0 or bool((weights == weights[0]).all())
    return Units(loss, None if equal else weights, grouped)
