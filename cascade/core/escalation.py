"""The one place that decides: ask a tier, score its draft, accept it or move on.

`escalate()` performs no I/O. It yields what it wants (`cascade.core.wishes`) and is sent the
result, so that sync, async, streaming, lock-step and replay are drivers around the same decision.

    for each tier:
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

from cascade.core.chain import Chain, merged_needs
from cascade.core.evaluation import evaluate
from cascade.core.failures import CallFailure
from cascade.core.ledger import Ledger, OpenAttempt, record_of
from cascade.core.reply import Reply
from cascade.core.request import Message, Request
from cascade.core.scoring import Abstained, Ask, Draft, Failed, Outcome, Score, scorer_name
from cascade.core.tier import Tier
from cascade.core.trace import Status
from cascade.core.wishes import Wish
from cascade.errors import ScorerError

__all__ = ["Decision", "escalate", "payload_for"]

MAX_ASKS = 64
"""Questions one scorer may ask about one draft; a loop that never ends must not pay for ever."""

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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Graded:
    """A rejected draft and the score it got, if any."""

    draft: Draft
    value: float | None


class _Halt(Exception):  # noqa: N818  carries a failure that ends the request out of a scorer
    def __init__(self, failure: CallFailure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def escalate(chain: Chain, request: Request, ledger: Ledger) -> Generator[Wish, Any, Decision]:
    """Decide one request.

    Args:
        chain: the tiers and the policy.
        request: what was asked.
        ledger: books every call; the caller owns it and closes it into the trace.

    Returns:
        The decision; yields a `Wish` for everything that takes time.
    """
    rejected: list[Graded] = []
    last_failure: CallFailure | None = None
    for tier in chain.tiers:
        final = tier is chain.top
        attempt = ledger.begin(tier)
        payload = payload_for(tier, request)
        result = yield from ledger.call(
            attempt, tier, payload, needs=merged_needs(tier.scorer), final=final
        )
        if isinstance(result, CallFailure):
            last_failure = result
            attempt.end("failed", str(result))
            status = _ending(result, chain)
            if status is not None:
                return _ended(status, result, rejected, ledger)
            continue
        attempt.reply = result
        draft = Draft(
            request, result, tier.name, tier.model, payload, tuple(g.draft for g in rejected)
        )
        try:
            accepted, value = yield from _judge(chain, tier, draft, attempt, ledger, final=final)
        except _Halt as halt:
            attempt.end("failed", f"stopped while scoring: {halt.failure}")
            status = _ending(halt.failure, chain) or "refused"
            return _ended(status, halt.failure, [*rejected, Graded(draft, None)], ledger)
        if accepted:
            return Decision("accepted", draft, attempt.reason)
        rejected.append(Graded(draft, value))
    return _nothing_accepted(rejected, last_failure)


def payload_for(tier: Tier, request: Request) -> dict[str, Any]:
    """The wire payload of a request on a tier: its preamble put in, its overrides laid over."""
    payload = {**request.payload, **tier.params}
    if tier.preamble:
        payload["messages"] = _with_preamble(request.messages, tier.preamble)
    return {key: value for key, value in payload.items() if value is not None}


def _with_preamble(messages: list[Message], preamble: tuple[Message, ...]) -> list[Message]:
    """Leading system messages stay first: worked examples follow them."""
    head = 0
    while head < len(messages) and messages[head]["role"] in ("system", "developer"):
        head += 1
    return [*messages[:head], *preamble, *messages[head:]]


# Judging a draft -------------------------------------------------------------------------------


def _judge(
    chain: Chain, tier: Tier, draft: Draft, attempt: OpenAttempt, ledger: Ledger, *, final: bool
) -> Generator[Wish, Any, tuple[bool, float | None]]:
    """Whether the draft is accepted, and its score if it got one; writes the verdict."""
    flaw = _flaw(draft.reply)
    if flaw is not None:
        name, words = flaw
        choice = getattr(chain.policy, f"on_{name}")
        stands = choice == "accept" or (final and name != "empty")
        why = (
            "the last tier's answer stands" if final and stands else f"policy on_{name}={choice!r}"
        )
        attempt.end("accepted" if stands else "escalated", f"{words}; {why}")
        return stands, None
    if tier.scorer is None:
        attempt.end("accepted", "the last tier's answer stands" if final else "no scorer")
        return True, None
    outcome = yield from _score(chain, tier, draft, attempt, ledger)
    attempt.score = record_of(scorer_name(tier.scorer), outcome)
    accepted, words = _verdict(outcome, tier, chain)
    if final and not accepted:
        attempt.end("accepted", f"{words}; the last tier's answer stands")
        accepted = True
    else:
        attempt.end("accepted" if accepted else "escalated", words)
    return accepted, outcome.value if isinstance(outcome, Score) else None


def _flaw(reply: Reply) -> tuple[str, str] | None:
    """What makes an answer unusable before any scorer is paid: (policy name, words)."""
    if reply.refusal:
        return "refusal", f"the model declined: {reply.refusal[:120]!r}"
    if reply.finish_reason == "content_filter":
        return "content_filter", "the provider's content filter cut the answer"
    if reply.is_empty:
        cut = ", cut at the output limit" if reply.finish_reason == "length" else ""
        return "empty", f"the answer is empty{cut}"
    if reply.finish_reason == "length":
        return "length", "the answer was cut at the output limit"
    return None


def _verdict(outcome: Outcome, tier: Tier, chain: Chain) -> tuple[bool, str]:
    if isinstance(outcome, Score):
        accepted = outcome.value >= tier.threshold
        sign = ">=" if accepted else "<"
        because = f": {outcome.reason}" if outcome.reason else ""
        return accepted, f"score {outcome.value:.4g} {sign} {tier.threshold:g}{because}"
    if isinstance(outcome, Abstained):
        choice, what = chain.policy.on_abstain, "scorer abstained"
    else:
        choice, what = chain.policy.on_scorer_failure, "scorer failed"
    because = f": {outcome.reason}" if outcome.reason else ""
    return choice == "accept", f"{what}{because}"


def _score(
    chain: Chain, tier: Tier, draft: Draft, attempt: OpenAttempt, ledger: Ledger
) -> Generator[Wish, Any, Outcome]:
    """Run the tier's scorer; its questions become model calls in the ledger."""
    if tier.scorer is None:
        return Failed("no scorer")
    scoring = evaluate(tier.scorer, draft)
    asks = 0
    try:
        item = next(scoring)
        while True:
            if not isinstance(item, Ask):
                item = scoring.send((yield replace(item, timeout_s=tier.scorer_timeout_s)))
                continue
            asks += 1
            if asks > MAX_ASKS:
                return Failed(f"asked {asks} questions about one draft; {MAX_ASKS} are allowed")
            result = yield from _answer(chain, tier, item, attempt, ledger)
            if isinstance(result, Reply):
                item = scoring.send(result)
            elif result.kind in ("billing", "deadline"):
                raise _Halt(result)
            else:
                item = scoring.throw(ScorerError(f"its model call failed, {result}"))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    finally:
        scoring.close()


def _answer(
    chain: Chain, tier: Tier, wanted: Ask, attempt: OpenAttempt, ledger: Ledger
) -> Generator[Wish, Any, Reply | CallFailure]:
    """Put a scorer's question to the tier that uses the model, else to the chain's own client."""
    if wanted.model in (None, tier.name, tier.model):
        target = tier
    else:
        target = chain.find(str(wanted.model)) or Tier(str(wanted.model))
    needs = merged_needs(None)
    params = dict(wanted.params)
    if params.pop("logprobs", False):
        needs = replace(needs, logprobs=True, top_logprobs=params.pop("top_logprobs", 0) or 0)
    payload = {"messages": list(wanted.messages), **params}
    return (
        yield from ledger.call(
            attempt,
            target,
            {key: value for key, value in payload.items() if value is not None},
            purpose="scorer",
            scorer=scorer_name(tier.scorer),
            needs=needs,
        )
    )


# Ending ----------------------------------------------------------------------------------------


def _ending(failure: CallFailure, chain: Chain) -> Status | None:
    """The status a failure ends the request with, or `None` to ask the next tier."""
    if failure.kind == "rate_limit" and chain.policy.on_rate_limit == "fail":
        return "refused"
    if failure.kind == "not_found" and chain.policy.on_not_found == "fail":
        return "refused"
    return ENDS.get(failure.kind)


def _ended(
    status: Status, failure: CallFailure, rejected: list[Graded], ledger: Ledger
) -> Decision:
    may_return = status in RETURN_BEST
    if status == "budget_exceeded" and ledger.budget and ledger.budget.on_exceeded == "raise":
        may_return = False
    best = _best(rejected) if may_return else None
    if best is not None:
        return Decision("unaccepted", best, f"best draft so far; {failure}", failure)
    return Decision(status, None, str(failure), failure)


def _nothing_accepted(rejected: list[Graded], failure: CallFailure | None) -> Decision:
    best = _best(rejected)
    if best is not None:
        return Decision("unaccepted", best, "no tier accepted; the best draft is returned", failure)
    reason = f"no tier answered; the last failure was {failure}" if failure else "no tier answered"
    return Decision("exhausted", None, reason, failure)


def _best(rejected: list[Graded]) -> Draft | None:
    """The best-scoring draft; unscored ones rank below any score, later tiers above earlier."""
    usable = [
        (g.value if g.value is not None else -1.0, place, g.draft)
        for place, g in enumerate(rejected)
        if not g.draft.reply.is_empty
    ]
    return max(usable, key=lambda entry: entry[:2])[2] if usable else None
