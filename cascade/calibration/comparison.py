"""A plan beside everything simpler, in one value: what a report and a table are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cascade.calibration.baselines import Baseline
from cascade.calibration.findings import WhatIf
from cascade.calibration.net_value import NetValue
from cascade.calibration.plan import Plan
from cascade.calibration.reliability import Reliability

__all__ = ["Comparison", "Curve", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the cost-quality plane.

    Attributes:
        cost_usd: USD per request.
        quality: mean quality in [0, 1].
        name: what stands there, e.g. the plan in words; "" on a curve.
        plan: the plan that stands there, where one does.
    """

    cost_usd: float
    quality: float
    name: str = ""
    plan: Plan | None = None


Curve = tuple[Point, ...]
"""Points from cheap to dear, to be joined by straight lines (random mixing of neighbours)."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A recording's plans, baselines and scorers side by side.

    Attributes:
        chosen: the plan in question; `None` where none was given.
        path: the searched plans from the cheapest to always-top, as priced on this recording.
        singles: every tier alone, in the recording's order.
        baselines: everything simpler, at equal cost and at equal quality, and the oracles.
        mixing: the hull of all single models: what random mixing reaches.
        oracle_router: what hindsight reaches that asks one tier per request.
        oracle_cascade: what hindsight reaches that pays for every tier up to the one that is right.
        scorers: net value of each scorer of the chosen plan.
        reliability: how far the scores of each of its steps can be believed.
        metrics: numbers by name; `cascade.calibration.measures.DEFINITIONS` says what each means.
            `None` where it is not defined on this recording.
        harm_rows: indices of requests that the chosen plan answers worse than the top tier, the
            worst first.
        gain_rows: indices of requests that it answers better.
        top: name of the top tier.
        notes: what a reader must know.
    """

    chosen: WhatIf | None
    path: Curve
    singles: Curve
    baselines: tuple[Baseline, ...]
    mixing: Curve
    oracle_router: Curve
    oracle_cascade: Curve
    scorers: tuple[NetValue, ...]
    reliability: tuple[Reliability, ...]
    metrics: Mapping[str, float | None]
    harm_rows: tuple[int, ...]
    gain_rows: tuple[int, ...]
    top: str
    notes: tuple[str, ...]
