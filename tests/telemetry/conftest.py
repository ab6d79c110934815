"""Spans and metrics kept in memory, and a stand-in for an OpenTelemetry collector."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cascade import Cascade, Price, Tier
from cascade.core.chain import Chain
from cascade.testing import ManualClock, ScriptedModels, failure, reply

CHEAP, DEAR = Price.of("0.20", "1.25"), Price.of("5", "30")


class Kept:
    """What was made of spans and metrics, and an observer that makes them."""

    def __init__(self, **settings):
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        from cascade.telemetry import OpenTelemetry

        self.memory = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.memory))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self.reader])
        self.observer = OpenTelemetry(
            tracer_provider=self.tracers, meter_provider=self.meters, **settings
        )

    @property
    def spans(self):
        return sorted(self.memory.get_finished_spans(), key=lambda span: span.start_time)

    def named(self, name):
        """The one span of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def tree(self):
        """Names of spans, each under its parent's."""
        names = {span.context.span_id: span.name for span in self.spans}
        return [
            (names.get(span.parent.span_id) if span.parent else None, span.name)
            for span in self.spans
        ]

    def points(self, name):
        """The data points of a metric: (attributes, value or sum)."""
        data = json.loads(self.reader.get_metrics_data().to_json())
        metrics = data["resource_metrics"][0]["scope_metrics"][0]["metrics"]
        (found,) = [metric for metric in metrics if metric["name"] == name]
        points = found["data"]["data_points"]
        return found["unit"], [(p["attributes"], p.get("value", p.get("sum"))) for p in points]


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def kept_with_content():
    return Kept(content=True)


def unsure(_draft):
    return 0.41


@pytest.fixture
def ask():
    """Ask a chain of two: the first is tried twice and rejected, the second's answer stands."""

    def asked(observer, prompt="Where is my parcel?", scorer=unsure, **options):
        clock = ManualClock()
        models = ScriptedModels(
            {
                "nano": [failure("rate_limit", "slow down", status=429), reply("Who knows?")],
                "big": reply("It comes on Friday.", model="big-2026", output_tokens=40),
            },
            clock=clock,
            latency_s=0.25,
        )
        tiers = (
            Tier("nano", scorer=scorer, threshold=0.9, price=CHEAP, params={"temperature": 0.2}),
            Tier("big", price=DEAR),
        )
        llm = Cascade(
            Chain(tiers, name="support"), models=models, clock=clock, observers=[observer]
        )
        return llm.complete(prompt, **options)

    return asked


class Collector(ThreadingHTTPServer):
    """Takes what an exporter sends over OTLP/HTTP, and reads it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.spans, self.metrics, self.services = [], [], set()
        self.changed = threading.Condition()

    def take(self, path, body):
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        with self.changed:
            if path == "/v1/traces":
                for found in trace_service_pb2.ExportTraceServiceRequest.FromString(
                    body
                ).resource_spans:
                    self.services |= {
                        item.value.string_value
                        for item in found.resource.attributes
                        if item.key == "service.name"
                    }
                    self.spans += [span for scope in found.scope_spans for span in scope.spans]
            elif path == "/v1/metrics":
                for found in metrics_service_pb2.ExportMetricsServiceRequest.FromString(
                    body
                ).resource_metrics:
                    self.metrics += [m for scope in found.scope_metrics for m in scope.metrics]
            self.changed.notify_all()

    def wait(self, ready, timeout_s=10.0):
        with self.changed:
            assert self.changed.wait_for(lambda: ready(self), timeout_s)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.take(self.path, body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
