"""Spans and metrics of a request, shown with OpenTelemetry's console exporter."""

import sys

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from cascade import Cascade, Tier
from cascade.telemetry import OpenTelemetry
from cascade.testing import ScriptedModels
from scorers import LengthBetween

SHOWN = (
    "gen_ai.usage.input_tokens",
    "gen_ai.evaluation.score.value",
    "cascade.verdict",
    "cascade.cost.usd_exact",
    "cascade.saved.usd_exact",
)


def line(span: ReadableSpan) -> str:
    """A span as one line."""
    values = span.attributes or {}
    said = [f"{name.partition('.')[2]}={values[name]}" for name in SHOWN if name in values]
    return " ".join([span.kind.name.lower(), f"{span.name!r}", *said]) + "\n"


# A program sends them to a collector instead: BatchSpanProcessor(OTLPSpanExporter()).
tracers = TracerProvider()
console = ConsoleSpanExporter(out=sys.stdout, formatter=line)
tracers.add_span_processor(SimpleSpanProcessor(console))
metrics = InMemoryMetricReader()
meters = MeterProvider([metrics])

in_words = LengthBetween(min_words=3)
llm = Cascade(
    [Tier("gpt-5.4-nano", scorer=in_words), Tier("gpt-5.4-mini", scorer=in_words), Tier("gpt-5.5")],
    models=ScriptedModels({"gpt-5.4-nano": "Hm.", "gpt-5.4-mini": "On Friday at noon."}),
    observers=[OpenTelemetry(tracer_provider=tracers, meter_provider=meters)],
)
with tracers.get_tracer("mail").start_as_current_span("answer a letter"):
    llm.complete("When does my parcel arrive?")

for metric in metrics.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics:
    if metric.name == "cascade.verdicts":
        for point in metric.data.data_points:
            print(metric.name, point.attributes["cascade.verdict"], point.value)

# client 'chat gpt-5.4-nano' usage.input_tokens=10 cost.usd_exact=0.00000325
# internal 'score LengthBetween' evaluation.score.value=0.0 verdict=escalated
# internal 'tier gpt-5.4-nano' verdict=escalated cost.usd_exact=0.00000325
# client 'chat gpt-5.4-mini' usage.input_tokens=10 cost.usd_exact=0.0000255
# internal 'score LengthBetween' evaluation.score.value=1.0 verdict=accepted
# internal 'tier gpt-5.4-mini' verdict=accepted cost.usd_exact=0.0000255
# internal 'cascade chain' cost.usd_exact=0.00002875 saved.usd_exact=0.00014125
# internal 'answer a letter'
# cascade.verdicts escalated 1
# cascade.verdicts accepted 1
