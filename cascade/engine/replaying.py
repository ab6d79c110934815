"""Deciding a recorded request again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from cascade.core.budget import Budget
from cascade.core.chain import Chain
from cascade.core.chain_checks import tier_tuple
from cascade.core.escalation import escalate
from cascade.core.ledger import Ledger
from cascade.core.plain_json import as_json
from cascade.core.request import Request
from cascade.core.route import Route, entered
from cascade.core.tier import Tier
from cascade.core.trace import Trace
from cascade.drivers import sync
from cascade.drivers.base import Timing
from cascade.drivers.replay import RecordedModels
from cascade.errors import ReplayError, RequestError

__all__ = ["replay"]


def replay(trace: Trace, tiers: Chain | Iterable[Tier]) -> Trace:
    """Decide a recorded request again, from its recorded replies: no network, no money.

    Under the chain that made it a trace comes back as it was. Under another chain, thresholds or
    scorers it shows what would have happened, as far as the recording reaches.

    Args:
        trace: a trace kept with content policy "full".
        tiers: the chain to decide with.

    Raises:
        ReplayError: the chain asks for a call that was not recorded, or the replies were not kept.
            A request that a budget shared with others stopped may end so: what they spent is not
            in the trace.
    """
    if not isinstance(trace, Trace):
        raise ReplayError(f"replay takes a Trace, not {type(trace).__name__} {str(trace)[:60]!r}")
    # No date is checked: a model that has retired since can still be replayed.
    chain = (
        tiers if isinstance(tiers, Chain) else Chain(tier_tuple(tiers), allow_unknown_prices=True)
    )
    recording = RecordedModels(trace)
    request = Request(
        payload=trace.request or {},
        requested_model=trace.requested_model,
        metadata=trace.metadata,
        tags=trace.tags,
        parent_id=trace.parent_id,
        size_bytes=len(as_json(trace.request or {}, "request")),
    )
    if "messages" not in request.payload and "input" not in request.payload:
        raise ReplayError(f"trace {trace.id} holds no request")
    route = entered(chain, request, _route(trace))
    try:
        route.check(chain)
    except RequestError as error:
        raise ReplayError(f"trace {trace.id} cannot be decided by this chain: {error}") from None
    budget = None
    if trace.budget_usd is not None:
        stopped = trace.status == "budget_exceeded"
        budget = Budget(trace.budget_usd, on_exceeded="raise" if stopped else "return_best")
    ledger = Ledger(chain, request, budget=budget, origin=0.0, route=route)
    decision = sync.drive(escalate(chain, request, ledger), recording, Timing(clock=lambda: 0.0))
    closed = ledger.close(
        trace_id=trace.id,
        status=decision.status,
        reason=decision.reason,
        tier=decision.draft.tier if decision.draft else None,
        started_at=trace.started_at,
        duration_s=trace.duration_s,
    )
    return dataclasses.replace(closed, replayed=True)


def _route(trace: Trace) -> Route:
    """The route as recorded, the reason for its start included."""
    first = trace.attempts[0] if trace.attempts else None
    why = first.reason if first is not None and first.verdict == "skipped" else ""
    return Route(trace.start_at, trace.stop_at, why if trace.start_at is not None else "")
