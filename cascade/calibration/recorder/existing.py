"""An output that is there already: whether it holds what is to be recorded, so nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cascade.calibration.files.datasets import request_digest
from cascade.calibration.files.parquet import read_recording
from cascade.calibration.recorder.recorded_run import quality_of, recorded_tiers
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.calibration.recorder.recording_task import Task
    from cascade.calibration.recording import Recording

__all__ = ["complete_output"]


def complete_output(task: Task, path: Path) -> Recording:
    """The recording in a file, where it is the one that a task would make.

    Args:
        task: what is to be recorded.
        path: an output without a journal, which is deleted when a recording is complete.

    Raises:
        RecordingError: it cannot be read, or holds something else; the message says what differs.
    """
    found = read_recording(path)
    other = _difference(task, found)
    if other:
        raise RecordingError(
            f"{str(path)!r} is there already, and {other}; choose another name, or delete it to "
            "record anew, which pays again"
        )
    return found


def _difference(task: Task, found: Recording) -> str:
    """How a recording differs from what a task would make, in words; "" where it does not."""
    if list(found.names) != list(task.names):
        return f"holds the tiers {', '.join(found.names)}, not {', '.join(task.names)}"
    for old, new in zip(found.tiers, recorded_tiers(task), strict=True):
        if any(getattr(old, what) != getattr(new, what) for what in SETTINGS):
            return f"holds tier {old.name!r} with another model, other settings or another scorer"
    if list(found.ids) != list(task.examples):
        return "holds other examples"
    if found.about.content != task.content or found.about.quality != quality_of(task):
        return (
            f"holds quality {found.about.quality!r} and content {found.about.content!r}, not "
            f"{quality_of(task)!r} and {task.content!r}"
        )
    if task.content != "full":
        return f"keeps no requests (content={task.content!r}) by which to see that it is the same"
    return _other_examples(task, found)


SETTINGS = ("role", "model", "settings", "scorer", "scorer_settings")
"""What of a tier decides its answers and scores."""


def _other_examples(task: Task, found: Recording) -> str:
    rows = zip(found.ids, found.requests, found.references, strict=True)
    for name, request, reference in rows:
        if request is None or request_digest(request) != task.digests[name]:
            return f"asks something else as example {name!r}"
        if reference != task.known(name):
            return f"has another reference for example {name!r}"
    return "" if found.answered.any() else "holds no answer"
