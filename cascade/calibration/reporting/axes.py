"""The axes of the picture of cost and quality, and the way between values and pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from cascade.calibration.needs import needed
from cascade.calibration.reporting.chart_axes import heights
from cascade.calibration.reporting.labels import Box
from cascade.calibration.reporting.view import Frontier, Spot

alt = needed("altair")

__all__ = ["NARROW", "WIDE", "Scale", "Size", "base", "row", "scale_of"]

FEWEST_POINTS = 0.02
"""The quality axis spans this share at least, so that noise does not look like a mountain."""

DEEPEST = 2.5
"""How far the quality axis reaches down, in times the range that a decision is about."""

WHOLE = 8
"""Dollars from which ticks are whole dollars."""

PIECES = 40
"""Pieces that a line across the picture is cut into where labels keep off it."""


@dataclass(frozen=True, slots=True)
class Size:
    """A picture's measures in pixels; `ticks`, about so many on the cost axis."""

    width: int
    height: int
    ticks: int


WIDE = Size(900, 410, 8)
NARROW = Size(300, 330, 4)
"""For telephones."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels and back, as the axes do it; ends in USD and in shares."""

    size: Size
    cost: tuple[float, float]
    quality: tuple[float, float]

    @property
    def plot(self) -> Box:
        """The whole picture within the axes."""
        return Box(0, 0, self.size.width, self.size.height)

    def xy(self, spot: Spot) -> tuple[float, float]:
        """A policy's place in pixels; at the lower edge where it is too bad for the picture."""
        (left, right), (bottom, top) = self.cost, self.quality
        x = (spot.cost - left) / (right - left) * self.size.width
        quality = max(spot.quality, bottom)
        return x, (top - quality) / (top - bottom) * self.size.height

    def is_below(self, spot: Spot) -> bool:
        """Whether a policy is too bad for the picture."""
        return spot.quality < self.quality[0]

    def above(self, line: Sequence[Spot]) -> list[Spot]:
        """The part of a line that the picture holds, cut where it enters or leaves."""
        kept: list[Spot] = []
        low = self.quality[0]
        for place, spot in enumerate(line):
            before = line[place - 1] if place else spot
            if self.is_below(spot) != self.is_below(before):
                share = (low - before.quality) / (spot.quality - before.quality)
                cost = before.cost + share * (spot.cost - before.cost)
                kept.append(replace(spot, cost=cost, quality=low))
            if not self.is_below(spot):
                kept.append(spot)
        return kept

    def values(self, x: float, y: float) -> dict[str, float]:
        """Pixels as a row of a chart's data."""
        (left, right), (bottom, top) = self.cost, self.quality
        return {
            "cost": left + x / self.size.width * (right - left),
            "quality": 100 * (top - y / self.size.height * (top - bottom)),
        }

    def pieces(self, line: Sequence[Spot]) -> Iterable[Box]:
        """A line as small boxes."""
        for first, second in pairwise(line):
            (x0, y0), (x1, y1) = self.xy(first), self.xy(second)
            count = max(1, int(PIECES * (abs(x1 - x0) + abs(y1 - y0)) / self.size.width))
            for piece in range(count + 1):
                x, y = x0 + (x1 - x0) * piece / count, y0 + (y1 - y0) * piece / count
                yield Box(x - 6, y - 3, x + 6, y + 3)


def scale_of(frontier: Frontier, size: Size) -> Scale:
    """Axes for every policy; cost begins at 0.

    A model much worse than the rest would press all others together; it stands below the picture.
    """
    every = [*frontier.spots, *frontier.found, *frontier.mixing, *frontier.oracle]
    costs = [spot.cost for spot in every]
    if (chosen := frontier.chosen) is not None:
        costs += [chosen.cost, *(chosen.cost_range or ())]
    matter = _qualities_that_matter(frontier)
    high = max([*matter, *(spot.quality for spot in every)])
    lowest = min([*matter, *(spot.quality for spot in every)])
    low = max(lowest, high - DEEPEST * max(high - min(matter), FEWEST_POINTS))
    room = max(high - low, FEWEST_POINTS) * 0.09
    return Scale(size, (0.0, max(costs) * 1.06 or 1.0), (low - room, high + room))


def _qualities_that_matter(frontier: Frontier) -> list[float]:
    """What a decision is about: the plan, the top tier, the promise, the best pair."""
    found = [spot.quality for spot in frontier.spots if spot.kind in ("top", "pair")]
    if (chosen := frontier.chosen) is not None:
        found += [chosen.quality, *(chosen.quality_range or ())]
    if frontier.floor is not None:
        found.append(frontier.floor)
    return found or [spot.quality for spot in (*frontier.spots, *frontier.found)]


def base(rows: Iterable[dict[str, Any]], scale: Scale) -> Any:
    """A chart of rows with `cost` and `quality` in %, on the common axes."""
    x = alt.X(
        "cost:Q",
        title="cost, USD per 1,000 requests",
        scale=alt.Scale(domain=list(scale.cost), nice=False),
        axis=alt.Axis(
            tickCount=scale.size.ticks,
            grid=False,
            format=_money_format(scale.cost[1]),
            labelFlush=False,
        ),
    )
    y = alt.Y(
        "quality:Q",
        title="quality, %",
        scale=alt.Scale(domain=[100 * end for end in scale.quality], nice=False),
        axis=heights(tickCount=6),
    )
    return alt.Chart(alt.Data(values=list(rows))).encode(x=x, y=y)


def _money_format(highest: float) -> str:
    """Ticks with cents where they matter, and all with the same number of digits."""
    digits = max(0, 1 - math.floor(math.log10(highest)))
    return f"$,.{0 if highest >= WHOLE else max(digits, 2)}f"


def row(spot: Spot) -> dict[str, Any]:
    """A policy as a row of a chart's data."""
    return {"cost": spot.cost, "quality": 100 * spot.quality}
