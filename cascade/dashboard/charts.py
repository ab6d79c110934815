"""The pictures, as Altair charts in the light colours; a page turns each into a CSS variable.

Loaded by the process that draws, and by tests; the server itself never imports Altair. What a
picture shows stands in a table beside it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cascade.calibration.needs import needed
from cascade.calibration.reporting.chart_axes import heights, lookup, names_beside, share_bars
from cascade.calibration.reporting.theme import LIGHT
from cascade.core.trace_text import shorten
from cascade.percent import percent

alt = needed("altair")

__all__ = ["CHARTS"]

Rows = Sequence[Mapping[str, Any]]

WIDTH, HEIGHT = 420, 150

LINES = ("blue", "vermillion")
"""Colours of lines."""

FORMATS = {"hour": "%H:%M", "day": "%b %-d", "month": "%b %Y"}

LONGEST = 26
"""Characters of a name in a legend."""

CUT = 22
"""Characters of a name beside a bar in a narrow picture."""

TICKS = 6

YEAR = timedelta(days=360)
"""A picture of more time names years: a day of one would stand there twice."""

HEIGHTS = 4
"""About so many numbers beside a picture."""

COUNTS = ",d"
"""Whole numbers."""

NUMBERS = "~g"
"""Numbers of any size, to as many digits as their distance needs; large ones with an exponent."""

LARGE = 10
"""From here on `NUMBERS` may have one."""


def stack(rows: Rows, *, names: Sequence[str], colours: Sequence[str], step: str) -> Any:
    """Bars over time, each made of parts: rows of `from`, `to` and `values`, one per name."""
    keys = [f"{place:02d}" for place in range(len(names))]
    data = [
        {"from": row["from"], "to": row["to"], "part": key, "low": low, "high": high}
        for row in rows
        for key, low, high in _piled(keys, row["values"])
    ]
    colour = _parts_colour(dict(zip(keys, names, strict=True)), colours, "square")
    y = _number(None, "low", COUNTS, [row["high"] for row in data])
    made = alt.Chart(alt.Data(values=data)).mark_bar()
    made = made.encode(x=_time(step, rows), x2="to:T", y=y, y2="high:Q", color=colour)
    return made.properties(width=WIDTH, height=HEIGHT)


def bars(rows: Rows, *, step: str, format: str) -> Any:  # noqa: A002  as d3 has it
    """One bar for each step: rows of `from`, `to` and `value`."""
    data = [{**row, "zero": 0} for row in rows]
    made = alt.Chart(alt.Data(values=data)).mark_bar(color=LIGHT["blue"])
    y = _number(None, "zero", format, [row["value"] for row in rows])
    made = made.encode(x=_time(step, rows), x2="to:T", y=y, y2="value:Q")
    return made.properties(width=WIDTH, height=HEIGHT)


def lines(
    rows: Rows,
    *,
    names: Sequence[str],
    step: str,
    format: str,  # noqa: A002
    top: float | None = None,
) -> Any:
    """Lines over time: rows of `at`, `name` and `value`."""
    keys = {name: str(place) for place, name in enumerate(names)}
    data = [{**row, "part": keys[row["name"]]} for row in rows]
    shown = {key: name for name, key in keys.items()}
    base = alt.Chart(alt.Data(values=data)).encode(
        x=_time(step, rows, "at"),
        y=_number(None, "value", format, [row["value"] for row in rows], top),
        color=_parts_colour(shown, LINES[: len(names)], "circle" if len(names) > 1 else None),
    )
    marks = (
        base.mark_line(strokeWidth=2, strokeJoin="round"),
        base.mark_point(filled=True, size=26, opacity=1),
    )
    return alt.layer(*marks).properties(width=WIDTH, height=HEIGHT)


def parts(rows: Rows, *, colour: str) -> Any:
    """A bar from 0 to 100 % for each tier: rows of `name` and `share`."""
    data = [
        {
            "row": f"{number:03d}",
            "part": 100 * (row["share"] or 0.0),
            "text": "unknown" if row["share"] is None else percent(row["share"], 0),
        }
        for number, row in enumerate(rows)
    ]
    shown = {f"{number:03d}": shorten(row["name"], CUT) for number, row in enumerate(rows)}
    base = alt.Chart(alt.Data(values=data)).encode(
        x=alt.X(
            "part:Q",
            title=None,
            scale=alt.Scale(domain=[0, 100]),
            axis=alt.Axis(values=[0, 50, 100], labels=False, ticks=False, domain=False),
        ),
        y=names_beside("row", shown, longest_px=160),
    )
    return share_bars(base, colour, 14).properties(width=150, height=26 * len(data))


def histogram(bins: Sequence[int], *, threshold: float | None) -> Any:
    """How many scores lie where in [0, 1]; those that reach the threshold in their own colour."""
    width = 1 / len(bins)
    rows = [
        {
            "from": place * width,
            "to": (place + 1) * width,
            "count": count,
            "zero": 0,
            "kind": "reached"
            if threshold is None or place * width >= threshold - width / 2
            else "",
        }
        for place, count in enumerate(bins)
    ]
    base = alt.Chart(alt.Data(values=rows)).mark_bar(binSpacing=1).encode(
        x=alt.X(
            "from:Q",
            title="score",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1], format=".1f", grid=False),
        ),
        x2="to:Q",
        y=_number("drafts", "zero", COUNTS, bins),
        y2="count:Q",
        color=alt.Color(
            "kind:N",
            legend=None,
            scale=alt.Scale(domain=["reached", ""], range=[LIGHT["blue"], LIGHT["axis"]]),
        ),
    )  # fmt: skip
    layers = [base]
    if threshold is not None:
        mark = alt.Chart(alt.Data(values=[{"at": threshold, "text": f"threshold {threshold:g}"}]))
        near_end = threshold > 0.5  # noqa: PLR2004  words stand where there is room
        layers += [
            mark.mark_rule(color=LIGHT["vermillion"], strokeWidth=2).encode(x="at:Q"),
            mark.mark_text(
                color=LIGHT["vermillion"],
                align="right" if near_end else "left",
                dx=-6 if near_end else 6,
                fontWeight=600,
                baseline="bottom",
                dy=-3,
            ).encode(x="at:Q", y=alt.value(0), text="text:N"),
        ]
    return alt.layer(*layers).properties(width=WIDTH - 60, height=110)


CHARTS: Mapping[str, Callable[..., Any]] = {
    "stack": stack,
    "bars": bars,
    "lines": lines,
    "parts": parts,
    "histogram": histogram,
}
"""Every picture by name."""


def _parts_colour(shown: Mapping[str, str], colours: Sequence[str], symbol: str | None) -> Any:
    """Colours of parts by their keys, with a legend of their names unless there is no symbol."""
    labels = {key: shorten(name, LONGEST) for key, name in shown.items()}
    legend = alt.Legend(
        orient="top",
        labelExpr=lookup(labels),
        labelLimit=190,
        labelColor=LIGHT["ink"],
        labelFontSize=12,
        symbolType=symbol or "square",
        symbolSize=90,
        symbolOpacity=1,
        columns=3,
        columnPadding=14,
        rowPadding=3,
        offset=8,
    )
    return alt.Color(
        "part:N",
        title=None,
        scale=alt.Scale(domain=list(shown), range=[LIGHT[name] for name in colours]),
        legend=legend if symbol else None,
    )


def _piled(keys: Sequence[str], values: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """Each part with where it begins and ends, one upon the other; empty ones left out."""
    low = 0
    for key, value in zip(keys, values, strict=True):
        if value:
            yield key, low, low + value
        low += value


def _time(step: str, rows: Rows, name: str = "from") -> Any:
    """Time from left to right; bars have room for every step, those without any among them.

    Few moments are named one by one: between them, ticks of Vega's own choice would repeat a day.
    """
    moments = sorted({datetime.fromisoformat(row[name]) for row in rows})
    few = [1000 * moment.timestamp() for moment in moments]
    ticks = {"values": few} if len(few) <= TICKS else {"tickCount": TICKS}
    form = FORMATS[step]
    if moments and moments[-1] - moments[0] > YEAR:
        form = "%b %-d, %Y" if len(few) <= TICKS else "%b %Y"  # Vega's own ticks are months then
    ends = [1000 * datetime.fromisoformat(row["to"]).timestamp() for row in rows if "to" in row]
    domain = {"domain": [few[0], max(ends)]} if ends else {}
    return alt.X(
        f"{name}:T",
        title=None,
        scale=alt.Scale(type="utc", **domain),
        axis=alt.Axis(format=form, grid=False, labelOverlap=True, labelFlush=False, **ticks),
    )


def _number(
    title: str | None,
    name: str,
    form: str,
    values: Iterable[float | None],
    top: float | None = None,
) -> Any:
    """Numbers from the bottom up, in a form of d3's; `values` are those that are shown.

    Where all of them are nothing, 0 stands at the bottom, and not in the middle. Few counts are
    named one by one: Vega would set halves between them and round these.
    """
    highest = max((value for value in values if value is not None), default=0)
    ticks: dict[str, Any] = {"tickCount": HEIGHTS}
    if not highest and top is None:
        top, ticks = 1, {"values": [0]}
    elif form == COUNTS and highest < HEIGHTS:
        ticks = {"values": list(range(int(highest) + 1))}
    if form == NUMBERS and highest >= LARGE:
        form = COUNTS
    domain = {} if top is None else {"domain": [0, top]}
    return alt.Y(
        f"{name}:Q",
        title=title,
        scale=alt.Scale(zero=True, nice=True, **domain),
        axis=heights(format=form, **ticks),
    )
