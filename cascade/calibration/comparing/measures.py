"""The measures of a comparison by name: what each means, and all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from cascade.calibration.comparing.baselines import Simpler
from cascade.calibration.comparing.curves import Hull, aiq, gap_closed, hull_of
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.comparing.routing_measures import (
    apgr,
    cpt,
    gap_recovered,
    ibc,
    ibc_lift,
    routerarena_score,
)
from cascade.calibration.plan import ScoreSource
from cascade.errors import RecordingError
from cascade.percent import percent

if TYPE_CHECKING:
    from cascade.calibration.comparing.points import Point

__all__ = ["DEFINITIONS", "metrics_of"]

TARGETS = (0.95, 0.98, 0.99, 1.0)

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        **{
            f"cost_at_{target:.0%}".rstrip("%"): f"cost, as a share of always asking the top tier, "
            f"at which the hull of the plans reaches {percent(target, 0)} of the top tier's quality"
            for target in TARGETS
        },
        "cost_ratio": "E[cost of the plan] / E[cost of the top tier]; every call is counted",
        "retention": "E[quality of the plan] / E[quality of the top tier]",
        "harm": "share of requests that the top tier answers better (graded: mean loss)",
        "gain": "share of requests that the plan answers better (graded: mean gain)",
        "net_harm": "E[quality of the top tier - quality of the plan]: harm minus gain",
        "gap_closed": "(mixing - plan) / (mixing - oracle cascade), costs at the plan's quality: "
        "0 is random mixing, 1 the oracle",
        "aiq": "area under the non-decreasing hull of the plans over the range of costs of single "
        "models, divided by its width (RouterBench, arXiv 2403.12031)",
        "pgr": "(quality - weak) / (strong - weak), for the cheapest and the top tier (RouteLLM, "
        "arXiv 2406.18665)",
        "apgr": "area under PGR over the share of requests that the top tier answers, the cheapest "
        "one's least sure answers first; random routing has 0.5 (RouteLLM)",
        "cpt_50": "smallest share of top-tier calls that recovers half of the gap (RouteLLM); "
        "ignores what the cheap calls of a cascade cost",
        "cpt_80": "smallest share of top-tier calls that recovers 80 % of the gap (RouteLLM)",
        "ibc": "quality gained over the cheapest tier per dollar beyond it (AutoMix, arXiv "
        "2310.12963); unstable near its cost",
        "ibc_lift": "(IBC - IBC of the line from cheapest to top tier) / the latter (AutoMix)",
        "routerarena": "(1 + b) A C / (b A + C): b = 0.1, A accuracy, C = log2(200 / c) / "
        "log2(200 / 0.0044), c USD per 1,000 requests (RouterArena, arXiv 2510.00202)",
    }
)
"""What each number of `Comparison.metrics` is; costs per request, means weighted."""


def metrics_of(
    simpler: Simpler, source: ScoreSource, chosen: WhatIf | None, path: Sequence[Point]
) -> Mapping[str, float | None]:
    """All measures by name, `None` where one is not defined here.

    Args:
        simpler: everything simpler on the recording.
        source: scores of first answers.
        chosen: the plan in question.
        path: the searched plans.
    """
    points = [(point.cost_usd, point.quality) for point in path]
    if chosen is not None and chosen.quality is not None:
        points.append((chosen.cost.value, chosen.quality.value))
    points += list(zip(simpler.mean_cost.tolist(), simpler.mean_quality.tolist(), strict=True))
    hull = hull_of(*zip(*points, strict=True))
    found: dict[str, float | None] = dict.fromkeys(DEFINITIONS)
    found |= _at_targets(hull, simpler)
    found["aiq"] = aiq(hull, float(simpler.mean_cost.min()), float(simpler.mean_cost.max()))
    found |= _of_two(simpler, source)
    if chosen is not None and chosen.quality is not None:
        found |= _of_plan(simpler, chosen, chosen.quality.value)
    return MappingProxyType(found)


def _at_targets(hull: Hull, simpler: Simpler) -> dict[str, float | None]:
    top_cost = float(simpler.mean_cost[simpler.top])
    top_quality = float(simpler.mean_quality[simpler.top])
    found: dict[str, float | None] = {}
    for target in TARGETS:
        cost = hull.cost_at(target * top_quality)
        name = f"cost_at_{target:.0%}".rstrip("%")
        found[name] = None if cost is None or top_cost == 0 else cost / top_cost
    return found


def _of_two(simpler: Simpler, source: ScoreSource) -> dict[str, float | None]:
    """RouteLLM's measures, for the cheapest and the top tier."""
    weak, strong = simpler.cheapest, simpler.top
    if weak == strong:
        return {}
    tier = simpler.recording.index(simpler.names[weak])
    try:
        scores = source.scores((tier,), tier)
    except RecordingError:
        return {}
    pair = simpler.quality[:, weak], simpler.quality[:, strong]
    return {
        "apgr": apgr(scores, *pair),
        "cpt_50": cpt(0.5, scores, *pair),
        "cpt_80": cpt(0.8, scores, *pair),
    }


def _of_plan(simpler: Simpler, chosen: WhatIf, quality: float) -> dict[str, float | None]:
    cost = chosen.cost.value
    weak, strong = simpler.cheapest, simpler.top
    weak_at = float(simpler.mean_quality[weak]), float(simpler.mean_cost[weak])
    strong_at = float(simpler.mean_quality[strong]), float(simpler.mean_cost[strong])
    found = ibc(quality, cost, *weak_at)
    return {
        "cost_ratio": None if chosen.cost_ratio is None else chosen.cost_ratio.value,
        "retention": chosen.retention,
        "harm": None if chosen.harm is None else chosen.harm.value,
        "gain": None if chosen.gain is None else chosen.gain.value,
        "net_harm": None if chosen.net is None else chosen.net.value,
        "gap_closed": gap_closed(
            cost, simpler.mixing.cost_at(quality), simpler.cascade.cost_at(quality)
        ),
        "pgr": gap_recovered(quality, weak_at[0], strong_at[0]),
        "ibc": found,
        "ibc_lift": ibc_lift(found, ibc(*strong_at, *weak_at)),
        "routerarena": routerarena_score(quality, 1000 * cost),
    }
