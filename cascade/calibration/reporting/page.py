"""The report as one web page: it holds all it needs, runs no script, and asks no other host.

What people wrote and models answered is shown as text, whatever it holds; see
`cascade.traces.page.frame`.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.comparing.net_value import Alternative
from cascade.calibration.reporting import words
from cascade.calibration.reporting.drawn import pictures_of
from cascade.calibration.reporting.gather import together
from cascade.calibration.reporting.theme import DARK, LIGHT, variables
from cascade.calibration.reporting.view import Range, View
from cascade.traces.page.frame import environment, part, styled, visible

__all__ = ["report_html"]

HERE = "cascade.calibration.reporting"

FOLD_OVER = 700
"""A longer text is folded, and its first `SHOWN_FIRST` characters are shown."""

SHOWN_FIRST = 500

WHOLE = 32
"""A longer word is broken where the line ends."""

LONGEST = 20_000
"""Characters of a text that the page holds at most."""


def report_html(view: View) -> str:
    """The page; write it as UTF-8."""
    pictures = {
        name: Markup(svg)  # noqa: S704  written by `inline_svg`, which escapes every word
        for name, svg in pictures_of(view).items()
    }
    shown = dict.fromkeys(_names(view), "") | pictures
    return (
        _environment()
        .get_template("report.html")
        .render(
            **styled(_colours(), part(HERE, "report.css")),
            view=view,
            pictures=shown,
            confidence=words.percent(view.confidence, 0),
            fold_over=FOLD_OVER,
            shown_first=SHOWN_FIRST,
            longest=LONGEST,
        )
    )


def _names(view: View) -> list[str]:
    """Every picture that the page has a place for."""
    names = ["frontier", "frontier_narrow", "parts", "parts_narrow"]
    return [*names, *(f"reliability_{n + 1}" for n in range(len(view.reliability)))]


def _colours() -> str:
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}"
    return f":root {{ {variables(LIGHT)} }}\n{dark}"


def _saving(per_request: float | None) -> str:
    if per_request is None:
        return "not to be had without it"
    return words.money(1000 * per_request).replace("-", words.MINUS)


def _alternative(other: Alternative) -> str:
    if other.cost_usd is None:
        return f"{other.what}: {other.reason}"
    cost = words.money(1000 * other.cost_usd)
    return f"{other.what}: {cost} per 1,000 at {words.percent(other.quality)} quality"


def _interval(found: Estimate) -> str:
    return words.between((found.low, found.high), lambda end: words.percent(end, 0))


def _moneys(ends: Range | None) -> str:
    return words.between(ends, words.money)


def _money(amount: float | Decimal | None) -> str:
    return words.money(None if amount is None else float(amount))


def _unbroken(text: str) -> Markup:
    """Words that hold a hyphen, such as models' names, kept on one line."""
    words = [escape(visible(word)) for word in text.split()]
    return Markup(" ").join(
        Markup('<span class="whole">{}</span>').format(word)
        if "-" in word and len(word) < WHOLE
        else word
        for word in words
    )


def _marked(text: str) -> Markup:
    """Words between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a name with a backtick of its own
        return escape(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(visible(part)) if place % 2 else escape(visible(part))
        for place, part in enumerate(parts)
    )


@cache
def _environment() -> Environment:
    made = environment("report.html", part(HERE, "report.html.j2"))
    filters: dict[str, Any] = {
        "alternative": _alternative,
        "interval": _interval,
        "marked": _marked,
        "money": _money,
        "moneys": _moneys,
        "percent": words.percent,
        "percents": words.between,
        "pts": words.points,
        "saving": _saving,
        "together": together,
        "unbroken": _unbroken,
        "weighed": words.weighed,
    }
    made.filters.update(filters)
    return made
