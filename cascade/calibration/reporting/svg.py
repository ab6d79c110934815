"""Charts as pictures: SVG and PNG drawn by vl-convert, without a browser and without a network.

A picture that goes into a page is taken apart and written anew: only known elements and attributes
survive, so that whatever a tier is called, the picture is shapes and words. Its colours become
CSS variables, and it says in words what it shows.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal
from xml.etree.ElementTree import Element, fromstring

from markupsafe import escape

from cascade.calibration.needs import needed
from cascade.calibration.reporting.theme import CONFIG, LIGHT
from cascade.traces.page.frame import visible

__all__ = ["inline_svg", "picture"]

SVG = "{http://www.w3.org/2000/svg}"

ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "text"})

ATTRIBUTES = frozenset(
    {
        *("d", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "viewBox", "transform"),
        *("fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity"),
        *("stroke-linecap", "stroke-miterlimit", "stroke-opacity", "fill-opacity", "display"),
        *("text-anchor", "font-size", "font-weight", "font-family"),
    }
)

NAMES = {value: name for name, value in LIGHT.items()}

LONG = re.compile(r"-?\d+\.\d{3,}")

Format = Literal["svg", "png"]


def picture(chart: Any, form: Format = "svg", *, scale: float = 2.0) -> bytes:
    """A chart as a file of its own, on light ground.

    Args:
        chart: an Altair chart.
        form: "svg" or "png".
        scale: pixels of a PNG per pixel of the chart.
    """
    drawn = _draw(chart)
    if form == "svg":
        return drawn.encode()
    return bytes(needed("vl_convert").svg_to_png(drawn, scale=scale))


def inline_svg(chart: Any, *, title: str, says: str, name: str, shape: str = "") -> str:
    """A chart as an element of a page, in the page's colours.

    Args:
        chart: an Altair chart.
        title: what it shows; the first thing that a screen reader says.
        says: the same at length.
        name: unique in the page.
        shape: the class of the element, ours.
    """
    root = fromstring(_draw(chart))  # noqa: S314  of our own renderer, which writes no DTD
    _, _, width, height = root.get("viewBox", "").split()
    head = (
        f'<svg class="{shape}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="{name}-title {name}-says">'
        f'<title id="{name}-title">{escape(visible(title))}</title>'
        f'<desc id="{name}-says">{escape(visible(says))}</desc>'
    )
    return head + "".join(_written(child) for child in root) + "</svg>"


def _draw(chart: Any) -> str:
    spec = chart.configure(**CONFIG).to_dict(validate=False)  # ours; the tests validate it
    return str(needed("vl_convert").vegalite_to_svg(json.dumps(spec)))


def _written(element: Element) -> str:
    """An element with what is allowed of it; "" for one that is not, or that shows nothing."""
    tag = element.tag.removeprefix(SVG)
    if tag not in ELEMENTS or element.get("display") == "none" or element.get("d") == "":
        return ""
    kept = [_attribute(key, value) for key, value in element.items() if key in ATTRIBUTES]
    inner = str(escape(element.text or "")) + "".join(_written(child) for child in element)
    if not inner and tag == "g":
        return ""
    return f"<{tag}{''.join(kept)}>{inner}</{tag}>" if inner else f"<{tag}{''.join(kept)}/>"


def _attribute(key: str, value: str) -> str:
    if key in ("fill", "stroke") and (colour := NAMES.get(value.lower())):
        value = f"var(--c-{colour})"
    elif key == "font-family":
        return ""  # the page says it once
    else:
        value = LONG.sub(lambda found: f"{float(found[0]):.2f}", value)
    return f' {key}="{escape(value)}"'
