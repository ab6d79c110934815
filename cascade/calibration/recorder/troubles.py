"""What went wrong while a recording was made: per tier, and of the metric, counted, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cascade.calibration.recorder.journal import Entry
from cascade.calibration.recorder.recording_task import Task
from cascade.core.tier import Tier
from cascade.core.trace import Attempt, Trace

__all__ = ["Trouble", "metric_trouble", "tier_troubles"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of failure.

    Attributes:
        name: of the tier or metric that failed.
        count: how often, in requests for a tier and in answers for a metric.
        first: the first error, as it was told.
        address: of the tier's server, "" for the provider's own.
    """

    name: str
    count: int
    first: str
    address: str = ""

    @property
    def words(self) -> str:
        """The first error, and where."""
        at = f" (at {self.address})" if self.address else ""
        return f"{self.first}{at}"


def tier_troubles(task: Task, entries: Mapping[str, Entry]) -> tuple[Trouble, ...]:
    """Tiers that could not be asked, or whose calls failed, in the order of the chain."""
    found = []
    traces = [entries[name].trace for name in task.examples if name in entries]
    for tier in (*task.chain.tiers, *task.witnesses):
        errors = [one.reason for one in _of(traces, tier.name) if one.verdict == "failed"]
        if errors:
            found.append(Trouble(tier.name, len(errors), errors[0], _address(tier)))
    return tuple(found)


def metric_trouble(task: Task, entries: Mapping[str, Entry]) -> Trouble | None:
    """How often the metric raised or gave what is no quality; `None` where it never did."""
    known = [entries[name] for name in task.examples if name in entries]
    grades = [entry.graded for entry in known if entry.graded_by]  # else it is asked again
    errors = [
        one.score.reason or one.reason
        for trace in grades
        if trace is not None
        for one in trace.attempts
        if one.score is not None and one.score.kind == "failed"
    ]
    return Trouble(task.metric.name, len(errors), errors[0]) if errors else None


def _of(traces: list[Trace], tier: str) -> Iterator[Attempt]:
    return (one for trace in traces for one in trace.attempts if one.tier == tier)


def _address(tier: Tier) -> str:
    return str(getattr(tier.client, "base_url", ""))
