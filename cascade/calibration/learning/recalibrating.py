"""Moving a learned model to a task it has not seen: ranking carries over, levels do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cascade.calibration.learning.calibration_maps import best_map
from cascade.calibration.learning.learned import LearnedModel
from cascade.calibration.learning.learned_source import LearnedSource
from cascade.calibration.learning.pooling import slice_shifts
from cascade.calibration.learning.state_model import FittedBlock, MapStage, StateModel
from cascade.calibration.learning.states import OTHER_SLICES
from cascade.calibration.recording import Recording

__all__ = ["recalibrated"]


def recalibrated(model: LearnedModel, recording: Recording, *, seed: int = 0) -> LearnedModel:
    """The same model with its probabilities fitted to another task's labels, and its slices.

    The order of answers within a slice stays (an isotonic map keeps it too); levels change. Below
    100 labels a state's log-odds are shifted; then the mean of a shift, a beta and an isotonic map
    is taken, and from 500 labels the best of all. Slices of 25 labels and more may get a shift of
    their own.

    Args:
        model: learned elsewhere, on the same tiers.
        recording: requests of the task with quality known for some answers. Not the labels that a
            certificate is to rest on.
        seed: of the split for held-out log-loss.

    Returns:
        A model whose states have one map more; states without a label here stay as they were.

    Raises:
        RecordingError: evidence cannot be read from the recording.
    """
    model = replace(model, states=tuple(map(_open, model.states)))
    source = LearnedSource(model, recording)
    groups = np.unique(recording.groups.astype(str), return_inverse=True)[1].ravel()
    states = tuple(_again(one, source, recording, groups, seed) for one in model.states)
    about = f"{model.about}; recalibrated on {len(recording):,} requests"
    return replace(model, states=states, about=about)


def _open(model: StateModel) -> StateModel:
    """The same for slices that it never saw: their level comes from the new labels alone."""
    return replace(model, blocks=tuple(map(_with_others, model.blocks)))


def _with_others(part: FittedBlock) -> FittedBlock:
    """A slice block, the last of its state, with a place for others that weighs nothing."""
    fields = part.block.fields
    if part.block.kind != "slice" or OTHER_SLICES in fields:
        return part
    block = replace(part.block, fields=(*fields, OTHER_SLICES))
    mean, scale, weights = (*part.mean, 0.0), (*part.scale, 0.0), (*part.weights, 0.0)
    return replace(part, block=block, mean=mean, scale=scale, weights=weights)


def _again(
    model: StateModel, source: LearnedSource, recording: Recording, groups: object, seed: int
) -> StateModel:
    names = recording.names
    state = model.state
    if any(name not in names for name in (state.judged, *state.beside)):
        return model
    judged = recording.index(state.judged)
    z = model.mapped(source.log_odds(model), recording.slices)
    quality = recording.quality[:, judged]
    rows = np.flatnonzero(~np.isnan(z) & ~np.isnan(quality) & source.sees(state))
    if not len(rows):
        return model
    weights = recording.weights[rows] / recording.weights[rows].mean()
    z, quality, slices = z[rows], quality[rows], recording.slices[rows]
    everyone = best_map(z, quality, weights, np.asarray(groups)[rows], seed=seed)
    stage = MapStage(everyone, slice_shifts(everyone(z), quality, weights, slices))
    return replace(model, maps=(*model.maps, stage))
