"""The books of one request, open while it runs and closed into a trace, whatever ends it.

Every model call passes through `Ledger.call`: the budget is asked before, and each exchange is
priced after. What a cancelled call has already tried stays in the books, because the model client
writes each exchange down as it happens. `cascade.core.booked` makes the trace's values of it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

from cascade.core.booked import Booked, OpenAttempt, attempt_of, cost_of_try, top_tier_cost
from cascade.core.budget import Budget, bound_usd
from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.request import Request
from cascade.core.route import WHOLE, Route
from cascade.core.scoring import NO_NEEDS, Needs
from cascade.core.tier import Tier
from cascade.core.trace import Status, Trace
from cascade.core.usage import Usage
from cascade.core.wishes import ModelCall, Purpose, Ran, Together, Try, Wait, Watch
from cascade.forms.api import api_of
from cascade.forms.reading import has_media

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["CallDetails", "Ledger"]


class CallDetails(TypedDict, total=False):
    """What a call may be told besides whom to ask and what.

    Attributes:
        purpose: "draft" unless given.
        scorer: name of the scorer that asks.
        needs: log-probabilities wanted with the answer; no more than the target can give.
        final: the answer will stand, so it may be streamed.
        watch: looks at the answer while it arrives, and may end the reading.
    """

    purpose: Purpose
    scorer: str
    needs: Needs
    final: bool
    watch: Watch | None


NEVER_BEGUN = CallFailure("cancelled", "not made: the request was left before")

Wanted = tuple[OpenAttempt, Tier, Mapping[str, Any], CallDetails]


class Ledger:
    """Books every call of one request.

    Args:
        chain: whose prices apply.
        request: what was asked.
        budget: the cap, or `None`.
        origin: clock reading when the request began, in seconds; times are kept relative to it.
        route: which part of the chain the request may use.
    """

    def __init__(
        self,
        chain: Chain,
        request: Request,
        *,
        budget: Budget | None = None,
        origin: float = 0.0,
        route: Route = WHOLE,
    ) -> None:
        self.chain = chain
        self.route = route
        self.request = request
        self.budget = budget
        self.origin = origin
        self.attempts: list[OpenAttempt] = []
        self._calls = 0
        self._closed = False
        self._lock = Lock()  # the books may be closed while another thread waits for a model

    def begin(self, tier: Tier) -> OpenAttempt:
        """Open a tier's turn."""
        attempt = OpenAttempt(tier, self.chain.facts(tier))
        self.attempts.append(attempt)
        return attempt

    def call(
        self,
        attempt: OpenAttempt,
        target: Tier,
        payload: Mapping[str, Any],
        **details: Unpack[CallDetails],
    ) -> Generator[ModelCall | Wait, Any, Reply | CallFailure]:
        """Make one model call, if the budget has room for it.

        Args:
            attempt: the turn that pays.
            target: whose model, client, price and retry policy apply.
            payload: wire payload.
            **details: see `CallDetails`.

        Returns:
            The reply, or a failure; kind "budget" where the call was not made.
        """
        booked = yield from self._entered(attempt, target, payload, **details)
        if isinstance(booked, CallFailure):
            return booked
        result = yield booked.call
        return self._booked(booked, result)

    def call_all(
        self, wanted: Sequence[Wanted]
    ) -> Generator[Together | Wait, Any, list[Reply | CallFailure]]:
        """Make several model calls at once, those of them that the budget has room for.

        Args:
            wanted: the arguments of `call` for each: attempt, target, payload, details.

        Returns:
            What became of each, in order.
        """
        entries: list[Booked | CallFailure] = []
        for attempt, target, payload, details in wanted:
            entries.append((yield from self._entered(attempt, target, payload, **details)))
        open_calls = [entry for entry in entries if isinstance(entry, Booked)]
        results = iter((yield Together(tuple(entry.call for entry in open_calls))))
        return [
            self._booked(entry, next(results)) if isinstance(entry, Booked) else entry
            for entry in entries
        ]

    def _entered(
        self,
        attempt: OpenAttempt,
        target: Tier,
        payload: Mapping[str, Any],
        *,
        purpose: Purpose = "draft",
        scorer: str | None = None,
        needs: Needs = NO_NEEDS,
        final: bool = False,
        watch: Watch | None = None,
    ) -> Generator[Wait, Ran, Booked | CallFailure]:
        """Enter a call into the books, or say why it may not be made."""
        api = api_of(payload)
        facts = attempt.facts if target is attempt.tier else self.chain.facts(target)
        has_limit = self.budget is not None and self.budget.has_limit
        booked = Booked(
            call=ModelCall(
                number=0,  # counted once it is booked
                tier=target,
                model=target.model,
                payload=payload,
                api=api,
                purpose=purpose,
                scorer=scorer,
                needs=needs,
                final=final,
                watch=watch,
                attempt=attempt.tier.name,
                options=self.request.options,
                timeout_s=target.timeout_s,
                reasons=facts.info is not None and facts.info.reasons,
            ),
            facts=facts,
            bound_usd=bound_usd(facts, payload, api) if has_limit else None,
        )
        refused = self._book(attempt, booked)
        if refused is not None and refused.kind == "budget":
            refused = yield from self._refilled(attempt, booked, refused)
        return refused or booked

    def _book(self, attempt: OpenAttempt, booked: Booked) -> CallFailure | None:
        """Write a call into the books, or say that the budget has no room for it."""
        call = booked.call
        with self._lock:
            if self._closed:
                return CallFailure("cancelled", "not made: the request was left")
            if not booked.reserved and not self._has_room(booked):
                return CallFailure("budget", self._no_room(booked))
            call.number = self._calls
            call.may_begin = partial(self._begins, booked)
            call.may_retry = partial(self._reserve, booked)
            self._calls += 1
            attempt.calls.append(booked)
        return None

    def _booked(self, booked: Booked, result: Reply | CallFailure) -> Reply | CallFailure:
        """Settle a call that has been made."""
        if not booked.call.tries and isinstance(result, CallFailure):
            # The driver did not make the call: it came too late.
            booked.call.tries.append(_not_made(result, self._now()))
        with self._lock:
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
        """Turn the books into a trace; calls that were cut off are in it as unknown.

        No call can be booked from then on, so that none is made which no trace shows.
        """
        with self._lock:
            self._closed = True
            for attempt in self.attempts:
                for booked in attempt.calls:
                    if not booked.settled:
                        self._settle(booked)
        chain, request, budget = self.chain, self.request, self.budget
        attempts = tuple([attempt_of(chain, item, self.origin) for item in self.attempts])
        return Trace(
            id=trace_id,
            status=status,
            chain=chain.name,
            chain_digest=chain.digest,
            price_table=chain.price_table,
            started_at=started_at,
            duration_s=duration_s,
            tier=tier,
            reason=reason,
            attempts=attempts,
            request=request.payload,
            requested_model=request.requested_model,
            top_tier=chain.top.name,
            top_tier_cost_usd=top_tier_cost(chain, attempts, tier, self._reply_of(tier)),
            budget_usd=budget.limit_usd if budget is not None and budget.has_limit else None,
            metadata=request.metadata,
            tags=request.tags,
            parent_id=request.parent_id,
            start_at=self.route.start_at,
            stop_at=self.route.stop_at,
        )

    def _reply_of(self, tier: str | None) -> Reply | None:
        for attempt in self.attempts:
            if attempt.tier.name == tier:
                return attempt.reply
        return None

    def _begins(self, booked: Booked) -> bool:
        """The driver is about to make a call; it may not where the books are closed."""
        with self._lock:
            if self._closed:
                return False
            booked.begun = True
            return True

    # Budget --------------------------------------------------------------------------------------

    def _reserve(self, booked: Booked) -> bool:
        """Make room for a further try, unless the request has been left meanwhile."""
        with self._lock:
            return not self._closed and self._has_room(booked)

    def _refilled(
        self, attempt: OpenAttempt, booked: Booked, refused: CallFailure
    ) -> Generator[Wait, Ran, CallFailure | None]:
        """Book a refused call after all, where its budget can fetch more from elsewhere."""
        budget, bound = self.budget, booked.bound_usd
        refill = budget.refill(bound) if budget is not None and bound is not None else None
        if refill is None:
            return refused
        try:
            ran = yield Wait(refill)
        except BaseException:  # the request was left
            self._give_up(refill, booked)
            raise
        if ran.error is not None:
            self._give_up(refill, booked)
            if isinstance(ran.error, TimeoutError):
                return CallFailure("deadline", "time ran out while its budget was asked")
            raise ran.error
        booked.reserved += ran.value
        refused_again = self._book(attempt, booked)
        if refused_again is not None and booked.reserved:
            self._give_up(refill, booked)
        return refused_again

    def _give_up(self, refill: Future[bool], booked: Booked) -> None:
        """Nobody waits for a refill any more: what it reserves goes back when it comes."""

        def back(done: Future[bool]) -> None:
            if not done.cancelled() and done.exception() is None and done.result():
                cast("Budget", self.budget).settle(cast("Decimal", booked.bound_usd), Decimal(0))

        if not refill.cancel():
            refill.add_done_callback(back)

    def _has_room(self, booked: Booked) -> bool:
        if self.budget is None:
            return True
        if not self.budget.reserve(booked.bound_usd):
            return False
        booked.reserved += 1
        return True

    def _settle(self, booked: Booked) -> None:
        """Swap what was reserved for what was paid; once per call."""
        if booked.settled:
            return
        booked.settled = True
        call = booked.call
        # What the call could ask holds the call itself: left so, only a search would free both.
        call.may_begin = call.may_retry = _no_more
        if not call.tries:
            entry = _lost(self._now()) if booked.begun else _not_made(NEVER_BEGUN, self._now())
            call.tries.append(entry)
        if self.budget is None:
            return
        bound = booked.bound_usd or Decimal(0)  # `None` where the budget needs none
        for place, entry in enumerate(call.tries):
            held = bound if place < booked.reserved else Decimal(0)
            self.budget.settle(held, cost_of_try(self.chain, booked, entry).usd)
        for _ in range(booked.reserved - len(call.tries)):
            self.budget.settle(bound, Decimal(0))

    def _now(self) -> float:
        """When the last recorded exchange ended: the latest time these books know of."""
        known = (
            entry.started + entry.latency_s
            for attempt in self.attempts
            for booked in attempt.calls
            for entry in booked.call.tries
        )
        return max(known, default=self.origin)

    def _no_room(self, booked: Booked) -> str:
        budget = cast("Budget", self.budget)
        where = f"tier {booked.call.tier.name!r}"
        asked = self.request.api  # the words are the caller's, whichever API the tier is asked by
        limit = "max_output_tokens" if asked == "responses" else "max_completion_tokens"
        if booked.bound_usd is None:
            return (
                f"{where}: no upper bound can be computed for the call; set {limit} "
                "on the request, or price= and capabilities= on the tier"
            )
        advice = (
            "the prompt holds images or files, whose tokens are not known beforehand: the bound is "
            "the model's longest prompt (Capabilities(max_input_tokens=...) on the tier lowers it)"
            if has_media(booked.call.payload)
            else f"a lower {limit} lowers the bound"
        )
        return (
            f"{where}: the call could cost up to {dollars(booked.bound_usd)} and "
            f"{budget.room()}; {advice}"
        )


def _no_more() -> bool:
    """Whether a call that is settled may be made, or made again."""
    return False


def _not_made(why: CallFailure, started: float) -> Try:
    """A call that the driver did not make, which is known to cost nothing."""
    return Try(why.kind, started, 0.0, failure=why, usage=Usage(0, 0))


def _lost(started: float) -> Try:
    """A call that left no record: its driver was stopped before it could write one."""
    failure = CallFailure("cancelled", "the driver stopped before the call was recorded")
    return Try("cancelled", started, 0.0, failure=failure)
