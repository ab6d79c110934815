"""Spans of the gateway: they go on with the caller's trace."""

from __future__ import annotations

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is missing")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from cascade.telemetry import OpenTelemetry

pytestmark = pytest.mark.loopback

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def memory():
    return InMemorySpanExporter()


@pytest.fixture
def telemetry(memory):
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(memory))
    return OpenTelemetry(tracer_provider=tracers)


@pytest.fixture
def url(serve, telemetry):
    return serve(telemetry=telemetry).url


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_spans_go_on_with_the_callers_trace(url, memory, traces, stream, path):
    """The request's span is the child of the caller's, and names the trace that is kept."""
    asked = {"messages": [{"role": "user", "content": "hard"}]} if "chat" in path else None
    body = {"model": "support", "stream": stream, **(asked or {"input": "hard"})}
    done = httpx.post(f"{url}/{path}", json=body, headers={"traceparent": CALLER})
    assert done.status_code == 200
    (kept,) = traces()
    spans = {span.name: span for span in memory.get_finished_spans()}
    request = spans["cascade support"]
    assert request.kind is SpanKind.SERVER
    assert f"{request.parent.trace_id:032x}" == CALLER.split("-")[1]
    assert f"{request.parent.span_id:016x}" == CALLER.split("-")[2]
    assert request.attributes["cascade.trace.id"] == kept.id
    assert {"tier small", "tier big", "chat small", "chat big"} <= set(spans)
    assert {span.context.trace_id for span in spans.values()} == {request.context.trace_id}


def test_without_a_callers_trace_the_request_begins_one(url, memory, traces):
    """A second request on the same connection does not go on with the first one's trace."""
    body = {"model": "support", "messages": [{"role": "user", "content": "easy"}]}
    with httpx.Client() as client:
        client.post(f"{url}/chat/completions", json=body, headers={"traceparent": CALLER})
        client.post(f"{url}/chat/completions", json=body)
    roots = [span for span in memory.get_finished_spans() if span.name == "cascade support"]
    assert [span.parent is None for span in roots] == [False, True]
    assert f"{roots[1].context.trace_id:032x}".startswith(traces()[-1].id)


def test_strangers_have_no_say_in_traces(serve, telemetry, memory, traces):
    """Where callers' traces are not joined, a request begins its own, sampled as ours are."""
    url = serve(telemetry=telemetry, join_traces=False).url
    body = {"model": "support", "messages": [{"role": "user", "content": "easy"}]}
    unsampled = CALLER[:-1] + "0"
    assert httpx.post(
        f"{url}/chat/completions", json=body, headers={"traceparent": unsampled}
    ).is_success
    (root,) = [span for span in memory.get_finished_spans() if span.name == "cascade support"]
    assert root.parent is None
    assert root.kind is SpanKind.SERVER
    assert f"{root.context.trace_id:032x}".startswith(traces()[0].id)
