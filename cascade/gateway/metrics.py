"""Counts for Prometheus, taken from traces and answers.

Labels hold only names that this gateway's own settings gave (chains, tiers, statuses), so that no
caller can make series without end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from cascade.core.trace import Trace

__all__ = ["NO_CHAIN", "Gauged", "Metrics"]

Gauged = tuple[str, Callable[[], float]]
"""What a current value says, and how to read it."""

NO_CHAIN = ""
"""The chain of a request that was refused before a chain was found for it."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
"""Bounds of the latency histogram: models answer in fractions of a second up to minutes."""


class Metrics:
    """Everything that `/metrics` shows, in a registry of its own.

    Args:
        gauges: current values by name.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, gauges: Mapping[str, Gauged]) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter(
            "requests", "Answers by status of HTTP.", "chain", "tier", "status"
        )
        self._outcomes = self._counter("traces", "Traces by how they ended.", "chain", "status")
        self._cost = self._counter("cost_usd", "Known cost in US dollars.", "chain", "tier")
        self._unknown = self._counter(
            "unknown_cost_calls", "Calls whose cost nobody knows.", "chain", "tier"
        )
        self._saved = Gauge(
            "cascade_saved_usd",
            "Against the top tier, in US dollars; falls where a request cost more.",
            ["chain"],
            registry=self._registry,
        )
        self._tokens = self._counter("tokens", "Tokens by kind.", "chain", "tier", "kind")
        self._escalations = self._counter(
            "escalations", "Answers of a tier that were not accepted.", "chain", "tier"
        )
        self._refusals = self._counter("budget_refusals", "Requests over a budget.", "chain")
        self._seconds = Histogram(
            "cascade_request_seconds",
            "From the request to the end of the answer.",
            ["chain"],
            buckets=SECONDS,
            registry=self._registry,
        )
        for name, (words, read) in gauges.items():
            Gauge(f"cascade_{name}", words, registry=self._registry).set_function(read)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._child = cache(lambda metric, *labels: metric.labels(*labels))

    def answered(self, status: int, seconds: float, chain: str, trace: Trace | None) -> None:
        """Count one answer of an endpoint, and what it cost where a chain was asked."""
        tier = (trace.tier if trace is not None else None) or ""
        self._child(self._requests, chain, tier, str(status)).inc()
        if trace is None:
            return
        self._child(self._seconds, chain).observe(seconds)
        self._child(self._outcomes, chain, trace.status).inc()
        if trace.status == "budget_exceeded":
            self.over_budget(chain)
        self._count(chain, trace)

    def over_budget(self, chain: str) -> None:
        """Count a request that a budget refused."""
        self._child(self._refusals, chain).inc()

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def _count(self, chain: str, trace: Trace) -> None:
        child = self._child
        for attempt in trace.attempts:
            tier = attempt.tier
            for charge in attempt.charges:
                if charge.cost_usd is None:
                    child(self._unknown, chain, tier).inc()
                elif charge.cost_usd:
                    child(self._cost, chain, tier).inc(float(charge.cost_usd))
                if charge.usage is not None:
                    child(self._tokens, chain, tier, "input").inc(charge.usage.input_tokens)
                    child(self._tokens, chain, tier, "output").inc(charge.usage.output_tokens)
            if attempt.verdict == "escalated":
                child(self._escalations, chain, tier).inc()
        if trace.saved_usd:
            child(self._saved, chain).inc(float(trace.saved_usd))

    def _counter(self, name: str, words: str, *labels: str) -> Any:
        return Counter(f"cascade_{name}", words, labels, registry=self._registry)
