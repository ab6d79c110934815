"""What the pictures of reports and of the dashboard have in common: axes, and bars of shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cascade.calibration.needs import needed
from cascade.calibration.reporting.theme import LIGHT

alt = needed("altair")

__all__ = ["heights", "lookup", "names_beside", "share_bars"]


def heights(*, left: int = 34, **settings: Any) -> Any:
    """The axis of what goes upwards: without a line, its title lying above the numbers.

    Args:
        left: pixels from the picture's edge to where the title begins.
        **settings: further ones of `altair.Axis`.
    """
    return alt.Axis(
        **settings,
        domain=False,
        ticks=False,
        titleAngle=0,
        titleAlign="left",
        titleAnchor="end",
        titleX=-left,
        titleY=-9,
    )


def names_beside(field: str, shown: Mapping[str, str], *, longest_px: int) -> Any:
    """Rows with their names on the left, in the data's order.

    Args:
        field: that holds the key of a row.
        shown: names by key.
        longest_px: width of a name, in pixels, from which it is cut.
    """
    axis = alt.Axis(
        labelExpr=lookup(shown),
        domain=False,
        ticks=False,
        labelColor=LIGHT["ink"],
        labelFontSize=12.5,
        labelLimit=longest_px,
        labelPadding=8,
    )
    return alt.Y(f"{field}:N", title=None, sort=None, axis=axis)


def share_bars(base: Any, colour: str, height: int) -> Any:
    """Bars with the field `text` behind each."""
    bars = base.mark_bar(color=LIGHT[colour], height=height, cornerRadiusEnd=2)
    words = base.mark_text(align="left", dx=6, color=LIGHT["ink"]).encode(text="text:N")
    return alt.layer(bars, words)


def lookup(shown: Mapping[str, str]) -> str:
    """A Vega expression that gives a key its name, which may hold anything."""
    return f"({json.dumps(dict(shown))})[datum.value]"
