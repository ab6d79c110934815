"""What is written down while a request runs, and the trace's values it becomes.

Prices each exchange. Knows no budget and asks nobody: see `cascade.core.ledger`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal

from cascade.core.chain import Chain
from cascade.core.facts import Facts
from cascade.core.failures import is_never_billed
from cascade.core.pricing import Cost, Price, cost_of, tariff_of, usd_of
from cascade.core.reply import Reply
from cascade.core.scoring import Abstained, Outcome, Score
from cascade.core.tier import Tier
from cascade.core.trace import Attempt, Charge, ScoreRecord, Verdict
from cascade.core.usage import Usage, audio_tokens
from cascade.core.wishes import ModelCall, Try

__all__ = ["Booked", "OpenAttempt", "attempt_of", "cost_of_try", "record_of", "top_tier_cost"]


@dataclass(slots=True)
class Booked:
    """A call with what the budget holds for each of its tries.

    Attributes:
        call: the call.
        facts: what is known of the tier that it goes to.
        bound_usd: the most that one try can cost; `None` where the budget needs to know none.
        reserved: for how many tries the budget holds as much.
        begun: whether the driver has begun to make it.
        settled: whether the budget holds what was paid instead.
        costs: of its tries, once they are priced, by identity.
    """

    call: ModelCall
    facts: Facts
    bound_usd: Decimal | None
    reserved: int = 0
    begun: bool = False
    settled: bool = False
    costs: dict[int, Cost] = field(default_factory=dict)


@dataclass(slots=True)
class OpenAttempt:
    """One tier's turn while it lasts."""

    tier: Tier
    facts: Facts
    verdict: Verdict = "failed"
    reason: str = "not finished"
    reply: Reply | None = None
    score: ScoreRecord | None = None
    calls: list[Booked] = field(default_factory=list)

    def end(self, verdict: Verdict, reason: str) -> None:
        """Set how the turn ended."""
        self.verdict = verdict
        self.reason = reason


def cost_of_try(chain: Chain, booked: Booked, entry: Try) -> Cost:
    """What one exchange cost; a refused one, or one known to have used nothing, costs nothing."""
    known = booked.costs.get(id(entry))
    if known is None:
        known = booked.costs[id(entry)] = _priced(chain, booked, entry)
    return known


def _priced(chain: Chain, booked: Booked, entry: Try) -> Cost:
    failure = entry.failure
    if failure is not None and (is_never_billed(failure) or entry.usage == Usage(0, 0)):
        return Cost(Decimal(0), "exact", None, (f"not billed: {failure.kind}",))
    price, other, is_known = _price_of(chain, booked, entry)
    doubts = _billed_apart(booked, entry) + _spoken(entry, price)
    cost = cost_of(
        entry.usage,
        price,
        service_tier=entry.service_tier,
        batch=entry.batch,
        regional=entry.regional,
        estimated=entry.estimated or bool(doubts) or not is_known,
    )
    notes = (*doubts, *other)
    return replace(cost, notes=cost.notes + notes) if notes else cost


def _price_of(
    chain: Chain, booked: Booked, entry: Try
) -> tuple[Price | None, tuple[str, ...], bool]:
    """The price that applies, notes, and whether it is known to: another model may have answered.

    A gateway that falls back to another model says so in the reply, and bills that one.
    """
    tier, api, own = booked.call.tier, booked.call.api, booked.facts.info
    price = booked.facts.price_at(api)
    named = entry.reply.model if entry.reply is not None else None
    if named is None or named == tier.model or tier.price is not None or own is None:
        return price, (), True
    other = chain.table.find(named)
    if other is not None and other.model != own.model:
        found = other.decisions_price if api == "decisions" else other.price
        return found, (f"answered by {named}, and priced as that",), True
    if other is None and _OPENAI_NAME.match(named):
        return price, (f"answered by {named}, which has no price; priced as {own.model}",), False
    return price, (), True


_OPENAI_NAME = re.compile(r"gpt-|chatgpt-|o\d")
"""Names that are no deployment or alias of somebody's own."""


def _billed_apart(booked: Booked, entry: Try) -> tuple[str, ...]:
    """What the provider bills by the call, not by tokens: a price in tokens cannot hold it."""
    if entry.reply is None:
        return ()
    if entry.reply.billed_apart:
        return (f"calls of hosted tools are billed apart: {entry.reply.billed_apart}",)
    if booked.call.payload.get("web_search_options") is not None:
        return ("searches of the web are billed apart",)
    return ()


def _spoken(entry: Try, price: Price | None) -> tuple[str, ...]:
    """Audio, which costs several times as much as text: a price has one rate for either."""
    if entry.reply is None or price is None or price.is_free:
        return ()
    count = audio_tokens(entry.reply.wire.get("usage"))
    return (f"{count} tokens of audio, priced as text",) if count else ()


def top_tier_cost(
    chain: Chain, attempts: tuple[Attempt, ...], tier: str | None, reply: Reply | None
) -> Decimal | None:
    """The returned answer's own charge, priced on the last tier at standard service.

    Args:
        chain: whose prices apply.
        attempts: the attempts as they stand in the trace.
        tier: the tier whose answer is returned.
        reply: its answer: the draft, or the sample that a scorer put in its place.
    """
    charge = _answered_by(attempts, tier, reply)
    if charge is None or charge.usage is None:
        return None
    if tier == chain.top.name:
        return charge.cost_usd
    price, usage = chain.facts(chain.top).price, charge.usage
    if price is None:
        return None
    rates = tariff_of(price, "default", usage.input_tokens, batch=charge.batch).rates
    multiplier = price.regional_multiplier if charge.regional else None
    return usd_of(usage, rates, multiplier) if rates is not None else None


def _answered_by(
    attempts: tuple[Attempt, ...], tier: str | None, reply: Reply | None
) -> Charge | None:
    """The charge that the returned answer came with, else the last draft's of its tier."""
    last = None
    for attempt in attempts:
        for charge in attempt.charges if attempt.tier == tier else ():
            if charge.outcome != "ok":
                continue
            if reply is not None and charge.reply is reply.wire:
                return charge
            if charge.purpose == "draft":
                last = charge
    return last


def attempt_of(chain: Chain, attempt: OpenAttempt, origin: float) -> Attempt:
    """One tier's turn as it stands in the trace."""
    reply = attempt.reply
    tier = attempt.tier
    return Attempt(
        tier=tier.name,
        model=tier.model,
        verdict=attempt.verdict,
        reason=attempt.reason,
        threshold=tier.threshold if tier.scorer is not None else None,
        score=attempt.score,
        text=reply.text if reply else None,
        finish_reason=reply.finish_reason if reply else None,
        tool_calls=reply.tool_calls if reply else (),
        charges=tuple(
            [
                _charge_of(chain, booked, entry, origin)
                for booked in attempt.calls
                for entry in booked.call.tries
            ]
        ),
    )


def record_of(name: str, outcome: Outcome) -> ScoreRecord:
    """A scorer's outcome as it stands in the trace."""
    parts = tuple([record_of(*part) for part in outcome.parts]) if outcome.parts else ()
    if isinstance(outcome, Score):
        return ScoreRecord(name, "score", outcome.value, outcome.reason or None, parts)
    if isinstance(outcome, Abstained):
        return ScoreRecord(name, "abstained", None, outcome.reason or None, parts)
    return ScoreRecord(name, "failed", None, outcome.reason, parts)


def _charge_of(chain: Chain, booked: Booked, entry: Try, origin: float) -> Charge:
    call, reply, failure = booked.call, entry.reply, entry.failure
    cost = cost_of_try(chain, booked, entry)
    notes = cost.notes
    told = entry.notes + reply.notes if reply is not None else entry.notes
    if told:  # a replayed one brings the notes of its first cost
        notes = tuple(dict.fromkeys(notes + told))
    return Charge(
        call=call.number,
        purpose=call.purpose,
        tier=call.tier.name,
        model=(reply and reply.model) or call.model,
        outcome=entry.outcome,
        cost_usd=cost.usd,
        basis=cost.basis,
        started_s=round(entry.started - origin, 6),
        latency_s=round(entry.latency_s, 6),
        scorer=call.scorer,
        usage=entry.usage,
        service_tier=entry.service_tier,
        price_id=cost.price_id,
        message=failure.message if failure else None,
        status=failure.status if failure else None,
        code=failure.code if failure else None,
        request_id=entry.request_id,
        regional=entry.regional,
        batch=entry.batch,
        reply=reply.wire if reply else None,
        notes=notes,
    )
