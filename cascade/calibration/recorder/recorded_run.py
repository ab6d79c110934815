"""The recording that a run's journal amounts to: traces become rows, grades become quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.imports.recorded_tiers import recorded_tier
from cascade.calibration.imports.trace_cells import RECORDED
from cascade.calibration.imports.trace_import import import_traces
from cascade.calibration.recorder.journal import Entry
from cascade.calibration.recorder.quality.grading import grade_of
from cascade.calibration.recorder.recording_task import Task
from cascade.calibration.recording import About, Charges, RecordedTier, Recording
from cascade.core.trace import Attempt, Charge, Trace
from cascade.errors import RecordingError

__all__ = [
    "QUALITY",
    "TOP_TIER",
    "as_served",
    "quality_of",
    "recorded_tiers",
    "recording_of_run",
]

QUALITY = "quality"
"""Purpose of charges that only the recording paid: a judge's, and second answers of the top tier.
They are in `charges`, and in no tier's cost."""

TOP_TIER = "top tier"
"""What `About.quality` says where it is agreement with the top tier's answer."""


def recording_of_run(task: Task, entries: Mapping[str, Entry]) -> Recording:
    """Make a recording of what was asked so far; examples that were not begun are left out.

    Args:
        task: what was to be recorded.
        entries: what became of each example.

    Raises:
        RecordingError: nothing was recorded.
    """
    examples = [example for name, example in task.examples.items() if name in entries]
    if not examples:
        raise RecordingError("nothing was recorded: no request has come to an end")
    ids = {entries[example.id].trace.id: example.id for example in examples}
    made = import_traces(
        [as_served(task, entries[example.id].trace) for example in examples],
        examples=examples,
        chain=replace(task.asked, tiers=task.asked.tiers[: len(task.names)], today=None),
        witnesses=[witness.name for witness in task.witnesses],
        ids=lambda trace: ids[trace.id],
    )
    extra = _extra_charges(task, entries, list(ids.values()))
    about, first = made.about, task.chain
    about = replace(
        about,
        source=f"recorded with chain {first.name!r}",
        chain_digest=first.digest,
        quality=quality_of(task),
        content=task.content,
    )
    return replace(
        made,
        tiers=recorded_tiers(task),
        references=made.references if task.content == "full" else np.full(len(made), None, object),
        quality=_quality(task, entries, made),
        charges=_joined(made.charges, extra),
        about=_with_self_disagreement(task, entries, about),
    )


def as_served(task: Task, trace: Trace) -> Trace:
    """A trace as the recorded chain's own tiers would have left it.

    Without the top tier's second answer, and with scorers' questions under their own names, so
    that it can be replayed with the chain.
    """
    attempts = [
        replace(
            attempt,
            charges=tuple(
                replace(charge, scorer=task.scorers[attempt.tier])
                if charge.scorer == RECORDED
                else charge
                for charge in attempt.charges
            ),
        )
        for attempt in trace.attempts
        if attempt.tier != task.again
    ]
    return replace(trace, attempts=tuple(attempts))


def quality_of(task: Task) -> str:
    """What `About.quality` says of a task's recording."""
    return TOP_TIER if task.by_top else task.metric.name


def recorded_tiers(task: Task) -> tuple[RecordedTier, ...]:
    """The tiers and witnesses of a task's recording."""
    tiers = [recorded_tier(task.chain, tier) for tier in task.chain.tiers]
    witnesses = [recorded_tier(task.chain, tier, "witness") for tier in task.witnesses]
    return tuple(
        replace(tier, scorer_reads_earlier=tier.scorer_reads_earlier or tier.name in task.readers)
        for tier in (*tiers, *witnesses)
    )


# Quality -----------------------------------------------------------------------------------------


def _quality(task: Task, entries: Mapping[str, Entry], made: Recording) -> NDArray[np.float64]:
    """Grades of the answers; a tier that was asked and gave none keeps its 0."""
    found = np.where(made.answered, np.nan, made.quality)
    place = {name: column for column, name in enumerate(task.names)}
    for row, name in enumerate(made.ids):
        for tier, value in _grades(task, entries[name]):
            if tier in place and made.answered[row, place[tier]]:
                found[row, place[tier]] = value
    return found


def _grades(task: Task, entry: Entry) -> Iterator[tuple[str, float]]:
    for attempt in entry.graded.attempts if entry.graded is not None else ():
        yield attempt.tier, grade_of(attempt, task.metric.name)


def _with_self_disagreement(task: Task, entries: Mapping[str, Entry], about: About) -> About:
    """How often the top tier's second answer differs from its first."""
    grades = [
        value
        for name in task.examples
        if name in entries
        for tier, value in _grades(task, entries[name])
        if tier == task.again and not np.isnan(value)
    ]
    if not task.by_top or not grades:
        return about
    differs = float(np.mean(1.0 - np.array(grades)))
    return replace(about, self_disagreement=differs, self_disagreement_calls=len(grades))


# Charges -----------------------------------------------------------------------------------------


def _extra_charges(task: Task, entries: Mapping[str, Entry], ids: list[str]) -> Charges:
    """What grading cost, and second answers, by the place of their request."""
    traces = []
    owner: dict[str, str] = {}
    for name in ids:
        trace = _extra(task, entries[name])
        if trace.charges:
            traces.append(trace)
            owner[trace.id] = name
    if not traces:
        return Charges.none()
    made = import_traces(
        traces,
        examples=[task.examples[name] for name in owner.values()],
        chain=replace(task.asked, today=None),
        ids=lambda trace: owner[trace.id],
    )
    place = {name: row for row, name in enumerate(ids)}
    row_of = np.array([place[name] for name in made.ids])
    top, second = task.chain.tiers.index(task.chain.top), len(task.names)
    charges = made.charges
    return replace(
        charges,
        request=row_of[charges.request],
        tier=np.where(charges.tier == second, top, charges.tier),
        purpose=np.full(len(charges), QUALITY, object),
    )


def _extra(task: Task, entry: Entry) -> Trace:
    """One trace of all that only the recording paid for a request."""
    charges: dict[str, tuple[Charge, ...]] = {}
    seconds = [attempt for attempt in entry.trace.attempts if attempt.tier == task.again]
    graded = entry.graded.attempts if entry.graded is not None else ()
    first: dict[str, Attempt] = {}
    for attempt in (*seconds, *graded):
        first.setdefault(attempt.tier, attempt)
        charges[attempt.tier] = (*charges.get(attempt.tier, ()), *attempt.charges)
    attempts = (replace(first[tier], charges=paid) for tier, paid in charges.items())
    return replace(entry.trace, attempts=tuple(attempts))


def _joined(one: Charges, two: Charges) -> Charges:
    if not len(two):
        return one
    parts = (np.concatenate([getattr(one, s.name), getattr(two, s.name)]) for s in fields(one))
    return Charges(*parts)
