"""What a what-if finds: cost, quality, harm and gain, time, each with its interval.

Values only, and their JSON form. How they are found is `cascade.calibration.comparing.whatif`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import numpy as np

from cascade.calibration.comparing.as_data import as_data
from cascade.calibration.plan import Outcomes, Plan

__all__ = ["Estimate", "Latency", "TierShare", "WhatIf"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the interval it lies in with the confidence that was asked for.

    Attributes:
        value: as found in the recording.
        low: lower end; equal to `value` where the interval is not known.
        high: upper end.
        is_known: whether there is an interval; without one its ends are `None` in JSON.
    """

    value: float
    low: float
    high: float
    is_known: bool = True

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends, `None` where nothing tells how far the number would vary."""
        return (self.low, self.high) if self.is_known else None

    def to_dict(self) -> dict[str, float | None]:
        """JSON-ready data."""
        low, high = self.interval or (None, None)
        return {"value": self.value, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class TierShare:
    """What one tier or witness of a plan contributes.

    Attributes:
        name: of the tier or witness.
        asked: share of requests that it is asked.
        returned: share of requests that get its answer.
        cost_usd: exact cost of its answers in all.
        scorer_cost_usd: exact cost of judging at its step, beside the answers.
        quality: mean quality of the answers returned from it; `None` where there are none, or
            where their quality is unknown.
    """

    name: str
    asked: float
    returned: float
    cost_usd: Decimal
    scorer_cost_usd: Decimal
    quality: float | None

    @property
    def is_idle(self) -> bool:
        """Whether no request gets an answer of it."""
        return self.returned == 0


@dataclass(frozen=True, slots=True)
class Latency:
    """How long requests take, tiers asked one after another; scorers' own time is not in it.

    Attributes:
        mean_s: mean over requests.
        p95_s: 95 % of requests take no longer.
        sequential: share of requests with two or more calls one after another.
    """

    mean_s: float
    p95_s: float
    sequential: float


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What a plan would have done with the recorded requests.

    Attributes:
        plan: what was priced.
        chain: name of the chain it came from, "" for a plan.
        n: requests.
        prices: by which prices, in words.
        top: name of the tier that it is compared with: the chain's own last one; for a plan or one
            model alone the recording's; or the one that was asked for.
        total_usd: exact cost of all requests.
        cost: USD per request (weighted by the recording's weights, as all means are).
        cost_ratio: `cost` divided by `top_cost`; `None` where that is 0 or not known.
        top_cost: USD per request of always asking the top tier; `None` where the recording did not
            ask it every request.
        quality: mean quality; `None` where the recording knows no quality.
        top_quality: mean quality of always asking the top tier.
        quality_difference: `quality - top_quality`, paired; positive is better than the top tier.
        retention: `quality / top_quality`; `None` where the top tier is always wrong.
        harm: share of requests (where `graded`: mean loss over all) where the plan's answer is
            worse than the top tier's.
        gain: the same where it is better.
        net: `harm - gain`.
        tiers: contribution of each tier and witness, in the plan's order.
        calls: answers bought per request.
        scorer_cost_usd: exact cost of all judging, part of `total_usd`.
        latency: `None` where the recording knows no times.
        confidence: of all intervals.
        resamples: of the bootstrap; `seed` makes it repeatable.
        notes: what a reader must know: prices that have changed, settings that were not recorded.
        outcomes: what became of each request.
        graded: some answer is worse or better by a part of its quality only.
    """

    plan: Plan
    chain: str
    n: int
    prices: str
    top: str
    total_usd: Decimal
    cost: Estimate
    cost_ratio: Estimate | None
    top_cost: Estimate | None
    quality: Estimate | None
    top_quality: Estimate | None
    quality_difference: Estimate | None
    retention: float | None
    harm: Estimate | None
    gain: Estimate | None
    net: Estimate | None
    tiers: tuple[TierShare, ...]
    calls: float
    scorer_cost_usd: Decimal
    latency: Latency | None
    confidence: float
    resamples: int
    seed: int
    notes: tuple[str, ...]
    outcomes: Outcomes = field(repr=False)
    graded: bool = False

    @property
    def digest(self) -> str:
        """A hash of every decision and every cost: equal digests are byte-identical replays."""
        found = self.outcomes
        whole = (found.stop, found.returned, found.calls, found.cost_pusd)
        parts = [np.ascontiguousarray(part, "<i8").tobytes() for part in whole]
        scores = (found.score, found.quality)
        parts += [np.ascontiguousarray(part, "<f8").tobytes() for part in scores]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data, without the single outcomes."""
        shown = (spec.name for spec in fields(self) if spec.name != "outcomes")
        data = {name: as_data(getattr(self, name)) for name in shown}
        return {**data, "digest": self.digest}
