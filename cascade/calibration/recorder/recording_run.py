"""A recording while it is made: what is there, what is missing, and asking for it.

Requests go through the ordinary engine with the chain of `recorded_chain`; what becomes of each is
in `ended_requests`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cascade.calibration.files.datasets import Example
from cascade.calibration.files.parquet import write_recording
from cascade.calibration.money import UNKNOWN, known_usd
from cascade.calibration.recorder.cap import Cap, bound_of
from cascade.calibration.recorder.continued import Continued, is_answered, is_whole
from cascade.calibration.recorder.ended_requests import EndedRequests
from cascade.calibration.recorder.existing import complete_output
from cascade.calibration.recorder.journal import Journal
from cascade.calibration.recorder.recorded_run import recording_of_run
from cascade.calibration.recorder.recording_task import Task, task_of
from cascade.core.dollars import dollars
from cascade.core.request import Asked
from cascade.core.trace import Trace
from cascade.drivers.base import Models
from cascade.engine import Cascade, Many, ManyResult
from cascade.engine.base import chain_of
from cascade.engine.lazy import LazyModels
from cascade.engine.options import OwnOptions
from cascade.errors import BillingStopped, CallRefused, RecordingError, RunError

if TYPE_CHECKING:
    from cascade.calibration.recording import Recording
    from cascade.core.chain import Chain
    from cascade.core.tier import Tier

__all__ = ["CONCURRENCY", "Recorder", "Standing"]

CONCURRENCY = 8
"""Requests under way at once: fast, and below the limits of a new account."""

GLANCE_S = 0.2
"""How often a recording that waits for room under its cap looks whether it was stopped."""

SAME_FOR_ALL = ("auth", "not_found")
"""Refusals that every further request would meet as well."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a recording has come.

    Attributes:
        done: examples of which nothing is left to ask.
        total: all examples.
        spent_usd: everything paid whose cost is known, in earlier runs too.
        unknown_costs: exchanges whose cost nobody knows.
    """

    done: int
    total: int
    spent_usd: Decimal
    unknown_costs: int


class Recorder:
    """Records a chain; may be run again until everything is there.

    Args:
        chain: whose tiers and scorers are recorded.
        examples: requests, with what is known of them.
        output: file of the recording; the journal lies beside it, with `.journal` behind its name.
        max_cost: US dollars that the recording may cost in all, as a string or Decimal.
        client: as for `Cascade`.
        models: as for `Cascade`.
        clock: seconds, monotonic.
        **what: as for `task_of`: metric, witnesses, content, double_calls.

    Attributes:
        task: what is recorded.
        journal: what was paid for so far.
        why_stopped: why no further request was begun; "" where none was held back.
        existing: the output of an earlier run, where it holds all of this recording already.

    Raises:
        RecordingError: examples that cannot be recorded, a journal that is not this recording's, or
            an output that is there already and holds something else.
        ConfigError: a chain or setting that cannot work.
    """

    def __init__(
        self,
        chain: Chain | Iterable[Tier],
        examples: Iterable[Example],
        *,
        output: str | Path | None = None,
        max_cost: str | int | Decimal | None = None,
        client: Any = None,
        models: Models | None = None,
        clock: Callable[[], float] = time.perf_counter,
        **what: Any,
    ) -> None:
        built = chain_of(chain, None, allow_unknown_prices=False)
        self.task: Task = task_of(built, examples, **what)
        self.cap = None if max_cost is None else Cap(max_cost)
        self.why_stopped = ""
        self.existing: Recording | None = None
        self._output = None if output is None else Path(output)
        self._clock = clock
        self._live = live_models(client, models, clock)
        self._many: Many | None = None
        self._trouble: BaseException | None = None
        self._stopped = False
        self._written = False
        self.journal = Journal.open(_journal_path(self._output), self.task.heading)
        try:
            self._take_up()
        except BaseException:
            self.journal.close()
            raise

    # What there is and what is missing -----------------------------------------------------------

    @property
    def remaining(self) -> list[str]:
        """Ids of examples of which something is left to ask or to grade."""
        return [name for name in self.task.examples if name not in self._done]

    @property
    def standing(self) -> Standing:
        """How far it has come."""
        journal = self.journal
        total = len(self.task.examples)
        if self.existing is not None:
            paid = self.existing.charges.cost_pusd
            known = known_usd(int(paid[paid != UNKNOWN].sum()))
            return Standing(total, total, known, int((paid == UNKNOWN).sum()))
        return Standing(len(self._done), total, journal.spent_usd, journal.unknown_costs)

    def recording(self) -> Recording:
        """What there is so far.

        Raises:
            RecordingError: nothing.
        """
        if self.existing is not None:
            return self.existing
        return recording_of_run(self.task, self.journal.entries)

    def finish(self) -> Recording:
        """What there is so far, written to the output where there is one; raises as `recording`."""
        made = self.recording()
        if self._output is not None and self.existing is None:
            write_recording(made, self._output)
            self._written = True
        return made

    def close(self) -> None:
        """Close the journal, and delete it where nothing in it is needed any more."""
        entries = self.journal.entries
        is_written = self._written and not self.remaining and entries.keys() <= self._done
        if is_written or not entries:
            self.journal.remove()
        self.journal.close()

    def _take_up(self) -> None:
        """Look at what the journal holds, and refuse what it would be mixed up with."""
        task, entries = self.task, self.journal.entries
        if self._output is not None and self._output.exists() and not entries:
            self.existing = complete_output(task, self._output)
            self._done = set(task.examples)
            return
        for name in task.examples:
            if name in entries and entries[name].asked != task.digests[name]:
                raise RecordingError(
                    f"journal {str(self.journal.path)!r}: example {name!r} asks something else "
                    "than when it was recorded; give it another id, or choose another output"
                )
            if task.content != "full" and self._is_asked(name) and not self._is_graded(name):
                raise RecordingError(
                    f"journal {str(self.journal.path)!r}: example {name!r} has no grade by this "
                    "metric and reference, and its answers were not kept "
                    f"(content={task.content!r}); go on with those it was begun with"
                )
        task.readers.update(self.journal.readers)
        self.journal.readers = task.readers
        self._done = {name for name in task.examples if self._is_done(name)}
        if self.cap is not None:
            self.cap.settle(Decimal(0), self.journal.spent_usd)

    def _is_done(self, name: str) -> bool:
        return self._is_asked(name) and self._is_graded(name)

    def _is_asked(self, name: str) -> bool:
        entry = self.journal.entries.get(name)
        if entry is None or entry.held_back:
            return False
        return is_whole(entry.trace, self.task.tiers_for(name))

    def _is_graded(self, name: str) -> bool:
        if not self.task.is_gradable(name):
            return True
        entry = self.journal.entries.get(name)
        return entry is not None and entry.graded_by == self.task.graded_by(name)

    # Running -------------------------------------------------------------------------------------

    def stop(self, within_s: float | None = None) -> None:
        """Begin nothing new; may be called from a signal handler.

        Args:
            within_s: leave what has not ended after so many seconds, booked as it stands.
        """
        self._stopped = True
        if self._many is not None:
            self._many.stop(within_s)

    def check_clients(self) -> None:
        """Raise `ConfigError` where a tier could not be asked, such as without a key."""
        if isinstance(self._live, LazyModels):
            self._live.prepare(self.task.asked.tiers)

    def run(
        self,
        *,
        concurrency: int = CONCURRENCY,
        progress: Callable[[Standing], object] | None = None,
    ) -> None:
        """Ask and grade what is missing, until it is there, the cap is reached or `stop` is called.

        Args:
            concurrency: requests under way at once.
            progress: told how far it has come, after each request.

        Raises:
            ConfigError: nothing can be asked at all, such as without a key.
            RecordingError: the journal cannot be written.
        """
        todo = self.remaining
        if not todo:
            return
        self.check_clients()
        self._begun = {name: _kept(entry.trace) for name, entry in self.journal.entries.items()}
        self._graded = {name: self._grades_to_keep(name) for name in self.journal.entries}
        ended = EndedRequests(
            task=self.task,
            journal=self.journal,
            grading=replace(self.task.grading, budget=self.cap),
            models=self._continued(self._graded),
            cap=self.cap,
            clock=self._clock,
            give_up=self._give_up,
            fail=self._fail,
        )
        llm = Cascade(
            self.task.asked,
            models=self._continued(self._begun),
            budget=self.cap,
            observers=[ended],
            clock=self._clock,
        )
        requests = cast("Iterable[Asked]", self._requests(todo))  # the engine's own form
        try:
            with llm.complete_many(requests, concurrency=concurrency, ordered=False) as many:
                self._many = many
                for result in many:
                    self._look_at(result, todo)
                    if progress is not None:
                        progress(self.standing)
        finally:
            ended.leave()
            if isinstance(self._live, LazyModels):
                self._live.close()
        if self._trouble is not None:
            raise self._trouble

    def _continued(self, begun: dict[str, Trace | None]) -> Models:
        """Models that answer from the journal what was paid and is asked again."""
        known = {name: trace for name, trace in begun.items() if trace is not None}
        return Continued(self._live, known, self._clock) if known else self._live

    def _grades_to_keep(self, name: str) -> Trace | None:
        entry = self.journal.entries[name]
        of_this_metric = name in self.task.examples and entry.graded_by in (
            "",
            self.task.graded_by(name),
        )
        return _kept(entry.graded) if of_this_metric else None

    def _requests(self, todo: Sequence[str]) -> Iterator[OwnOptions]:
        for name in todo:
            if self._stopped or not self._may_begin(name):
                return
            yield OwnOptions(self.task.requests[name], {"stop_at": self.task.stop_at(name)})

    def _may_begin(self, name: str) -> bool:
        """Whether the cap has room for all that a request may cost, now or soon."""
        if self.cap is None:
            return True
        missing = self.task.tiers_for(name) - _answered(self._begun.get(name))
        bound = bound_of(self.task.asked, self.task.requests[name], missing)
        while (said := self.cap.begin(name, bound)) == "later":
            self.cap.wait(GLANCE_S)
            if self._stopped:
                return False
        if said == "never":
            self.why_stopped = (
                f"the next request could break the cap of {dollars(self.cap.limit_usd)}: it may "
                f"cost {dollars(bound)}, and {dollars(self.cap.left_usd)} is left"
            )
            return False
        for before in (self._begun.get(name), self._graded.get(name)):
            if before is not None:  # booked again where it is answered from there
                self.cap.settle(before.known_cost_usd, Decimal(0))
        return True

    def _look_at(self, result: ManyResult, todo: Sequence[str]) -> None:
        """Take in how a request ended."""
        name = todo[result.index]
        if self._is_done(name):
            self._done.add(name)
        error = result.error
        if isinstance(error, BillingStopped):
            self._give_up(f"the account cannot pay: {error}")
        elif isinstance(error, CallRefused) and _is_for_all(error.trace):
            self._give_up(f"every further request would be refused alike: {error}")
        elif error is not None and not isinstance(error, RunError):
            self._fail(error)

    def _give_up(self, why: str) -> None:
        self.why_stopped = self.why_stopped or why.replace("; see .trace)", ")")
        self.stop()

    def _fail(self, error: BaseException) -> None:
        self._trouble = self._trouble or error
        self.stop()


def live_models(client: Any, models: Models | None, clock: Callable[[], float]) -> Models:
    """Who answers: what was given, else the OpenAI client, made when it is first needed."""
    return models or cast("Models", LazyModels("OpenAIModels", client, clock))


def _journal_path(output: Path | None) -> Path | None:
    return None if output is None else output.with_name(f"{output.name}.journal")


def _kept(trace: Trace | None) -> Trace | None:
    """A trace that calls can be answered from."""
    return trace if trace is not None and trace.content == "full" else None


def _answered(trace: Trace | None) -> frozenset[str]:
    attempts = trace.attempts if trace is not None else ()
    return frozenset(one.tier for one in attempts if is_answered(one))


def _is_for_all(trace: Trace) -> bool:
    charges = trace.charges
    return bool(charges) and charges[-1].outcome in SAME_FOR_ALL
