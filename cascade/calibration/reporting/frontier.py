"""The picture of cost and quality: every baseline, the plans found, the chosen one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cascade.calibration.needs import needed
from cascade.calibration.reporting.axes import WIDE, Scale, Size, base, row, scale_of
from cascade.calibration.reporting.beside import AREAS, FOREMOST, joins, placed_words, texts
from cascade.calibration.reporting.theme import LIGHT, MARKS
from cascade.calibration.reporting.view import Frontier, Kind, Spot

alt = needed("altair")

__all__ = ["frontier_chart"]

SMALL = 22
"""Area of the mark of a plan found, in square pixels."""

TOUCHING = 7.0
"""Pixels between marks of plans found below which the second is not drawn."""


def frontier_chart(frontier: Frontier, size: Size = WIDE) -> Any:
    """Draw cost against quality.

    Args:
        frontier: with one policy at least.
        size: the picture's.
    """
    scale = scale_of(frontier, size)
    words = placed_words(frontier, scale)
    layers: list[Any] = []
    if frontier.floor is not None:
        layers.append(_floor(frontier.floor, scale))
    if len(frontier.mixing) > 1:
        layers.append(_line(frontier.mixing, scale, "axis", dash=[5, 4], wide=1.5))
    if len(frontier.oracle) > 1:
        layers.append(_line(frontier.oracle, scale, "green", dash=[1.5, 4], wide=1.8))
    if frontier.found:
        layers.append(_line(frontier.found, scale, "blue", dash=[], wide=2.2))
        layers.append(_marks(_thinned(frontier.found, scale), scale, "found", SMALL))
    layers += joins(words, scale)
    for kind in reversed(FOREMOST):
        spots = [spot for spot in frontier.spots if spot.kind == kind]
        if spots:
            layers.append(_marks(spots, scale, kind, AREAS[kind]))
    if frontier.chosen is not None:
        layers += _chosen(frontier.chosen, scale)
    layers += texts(words, scale)
    return alt.layer(*layers).properties(width=size.width, height=size.height)


def _line(
    spots: Sequence[Spot], scale: Scale, colour: str, *, dash: list[float], wide: float
) -> Any:
    rows = [{**row(spot), "order": place} for place, spot in enumerate(scale.above(spots))]
    line = base(rows, scale).mark_line(color=LIGHT[colour], strokeDash=dash, strokeWidth=wide)
    return line.encode(order=alt.Order("order:Q"))


def _marks(spots: Iterable[Spot], scale: Scale, kind: Kind, area: float) -> Any:
    shape, colour = MARKS[kind]
    rows = [scale.values(*scale.xy(spot)) for spot in spots]
    return base(rows, scale).mark_point(
        shape=shape,
        size=area,
        filled=True,
        color=LIGHT[colour],
        opacity=1,
        stroke=LIGHT["sheet"],
        strokeWidth=1.2,
    )


def _chosen(spot: Spot, scale: Scale) -> list[Any]:
    """The chosen plan: a large mark with its intervals as a cross."""
    layers: list[Any] = []
    colour = LIGHT["vermillion"]
    if (ends := spot.cost_range) is not None:
        rows = [{**row(spot), "cost": ends[0], "end": ends[1]}]
        layers.append(base(rows, scale).mark_rule(color=colour, strokeWidth=2).encode(x2="end:Q"))
    if (ends := spot.quality_range) is not None:
        rows = [{**row(spot), "quality": 100 * ends[0], "end": 100 * ends[1]}]
        layers.append(base(rows, scale).mark_rule(color=colour, strokeWidth=2).encode(y2="end:Q"))
    return [*layers, _marks([spot], scale, "chosen", AREAS["chosen"])]


def _floor(floor: float, scale: Scale) -> Any:
    """The least quality that the promise allows."""
    rows = [{"cost": scale.cost[0], "end": scale.cost[1], "quality": 100 * floor}]
    rule = base(rows, scale).mark_rule(
        color=LIGHT["vermillion"], strokeWidth=1.2, strokeDash=[2, 3]
    )
    return rule.encode(x2="end:Q")


def _thinned(spots: Sequence[Spot], scale: Scale) -> list[Spot]:
    """Of marks that would touch each other the first one."""
    kept: list[Spot] = []
    at = (-TOUCHING, 0.0)
    for spot in scale.above(spots):
        x, y = scale.xy(spot)
        if abs(x - at[0]) + abs(y - at[1]) > TOUCHING:
            kept.append(spot)
            at = (x, y)
    return kept
