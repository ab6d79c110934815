"""Counts for Prometheus, taken from traces and answers.

Labels hold only names that this gateway's own settings gave (chains, tiers, statuses), so that no
caller can make series without end.

Counting is adding to a dictionary, for it happens with every answer; what the client library makes
of the numbers, it makes when the page is read. Belongs to one event loop, hence no lock.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from cascade.core.trace import Trace

__all__ = ["NO_CHAIN", "Gauged", "Metrics"]

Gauged = tuple[str, Callable[[], float]]
"""What a current value says, and how to read it."""

NO_CHAIN = ""
"""The chain of a request that was refused before a chain was found for it."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)
"""Bounds of the latency histogram: models answer in fractions of a second up to minutes."""

BOUNDS = (*(str(float(bound)) for bound in SECONDS), "+Inf")

Counts = defaultdict[tuple[str, ...], float]
"""Sums by the values of their labels."""


class Metrics:
    """Everything that `/metrics` shows, in a registry of its own.

    Args:
        gauges: current values by name.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, gauges: Mapping[str, Gauged]) -> None:
        self._registry = CollectorRegistry()
        counted = Counted()
        self._requests = counted.by(
            "requests", "Answers by status of HTTP.", "chain", "tier", "status"
        )
        self._outcomes = counted.by("traces", "Traces by how they ended.", "chain", "status")
        self._cost = counted.by("cost_usd", "Known cost in US dollars.", "chain", "tier")
        self._unknown = counted.by(
            "unknown_cost_calls", "Calls whose cost nobody knows.", "chain", "tier"
        )
        self._saved = counted.by(
            "saved_usd",
            "Against the top tier, in US dollars; falls where a request cost more.",
            "chain",
            kind=GaugeMetricFamily,
        )
        self._tokens = counted.by("tokens", "Tokens by kind.", "chain", "tier", "kind")
        self._escalations = counted.by(
            "escalations", "Answers of a tier that were not accepted.", "chain", "tier"
        )
        self._refusals = counted.by("budget_refusals", "Requests over a budget.", "chain")
        self._cut_off = counted.by(
            "database_refusals", "Requests refused because the database was away.", "chain"
        )
        self._seconds = counted.seconds
        self._registry.register(counted)
        for name, (words, read) in gauges.items():
            Gauge(f"cascade_{name}", words, registry=self._registry).set_function(read)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def answered(
        self,
        status: int,
        seconds: float,
        chain: str,
        trace: Trace | None,
        *,
        cut_off: bool = False,
    ) -> None:
        """Count one answer of an endpoint, and what it cost where a chain was asked.

        Args:
            status: of HTTP.
            seconds: that it took.
            chain: that was asked.
            trace: of what was done, where there is one.
            cut_off: whether it was refused because the database was away: nobody was over a budget
                then, though the trace ended for want of money at hand.
        """
        if cut_off:
            self._cut_off[chain,] += 1
        if trace is None:
            self._requests[chain, "", str(status)] += 1
            return
        self._requests[chain, trace.tier or "", str(status)] += 1
        self._outcomes[chain, trace.status] += 1
        if trace.status == "budget_exceeded" and not cut_off:
            self._refusals[chain,] += 1
        self._seconds[chain].observe(seconds)
        self._count_charges(chain, trace)
        saved = trace.saved_usd
        if saved:
            self._saved[chain,] += float(saved)

    def _count_charges(self, chain: str, trace: Trace) -> None:
        for attempt in trace.attempts:
            tier = attempt.tier
            for charge in attempt.charges:
                if charge.cost_usd is None:
                    self._unknown[chain, tier] += 1
                elif charge.cost_usd:
                    self._cost[chain, tier] += float(charge.cost_usd)
                if charge.usage is not None:
                    self._tokens[chain, tier, "input"] += charge.usage.input_tokens
                    self._tokens[chain, tier, "output"] += charge.usage.output_tokens
            if attempt.verdict == "escalated":
                self._escalations[chain, tier] += 1

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)


class Durations:
    """How many answers took how long."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds


Kind = type[CounterMetricFamily] | type[GaugeMetricFamily]


class Counted(Collector):
    """What was counted, as the client library wants to be told it.

    Attributes:
        seconds: durations by chain.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, Durations] = defaultdict(Durations)
        self._families: list[tuple[Kind, str, str, tuple[str, ...], Counts]] = []
        self._since = time.time()

    def by(self, name: str, words: str, *labels: str, kind: Kind = CounterMetricFamily) -> Counts:
        """Sums that are shown under a name, for each combination of labels."""
        counts: Counts = defaultdict(float)
        self._families.append((kind, f"cascade_{name}", words, labels, counts))
        return counts

    def collect(self) -> Iterator[Metric]:
        """Everything as it is now."""
        for kind, name, words, labels, counts in self._families:
            family = kind(name, words, labels=labels)
            for values, count in counts.items():
                if isinstance(family, CounterMetricFamily):
                    family.add_metric(values, count, created=self._since)
                else:
                    family.add_metric(values, count)
            yield family
        shown = HistogramMetricFamily(
            "cascade_request_seconds",
            "From the request to the end of the answer.",
            labels=["chain"],
        )
        for chain, took in self.seconds.items():
            up_to = list(zip(BOUNDS, accumulate(took.counts), strict=True))
            shown.add_metric([chain], up_to, took.total)
            shown.add_sample(f"{shown.name}_created", {"chain": chain}, self._since)
        yield shown
