"""What a recording must satisfy: shapes, ids and ranges; what is wrong is named with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.money import UNKNOWN
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.calibration.recording import RecordedTier, Recording

__all__ = ["check_recording"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Texts = NDArray[np.object_]


def check_recording(recording: Recording) -> None:
    """Raise `RecordingError` unless shapes, ids and ranges are as the class says."""
    n, k = len(recording.ids), len(recording.tiers)
    if not n or not k:
        raise RecordingError("the recording is empty: it needs one request and one tier at least")
    _check_tiers(recording.tiers)
    _check_shapes(recording, n, k)
    _check_ids(recording.ids)
    _check_range(recording, "quality", recording.quality)
    _check_range(recording, "score", recording.score)
    weights = recording.weights
    _refuse(recording, "weights", ~(np.isfinite(weights) & (weights > 0)), "a number above 0")
    for name in ("cost_pusd", "score_cost_pusd"):
        below = getattr(recording, name) < UNKNOWN
        _refuse(recording, name, below, f"picodollars from 0 up, or {UNKNOWN} where unknown")


def _check_tiers(tiers: Sequence[RecordedTier]) -> None:
    names = [tier.name for tier in tiers]
    if len(set(names)) != len(names):
        raise RecordingError(f"tier names are {names!r}: each may occur once")
    if all(tier.role == "witness" for tier in tiers):
        raise RecordingError("all tiers are witnesses: one that answers is needed")


def _check_shapes(recording: Recording, n: int, k: int) -> None:
    for spec in fields(recording):
        value = getattr(recording, spec.name)
        if isinstance(value, np.ndarray) and value.shape not in ((n,), (n, k)):
            raise RecordingError(
                f"column {spec.name!r} has shape {value.shape}: expected ({n},) or ({n}, {k})"
            )
    for name, signal in recording.signals.items():
        if signal.shape != (n, k):
            raise RecordingError(f"signal {name!r} has shape {signal.shape}: expected ({n}, {k})")


def _check_ids(ids: Texts) -> None:
    seen: set[str] = set()
    for place, one in enumerate(ids):
        if one in seen:
            raise RecordingError(
                f"request id {one!r} occurs twice, again in row {place}: every request needs an id "
                "of its own; requests that belong together share a group"
            )
        seen.add(one)


def _check_range(recording: Recording, name: str, values: Floats) -> None:
    bad = ~np.isnan(values) & ~((values >= 0) & (values <= 1))
    _refuse(recording, name, bad, "a number in [0, 1], or NaN where it is unknown")


def _refuse(recording: Recording, name: str, bad: Bools, expected: str) -> None:
    """Raise and name the first bad place, if there is one."""
    if not bad.any():
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    value = getattr(recording, name)[place]
    at = f"request {recording.ids[place[0]]!r}"
    if len(place) > 1:
        at += f", tier {recording.tiers[place[1]].name!r}"
    raise RecordingError(f"{name} of {at} is {value!r}: expected {expected}")
