"""What a search finds: a path of plans from cheap to good, and how to choose on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from cascade.calibration.plan import Plan
from cascade.errors import ConfigError, RecordingError

__all__ = ["Dropped", "PlanPath", "PlanPoint"]

Why = Literal["refused", "dominated", "break-even", "no gain"]


@dataclass(frozen=True, slots=True)
class PlanPoint:
    """A plan and what it does on the requests that it was searched on.

    Attributes:
        plan: steps and thresholds.
        cost_usd: mean cost of a request, all calls and signals included.
        quality: mean quality as measured on these requests, which the plan was chosen on.
        expected_quality: what may be expected of fresh requests: half measured and half read off
            the scores, less what choosing thresholds on the same requests flatters by. Plans are
            compared by it; `quality` may waver about it.
        shares: share of requests that end at each step, adding up to 1.
        calls: tiers and witnesses asked, mean.
    """

    plan: Plan
    cost_usd: float
    quality: float
    expected_quality: float
    shares: tuple[float, ...]
    calls: float

    def __str__(self) -> str:
        return f"{self.plan}: {self.cost_usd:.6g} USD per request, quality {self.quality:.4f}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A tier or witness that a plan does without, and why.

    Attributes:
        name: of the tier or witness.
        why: "refused": it could not be judged; "dominated": another model is cheaper and no worse;
            "break-even": it keeps too few of the requests that reach it for its price; "no gain":
            plans with it cost more at the same quality.
        reason: in words and numbers.
        price: its cost, signals included, as a share of what comes after it; `None` where it
            stands alone or last.
        keeps: share of the requests reaching it that end there, in the best plan with it.
    """

    name: str
    why: Why
    reason: str
    price: float | None = None
    keeps: float | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, eq=False)
class PlanPath:
    """Plans that nothing found beats beyond doubt, cheapest first.

    Expected quality rises along it, but for plain plans that stand beside a rich one which is
    cheaper by no more than chance explains.

    Attributes:
        points: the plans. A constant model stands among them where nothing beats it.
        top: always the top tier, on the path or not: what quality is compared with.
        constants: every usable tier alone, in the recording's order.
        searched: shapes of plans that were tried.
        left_out: requests left out because a tier's quality is unknown there.
        notes: what could not be tried, in words.
    """

    points: tuple[PlanPoint, ...]
    top: PlanPoint
    constants: tuple[PlanPoint, ...]
    searched: int
    left_out: int = 0
    notes: tuple[str, ...] = ()
    _choices: tuple[tuple[float, PlanPoint], ...] = field(default=(), repr=False)
    _drop: Callable[[Plan], tuple[Dropped, ...]] = field(default=lambda _plan: (), repr=False)

    def at(self, retention: float) -> PlanPoint:
        """The cheapest plan that is expected to keep a share of the top tier's quality.

        A constant model where that is the cheapest. The top tier where no plan is expected to.
        A plan of more than two tiers, or with a witness or a gate, only where it is cheaper than
        the best plain one beyond doubt: by two standard errors of the difference, request by
        request. Nothing is promised by it: that takes fresh requests and a certificate.

        Raises:
            ConfigError: the share is not above 0.
        """
        if not retention > 0:
            raise ConfigError(f"retention={retention!r}: expected a share above 0, e.g. 0.98")
        floor = retention * self.top.quality
        listed = ((point.expected_quality, point) for point in self.points)
        for level, point in self._choices or listed:
            if level >= floor - 1e-12:
                return point
        return self.top

    def constant(self, retention: float) -> str | None:
        """The model to ask for every request, where no plan keeps the quality for less."""
        plan = self.at(retention).plan
        return plan.steps[0].asks if plan.is_constant else None

    def dropped(self, plan: Plan) -> tuple[Dropped, ...]:
        """Each tier and witness of the recording that a plan does without, with the reason.

        Raises:
            RecordingError: the plan is not of this path's recording.
        """
        known = {point.plan for point in (*self.points, *self.constants)}
        if plan not in known:
            raise RecordingError(f"plan {plan} is not on this path: take one of its points")
        return self._drop(plan)
