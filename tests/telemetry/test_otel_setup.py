"""Switching OpenTelemetry on: by the program, by the environment, and not at all."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from cascade import telemetry

pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is missing")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="its OTLP exporter is missing")

ASK = """
from cascade import Cascade, Tier
from cascade.telemetry import if_configured
from cascade.testing import ScriptedModels

otel = if_configured()
llm = Cascade(
    [Tier("gpt-5.5")],
    models=ScriptedModels({"gpt-5.5": "Paris"}),
    observers=[otel] if otel is not None else [],
)
done = llm.complete("The capital of France?")
"""


def run(code, **environment):
    """Run a program of its own, without this one's variables for OpenTelemetry."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_of_opentelemetry_is_imported_while_it_is_off():
    """A program that asks for none imports none, the observer's room included."""
    ended = run(ASK + "import sys\nprint(otel, [m for m in sys.modules if 'opentelemetry' in m])")
    assert ended.stdout == "None []\n", ended.stderr


def test_an_api_that_is_loaded_and_not_set_up_is_off():
    """Other libraries load the API; that alone switches nothing on."""
    ended = run("import opentelemetry.trace, opentelemetry.metrics\n" + ASK + "print(otel)")
    assert ended.stdout == "None\n", ended.stderr


def test_without_a_provider_an_observer_makes_nothing():
    """Given to a cascade although nobody has set OpenTelemetry up, it is quiet, and holds nothing."""
    ended = run(
        ASK.replace(
            "otel = if_configured()",
            "from cascade.telemetry import OpenTelemetry; otel = OpenTelemetry()",
        )
        + "print(done.text, otel._open)"
    )
    assert ended.stdout == "Paris {}\n", ended.stderr


@pytest.mark.parametrize("kind", ["trace", "metrics"])
def test_a_provider_that_the_program_has_set_switches_it_on(kind):
    """A real provider of either kind is enough."""
    name = {"trace": "TracerProvider", "metrics": "MeterProvider"}[kind]
    setter = {"trace": "set_tracer_provider", "metrics": "set_meter_provider"}[kind]
    ended = run(
        f"from opentelemetry import {kind}\n"
        f"from opentelemetry.sdk.{kind} import {name}\n"
        f"{kind}.{setter}({name}())\n" + ASK + "print(type(otel).__name__)"
    )
    assert ended.stdout == "OpenTelemetry\n", ended.stderr


@pytest.mark.loopback
def test_the_environment_switches_it_on(collector):
    """An endpoint in the environment is enough: spans and metrics arrive there at the exit."""
    ended = run(ASK + "print(done.trace.id)", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert ended.returncode == 0, ended.stderr
    collector.wait(lambda c: c.spans and c.metrics)
    assert {span.trace_id.hex() for span in collector.spans} == {ended.stdout.strip() + "0000"}
    assert {span.name for span in collector.spans} == {
        "cascade chain",
        "tier gpt-5.5",
        "chat gpt-5.5",
    }
    assert "cascade.requests" in {metric.name for metric in collector.metrics}
    assert collector.services == {"cascade"}


def test_the_console_exporter_shows_spans():
    """`OTEL_TRACES_EXPORTER=console` prints each span as JSON."""
    ended = run(ASK, OTEL_TRACES_EXPORTER="console", OTEL_SERVICE_NAME="mail")
    found, rest, decoder = [], ended.stdout.strip(), json.JSONDecoder()
    while rest:
        span, length = decoder.raw_decode(rest)
        found.append(span)
        rest = rest[length:].lstrip()
    assert {span["name"] for span in found} == {"cascade chain", "tier gpt-5.5", "chat gpt-5.5"}
    assert {span["resource"]["attributes"]["service.name"] for span in found} == {"mail"}


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_the_environment_can_leave_it_off(environment):
    """What the variables switch off stays off."""
    ended = run(ASK + "print(otel)", **environment)
    assert ended.stdout == "None\n", ended.stderr


def test_an_exporter_that_is_not_installed_is_named():
    """A variable that cannot be followed ends in an error with the next step, not in silence."""
    ended = run(ASK, OTEL_TRACES_EXPORTER="pigeon")
    assert "ConfigError" in ended.stderr
    assert "pigeon" in ended.stderr
    assert "unset the variable" in ended.stderr


def test_without_the_sdk_a_variable_is_answered_by_a_warning():
    """A gateway starts although the SDK is missing, and says what to install."""
    ended = run(
        "import sys, logging\nlogging.basicConfig()\nsys.modules['opentelemetry.sdk'] = None\n"
        + ASK
        + "print(otel)",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    assert ended.stdout == "None\n"
    assert "pip install opentelemetry-sdk" in ended.stderr


def test_without_the_api_the_observer_says_what_to_install():
    """A missing package is named with its extra."""
    ended = run(
        "import sys\nsys.modules['opentelemetry'] = None\nfrom cascade.telemetry import OpenTelemetry"
    )
    assert "frugal-cascade[otel]" in ended.stderr


@pytest.mark.loopback
def test_a_collector_gets_spans_and_metrics(collector, ask):
    """What leaves over OTLP is what the traces say, kinds and parents included."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "mail"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.url}/v1/traces")))
    meters = MeterProvider(
        [PeriodicExportingMetricReader(OTLPMetricExporter(f"{collector.url}/v1/metrics"))],
        resource=resource,
    )
    observer = telemetry.OpenTelemetry(tracer_provider=tracers, meter_provider=meters)
    done = ask(observer)
    observer.flush()
    tracers.shutdown()
    meters.shutdown()
    collector.wait(lambda c: len(c.spans) >= 7 and c.metrics)
    spans = {span.name: span for span in collector.spans}
    root = spans["cascade support"]
    said = {item.key: item.value for item in root.attributes}
    assert said["cascade.cost.usd_exact"].string_value == format(done.cost_usd, "f")
    assert spans["tier big"].parent_span_id == root.span_id
    assert spans["chat big"].kind == spans["chat big"].SPAN_KIND_CLIENT
    (cost,) = [metric for metric in collector.metrics if metric.name == "cascade.cost"][:1]
    assert sum(point.as_double for point in cost.sum.data_points) == float(done.cost_usd)
    assert collector.services == {"mail"}
