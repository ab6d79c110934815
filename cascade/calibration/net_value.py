"""The net value of a scorer: what it costs, what it catches, and what would be without it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Alternative", "NetValue"]


@dataclass(frozen=True, slots=True)
class Alternative:
    """The plan without one scorer.

    Attributes:
        what: "accept all at nano", "drop nano" or the like.
        cost_usd: USD per request; `None` where the recording cannot tell.
        quality: mean quality.
        reason: why it cannot be told.
    """

    what: str
    cost_usd: float | None
    quality: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetValue:
    """What the scorer of one step is worth. Wrong and right weigh by quality where it is graded.

    Attributes:
        step: the tier or witness whose step it judges at.
        returns: the tier whose answer is judged.
        scorer: its name, "" where it is not known.
        judged: requests whose answer it judged.
        accepted: requests whose answer it accepted.
        cost_usd: exact cost of its own calls, and for a witness of the answers bought, in all.
        caught: wrong answers that it rejected.
        false_rejects: right answers that it rejected.
        false_accepts: wrong answers that it accepted.
        alternatives: the plan without it.
        cost_without_usd: cheapest way to the plan's quality without this scorer, in USD per
            request: a random mix of the alternatives and of single models; `None` where no mix
            reaches it.
        net_usd: `cost_without_usd` minus the plan's cost: what it saves per request at equal
            quality; negative where the plan is cheaper without it.
    """

    step: str
    returns: str
    scorer: str
    judged: int
    accepted: int
    cost_usd: Decimal
    caught: float
    false_rejects: float
    false_accepts: float
    alternatives: tuple[Alternative, ...]
    cost_without_usd: float | None
    net_usd: float | None

    @property
    def is_worth_it(self) -> bool:
        """Whether equal quality without it costs more, or cannot be had."""
        return self.net_usd is None or self.net_usd > 0
