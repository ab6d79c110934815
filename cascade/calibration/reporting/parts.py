"""The picture of what each tier does: how many answers come from it, and what part of the money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cascade.calibration.needs import needed
from cascade.calibration.reporting.chart_axes import names_beside, share_bars
from cascade.calibration.reporting.view import TierLine
from cascade.calibration.reporting.words import share
from cascade.core.trace_text import shorten

alt = needed("altair")

__all__ = ["parts_chart"]

WIDTH, ROW = 300, 30
"""Pixels of a bar that stands for everything, and between two tiers."""

LONGEST, CUT = 34, 22
"""Characters of a tier's name that are shown beside its bar; on a telephone, `CUT`."""


def parts_chart(tiers: Sequence[TierLine], *, narrow: bool = False) -> Any:
    """Draw two rows of bars, one bar per tier, on one scale from 0 to 100 %.

    Args:
        tiers: in the plan's order, one at least.
        narrow: one below the other, for telephones.
    """
    width, longest = (150, CUT) if narrow else (WIDTH, LONGEST)
    answered = [(tier.name, tier.answered) for tier in tiers]
    spent = [(tier.name, tier.spent) for tier in tiers]
    panels = [_panel("answers given, %", answered, "blue", width, longest=longest)]
    if any(part is not None for _, part in spent):
        panels.append(
            _panel("money spent, %", spent, "purple", width, longest=longest, names=narrow)
        )
    return alt.vconcat(*panels, spacing=18) if narrow else alt.hconcat(*panels, spacing=34)


def _panel(
    title: str,
    parts: Sequence[tuple[str, float | None]],
    colour: str,
    width: int,
    *,
    longest: int,
    names: bool = True,
) -> Any:
    rows = [
        {
            "place": f"{place:04d}",
            "part": 100 * (part or 0.0),
            "text": share(part),
        }
        for place, (_, part) in enumerate(parts)
    ]
    shown = {f"{place:04d}": shorten(name, longest) for place, (name, _) in enumerate(parts)}
    y = (
        names_beside("place", shown, longest_px=260)
        if names
        else alt.Y("place:N", title=None, sort=None, axis=None)
    )
    x = alt.X(
        "part:Q",
        title=title,
        scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(
            values=[0, 50, 100], orient="top", domain=False, ticks=False, labelFlush=False
        ),
    )
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, y=y)
    return share_bars(base, colour, 15).properties(width=width, height=ROW * len(rows))
