"""The picture of a scorer's honesty: what scores say beside what turned out to be right."""

from __future__ import annotations

from typing import Any

from cascade.calibration.comparing.reliability import Reliability
from cascade.calibration.needs import needed
from cascade.calibration.reporting.chart_axes import heights
from cascade.calibration.reporting.theme import LIGHT

alt = needed("altair")

__all__ = ["reliability_chart"]

WIDTH, HEIGHT = 268, 230
"""Pixels; it fits a telephone."""

ROOM = 0.7
"""Thresholds below leave room for a word to the right of their line."""


def reliability_chart(found: Reliability) -> Any:
    """Draw the bins of one step: each as wide as its scores, as high as its answers were right.

    Args:
        found: with one bin at least.
    """
    rows = [
        {
            "score": 100 * one.predicted,
            "from": 100 * one.low,
            "to": 100 * one.high,
            "right": 100 * one.observed.value,
            "least": 100 * one.observed.low,
            "most": 100 * one.observed.high,
        }
        for one in found.bins
    ]
    bins = _base(rows)
    colour = LIGHT["blue"]
    widths = bins.mark_rule(color=colour, strokeWidth=1, opacity=0.75).encode(x="from:Q", x2="to:Q")
    heights = bins.mark_rule(color=colour, strokeWidth=1.6).encode(y="least:Q", y2="most:Q")
    marks = bins.mark_point(
        shape="circle",
        size=48,
        filled=True,
        opacity=1,
        color=colour,
        stroke=LIGHT["sheet"],
        strokeWidth=1,
    )
    drawn: list[Any] = [_diagonal(), *_threshold(found.threshold), widths, heights, marks]
    return alt.layer(*drawn).properties(width=WIDTH, height=HEIGHT)


def _base(rows: list[dict[str, Any]]) -> Any:
    ends = alt.Scale(domain=[0, 100], nice=False)
    x = alt.X(
        "score:Q",
        title="score, %",
        scale=ends,
        axis=alt.Axis(values=[0, 25, 50, 75, 100], grid=False, labelFlush=False),
    )
    y = alt.Y(
        "right:Q",
        title="right, %",
        scale=ends,
        axis=heights(left=28, values=[0, 25, 50, 75, 100]),
    )
    return alt.Chart(alt.Data(values=rows)).encode(x=x, y=y)


def _diagonal() -> Any:
    """Where the points of an honest scorer lie."""
    rows = [{"score": 0, "right": 0, "end": 100, "up": 100}]
    rule = _base(rows).mark_rule(color=LIGHT["axis"], strokeDash=[5, 4], strokeWidth=1.5)
    return rule.encode(x2="end:Q", y2="up:Q")


def _threshold(threshold: float) -> list[Any]:
    """From where answers are accepted; nothing where the plan accepts none."""
    if not 0 < threshold <= 1:
        return []
    rows = [{"score": 100 * threshold, "right": 0, "up": 100, "text": "accepted"}]
    at = _base(rows)
    right = threshold < ROOM
    rule = at.mark_rule(color=LIGHT["vermillion"], strokeWidth=1.4, strokeDash=[2, 3])
    word = at.mark_text(
        color=LIGHT["vermillion"],
        align="left" if right else "right",
        baseline="bottom",
        dx=5 if right else -5,
        dy=-4,
        fontSize=12,
    )
    return [rule.encode(y2="up:Q"), word.encode(text="text:N")]
