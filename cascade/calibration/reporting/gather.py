"""From a recording, a comparison and a certificate to what the report shows.

Nothing is estimated here: numbers come from the comparison and the certificate, in the units of the
view; only rows are counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.baselines import Baseline
from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.comparing.findings import Estimate, TierShare, WhatIf
from cascade.calibration.comparing.points import Curve, Point
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.view import (
    Dropped,
    Frontier,
    Kind,
    PolicyLine,
    Range,
    Spot,
    TierLine,
)
from cascade.core.few import few

__all__ = [
    "PER",
    "dropped_tiers",
    "frontier_of",
    "policies_of",
    "policy_line",
    "range_of",
    "tiers_of",
    "together",
]

PER = 1_000
"""Requests that costs are stated for."""

NOT_ASKED = "the plan does not ask it"

NONE_ASKED = "the plan does not ask them"

MOST = 200
"""Points of a line that are drawn: an oracle's has one for every request."""


def frontier_of(comparison: Comparison, floor: float | None) -> Frontier:
    """The picture of cost and quality; empty where quality is not known."""
    return Frontier(
        spots=(*_singles(comparison), *_pairs(comparison), *_oracles(comparison)),
        found=_curve(_by_cost(comparison.path), "found"),
        mixing=_curve(comparison.mixing, "single"),
        oracle=_curve(comparison.oracle_cascade, "oracle"),
        chosen=_chosen(comparison.chosen),
        floor=floor,
    )


def _singles(comparison: Comparison) -> list[Spot]:
    """Every tier alone; the top tier and the cheapest other one by their own marks."""
    points = [point for point in comparison.singles if _is_known(point)]
    others = [point for point in points if point.name != comparison.top]
    cheapest = min(others, key=lambda point: (point.cost_usd, -point.quality), default=None)
    spots = []
    for point in points:
        kind: Kind = "single"
        if point.name == comparison.top:
            kind = "top"
        elif point is cheapest:
            kind = "cheapest"
        spots.append(_spot(point, kind))
    return spots


def _pairs(comparison: Comparison) -> list[Spot]:
    """The best pair at the plan's cost and at its quality, one mark where they are the same."""
    spots: list[Spot] = []
    for baseline in comparison.baselines:
        if baseline.kind != "pair" or baseline.cost is None or baseline.quality is None:
            continue
        spot = Spot(
            baseline.name,
            "pair",
            PER * baseline.cost.value,
            baseline.quality.value,
            range_of(baseline.cost, PER),
            range_of(baseline.quality),
        )
        if all((spot.cost, spot.quality) != (one.cost, one.quality) for one in spots):
            spots.append(spot)
    return spots


def _oracles(comparison: Comparison) -> list[Spot]:
    """The best that hindsight reaches, at the end of its line."""
    line = _curve(comparison.oracle_cascade, "oracle")
    return [replace(line[-1], name="oracle cascade")] if line else []


def _chosen(found: WhatIf | None) -> Spot | None:
    if found is None or found.quality is None:
        return None
    return Spot(
        "chosen plan",
        "chosen",
        PER * found.cost.value,
        found.quality.value,
        range_of(found.cost, PER),
        range_of(found.quality),
    )


def _by_cost(points: Curve) -> Curve:
    """Points from cheap to dear: on other requests than they were searched on the order differs."""
    return tuple(sorted(points, key=lambda point: (point.cost_usd, point.quality)))


def _curve(points: Curve, kind: Kind) -> tuple[Spot, ...]:
    known = [point for point in points if _is_known(point)]
    if len(known) > MOST:
        places = np.unique(np.linspace(0, len(known) - 1, MOST).round().astype(int))
        known = [known[place] for place in places]
    return tuple(_spot(point, kind) for point in known)


def _spot(point: Point, kind: Kind) -> Spot:
    return Spot(point.name, kind, PER * point.cost_usd, point.quality)


def _is_known(point: Point) -> bool:
    return math.isfinite(point.cost_usd) and math.isfinite(point.quality)


def range_of(found: Estimate | None, factor: float = 1.0) -> Range | None:
    """An interval; `None` where it is not known."""
    if found is None or (found.low == found.value == found.high):
        return None
    return factor * found.low, factor * found.high


# The table of everything compared ----------------------------------------------------------------


def policies_of(comparison: Comparison) -> tuple[PolicyLine, ...]:
    """The chosen plan, then everything that it must be compared with."""
    found = comparison.chosen
    lines = (
        [] if found is None else [policy_line(found, "chosen plan", str(found.plan), chosen=True)]
    )
    top = next((p.cost_usd for p in comparison.singles if p.name == comparison.top), None)
    lines += [_baseline_line(baseline, top) for baseline in comparison.baselines]
    there = {
        baseline.plan.tiers[0]
        for baseline in comparison.baselines
        if baseline.name.startswith("always") and baseline.plan is not None
    }
    lines += [_single_line(one, top) for one in comparison.singles if one.name not in there]
    return tuple(lines)


def _single_line(point: Point, top: float | None) -> PolicyLine:
    cost = PER * point.cost_usd if math.isfinite(point.cost_usd) else None
    return PolicyLine(
        f"always {point.name}",
        f"{point.name} alone",
        cost,
        point.quality if math.isfinite(point.quality) else None,
        point.cost_usd / top if cost is not None and top else None,
    )


def policy_line(found: WhatIf, name: str, what: str, *, chosen: bool = False) -> PolicyLine:
    """A plan's row in the table."""
    return PolicyLine(
        name,
        what,
        PER * found.cost.value,
        None if found.quality is None else found.quality.value,
        None if found.cost_ratio is None else found.cost_ratio.value,
        range_of(found.cost, PER),
        range_of(found.quality),
        is_chosen=chosen,
    )


def _baseline_line(baseline: Baseline, top: float | None) -> PolicyLine:
    if baseline.cost is None:
        return PolicyLine(baseline.name, baseline.what, reason=baseline.reason or "none")
    what = baseline.what if baseline.kind != "pair" else f"{baseline.what}: {baseline.plan}"
    return PolicyLine(
        baseline.name,
        what,
        PER * baseline.cost.value,
        None if baseline.quality is None else baseline.quality.value,
        baseline.cost.value / top if top else None,
        range_of(baseline.cost, PER),
        range_of(baseline.quality),
    )


# What each tier does -----------------------------------------------------------------------------


def tiers_of(recording: Recording, comparison: Comparison) -> tuple[TierLine, ...]:
    """What each tier and witness of the chosen plan contributes."""
    found = comparison.chosen
    if found is None:
        return ()
    returned = found.outcomes.returned
    harms = _by_tier(comparison.harm_rows, returned)
    gains = _by_tier(comparison.gain_rows, returned)
    witnesses = {step.asks for step in found.plan.steps if step.is_witness}
    return tuple(
        _tier_line(
            share,
            recording,
            found,
            is_witness=share.name in witnesses,
            harms=harms[recording.index(share.name)],
            gains=gains[recording.index(share.name)],
        )
        for share in found.tiers
    )


def _tier_line(
    share: TierShare,
    recording: Recording,
    found: WhatIf,
    *,
    is_witness: bool,
    harms: int,
    gains: int,
) -> TierLine:
    spent = float(share.cost_usd + share.scorer_cost_usd)
    total = float(found.total_usd)
    return TierLine(
        name=share.name,
        model=recording.tiers[recording.index(share.name)].model,
        is_witness=is_witness,
        asked=share.asked,
        answered=share.returned,
        spent=spent / total if total else None,
        cost=PER * spent / found.n,
        quality=share.quality,
        harms=harms,
        gains=gains,
    )


def _by_tier(rows: Sequence[int], returned: NDArray[np.int64]) -> Counter[int]:
    """How many of some requests get the answer of each tier."""
    return Counter(int(returned[row]) for row in rows)


def dropped_tiers(
    recording: Recording, found: WhatIf | None, reasons: Mapping[str, str]
) -> tuple[Dropped, ...]:
    """The tiers that the plan does not ask, each with the reason where one is known."""
    if found is None:
        return ()
    missing = [tier.name for tier in recording.tiers if tier.name not in found.plan.tiers]
    return tuple(Dropped(name, reasons.get(name, NOT_ASKED)) for name in missing)


def together(dropped: Sequence[Dropped]) -> tuple[tuple[str, str], ...]:
    """Tiers that are left out, those with the same reason in one line: their names, the reason."""
    names: dict[str, list[str]] = {}
    for one in dropped:
        names.setdefault(one.reason, []).append(one.name)
    return tuple(
        (few(found), reason.replace(NOT_ASKED, NONE_ASKED) if len(found) > 1 else reason)
        for reason, found in names.items()
    )
