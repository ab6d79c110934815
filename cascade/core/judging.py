"""Judging one draft: unusable answers first, then the tier's scorer and the questions it asks.

Gives a verdict and writes it into the attempt. Knows nothing of other tiers' turns.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from cascade.core.booked import OpenAttempt, record_of
from cascade.core.chain import Chain
from cascade.core.evaluation import evaluate
from cascade.core.failures import CallFailure
from cascade.core.ledger import Ledger
from cascade.core.reply import Reply
from cascade.core.request import as_json, check_messages
from cascade.core.scoring import (
    Abstained,
    Ask,
    Draft,
    Failed,
    Needs,
    Outcome,
    Score,
    Scorer,
    scorer_name,
)
from cascade.core.tier import Tier
from cascade.core.wishes import Wish
from cascade.errors import ConfigError, RequestError, ScorerError

__all__ = ["Halt", "judge"]

MAX_ASKS = 64
"""Questions one scorer may ask about one draft; a loop that never ends must not pay for ever."""

HALTS = frozenset({"billing", "deadline"})
"""Failures of a scorer's question that end the request: no call after it can be made either."""


class Halt(Exception):  # noqa: N818  no error: it carries a failure out of a scorer
    """A scorer's question failed in a way that ends the request."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def judge(
    chain: Chain, tier: Tier, draft: Draft, attempt: OpenAttempt, ledger: Ledger, *, final: bool
) -> Generator[Wish, Any, tuple[bool, float | None]]:
    """Whether the draft is accepted, and its score if it got one; writes the verdict."""
    flaw = _flaw(draft.reply)
    choice = getattr(chain.policy, f"on_{flaw[0]}") if flaw is not None else "score"
    if flaw is not None and (choice != "score" or (final and flaw[0] == "empty")):
        name, words = flaw
        stands = choice == "accept" or (final and name != "empty")
        why = (
            "the last tier's answer stands" if final and stands else f"policy on_{name}={choice!r}"
        )
        attempt.end("accepted" if stands else "escalated", f"{words}; {why}")
        return stands, None
    if tier.scorer is None:
        attempt.end("accepted", "the last tier's answer stands" if final else "no scorer")
        return True, None
    outcome = yield from _score(tier.scorer, tier, draft, attempt, ledger)
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
    scorer: Scorer, tier: Tier, draft: Draft, attempt: OpenAttempt, ledger: Ledger
) -> Generator[Wish, Any, Outcome]:
    """Run the tier's scorer; its questions become model calls in the ledger."""
    scoring = evaluate(scorer, draft)
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
            result = yield from _answer(tier, item, attempt, ledger)
            if isinstance(result, CallFailure):
                if result.kind in HALTS:
                    raise Halt(result)
                result = ScorerError(f"its model call failed, {result}")
            if isinstance(result, ScorerError):
                item = scoring.throw(result)
            else:
                item = scoring.send(result)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    finally:
        scoring.close()


def _answer(
    tier: Tier, wanted: Ask, attempt: OpenAttempt, ledger: Ledger
) -> Generator[Wish, Any, Reply | CallFailure | ScorerError]:
    """Put a scorer's question to the tier that uses the model, else to the chain's own client."""
    needs = Needs()
    params = {key: value for key, value in wanted.params.items() if value is not None}
    if params.pop("logprobs", False):
        needs = Needs(logprobs=True, top_logprobs=params.pop("top_logprobs", 0))
    if params.pop("stream", False):
        return ScorerError("its question cannot be sent: stream=True; a scorer reads whole answers")
    try:
        target = _target(ledger.chain, tier, wanted.model)
        payload = {"messages": list(wanted.messages), **params}
        check_messages(payload["messages"], "messages")
        as_json(payload, "payload")
    except (ConfigError, RequestError) as error:
        return ScorerError(f"its question cannot be sent: {error}")
    return (
        yield from ledger.call(
            attempt,
            target,
            payload,
            purpose="scorer",
            scorer=scorer_name(tier.scorer),
            needs=needs,
        )
    )


def _target(chain: Chain, tier: Tier, model: str | None) -> Tier:
    if model in (None, tier.name, tier.model):
        return tier
    return chain.find(str(model)) or Tier(str(model))
