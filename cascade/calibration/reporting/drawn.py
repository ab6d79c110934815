"""All pictures of a report: which there are, and what each says in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.calibration.reporting.axes import NARROW, WIDE
from cascade.calibration.reporting.believed import reliability_chart
from cascade.calibration.reporting.frontier import frontier_chart
from cascade.calibration.reporting.parts import parts_chart
from cascade.calibration.reporting.svg import inline_svg
from cascade.calibration.reporting.view import Spot, View
from cascade.calibration.reporting.words import money, percent

__all__ = ["charts_of", "pictures_of"]


def charts_of(view: View, *, narrow: bool = False) -> dict[str, Any]:
    """The Altair charts by name: "frontier", "parts", "reliability_1", ...

    A chart that there is nothing to draw for is left out.

    Args:
        view: of the report.
        narrow: the ones that look different on a telephone, for a telephone.
    """
    charts: dict[str, Any] = {}
    if not view.frontier.is_empty:
        charts["frontier"] = frontier_chart(view.frontier, NARROW if narrow else WIDE)
    if view.tiers:
        charts["parts"] = parts_chart(view.tiers, narrow=narrow)
    if not narrow:
        for number, item in enumerate(view.reliability, 1):
            if item.bins:
                charts[f"reliability_{number}"] = reliability_chart(item)
    return charts


def pictures_of(view: View) -> Mapping[str, str]:
    """The pictures as elements of a page; those for telephones end in `_narrow`."""
    said = _said(view)
    made = {}
    for narrow, end in ((False, ""), (True, "_narrow")):
        for name, chart in charts_of(view, narrow=narrow).items():
            title, says = said[name]
            shape = "narrow" if narrow else "wide" if name in ("frontier", "parts") else ""
            made[name + end] = inline_svg(
                chart, title=title, says=says, name=name + end, shape=shape
            )
    return made


def _said(view: View) -> dict[str, tuple[str, str]]:
    """Title and description of each picture, for those who do not see it."""
    spots = [view.frontier.chosen] if view.frontier.chosen else []
    policies = "; ".join(_spot(spot) for spot in [*spots, *view.frontier.spots])
    parts = "; ".join(
        f"{tier.name} gives {percent(tier.answered)} of the answers for "
        f"{percent(tier.spent)} of the cost"
        for tier in view.tiers
    )
    said = {
        "frontier": ("Cost and quality of every policy", policies),
        "parts": ("Answers given and money spent by each tier", parts),
    }
    for number, item in enumerate(view.reliability, 1):
        bins = "; ".join(
            f"said {percent(one.predicted, 0)}, right {percent(one.observed.value, 0)}"
            for one in item.bins
        )
        said[f"reliability_{number}"] = (f"Scores of {item.returns} beside what was right", bins)
    return said


def _spot(spot: Spot) -> str:
    return f"{spot.name}: {money(spot.cost)} per 1,000 requests at {percent(spot.quality)} quality"
