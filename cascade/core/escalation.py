"""The one place that decides: ask a tier, score its draft, accept it or move on.

`escalate()` performs no I/O. It yields what it wants (`cascade.core.wishes`) and is sent the
result, so that sync, async, streaming, lock-step and replay are drivers around the same decision.

    for each tier of the route:
        skip it                     before the start, or its window is too small
        ask it                      a failure: end the request, or go to the next tier
        look at the answer          empty, refused, cut off: as the policy says
        score it                    score >= threshold: accepted; no signal: as the policy says
        the last tier's answer stands
    nothing accepted: the best draft so far, flagged
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from cascade.core.booked import OpenAttempt
from cascade.core.chain import Chain
from cascade.core.failures import CallFailure
from cascade.core.judging import Halt, judge
from cascade.core.ledger import Ledger
from cascade.core.payloads import payload_for
from cascade.core.repair import with_repair
from cascade.core.reply import Reply
from cascade.core.request import Request
from cascade.core.scoring import Draft
from cascade.core.tier import Tier
from cascade.core.trace import Status
from cascade.core.watching import watch_for
from cascade.core.wishes import Wish

__all__ = ["Decision", "escalate"]

ENDS: dict[str, Status] = {
    "billing": "billing_stopped",
    "budget": "budget_exceeded",
    "deadline": "deadline_exceeded",
    "interrupted": "interrupted",
    "content_policy": "refused",
    "auth": "refused",
    "invalid": "refused",
    "unsupported": "refused",
}
"""Failures that end the request: no other tier would do better, or may be asked."""

RETURN_BEST: frozenset[Status] = frozenset({"budget_exceeded", "deadline_exceeded"})
"""Ends that still give the best draft so far, where there is one."""


@dataclass(slots=True)
class Decision:
    """How a request ended.

    Attributes:
        status: as in the trace.
        draft: the answer to return, `None` where there is none.
        reason: in words.
        failure: what ended it, where something failed.
    """

    status: Status
    draft: Draft | None
    reason: str
    failure: CallFailure | None = None


@dataclass(slots=True)
class Graded:
    """A rejected draft, the score it got, if any, and why it was rejected.

    Attributes:
        witness: the tier's own answer where the draft repeats an earlier one: it was asked to
            compare, and later scorers compare with what it said.
    """

    draft: Draft
    value: float | None
    reason: str
    witness: Draft | None = None


def escalate(chain: Chain, request: Request, ledger: Ledger) -> Generator[Wish, Any, Decision]:
    """Decide one request.

    Args:
        chain: the tiers and the policy.
        request: what was asked.
        ledger: books every call and holds the route; the caller owns it and closes it into the
            trace.

    Returns:
        The decision; yields a `Wish` for everything that takes time.
    """
    rejected: list[Graded] = []
    last: tuple[Tier, CallFailure] | None = None
    for leg in ledger.route.legs(chain, request.payload, request.size_bytes):
        tier, final = leg.tier, leg.final
        attempt = ledger.begin(tier)
        if leg.skipped is not None:
            attempt.end("skipped", leg.skipped)
            continue
        payload = _payload(chain, tier, request, rejected)
        result = yield from ledger.call(
            attempt,
            tier,
            payload,
            needs=attempt.facts.needs,
            final=final,
            watch=None if final or not chain.policy.stop_early else watch_for(tier),
        )
        if isinstance(result, CallFailure):
            last = tier, result
            _failed(attempt, result)
            status = _ending(result, chain)
            if status is not None:
                return _ended(status, tier, result, rejected, ledger)
            continue
        attempt.reply = result
        draft = _draft(request, tier, result, payload, rejected)
        try:
            accepted, value = yield from judge(chain, tier, draft, attempt, ledger, final=final)
        except Halt as halt:
            words = f"stopped while scoring: {halt.failure}"
            if final:  # it may have been streamed already
                attempt.end("accepted", f"{words}; the last tier's answer stands")
                return Decision("accepted", draft, attempt.reason)
            attempt.end("failed", words)
            status = ENDS[halt.failure.kind]
            mine = Graded(draft, None, words)
            return _ended(status, tier, halt.failure, [*rejected, mine], ledger)
        own: Draft | None = None
        if attempt.reply is not result:  # the scorer has found a better answer
            if any(attempt.reply is graded.draft.reply for graded in rejected):
                own = draft  # an earlier tier's: this one was a witness
            draft = replace(draft, reply=attempt.reply)
        if accepted:
            return Decision("accepted", draft, attempt.reason)
        rejected.append(Graded(draft, value, attempt.reason, own))
    return _nothing_accepted(rejected, last)


def _payload(chain: Chain, tier: Tier, request: Request, rejected: list[Graded]) -> dict[str, Any]:
    """What a tier is sent; with the last rejected draft, where the policy wants it repaired."""
    payload = payload_for(tier, request)
    last = _to_repair(rejected) if chain.policy.repair else None
    return payload if last is None else with_repair(payload, last.draft, last.reason)


def _draft(
    request: Request,
    tier: Tier,
    reply: Reply,
    payload: dict[str, Any],
    rejected: list[Graded],
) -> Draft:
    """What a scorer sees of an answer and of what was asked."""
    earlier = tuple([graded.witness or graded.draft for graded in rejected])
    return Draft.lent(
        request, reply, tier=tier.name, model=tier.model, payload=payload, earlier=earlier
    )


def _to_repair(rejected: list[Graded]) -> Graded | None:
    """The last draft with something in it; a refusal would only talk the next tier into another."""
    usable = (g for g in reversed(rejected) if g.draft.text.strip() or g.draft.reply.tool_calls)
    return next(usable, None)


def _failed(attempt: OpenAttempt, failure: CallFailure) -> None:
    """A draft that never came; one that was left on purpose has been judged, if early."""
    if failure.kind == "stopped":
        attempt.end("escalated", f"left before its end: {failure.message}")
    else:
        attempt.end("failed", str(failure))


# Ending ----------------------------------------------------------------------------------------


def _ending(failure: CallFailure, chain: Chain) -> Status | None:
    """The status a failure ends the request with, or `None` to ask the next tier."""
    if failure.kind == "rate_limit" and chain.policy.on_rate_limit == "fail":
        return "refused"
    if failure.kind == "not_found" and chain.policy.on_not_found == "fail":
        return "refused"
    return ENDS.get(failure.kind)


def _ended(
    status: Status, tier: Tier, failure: CallFailure, rejected: list[Graded], ledger: Ledger
) -> Decision:
    may_return = status in RETURN_BEST
    if status == "budget_exceeded" and ledger.budget and ledger.budget.on_exceeded == "raise":
        may_return = False
    best = _best(rejected) if may_return else None
    words = _at(tier, failure)
    if best is not None:
        return Decision("unaccepted", best, f"best draft so far; {words}", failure)
    return Decision(status, None, words, failure)


def _nothing_accepted(rejected: list[Graded], last: tuple[Tier, CallFailure] | None) -> Decision:
    best = _best(rejected)
    failure = last[1] if last else None
    if best is not None:
        return Decision("unaccepted", best, "no tier accepted; the best draft is returned", failure)
    reason = f"no tier answered; the last failure was {_at(*last)}" if last else _why_none(rejected)
    return Decision("exhausted", None, reason, failure)


def _why_none(rejected: list[Graded]) -> str:
    """Why there is no answer although no call failed at the end."""
    if not rejected:
        return "no tier answered"
    return f"no tier answered: every answer came back empty; of the last, {rejected[-1].reason}"


def _at(tier: Tier, failure: CallFailure) -> str:
    """A failure with the tier it happened on."""
    words, name = str(failure), f"tier {tier.name!r}"
    return words if name in words else f"{name}: {words}"


def _best(rejected: list[Graded]) -> Draft | None:
    """The best-scoring draft; unscored ones rank below any score, later tiers above earlier."""
    usable = [
        (g.value if g.value is not None else -1.0, place, g.draft)
        for place, g in enumerate(rejected)
        if not g.draft.reply.is_empty
    ]
    return max(usable, key=lambda entry: entry[:2])[2] if usable else None
