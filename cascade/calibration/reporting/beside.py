"""The words beside the marks and lines of the picture of cost and quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from cascade.calibration.reporting.axes import Scale, base
from cascade.calibration.reporting.labels import Box, Label, Placed, place
from cascade.calibration.reporting.theme import LIGHT
from cascade.calibration.reporting.view import Frontier, Kind, Spot
from cascade.calibration.reporting.words import percent
from cascade.core.trace_text import shorten

__all__ = ["AREAS", "FOREMOST", "joins", "placed_words", "texts"]

AREAS: dict[Kind, int] = {
    "chosen": 190,
    "search": 130,
    "oracle": 95,
    "pair": 95,
    "cheapest": 85,
    "top": 85,
    "single": 55,
}
"""Of the marks, in square pixels."""

FOREMOST: tuple[Kind, ...] = ("search", "top", "cheapest", "pair", "oracle", "single")
"""Whose words choose their place first and whose marks lie above the others."""

WORDS: dict[Kind, str] = {
    "cheapest": "always {}",
    "top": "always {}",
    "single": "{}",
    "pair": "best pair",
    "oracle": "oracle",
    "search": "a search finds",
    "chosen": "chosen plan",
}

PROMISED = "least quality promised"

LONGEST = 28
"""Characters of a name that are shown in the picture."""


def placed_words(frontier: Frontier, scale: Scale) -> list[Placed]:
    """Words for every policy and line, where they cover least."""
    labels: list[Label] = []
    avoid: list[Box] = []
    if (chosen := frontier.chosen) is not None:
        labels.append(_label(chosen, scale))
        avoid += scale.pieces([replace(chosen, quality=end) for end in chosen.quality_range or ()])
        avoid += scale.pieces([replace(chosen, cost=end) for end in chosen.cost_range or ()])
    spots = sorted(frontier.spots, key=lambda spot: (FOREMOST.index(spot.kind), spot.cost))
    labels += [_label(spot, scale) for spot in spots]
    if frontier.floor is not None:
        floor = [Spot("", "found", end, frontier.floor) for end in scale.cost]
        avoid += scale.pieces(floor)
        x, y = scale.xy(floor[1])
        labels.append(Label(PROMISED, x, y, must=True, colour="vermillion", radius=1))
    for text, line, colour, shares in (
        ("plans found", frontier.found, "blue", (0.35, 0.2, 0.5, 0.65)),
        ("random mixing", frontier.mixing, "dim", (0.7, 0.55, 0.85, 0.4, 0.25)),
    ):
        if len(inside := scale.above(line)) > 1:
            points = [scale.xy(spot) for spot in inside]
            (x, y), *also = (_along(points, share) for share in shares)
            labels.append(Label(text, x, y, colour=colour, radius=2, also=tuple(also)))
    soft = [
        piece
        for line in (frontier.found, frontier.mixing, frontier.oracle)
        for piece in scale.pieces(scale.above(line))
    ]
    return place(labels, scale.plot, avoid=avoid, soft=soft)


def _label(spot: Spot, scale: Scale) -> Label:
    x, y = scale.xy(spot)
    words = WORDS[spot.kind].format(shorten(spot.name, LONGEST))
    return Label(
        f"{words}: {percent(spot.quality)} ↓" if scale.is_below(spot) else words,
        x,
        y,
        must=spot.kind != "single",
        colour="vermillion" if spot.kind == "chosen" else "ink",
        bold=spot.kind == "chosen",
        radius=AREAS[spot.kind] ** 0.5 / 2,
    )


def _along(points: Sequence[tuple[float, float]], share: float) -> tuple[float, float]:
    """The point at a share of the way along a line that goes to the right."""
    wanted = points[0][0] + share * (points[-1][0] - points[0][0])
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= wanted <= x1 and x1 > x0:
            return wanted, y0 + (wanted - x0) / (x1 - x0) * (y1 - y0)
    return points[-1]


def joins(placed: Sequence[Placed], scale: Scale) -> list[Any]:
    """Thin lines from marks to words that stand apart."""
    rows = []
    for one in placed:
        if one.far:
            end = scale.values(one.x, one.y)
            start = scale.values(one.label.x, one.label.y)
            rows.append({**start, "end": end["cost"], "bottom": end["quality"]})
    if not rows:
        return []
    rule = base(rows, scale).mark_rule(color=LIGHT["axis"], strokeWidth=1)
    return [rule.encode(x2="end:Q", y2="bottom:Q")]


def texts(placed: Sequence[Placed], scale: Scale) -> list[Any]:
    """The words, with a rim in the ground's colour so that no line crosses them."""
    rows = [
        {
            **scale.values(one.x, one.y),
            "text": one.label.text,
            "align": one.align,
            "weight": 700 if one.label.bold else 400,
            "colour": LIGHT[one.label.colour],
        }
        for one in placed
    ]
    words = base(rows, scale).encode(text="text:N")
    given: dict[str, Any] = {
        "align": {"expr": "datum.align"},
        "baseline": "middle",
        "fontSize": 12.5,
        "fontWeight": {"expr": "datum.weight"},
    }
    sheet = LIGHT["sheet"]
    rim = words.mark_text(stroke=sheet, strokeWidth=4, color=sheet, **given)
    return [rim, words.mark_text(color={"expr": "datum.colour"}, **given)]
