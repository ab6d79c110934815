"""Colours and type of the charts: told apart by the colour-blind, on light and on dark ground.

A chart is drawn once, in the light colours. On a page each becomes a CSS variable, so that one
picture follows the reader's light or dark setting.

Source: Okabe and Ito, "Color Universal Design" (2008), darkened for light ground and lightened for
dark until every mark has a contrast of 3:1 or more and every word one of 4.5:1.
"""

from __future__ import annotations

from typing import Any

__all__ = ["CONFIG", "DARK", "FONT", "LIGHT", "MARKS", "variables"]

FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"
"""Fonts of one width, so that words fit where the layout left room for them."""

LIGHT = {
    "sheet": "#ffffff",
    "ink": "#1c2127",
    "dim": "#5c6672",
    "grid": "#e8eaed",
    "axis": "#9aa3ad",
    "blue": "#0072b2",
    "vermillion": "#c24e00",
    "green": "#00805e",
    "purple": "#a8487f",
    "sky": "#3d8fc0",
}

DARK = {
    "sheet": "#1b1f24",
    "ink": "#e3e7ec",
    "dim": "#9aa5b1",
    "grid": "#2c323a",
    "axis": "#6b7682",
    "blue": "#58aee6",
    "vermillion": "#ff9152",
    "green": "#3ecba2",
    "purple": "#e69cc7",
    "sky": "#7cc3ee",
}

MARKS: dict[str, tuple[str, str]] = {
    # kind of policy: its shape, its colour
    "single": ("square", "dim"),
    "cheapest": ("triangle-down", "ink"),
    "top": ("triangle-up", "ink"),
    "pair": ("diamond", "purple"),
    "oracle": ("cross", "green"),
    "found": ("circle", "blue"),
    "search": ("diamond", "blue"),
    "chosen": ("circle", "vermillion"),
}

CONFIG: dict[str, Any] = {
    "background": LIGHT["sheet"],
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": LIGHT["dim"],
        "titleColor": LIGHT["ink"],
        "domainColor": LIGHT["axis"],
        "tickColor": LIGHT["axis"],
        "gridColor": LIGHT["grid"],
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titleFontWeight": 400,
        "titlePadding": 9,
        "labelPadding": 4,
    },
    "text": {"color": LIGHT["ink"], "fontSize": 12.5},
    "title": {"color": LIGHT["ink"], "fontSize": 13, "fontWeight": 600, "anchor": "start"},
    "header": {"labelColor": LIGHT["ink"], "labelFontSize": 12.5},
}


def variables(colours: dict[str, str]) -> str:
    """The colours as CSS declarations: `--c-ink: #1c2127; ...`."""
    return " ".join(f"--c-{name}: {value};" for name, value in colours.items())
