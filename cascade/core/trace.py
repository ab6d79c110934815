"""The record of one request: who was asked, what each scorer said, what every call cost, and why.

A trace is a value: it is complete, never changes, and reads back from JSON as the same value. So
what it adds up it adds up once, however many ask.
`cascade/data/trace.schema.json` describes the JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from cascade.core.price import EXACT
from cascade.core.pricing import Basis
from cascade.core.quick import quick
from cascade.core.usage import Usage

if sys.version_info < (3, 12):
    from cascade.core.cached import cached_property
else:
    from functools import cached_property

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Attempt", "Charge", "Content", "ScoreRecord", "Status", "Trace", "Verdict"]

Verdict = Literal["accepted", "escalated", "failed", "skipped"]

Status = Literal[
    "accepted",  # a tier accepted, or the last tier's answer stands
    "unaccepted",  # no tier accepted; the best draft was returned
    "exhausted",  # no tier answered
    "budget_exceeded",  # the cap allowed no answer
    "deadline_exceeded",  # time ran out before an answer
    "billing_stopped",  # the account cannot pay
    "refused",  # the provider refuses the request itself
    "interrupted",  # a stream broke after text was shown
    "cancelled",  # the caller went away
]

Content = Literal["full", "hashed", "none"]

FORESTALLED = ("budget", "deadline", "cancelled")
"""How a call ends that is not made; one that was made and cut off has other or no usage."""


@quick
@dataclass(frozen=True, slots=True)
class Charge:
    """One exchange with a provider and what it cost.

    Attributes:
        call: running number of the call within the request; its retries share it.
        purpose: "draft" or "scorer".
        scorer: the scorer that asked, for purpose "scorer".
        outcome: "ok" or the kind of failure.
        usage: tokens, or `None` where unknown.
        cost_usd: exact or estimated dollars; `None` where unknown, never 0 for lack of knowledge.
        basis: "exact", "estimated" or "unknown".
        started_s: seconds after the request began.
        latency_s: seconds until the reply, or the failure.
        reply: the provider's reply on the wire; kept under content policy "full" only.
        notes: what is assumed about the cost.
    """

    call: int
    purpose: Literal["draft", "scorer"]
    tier: str
    model: str
    outcome: str
    cost_usd: Decimal | None
    basis: Basis
    started_s: float
    latency_s: float
    scorer: str | None = None
    usage: Usage | None = None
    service_tier: str | None = None
    price_id: str | None = None
    message: str | None = None
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    regional: bool = False
    batch: bool = False
    reply: Mapping[str, Any] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def made(self) -> bool:
        """False for a call that the deadline or the caller's leaving forestalled."""
        return self.outcome not in FORESTALLED or self.usage != Usage(0, 0)


@quick
@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """What one scorer said: a score in [0, 1], "abstained" or "failed" (then `value` is `None`)."""

    scorer: str
    kind: Literal["score", "abstained", "failed"]
    value: float | None = None
    reason: str | None = None
    parts: tuple[ScoreRecord, ...] = ()

    def leaves(self) -> tuple[ScoreRecord, ...]:
        """The scorers at the bottom of a combination, in the order they ran."""
        if not self.parts:
            return (self,)
        return tuple(leaf for part in self.parts for leaf in part.leaves())


@quick
@dataclass(frozen=True, slots=True)
class Attempt:
    """One tier's turn: its draft, the scores, the verdict, and all that was paid for them."""

    tier: str
    model: str
    verdict: Verdict
    reason: str
    threshold: float | None = None
    score: ScoreRecord | None = None
    text: str | None = None
    finish_reason: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    charges: tuple[Charge, ...] = ()

    @property
    def scores(self) -> tuple[ScoreRecord, ...]:
        """Every scorer that spoke, combinations taken apart."""
        return self.score.leaves() if self.score else ()

    @property
    def asked(self) -> bool:
        """Whether the tier was asked.

        It was not where it was skipped, nor where the budget, the deadline or the caller's leaving
        came before its first call.
        """
        if self.verdict == "failed":
            return any(charge.made for charge in self.charges)
        return self.verdict != "skipped"

    @property
    def cost_usd(self) -> Decimal | None:
        """Sum of the attempt's charges; `None` where one of them is unknown."""
        return total_usd(self.charges)

    @property
    def known_cost_usd(self) -> Decimal:
        """The charges whose cost is known: a lower bound of `cost_usd`."""
        return known_usd(self.charges)

    @property
    def latency_s(self) -> float:
        """Seconds from the first call's start to the last one's end."""
        if not self.charges:
            return 0.0
        begun = min(charge.started_s for charge in self.charges)
        return max(charge.started_s + charge.latency_s for charge in self.charges) - begun


@quick
@dataclass(frozen=True, repr=False)
class Trace:
    """Everything that happened to one request.

    Attributes:
        id: unique, sortable by time.
        status: how it ended.
        tier: the tier whose answer was returned, `None` where none was.
        attempts: one per tier that was asked or skipped, in order.
        request: the wire payload as asked.
        top_tier_cost_usd: the returned answer's tokens priced on the chain's last tier at standard
            service: what the request would have cost there if that model wrote an answer of the
            same length. `None` where usage or price is unknown.
        started_at: ISO 8601, UTC.
        duration_s: seconds, from asking to the answer.
        tags: the caller's own marks, e.g. the agent that asked.
        parent_id: the trace, or the run, that this request was made for.
        start_at: the tier that the request was told to begin with.
        stop_at: the tier that it was told not to go beyond.
        content: which content policy this copy went through.
        replayed: a replay made it: it shows what would have happened, and nothing of it was paid.
            Not part of equality, so that a replay under its own chain equals what it replays.
    """

    id: str
    status: Status
    chain: str
    chain_digest: str
    price_table: str
    started_at: str
    duration_s: float
    tier: str | None = None
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()
    request: Mapping[str, Any] | None = None
    requested_model: str | None = None
    top_tier: str = ""
    top_tier_cost_usd: Decimal | None = None
    budget_usd: Decimal | None = None
    content: Content = "full"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    parent_id: str | None = None
    start_at: str | None = None
    stop_at: str | None = None
    replayed: bool = field(default=False, compare=False)

    @cached_property
    def charges(self) -> tuple[Charge, ...]:
        """Every exchange of the request, in order."""
        if len(self.attempts) == 1:
            return self.attempts[0].charges
        return tuple([charge for attempt in self.attempts for charge in attempt.charges])

    @property
    def accepted(self) -> bool:
        """Whether a tier accepted its answer (or it was the last tier's, which stands)."""
        return self.status == "accepted"

    @property
    def escalations(self) -> int:
        """How often the request moved on to a further tier."""
        return max(0, sum(attempt.asked for attempt in self.attempts) - 1)

    @cached_property
    def cost_usd(self) -> Decimal | None:
        """All charges together; `None` where one of them is unknown."""
        return total_usd(self.charges)

    @property
    def known_cost_usd(self) -> Decimal:
        """The charges whose cost is known: a lower bound of `cost_usd`."""
        return known_usd(self.charges)

    @property
    def scoring_cost_usd(self) -> Decimal | None:
        """The part of the cost that scorers caused."""
        return total_usd(tuple([c for c in self.charges if c.purpose == "scorer"]))

    @property
    def cost_by_tier(self) -> dict[str, Decimal | None]:
        """Cost per tier name, scorers' calls counted where their draft was."""
        return {attempt.tier: attempt.cost_usd for attempt in self.attempts}

    @cached_property
    def saved_usd(self) -> Decimal | None:
        """`top_tier_cost_usd - cost_usd`; negative where the cascade cost more."""
        cost = self.cost_usd
        if self.top_tier_cost_usd is None or cost is None:
            return None
        return EXACT.subtract(self.top_tier_cost_usd, cost)

    @property
    def basis(self) -> Basis:
        """How sure the cost is: "exact", "estimated", or "unknown" if any charge is."""
        found = {charge.basis for charge in self.charges}
        if "unknown" in found:
            return "unknown"
        return "estimated" if "estimated" in found else "exact"

    @cached_property
    def usage(self) -> Usage:
        """Tokens of all charges that reported them."""
        known = [charge.usage for charge in self.charges if charge.usage is not None]
        return sum(known[1:], known[0]) if known else Usage(0, 0)

    # Showing and keeping; the room `cascade.core.trace_json` holds the format. --------------------

    def to_dict(self) -> dict[str, Any]:
        """The trace as JSON-ready data; see `cascade/data/trace.schema.json`."""
        from cascade.core.trace_json import trace_to_dict  # noqa: PLC0415  the two know each other

        return trace_to_dict(self)

    def to_json(self, *, indent: int | None = None) -> str:
        """The trace as JSON."""
        from cascade.core.trace_json import trace_to_json  # noqa: PLC0415

        return trace_to_json(self, indent=indent)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trace:
        """Read back what `to_dict` wrote.

        Raises:
            TraceError: the data is no trace.
            TraceVersionError: a newer version of Cascade wrote it.
        """
        from cascade.core.trace_json import trace_from_dict  # noqa: PLC0415

        return trace_from_dict(data)

    @classmethod
    def from_json(cls, text: str | bytes) -> Trace:
        """Read back what `to_json` wrote; raises as `from_dict`."""
        from cascade.core.trace_json import trace_from_json  # noqa: PLC0415

        return trace_from_json(text)

    def to_html(self) -> str:
        """The trace as a web page that holds all it needs and runs no script."""
        from cascade.traces.page import trace_html  # noqa: PLC0415  loads Jinja2

        return trace_html(self)

    def __repr__(self) -> str:
        return f"<Trace {self.id} {self.status} tier={self.tier!r} cost_usd={self.cost_usd}>"

    def __str__(self) -> str:
        from cascade.core.trace_text import trace_to_text  # noqa: PLC0415

        return trace_to_text(self)

    def __rich__(self) -> RenderableType:
        from cascade.traces.terminal import trace_panel  # noqa: PLC0415  only rich itself gets here

        return trace_panel(self)


def total_usd(charges: tuple[Charge, ...]) -> Decimal | None:
    """Sum of charges, `None` where one of them is unknown."""
    total = Decimal(0)
    for charge in charges:
        if charge.cost_usd is None:
            return None
        total = EXACT.add(total, charge.cost_usd)
    return total


def known_usd(charges: tuple[Charge, ...]) -> Decimal:
    """Sum of the charges whose cost is known."""
    total = Decimal(0)
    for charge in charges:
        if charge.cost_usd is not None:
            total = EXACT.add(total, charge.cost_usd)
    return total
