"""Models that answer from a recorded trace: no network, no money, the same result every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from cascade.core.failures import KINDS, CallFailure, FailureKind
from cascade.core.reply import Reply
from cascade.core.trace import Charge, Trace
from cascade.core.wishes import ModelCall, Try
from cascade.errors import ReplayError
from cascade.wire.feed import stream_of
from cascade.wire.replies import read_reply

__all__ = ["RecordedModels"]

Key = tuple[str, str, str, str]
"""Tier whose turn it is, purpose, scorer, tier that is asked."""


class RecordedModels:
    """Answers calls with what a trace recorded, call by call.

    A call is found by whose turn it is, its purpose, its scorer and the tier it goes to, in the
    order they were made, so another chain over the same tiers can be replayed as far as the
    recording reaches.

    Args:
        trace: a trace with its replies (content policy "full").
        origin: clock reading that recorded times are counted from.

    Raises:
        ReplayError: the trace was stored without its replies.
    """

    in_order = True

    def __init__(self, trace: Trace, *, origin: float = 0.0) -> None:
        if trace.content != "full":
            raise ReplayError(
                f"trace {trace.id} was kept with content policy {trace.content!r}: without the "
                "replies it cannot be replayed; record with content='full'"
            )
        self._origin = origin
        self._trace_id = trace.id
        self._calls: dict[Key, list[list[Charge]]] = defaultdict(list)
        numbers: dict[Key, list[int]] = defaultdict(list)
        for attempt in trace.attempts:
            for charge in attempt.charges:
                key = (attempt.tier, charge.purpose, charge.scorer or "", charge.tier)
                if charge.call not in numbers[key]:
                    numbers[key].append(charge.call)
                    self._calls[key].append([])
                self._calls[key][-1].append(charge)
        self._used: dict[Key, int] = defaultdict(int)

    def call(self, call: ModelCall) -> Reply | CallFailure:
        """Answer from the recording.

        Raises:
            ReplayError: the recording holds no such call.
        """
        charges = self._find(call)
        for index, charge in enumerate(charges):
            if index:
                call.may_retry()
            call.tries.append(self._try(charge))
        last = call.tries[-1]
        return last.reply if last.reply is not None else cast("CallFailure", last.failure)

    def stream(self, call: ModelCall) -> RecordedStream:
        """Answer from the recording, in chunks."""
        return RecordedStream(self, call)

    def _find(self, call: ModelCall) -> list[Charge]:
        key = (call.attempt, call.purpose, call.scorer or "", call.tier.name)
        recorded = self._calls.get(key, [])
        if self._used[key] < len(recorded):
            self._used[key] += 1
            return recorded[self._used[key] - 1]
        raise ReplayError(
            f"trace {self._trace_id} holds no further {call.purpose} call to tier "
            f"{call.tier.name!r}: the recording cannot answer what this chain asks"
        )

    def _try(self, charge: Charge) -> Try:
        reply = read_reply(charge.reply) if charge.reply is not None else None
        failure = None
        if reply is not None:  # notes from its way here are kept; the ledger drops repeated ones
            reply = replace(reply, notes=charge.notes)
        else:
            kind = charge.outcome if charge.outcome in KINDS else "malformed"
            failure = CallFailure(
                cast("FailureKind", kind), charge.message or "", charge.status, charge.code
            )
        return Try(
            outcome=failure.kind if failure else "ok",
            started=self._origin + charge.started_s,
            latency_s=charge.latency_s,
            failure=failure,
            reply=reply,
            usage=charge.usage,
            service_tier=charge.service_tier,
            request_id=charge.request_id,
            estimated=charge.basis == "estimated",
            regional=charge.regional,
            batch=charge.batch,
            notes=() if reply is not None else charge.notes,
        )


class RecordedStream:
    """A recorded answer as chunks."""

    def __init__(self, recording: RecordedModels, call: ModelCall) -> None:
        self._recording = recording
        self._call = call
        self.outcome: Reply | CallFailure | None = None

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        self.outcome = self._recording.call(self._call)
        # A watched draft is shown to its watch alone. How it arrived is not recorded, so that the
        # watch could stop a draft that it has let pass: the recording knows how it ended.
        if isinstance(self.outcome, Reply) and self._call.watch is None:
            yield from stream_of(self.outcome)
