"""Numbers are whole at every width: what has no room goes, or stands on lines of its own."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console
from rich.text import Text

from cascade import cost_tree, diff_traces, trace_stats
from cascade.traces.diff_view import diff_panel
from cascade.traces.row import TraceRow
from cascade.traces.stats_view import stats_tables
from cascade.traces.summary import summary_table
from cascade.traces.tables import Column, fitted
from cascade.traces.terminal import trace_panel
from cascade.traces.tree_view import tree_panel

WIDTHS = (40, 60, 80, 100, 120, 200)

REFERENCE = 400
"""Columns in which everything has room."""


def shown(renderable, width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def amounts(text):
    """Every number of a text with its sign and unit."""
    return set(re.findall(r"(?:>= |~|<|-)?\$?\b\d[\d.,]*(?: ?%|s\b)?", text))


@pytest.fixture
def traces(trace):
    """Requests with long names, large and tiny costs, some of them unknown."""
    first, last = trace.attempts
    tiny = replace(last.charges[0], cost_usd=Decimal("0.00000325"), latency_s=12.34)
    asks = replace(tiny, purpose="scorer", scorer="self_check", call=2, cost_usd=None)
    dear = replace(last.charges[0], cost_usd=Decimal("1234.567891"))
    lost = replace(
        trace,
        id="the-second-of-two-requests",
        attempts=(
            replace(first, tier="a-tier-with-a-rather-long-name", charges=(tiny, asks)),
            replace(last, charges=(dear, replace(dear, call=3, outcome="rate_limit"))),
        ),
        parent_id="the-first-of-two-requests",
    )
    return [replace(trace, id="the-first-of-two-requests"), lost]


def rows(traces):
    return [
        TraceRow(
            *(item.id, item.started_at, "deadline_exceeded", "a-tier-with-a-rather-long-name"),
            *("support", 2, item.known_cost_usd, Decimal(0), item.saved_usd, "estimated"),
            *(item.duration_s, "full"),
        )
        for item in traces
    ]


VIEWS = {
    "stats": lambda traces: stats_tables(trace_stats(traces)),
    "trace": lambda traces: trace_panel(traces[1]),
    "list": lambda traces: summary_table(rows(traces)),
    "tree": lambda traces: tree_panel(cost_tree(traces, traces[0].id)),
    "diff": lambda traces: diff_panel(diff_traces(*traces)),
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", VIEWS)
def test_every_number_is_whole(traces, view, width):
    """Whatever number is printed at a width is one that is printed where there is room for all."""
    made = VIEWS[view](traces)
    text = shown(made, width)
    whole = amounts(shown(made, REFERENCE)) | amounts(shown(made, 99))  # where dates are short
    assert amounts(text) <= whole
    assert all(len(each) <= width for each in text.splitlines())
    if view == "trace":  # where nothing is left out
        assert {"$0.00000325", "$1234.567891", "12.34s"} <= amounts(text)


@pytest.mark.parametrize("width", WIDTHS)
def test_heads_are_whole_words(traces, width):
    """A head or label is never cut: a cut one would have to be guessed."""
    text = shown(stats_tables(trace_stats(traces)), width)
    for head in ("reached", "share", "accepted", "p50", "p95"):
        assert re.search(rf"\b{head}\b", text)
    for cut in ("reache", "answere", "faile", "eac"):
        assert not re.search(rf"\b{cut}\b", text)


def test_columns_go_by_rank_and_names_give_way():
    """What matters least goes first, names are cut with a mark, and at last rows become lines."""
    columns = [
        Column("tier", [Text("a" * 20)], least=12),
        Column("cost", ["$0.00000325"]),
        Column("each", ["$0.00000111"], rank=1),
        Column("", ["####"], rank=2, drawn=True),
    ]
    wide, less, least, lines = (shown(fitted(columns), width) for width in (60, 40, 26, 16))
    assert "####" in wide
    assert ("####" in less, "$0.00000111" in less, "…" in less) == (False, True, True)
    assert ("$0.00000111" in least, "$0.00000325" in least) == (False, True)
    assert lines.split() == ["a" * 16, "aaaa", "cost", "$0.00000325", "each", "$0.00000111"]
