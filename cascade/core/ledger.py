"""The books of one request, open while it runs and closed into a trace, whatever ends it.

Every model call passes through `Ledger.call`: the budget is asked before, and each exchange is
priced after. What a cancelled call has already tried stays in the books, because the model client
writes each exchange down as it happens.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from cascade.core.budget import Budget, worst_case_usd
from cascade.core.chain import Chain
from cascade.core.failures import BILLED_NEVER, CallFailure
from cascade.core.pricing import Cost, cost_of
from cascade.core.reply import Reply
from cascade.core.request import Request
from cascade.core.scoring import Abstained, Needs, Outcome, Score
from cascade.core.tier import Tier
from cascade.core.trace import Attempt, Charge, ScoreRecord, Status, Trace, Verdict
from cascade.core.wishes import ModelCall, Purpose, Try

__all__ = ["Ledger", "OpenAttempt"]


@dataclass(slots=True)
class Booked:
    """A call with what the budget holds for each of its tries."""

    call: ModelCall
    attempt: OpenAttempt
    scorer: str | None
    bound_usd: Decimal | None
    reserved: int = 0
    settled: bool = False


@dataclass(slots=True)
class OpenAttempt:
    """One tier's turn while it lasts."""

    tier: Tier
    verdict: Verdict = "failed"
    reason: str = "not finished"
    reply: Reply | None = None
    score: ScoreRecord | None = None
    calls: list[Booked] = field(default_factory=list)

    def end(self, verdict: Verdict, reason: str) -> None:
        """Set how the turn ended."""
        self.verdict = verdict
        self.reason = reason


class Ledger:
    """Books every call of one request.

    Args:
        chain: whose prices apply.
        request: what was asked.
        budget: the cap, or `None`.
        origin: clock reading when the request began, in seconds; times are kept relative to it.
    """

    def __init__(
        self, chain: Chain, request: Request, *, budget: Budget | None = None, origin: float = 0.0
    ) -> None:
        self.chain = chain
        self.request = request
        self.budget = budget
        self.origin = origin
        self.attempts: list[OpenAttempt] = []
        self._calls = 0

    def begin(self, tier: Tier) -> OpenAttempt:
        """Open a tier's turn."""
        attempt = OpenAttempt(tier)
        self.attempts.append(attempt)
        return attempt

    def call(
        self,
        attempt: OpenAttempt,
        target: Tier,
        payload: Mapping[str, Any],
        *,
        purpose: Purpose = "draft",
        scorer: str | None = None,
        needs: Needs | None = None,
        final: bool = False,
    ) -> Generator[ModelCall, Reply | CallFailure, Reply | CallFailure]:
        """Make one model call, if the budget has room for it.

        Args:
            attempt: the turn that pays.
            target: whose model, client, price and retry policy apply.
            payload: wire payload.
            purpose: a draft, or a scorer's question.
            scorer: name of the scorer that asks.
            needs: log-probabilities wanted with the answer.
            final: the answer will stand, so it may be streamed.

        Returns:
            The reply, or a failure; kind "budget" where the call was not made.
        """
        booked = Booked(
            call=ModelCall(
                number=self._calls,
                tier=target,
                model=target.model,
                payload=payload,
                purpose=purpose,
                needs=self.chain.allowed(target, needs or Needs()),
                final=final,
                options=self.request.options,
                timeout_s=target.timeout_s,
            ),
            attempt=attempt,
            scorer=scorer,
            bound_usd=worst_case_usd(self.chain, target, payload) if self.budget else None,
        )
        if not self._reserve(booked):
            return CallFailure("budget", self._no_room(booked))
        booked.call.may_retry = lambda: self._reserve(booked)
        self._calls += 1
        attempt.calls.append(booked)
        result = yield booked.call
        self._settle(booked)
        return result

    def close(
        self,
        *,
        trace_id: str,
        status: Status,
        reason: str,
        tier: str | None,
        started_at: str,
        duration_s: float,
    ) -> Trace:
        """Turn the books into a trace; calls that were cut off are in it as unknown."""
        for attempt in self.attempts:
            for booked in attempt.calls:
                self._settle(booked)
        attempts = tuple(self._attempt(attempt) for attempt in self.attempts)
        return Trace(
            id=trace_id,
            status=status,
            chain=self.chain.name,
            chain_digest=self.chain.digest,
            price_table=f"{self.chain.table.as_of}/{self.chain.table.digest}",
            started_at=started_at,
            duration_s=duration_s,
            tier=tier,
            reason=reason,
            attempts=attempts,
            request=self.request.payload,
            requested_model=self.request.requested_model,
            top_tier=self.chain.top.name,
            top_tier_cost_usd=self._top_tier_cost(attempts, tier),
            budget_usd=self.budget.limit_usd if self.budget else None,
            metadata=self.request.metadata,
        )

    # Budget --------------------------------------------------------------------------------------

    def _reserve(self, booked: Booked) -> bool:
        if self.budget is None:
            return True
        if booked.bound_usd is None or not self.budget.reserve(booked.bound_usd):
            return False
        booked.reserved += 1
        return True

    def _settle(self, booked: Booked) -> None:
        """Swap what was reserved for what was paid; once per call."""
        if booked.settled:
            return
        booked.settled = True
        if not booked.call.tries:
            booked.call.tries.append(_lost(self.origin))
        if self.budget is None or booked.bound_usd is None:
            return
        for entry in booked.call.tries[: booked.reserved]:
            self.budget.settle(booked.bound_usd, self._cost(booked, entry).usd)
        for _ in range(booked.reserved - len(booked.call.tries)):
            self.budget.settle(booked.bound_usd, Decimal(0))

    def _no_room(self, booked: Booked) -> str:
        budget = cast("Budget", self.budget)
        where = f"tier {booked.call.tier.name!r}"
        if booked.bound_usd is None:
            return (
                f"{where}: no upper bound can be computed for the call; set max_completion_tokens "
                "on the request, or price= and capabilities= on the tier"
            )
        return (
            f"{where}: the call could cost up to ${booked.bound_usd.normalize():f} and "
            f"${budget.left_usd.normalize():f} of ${budget.limit_usd.normalize():f} is left; "
            "a lower max_completion_tokens lowers the bound"
        )

    # Pricing -------------------------------------------------------------------------------------

    def _cost(self, booked: Booked, entry: Try) -> Cost:
        if entry.failure is not None and _never_billed(entry.failure):
            return Cost(Decimal(0), "exact", None, (f"not billed: {entry.failure.kind}",))
        return cost_of(
            entry.usage,
            self.chain.price(booked.call.tier),
            service_tier=entry.service_tier,
            batch=entry.batch,
            regional=entry.regional,
            estimated=entry.estimated,
        )

    def _top_tier_cost(self, attempts: tuple[Attempt, ...], tier: str | None) -> Decimal | None:
        """The returned answer's own charge, priced on the last tier at standard service."""
        if tier is None:
            return None
        charges = [
            charge
            for attempt in attempts
            if attempt.tier == tier
            for charge in attempt.charges
            if charge.purpose == "draft" and charge.usage is not None
        ]
        if not charges:
            return None
        last = charges[-1]
        if tier == self.chain.top.name:
            return last.cost_usd
        price = self.chain.price(self.chain.top)
        return cost_of(
            last.usage, price, service_tier="default", batch=last.batch, regional=last.regional
        ).usd

    # Trace ---------------------------------------------------------------------------------------

    def _attempt(self, attempt: OpenAttempt) -> Attempt:
        reply = attempt.reply
        return Attempt(
            tier=attempt.tier.name,
            model=attempt.tier.model,
            verdict=attempt.verdict,
            reason=attempt.reason,
            threshold=attempt.tier.threshold if attempt.tier.scorer is not None else None,
            score=attempt.score,
            text=reply.text if reply else None,
            finish_reason=reply.finish_reason if reply else None,
            tool_calls=reply.tool_calls if reply else (),
            charges=tuple(
                self._charge(booked, entry)
                for booked in attempt.calls
                for entry in booked.call.tries
            ),
        )

    def _charge(self, booked: Booked, entry: Try) -> Charge:
        cost = self._cost(booked, entry)
        failure = entry.failure
        return Charge(
            call=booked.call.number,
            purpose=booked.call.purpose,
            tier=booked.call.tier.name,
            model=(entry.reply and entry.reply.model) or booked.call.model,
            outcome=entry.outcome,
            cost_usd=cost.usd,
            basis=cost.basis,
            started_s=round(entry.started - self.origin, 6),
            latency_s=round(entry.latency_s, 6),
            scorer=booked.scorer,
            usage=entry.usage,
            service_tier=entry.service_tier,
            price_id=cost.price_id,
            message=failure.message if failure else None,
            status=failure.status if failure else None,
            code=failure.code if failure else None,
            request_id=entry.request_id,
            regional=entry.regional,
            batch=entry.batch,
            reply=entry.reply.wire if entry.reply else None,
            notes=cost.notes + (entry.reply.notes if entry.reply else ()),
        )


def record_of(name: str, outcome: Outcome) -> ScoreRecord:
    """A scorer's outcome as it stands in the trace."""
    parts = tuple(record_of(part_name, part) for part_name, part in outcome.parts)
    if isinstance(outcome, Score):
        return ScoreRecord(name, "score", outcome.value, outcome.reason or None, parts)
    if isinstance(outcome, Abstained):
        return ScoreRecord(name, "abstained", None, outcome.reason or None, parts)
    return ScoreRecord(name, "failed", None, outcome.reason, parts)


def _never_billed(failure: CallFailure) -> bool:
    return failure.kind in BILLED_NEVER or failure.status == 429  # noqa: PLR2004


def _lost(origin: float) -> Try:
    """A call that left no record: its driver was stopped before it could write one."""
    failure = CallFailure("cancelled", "the driver stopped before the call was recorded")
    return Try("cancelled", origin, 0.0, failure=failure)
