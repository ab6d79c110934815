"""What happens when a request of a recording has ended: it is written down, graded, written down.

All of it on the thread that asked. A grading that is under way when the program leaves is closed
by whoever leaves, with what it had paid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from cascade.calibration.recorder.cap import Cap
from cascade.calibration.recorder.continued import NamedOptions, with_all_paid
from cascade.calibration.recorder.journal import Entry, Journal
from cascade.calibration.recorder.quality.grading import Grading, answer_in
from cascade.calibration.recorder.recording_task import Task
from cascade.core.dollars import dollars
from cascade.core.ledger import Ledger
from cascade.core.trace import Status, Trace
from cascade.drivers import sync
from cascade.drivers.base import Models, Timing
from cascade.traces.content import redact

__all__ = ["EndedRequests"]


@dataclass(slots=True)
class EndedRequests:
    """Takes the traces of requests that have ended.

    Attributes:
        task: what is recorded.
        journal: where it is written down.
        grading: how answers are graded.
        models: who answers what the metric asks.
        cap: what all of it may cost, or `None`.
        clock: the engine's.
        give_up: told why no further request should be begun.
        fail: told of an error that ends the recording.
    """

    task: Task
    journal: Journal
    grading: Grading
    models: Models
    cap: Cap | None
    clock: Callable[[], float]
    give_up: Callable[[str], None]
    fail: Callable[[BaseException], None]
    _open: dict[str, tuple[Ledger, Trace]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, trace: Trace) -> None:
        """Take a trace; an observer of the engine."""
        name = self.task.by_tag[trace.tags[0]]
        try:
            self._keep(name, trace)
            if trace.status != "cancelled" and self.task.is_gradable(name):
                self._grade(name, trace)
        except Exception as error:  # noqa: BLE001  an observer's error would only be logged
            self.fail(error)
        finally:
            if self.cap is not None:
                self.cap.end(name)

    def leave(self) -> None:
        """Close what is being graded on threads that nobody waits for any more."""
        for name in list(self._open):
            self._close(name, "cancelled", "")

    def _keep(self, name: str, trace: Trace) -> None:
        before = self.journal.entries.get(name)
        kept = with_all_paid(
            redact(trace, self.task.content), before.trace if before is not None else None
        )
        self.journal.asked(name, Entry(self.task.digests[name], kept, self._was_held_back()))

    def _grade(self, name: str, trace: Trace) -> None:
        found = {attempt.tier: answer_in(attempt) for attempt in trace.attempts}
        replies = {tier: reply for tier, reply in found.items() if reply is not None}
        request = replace(self.task.requests[name], options=NamedOptions({}, name))
        known = self.task.known(name)
        ledger, grades = self.grading.begin(request, known, replies, self.clock())
        with self._lock:
            self._open[name] = ledger, trace
        decision = sync.drive(grades, self.models, Timing(self.clock))
        complete = decision.status == "accepted" and not self._was_held_back()
        self._close(name, decision.status, self.task.graded_by(name) if complete else "")
        if decision.failure is not None:
            self.give_up(decision.reason)

    def _close(self, name: str, status: Status, graded_by: str) -> None:
        """Write the grades down, once: either the thread that grades or the one that leaves it."""
        with self._lock:
            found = self._open.pop(name, None)
        if found is None:
            return
        ledger, asked = found
        trace = ledger.close(
            trace_id=f"{asked.id}-graded",
            status=status,
            reason="grades of its answers",
            tier=None,
            started_at=asked.started_at,
            duration_s=max(0.0, round(self.clock() - ledger.origin, 6)),
        )
        bare = replace(trace, request=None, metadata={}, tags=())
        kept = with_all_paid(redact(bare, self.task.content), self.journal.entries[name].graded)
        self.journal.graded(name, kept, graded_by)

    def _was_held_back(self) -> bool:
        """Whether a question of this thread's did not fit: the next request's would not either."""
        if self.cap is None or not self.cap.was_hit():
            return False
        self.give_up(
            "a question of a scorer or judge could break the cap of "
            f"{dollars(self.cap.limit_usd)}: at worst its answer is as long as the model allows; "
            "set max_completion_tokens in what it asks, or a higher cap"
        )
        return True
