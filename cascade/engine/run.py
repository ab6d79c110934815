"""One request from its start to its closed trace."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from threading import Lock
from time import time_ns
from types import TracebackType
from typing import NoReturn, Protocol, Self

from cascade.core.budget import Budget
from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.core.escalation import Decision, escalate
from cascade.core.ledger import Ledger
from cascade.core.request import Request
from cascade.core.route import WHOLE, Route
from cascade.core.scoring import Draft
from cascade.core.trace import Status, Trace
from cascade.drivers.base import Decisions, Timing
from cascade.engine.completion import Completion
from cascade.errors import (
    BillingStopped,
    BudgetExceeded,
    CallRefused,
    ChainExhausted,
    DeadlineExceeded,
    RunError,
    StreamInterrupted,
)
from cascade.forms.reading import format_of, schema_of
from cascade.wire.translate import reply_in

__all__ = ["Run"]

ERRORS: dict[Status, type[RunError]] = {
    "exhausted": ChainExhausted,
    "budget_exceeded": BudgetExceeded,
    "deadline_exceeded": DeadlineExceeded,
    "billing_stopped": BillingStopped,
    "refused": CallRefused,
    "interrupted": StreamInterrupted,
}


class Host(Protocol):
    """What a run needs of the cascade that started it."""

    chain: Chain
    clock: Callable[[], float]

    def watched(self, decisions: Decisions, trace_id: str, ledger: Ledger) -> Decisions:
        """The decision loop, followed by whoever watches requests while they run."""
        ...

    def observe(self, trace: Trace) -> None:
        """Show a closed trace to whoever watches."""
        ...


class Run:
    """One request from start to closed trace.

    Args:
        host: the cascade that answers it.
        request: what is asked.
        budget: the cap, or `None`.
        deadline_s: seconds that it may take.
        route: which part of the chain it may use.
        answered: told the tier whose answer was accepted.

    Attributes:
        host: the cascade that answers it.
        id: the trace's.
        trace: the trace, once the books are closed.
    """

    def __init__(
        self,
        host: Host,
        request: Request,
        *,
        budget: Budget | None = None,
        deadline_s: float | None = None,
        route: Route = WHOLE,
        answered: Callable[[str], None] = lambda _tier: None,
    ) -> None:
        self.host = host
        self.request = request
        self._answered = answered
        self._closing = Lock()
        origin = host.clock()
        self.timing = Timing(host.clock, origin + deadline_s if deadline_s is not None else None)
        self._origin = origin
        self._began_ms = time_ns() // 1_000_000
        self.id = _new_id(self._began_ms)
        self.ledger = Ledger(host.chain, request, budget=budget, origin=origin, route=route)
        decisions = escalate(host.chain, request, self.ledger)
        self.decisions = host.watched(decisions, self.id, self.ledger)
        self.trace: Trace | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """A request that did not get to its decision still leaves its trace."""
        self.decisions.close()
        if self.trace is None:
            why = f"{type(error).__name__}" if error is not None else "the consumer stopped reading"
            closed = self.close("cancelled", f"cancelled: {why}", None)
            if error is not None:
                error.__dict__["trace"] = closed  # for whoever catches it

    def finish(self, decision: Decision) -> Completion:
        """Close the books on a decision.

        Raises:
            RunError: it holds no answer.
        """
        draft = decision.draft
        trace = self.close(decision.status, decision.reason, draft)
        if draft is None:
            self._raise(decision, trace)
        if decision.status == "accepted":
            self._answered(draft.tier)
        request = self.request
        reply = reply_in(request.api, draft.reply, request.payload)
        asked = format_of(request.payload) or {}
        return Completion(
            reply,
            trace,
            answer_type=request.answer_type,
            answer_schema=schema_of(request.payload) if asked else None,
            answer_is_json=asked.get("type") in ("json_object", "json_schema"),
        )

    def allow(self, deadline_s: float | None) -> None:
        """Give it another time in all, in seconds from its start; `None` for no limit."""
        self.timing.move(self._origin + deadline_s if deadline_s is not None else None)

    def close(self, status: Status, reason: str, draft: Draft | None) -> Trace:
        """Close the books into a trace and show it to the observers; only the first time counts.

        Another thread may close them while this one waits for a model (`leave`).
        """
        trace, first = self._close(status, reason, draft)
        if first:
            self.host.observe(trace)
        return trace

    def leave(self, why: str) -> Trace | None:
        """Close the books of a request that another thread is still asking, as they stand.

        What it has paid until now is in the trace, the call that it waits for as unknown. No
        further call is made.

        Returns:
            The trace; `None` where the request has come to its own end meanwhile.
        """
        trace, first = self._close("cancelled", f"cancelled: {why}", None)
        if not first:
            return None
        self.host.observe(trace)
        return trace

    def _close(self, status: Status, reason: str, draft: Draft | None) -> tuple[Trace, bool]:
        """The trace, and whether this call has made it."""
        with self._closing:
            if self.trace is not None:
                return self.trace, False
            self.trace = self.ledger.close(
                trace_id=self.id,
                status=status,
                reason=reason,
                tier=draft.tier if draft is not None else None,
                started_at=_moment(self._began_ms),
                duration_s=round(self.host.clock() - self._origin, 6),
            )
            return self.trace, True

    def _raise(self, decision: Decision, trace: Trace) -> NoReturn:
        cost = trace.cost_usd
        spent = f"{dollars(cost)}" if cost is not None else "an unknown amount"
        kind = ERRORS.get(decision.status, ChainExhausted)
        error = kind(f"{decision.reason} (spent {spent}; see .trace)", trace)
        error.failure = decision.failure
        try:
            raise error
        finally:
            del error  # its traceback holds this frame: a cycle that would keep the whole request


def _moment(ms: int) -> str:
    """Milliseconds since 1970 as ISO 8601, UTC."""
    second, rest = divmod(ms, 1000)
    return f"{_second(second)}.{rest:03}+00:00"


@lru_cache(2)
def _second(second: int) -> str:
    """The same for a second, without its zone: written once for all that begins in it."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _new_id(moment: int) -> str:
    """A unique id that sorts by time: milliseconds since 1970 and 64 random bits, in hex.

    Within a millisecond each is above the one before, so that the last of a process sorts last; by
    how much is random too, because a forked child goes on from the same number.
    """
    drawn = _random.getrandbits(56)
    with _drawing:
        if moment == _last[0]:
            drawn = _last[1] + 1 + (drawn >> 16)
        _last[:] = moment, drawn
    return f"{moment:012x}{drawn:016x}"


_random = Random()  # noqa: S311  an id has to be unique, not secret
"""Seeded by the system, and nobody else's to seed. Asking the system for each id lets the GIL go:
with another thread at work, getting it back takes longer than all else that beginning takes."""

if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_random.seed)  # else it would draw its parent's numbers

_drawing = Lock()
_last = [0, 0]
"""The millisecond of the latest id, and its number within it."""
