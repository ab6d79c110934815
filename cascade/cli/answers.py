"""What became of each request of a file, and what all of them came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cascade.cli.output import add
from cascade.core.dollars import dollars, saved_or_lost
from cascade.core.pricing import Basis
from cascade.core.trace import Trace
from cascade.engine.completion import Completion
from cascade.percent import percent

__all__ = ["Answer", "Tally", "reached_a_model"]

SUREST_LAST: tuple[Basis, ...] = ("unknown", "estimated", "exact")


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of one request.

    Attributes:
        number: line of the input, `None` for a prompt.
        completion: the answer, where there is one.
        error: why there is none.
        trace: what was paid, where something was asked.
        cause: the exception behind `error`.
        left: it was still under way when the program ended; what it cost is a lower bound.
    """

    number: int | None = None
    custom_id: str | None = None
    completion: Completion | None = None
    error: str | None = None
    trace: Trace | None = None
    cause: BaseException | None = None
    left: bool = False

    def to_dict(self, *, whole: bool = False) -> dict[str, Any]:
        """As JSON-ready data; `whole` adds the trace."""
        done, trace = self.completion, self.trace
        data: dict[str, Any] = {} if self.number is None else {"line": self.number}
        if self.custom_id is not None:
            data["custom_id"] = self.custom_id
        data |= {
            "text": done.text if done else None,
            "tier": done.tier if done else None,
            "accepted": done.accepted if done else False,
            "status": trace.status if trace else "cancelled" if self.left else "not_asked",
            "cost_usd": trace.cost_usd if trace else None if self.left else Decimal(0),
            "basis": trace.basis if trace else "unknown" if self.left else "exact",
            "saved_usd": trace.saved_usd if trace else None,
            "trace_id": trace.id if trace else None,
            "error": self.error,
        }
        if done is not None and done.reply.tool_calls:
            data["tool_calls"] = done.reply.tool_calls
        if whole:
            data["trace"] = trace.to_dict() if trace else None
        return data


@dataclass(slots=True)
class Tally:
    """Adds answers up, exactly."""

    requests: int = 0
    answered: int = 0
    unaccepted: int = 0
    failed: int = 0
    left_under_way: int = 0
    by_tier: dict[str, int] = field(default_factory=dict)
    cost_usd: Decimal | None = Decimal(0)
    known_cost_usd: Decimal = Decimal(0)
    scoring_cost_usd: Decimal | None = Decimal(0)
    saved_usd: Decimal | None = Decimal(0)
    basis: Basis = "exact"

    def count(self, answer: Answer) -> None:
        """Add one answer."""
        self.requests += 1
        done, trace = answer.completion, answer.trace
        if answer.left:
            self.left_under_way += 1
        elif done is None:
            self.failed += 1
        else:
            self.answered += 1
            self.unaccepted += not done.accepted
            self.by_tier[done.tier] = self.by_tier.get(done.tier, 0) + 1
        if answer.left and (trace is None or trace.cost_usd is not None):
            # Its thread runs on, and what it asks from now on is in no trace.
            self.cost_usd = self.scoring_cost_usd = self.saved_usd = None
            self.basis = "unknown"
        if trace is None:
            return
        self.cost_usd = add(self.cost_usd, trace.cost_usd)
        self.known_cost_usd = add(self.known_cost_usd, trace.known_cost_usd) or Decimal(0)
        self.scoring_cost_usd = add(self.scoring_cost_usd, trace.scoring_cost_usd)
        self.basis = min(self.basis, trace.basis, key=SUREST_LAST.index)
        # What an unanswered request would have cost on the last tier is not known: its own cost
        # lowers what was saved, as it should.
        top = trace.top_tier_cost_usd if done is not None else Decimal(0)
        saved = add(top, None if trace.cost_usd is None else -trace.cost_usd)
        self.saved_usd = add(self.saved_usd, saved)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __rich__(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=False)
        table.add_column("what", style="dim")
        table.add_column("value", overflow="fold")
        failed = f", {self.failed} failed" if self.failed else ""
        doubtful = f", {self.unaccepted} that no tier accepted" if self.unaccepted else ""
        left = f", {self.left_under_way} left under way" if self.left_under_way else ""
        told = f"{self.requests}: {self.answered} answered{doubtful}{failed}{left}"
        table.add_row("requests", told)
        for tier, count in self.by_tier.items():
            share = percent(count / self.answered)
            table.add_row("answered by", Text(f"{tier}  {count}  {share}"))
        cost = f"{dollars(self.cost_usd)} ({self.basis})"
        if self.cost_usd is None:
            cost = f"unknown, at least {dollars(self.known_cost_usd)}"
        table.add_row("cost", cost)
        table.add_row("of it scoring", dollars(self.scoring_cost_usd))
        if self.saved_usd is None:
            table.add_row("saved", "unknown against the last tier alone")
        else:
            word = saved_or_lost(self.saved_usd)
            table.add_row(word, f"{dollars(abs(self.saved_usd))} against the last tier alone")
        return Group(Text(), table)


def reached_a_model(trace: Trace | None) -> bool:
    """Whether anything was sent before the request failed."""
    return trace is not None and any(charge.outcome != "unreachable" for charge in trace.charges)
