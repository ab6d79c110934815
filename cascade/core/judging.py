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
from cascade.core.ledger import CallDetails, Ledger, Wanted
from cascade.core.payloads import question_for, question_of
from cascade.core.reply import Reply
from cascade.core.scoring import (
    NO_NEEDS,
    Abstained,
    Ask,
    AskAll,
    Draft,
    Failed,
    Needs,
    Outcome,
    Score,
    Scorer,
)
from cascade.core.tier import Tier
from cascade.core.wishes import Wish
from cascade.errors import ConfigError, RequestError, ScorerError

__all__ = ["Halt", "flaw_of", "judge"]

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
    flaw = flaw_of(draft.reply)
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
    attempt.score = record_of(attempt.facts.scorer, outcome)
    if isinstance(outcome, Score) and outcome.reply is not None and not final:
        # A better answer of the same tier than the one it judged; a last answer may be streamed.
        attempt.reply = outcome.reply
    accepted, words = _verdict(outcome, tier, chain)
    if final and not accepted:
        attempt.end("accepted", f"{words}; the last tier's answer stands")
        accepted = True
    else:
        attempt.end("accepted" if accepted else "escalated", words)
    return accepted, outcome.value if isinstance(outcome, Score) else None


def flaw_of(reply: Reply) -> tuple[str, str] | None:
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
            if not isinstance(item, Ask | AskAll):
                item = scoring.send((yield replace(item, timeout_s=tier.scorer_timeout_s)))
                continue
            wanted = (item,) if isinstance(item, Ask) else item.asks
            asks += len(wanted)
            if asks > MAX_ASKS:
                return Failed(f"asked {asks} questions about one draft; {MAX_ASKS} are allowed")
            results = yield from _answers(tier, wanted, attempt, ledger)
            if isinstance(item, AskAll):
                item = scoring.send(results)
            elif isinstance(results[0], ScorerError):
                item = scoring.throw(results[0])
            else:
                item = scoring.send(results[0])
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    finally:
        scoring.close()


def _answers(
    tier: Tier, asks: tuple[Ask, ...], attempt: OpenAttempt, ledger: Ledger
) -> Generator[Wish, Any, list[Reply | ScorerError]]:
    """Put a scorer's questions, all at once; raises `Halt` where one ended the request."""
    questions = [_question(tier, item, attempt, ledger) for item in asks]
    wanted = [item for item in questions if not isinstance(item, ScorerError)]
    if len(wanted) == 1:
        attempt_, target, payload, details = wanted[0]
        made = [(yield from ledger.call(attempt_, target, payload, **details))]
    else:
        made = (yield from ledger.call_all(wanted)) if wanted else []
    results = iter(made)
    return [item if isinstance(item, ScorerError) else _usable(next(results)) for item in questions]


def _usable(result: Reply | CallFailure) -> Reply | ScorerError:
    if isinstance(result, Reply):
        return result
    if result.kind in HALTS:
        raise Halt(result)
    return ScorerError(f"its model call failed, {result}")


def _question(
    tier: Tier, wanted: Ask, attempt: OpenAttempt, ledger: Ledger
) -> Wanted | ScorerError:
    """A question as a call: to the tier that uses the model, else to the chain's own client."""
    needs = NO_NEEDS
    try:
        payload = question_of(wanted)
        if payload.pop("logprobs", False):
            needs = Needs(logprobs=True, top_logprobs=payload.pop("top_logprobs", 0))
        target = _target(ledger.chain, tier, wanted.model)
        needs = ledger.chain.allowed(target, needs)
        payload = question_for(target, payload, ledger.request, whole=wanted.payload is not None)
    except (ConfigError, RequestError) as error:
        return ScorerError(f"its question cannot be sent: {error}")
    details: CallDetails = {
        "purpose": "scorer",
        "scorer": attempt.facts.scorer,
        "needs": needs,
    }
    return attempt, target, payload, details


def _target(chain: Chain, tier: Tier, model: str | None) -> Tier:
    if model in (None, tier.name, tier.model):
        return tier
    return chain.find(str(model)) or Tier(str(model))
