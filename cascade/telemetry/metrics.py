"""Counters and histograms of every request, by names: of chains, tiers, models and verdicts.

A model's name may come from a server or a caller, so only so many of each kind are told apart.
"""

from __future__ import annotations

from threading import Lock

from opentelemetry.metrics import Meter

from cascade.core.trace import Attempt, Charge, Trace
from cascade.telemetry.attributes import OTHER, Values, error_of, of_model

__all__ = ["Instruments"]

NAMES = 100
"""Names of a kind that one process tells apart; further ones count as `_OTHER`."""

TOKENS = [4**power for power in range(14)]
SECONDS = [0.01 * 2**power for power in range(14)]
"""The bounds that OpenTelemetry's conventions advise."""

BOUNDED = ("cascade.chain", "cascade.tier", "gen_ai.request.model", "gen_ai.response.model")


class Instruments:
    """The instruments of a meter, and what of a trace goes into each."""

    def __init__(self, meter: Meter) -> None:
        self._names: dict[str, set[str]] = {kind: set() for kind in BOUNDED}
        self._lock = Lock()
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of each call to a model.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "How long each call to a model took.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._requests = meter.create_counter("cascade.requests", "{request}", "Requests ended.")
        self._duration = meter.create_histogram(
            "cascade.request.duration",
            "s",
            "How long requests took, from asking to the answer.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._verdicts = meter.create_counter(
            "cascade.verdicts", "{verdict}", "How the turns of tiers ended."
        )
        self._cost = meter.create_counter(
            "cascade.cost", "{USD}", "Dollars paid, as far as they are known."
        )
        self._unknown = meter.create_counter(
            "cascade.cost.unknown", "{call}", "Calls whose cost is not known, so not in the cost."
        )

    def count(self, trace: Trace) -> None:
        """Count a request that has ended."""
        chain: Values = {"cascade.chain": trace.chain}
        tier = {"cascade.tier": trace.tier} if trace.tier is not None else {}
        ended = self._bounded(chain | tier | {"cascade.status": trace.status})
        self._requests.add(1, ended)
        error = error_of(trace)
        self._duration.record(trace.duration_s, ended | ({"error.type": error} if error else {}))
        for attempt in trace.attempts:
            where = self._bounded(chain | {"cascade.tier": attempt.tier})
            self._verdicts.add(1, where | {"cascade.verdict": attempt.verdict})
            for charge in attempt.charges:
                if charge.made:
                    self._count_charge(attempt, charge, where)

    def _count_charge(self, attempt: Attempt, charge: Charge, where: Values) -> None:
        model = self._bounded(of_model(charge, attempt))
        error = {"error.type": charge.outcome} if charge.outcome != "ok" else {}
        self._seconds.record(charge.latency_s, model | error)
        if charge.usage is not None:
            for kind in ("input", "output"):
                tokens = getattr(charge.usage, f"{kind}_tokens")
                self._tokens.record(tokens, model | {"gen_ai.token.type": kind})
        asked = {"gen_ai.request.model": model["gen_ai.request.model"]}
        paid = where | asked | {"cascade.purpose": charge.purpose}
        if charge.cost_usd is None:
            self._unknown.add(1, paid)
        elif charge.cost_usd:
            self._cost.add(float(charge.cost_usd), paid)

    def _bounded(self, values: Values) -> Values:
        """The same values, names beyond the bound as one."""
        bounded = dict(values)
        for kind in BOUNDED:
            name, known = values.get(kind), self._names[kind]
            if name is None or name in known:
                continue
            with self._lock:
                if len(known) < NAMES:
                    known.add(name)
                else:
                    bounded[kind] = OTHER
        return bounded
