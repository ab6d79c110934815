"""The spans of one request: begun with it, filled in from its closed trace.

    cascade support                   the request
      tier gpt-5.4-nano               a tier's turn
        chat gpt-5.4-nano             each exchange with the provider, retries included
        score first_reject            what the scorer said
          chat gpt-5.4-nano           and what it asked
      tier gpt-5.4
        ...

Those of the request, its tiers and the scorers that are run as functions are open while they run,
so that spans which a scorer opens itself are their children. All times are the trace's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from opentelemetry.context import Context, get_current, get_value
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from cascade.core.scoring import scorer_name
from cascade.core.trace import Attempt, Charge, Trace
from cascade.core.wishes import ModelCall
from cascade.telemetry import attributes as say
from cascade.telemetry.ids import SharedIds
from cascade.telemetry.messages import of_messages

__all__ = ["SERVING", "RequestSpans"]

SERVING = "cascade-serving"
"""Key of a context whose first request answers one that came over the network."""

Clock = Callable[[], float]


class RequestSpans:
    """The open spans of a request.

    Args:
        tracer: makes them.
        trace_id: of the request, in our traces.
        chain: its chain's name.
        begun_ns: when it began, in nanoseconds since 1970.
    """

    def __init__(self, tracer: Tracer, trace_id: str, chain: str, begun_ns: int) -> None:
        self._tracer = tracer
        self._begun_ns = begun_ns
        self._calls: dict[int, ModelCall] = {}
        self._tiers: dict[str, Span] = {}
        self._scores: dict[str, Span] = {}
        self._draft: ModelCall | None = None
        outer = get_current()
        with SharedIds.giving(trace_id):
            self.span = tracer.start_span(
                f"cascade {chain}",
                outer,
                kind=_kind(outer),
                attributes={"cascade.trace.id": trace_id, "cascade.chain": chain},
                start_time=begun_ns,
            )
        self.context = set_span_in_context(self.span, outer)
        self._is_open = self.span.is_recording()

    @classmethod
    def of(cls, tracer: Tracer, trace: Trace) -> RequestSpans:
        """The spans of a request that nobody followed while it ran."""
        begun_ns = int(datetime.fromisoformat(trace.started_at).timestamp() * 1e9)
        return cls(tracer, trace.id, trace.chain, begun_ns)

    def asks(self, call: ModelCall, after_s: float) -> None:
        """A call is about to be made; the first one of a tier begins its turn."""
        if not self._is_open:
            return
        self._calls[call.number] = call
        if call.purpose == "draft" and call.attempt not in self._tiers:
            self._draft = call
            self._begin_tier(call.attempt, after_s)

    def scores(self, origin: float, after_s: float) -> None:
        """A scorer is about to run, or a part of one; its tier's scoring began with the draft.

        Args:
            origin: clock reading when the request began.
            after_s: seconds since then.
        """
        draft = self._draft
        if not self._is_open or draft is None or draft.attempt in self._scores:
            return
        ends = [entry.started + entry.latency_s - origin for entry in draft.tries]
        name = scorer_name(draft.tier.scorer)
        self._begin_score(draft.attempt, name, max(ends, default=after_s), self.context)

    def close(self, trace: Trace, *, content: bool) -> None:
        """Fill the spans in and end them, at the trace's own times."""
        self._is_open = False
        if self.span.is_recording():
            asked = [attempt for attempt in trace.attempts if attempt.charges]
            begins = [min(charge.started_s for charge in item.charges) for item in asked]
            for attempt, begun_s, end_s in zip(
                asked, begins, [*begins[1:], trace.duration_s], strict=True
            ):
                self._end_tier(attempt, begun_s, end_s, content=content)
            self.span.set_attributes(say.of_request(trace, content=content))
            _fail(self.span, say.error_of(trace))
        self.span.end(self._at(trace.duration_s))

    def _begin_tier(self, tier: str, after_s: float) -> Span:
        span = self._tracer.start_span(f"tier {tier}", self._outside, start_time=self._at(after_s))
        self._tiers[tier] = span
        self.context = set_span_in_context(span, self._outside)
        return span

    @property
    def _outside(self) -> Context:
        return set_span_in_context(self.span, self.context)

    def _end_tier(self, attempt: Attempt, begun_s: float, end_s: float, *, content: bool) -> None:
        span = self._tiers.get(attempt.tier) or self._begin_tier(attempt.tier, begun_s)
        values = say.of_attempt(attempt, content=content)
        span.set_attributes(values)
        _fail(span, values.get("error.type"))
        within = set_span_in_context(span, self.context)
        drafts = [charge for charge in attempt.charges if charge.purpose == "draft"]
        questions = [charge for charge in attempt.charges if charge.purpose == "scorer"]
        self._calls_of(attempt, drafts, within, content=content)
        scored_s = max((_end(charge) for charge in drafts), default=begun_s)
        within = self._scored(attempt, scored_s, end_s, within, content=content)
        self._calls_of(attempt, questions, within, content=content)
        span.end(self._at(max(end_s, begun_s)))

    def _scored(
        self, attempt: Attempt, begun_s: float, end_s: float, within: Context, *, content: bool
    ) -> Context:
        """What a tier's scorer said; of the scorers in a combination, what each said."""
        score, span = attempt.score, self._scores.get(attempt.tier)
        if score is None:
            if span is not None:  # its question ended the request
                _fail(span, attempt.charges[-1].outcome)
                span.end(self._at(max(end_s, begun_s)))
            return within
        if span is None:
            span = self._begin_score(attempt.tier, score.scorer, begun_s, within)
        values = say.of_scoring(attempt, score, content=content)
        span.set_attributes(values)
        end_ns = self._at(max(end_s, begun_s))
        for leaf in score.leaves() if score.parts else ():
            span.add_event("cascade.score", say.of_score(leaf, content=content), end_ns)
        _fail(span, values.get("error.type"))
        span.end(end_ns)
        return set_span_in_context(span, within)

    def _begin_score(self, tier: str, scorer: str, after_s: float, within: Context) -> Span:
        span = self._tracer.start_span(f"score {scorer}", within, start_time=self._at(after_s))
        self._scores[tier] = span
        self.context = set_span_in_context(span, within)
        return span

    def _calls_of(
        self, attempt: Attempt, charges: Sequence[Charge], within: Context, *, content: bool
    ) -> None:
        for charge in charges:
            if not charge.made:
                continue
            call = self._calls.get(charge.call)
            values = say.of_charge(charge, attempt, call)
            if content:
                values |= of_messages(charge, call)
            span = self._tracer.start_span(
                f"chat {values['gen_ai.request.model']}",
                within,
                kind=SpanKind.CLIENT,
                attributes=values,
                start_time=self._at(charge.started_s),
            )
            _fail(span, values.get("error.type"))
            span.end(self._at(_end(charge)))

    def _at(self, after_s: float) -> int:
        return self._begun_ns + round(after_s * 1e9)


def now_ns() -> int:
    """The time for a span that begins."""
    return time.time_ns()


def _end(charge: Charge) -> float:
    return charge.started_s + charge.latency_s


def _kind(outer: Context) -> SpanKind:
    """A request that came over the network is served; others are made within the program."""
    parent = get_current_span(outer).get_span_context()
    is_first = not parent.is_valid or parent.is_remote
    return SpanKind.SERVER if is_first and get_value(SERVING, outer) else SpanKind.INTERNAL


def _fail(span: Span, error: str | None) -> None:
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, error))
