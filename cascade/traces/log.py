"""One log event per request, with stable keys and nothing that people wrote or models answered.

The logger is `cascade` of the standard library; the host application decides whether and where its
events go. Where it has configured structlog its processors apply, else the event is a line of
`key=value` pairs.
"""

from __future__ import annotations

import logging
from typing import Any

from cascade.core.trace import Trace
from cascade.traces.scrub import scrub

__all__ = ["EVENT", "event_of", "log_trace"]

EVENT = "cascade.request"

log = logging.getLogger("cascade")


def log_trace(trace: Trace) -> None:
    """Log a finished request at level INFO; costs next to nothing when nobody listens."""
    if not log.isEnabledFor(logging.INFO):
        return
    import structlog  # noqa: PLC0415  loaded only where somebody listens

    plain = [structlog.processors.KeyValueRenderer(key_order=["event", *event_of(trace)])]
    logger = structlog.wrap_logger(
        log,
        processors=None if structlog.is_configured() else plain,
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logger.info(EVENT, **event_of(trace))


def event_of(trace: Trace) -> dict[str, Any]:
    """The keys of a request's event. Amounts are decimal strings, `None` where unknown."""
    return {
        "trace_id": trace.id,
        "status": trace.status,
        "tier": trace.tier,
        "attempts": sum(attempt.asked for attempt in trace.attempts),
        "cost_usd": _amount(trace.cost_usd),
        "basis": trace.basis,
        "scoring_cost_usd": _amount(trace.scoring_cost_usd),
        "saved_usd": _amount(trace.saved_usd),
        "duration_s": trace.duration_s,
        "tags": scrub(trace.tags),
        "parent_id": scrub(trace.parent_id),
        "reason": _reason(trace),
    }


def _amount(value: Any) -> str | None:
    return None if value is None else format(value, "f")


def _reason(trace: Trace) -> str:
    """How the last attempt ended, in numbers and kinds: the trace's own words may quote."""
    asked = [attempt for attempt in trace.attempts if attempt.verdict != "skipped"]
    if not asked:
        return "not asked"
    last = asked[-1]
    score = last.score
    if score is not None and score.value is not None and last.threshold is not None:
        sign = ">=" if score.value >= last.threshold else "<"
        return f"score {score.value:.4g} {sign} {last.threshold:g}"
    if score is not None:
        return f"scorer {score.kind}"
    if last.charges and last.charges[-1].outcome != "ok":
        return last.charges[-1].outcome
    return last.verdict
