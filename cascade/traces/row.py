"""One line of a list of traces."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["TraceRow"]


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace in short: amounts are `None` where unknown, `attempts` counts the tiers asked."""

    id: str
    started_at: str
    status: str
    tier: str | None
    chain: str
    attempts: int
    cost_usd: Decimal | None
    scoring_cost_usd: Decimal | None
    saved_usd: Decimal | None
    basis: str
    duration_s: float
    content: str
    parent_id: str | None = None
    tags: tuple[str, ...] = ()
