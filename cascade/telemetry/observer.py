"""The observer that makes spans and metrics of every request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from opentelemetry import metrics, trace
from opentelemetry.context import attach, detach, set_value
from opentelemetry.metrics import MeterProvider
from opentelemetry.propagate import extract
from opentelemetry.trace import Tracer, TracerProvider

from cascade.core.ledger import Ledger
from cascade.core.trace import Trace
from cascade.drivers.base import Decisions
from cascade.telemetry.following import follow
from cascade.telemetry.ids import SharedIds
from cascade.telemetry.metrics import Instruments
from cascade.telemetry.setup import is_real
from cascade.telemetry.spans import SERVING, RequestSpans, now_ns

__all__ = ["OpenTelemetry"]

SCOPE = "cascade"


class OpenTelemetry:
    """Spans and metrics of every request.

        llm = Cascade(tiers, observers=[OpenTelemetry()])

    Until the program sets a provider nothing is made. May be shared between cascades and threads.

    Args:
        content: put prompts, answers and reasons into spans too, without credentials.
        tracer_provider: makes the spans; the program's own unless given.
        meter_provider: keeps the metrics; the program's own unless given.
    """

    def __init__(
        self,
        *,
        content: bool = False,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._content = content
        self._tracers = tracer_provider
        self._meters = meter_provider
        self._tracer: tuple[TracerProvider, Tracer | None] | None = None
        self._instruments: tuple[MeterProvider, Instruments | None] | None = None
        self._open: dict[str, RequestSpans] = {}

    def watch_request(
        self, decisions: Decisions, *, trace_id: str, ledger: Ledger, clock: Callable[[], float]
    ) -> Decisions:
        """A request begins: its span does, and what it runs will run inside."""
        tracer = self._tracer_now()
        if tracer is None:
            return decisions
        begun_ns = now_ns() - round((clock() - ledger.origin) * 1e9)
        spans = RequestSpans(tracer, trace_id, ledger.chain.name, begun_ns)
        self._open[trace_id] = spans
        return follow(decisions, spans, clock, ledger.origin)

    def __call__(self, trace: Trace) -> None:
        """A request has ended."""
        spans = self._open.pop(trace.id, None)
        if trace.replayed:  # nothing of it happened
            return
        instruments = self._instruments_now()
        if instruments is not None:
            instruments.count(trace)
        tracer = self._tracer_now() if spans is None else None
        if tracer is not None:
            spans = RequestSpans.of(tracer, trace)
        if spans is not None:
            spans.close(trace, content=self._content)

    @contextmanager
    def serving(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Requests begun in here answer one that came with these headers, and go on its trace.

        Args:
            headers: of the incoming request, their names in lower case or in a mapping that does
                not mind; `traceparent` is read, or what else `OTEL_PROPAGATORS` names. Not where
                there is a span already, such as that of the web framework.
        """
        is_within = trace.get_current_span().get_span_context().is_valid
        outer = None if is_within else extract(headers)
        token = attach(set_value(SERVING, SCOPE, outer))
        try:
            yield
        finally:
            detach(token)

    def flush(self, timeout_s: float = 5.0) -> None:
        """Send what waits to be sent; the SDK does so itself at the end of the process."""
        tracers, meters = self._tracers or trace.get_tracer_provider(), self._meters
        for provider in (tracers, meters or metrics.get_meter_provider()):
            force: Any = getattr(provider, "force_flush", None)
            if force is not None:
                force(round(timeout_s * 1000))

    def _tracer_now(self) -> Tracer | None:
        """The tracer of the provider that is set by now; `None` while there is none."""
        provider = self._tracers or trace.get_tracer_provider()
        if self._tracer is None or self._tracer[0] is not provider:
            self._tracer = provider, _tracer_of(provider) if is_real(provider) else None
        return self._tracer[1]

    def _instruments_now(self) -> Instruments | None:
        provider = self._meters or metrics.get_meter_provider()
        if self._instruments is None or self._instruments[0] is not provider:
            made = Instruments(provider.get_meter(SCOPE)) if is_real(provider) else None
            self._instruments = provider, made
        return self._instruments[1]


def _tracer_of(provider: TracerProvider) -> Tracer:
    """A tracer of our own: it gives a trace that a request begins the request's id."""
    tracer: Any = provider.get_tracer(SCOPE)
    ids = getattr(tracer, "id_generator", None)  # the SDK's; others keep ids of their own
    if ids is not None and not isinstance(ids, SharedIds):
        tracer.id_generator = SharedIds(ids)
    return cast("Tracer", tracer)
