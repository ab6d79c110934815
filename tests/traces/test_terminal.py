"""Traces in the terminal: everything is there at every width, and foreign text cannot act."""

from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from cascade import ScoreRecord, cost_tree, trace_stats
from cascade.traces.content import redact
from cascade.traces.lines import line, seconds, short_dollars
from cascade.traces.row import TraceRow
from cascade.traces.stats_view import stats_tables
from cascade.traces.terminal import summary_table, trace_panel
from cascade.traces.tree_view import tree_panel


def shown(renderable, width=100, **options):
    console = Console(width=width, color_system=None, **options)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def row(**values):
    base = {
        "id": "01a201eeafa1399d8040f900cf01",
        "started_at": "2026-11-22T06:25:49.473+00:00",
        "status": "accepted",
        "tier": "big",
        "chain": "support",
        "attempts": 2,
        "cost_usd": Decimal("0.00222128"),
        "scoring_cost_usd": Decimal(0),
        "saved_usd": Decimal("0.1"),
        "basis": "exact",
        "duration_s": 0.75,
        "content": "full",
    }
    return TraceRow(**{**base, **values})


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_trace_shows_all_that_matters(trace, width):
    """Tiers, verdicts, scores with thresholds, tokens, costs and totals are visible at any width."""
    text = shown(trace_panel(trace), width)
    for expected in (
        *("1. nano", "2. big", "escalated", "accepted", "0.410 < 0.92", "0.970 >= 0.5"),
        *("I do not know.", "It arrives on Friday.", "rate limit", "unsure", "Where is my parcel?"),
        *("$0.00220628", "2 tiers asked · 3 calls", "210 tokens in, 4 of them cached", trace.id),
    ):
        assert expected in text
    assert {len(each) for each in text.splitlines()} == {width}


def test_rich_prints_a_trace_as_its_panel(trace):
    """Printing a trace with rich gives the panel."""
    assert shown(trace) == shown(trace_panel(trace))


def test_endings_are_told_in_words(trace):
    """Panel, text, list, tree and statistics say how a request ended in the words of the pages."""
    trace = replace(trace, status="budget_exceeded")
    texts = [
        str(trace),
        shown(trace_panel(trace)),
        shown(summary_table([row(status=trace.status)])),
    ]
    texts += [
        shown(tree_panel(cost_tree([trace], trace.id))),
        shown(stats_tables(trace_stats([trace]))),
    ]
    for text in texts:
        assert "budget exceeded" in text
        assert "budget_exceeded" not in text
    assert all("rate limit" in text for text in texts[:2])


def test_nothing_is_told_by_colour_alone(trace):
    """The panel without colours holds the same characters as with them."""
    console = Console(width=100, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(trace_panel(trace))
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", capture.get()) == shown(trace_panel(trace))


@pytest.mark.parametrize(
    "nasty",
    [
        "[red]x[/red] [link=http://evil]y[/link] [/]",
        "\x1b[31mred\x1b]0;title\x07\x9b2J\x00\x08",
        "a\u202eb\u2066c\ud800d\nnew line\ttab\u2028z",
    ],
)
def test_foreign_text_cannot_act(make_trace, nasty):
    """Markup is shown as it is; control, direction and escape characters never reach the terminal."""
    trace = make_trace("plain", nasty.replace("\ud800", ""), nasty.replace("\ud800", ""))
    bad = ScoreRecord("s" + nasty, "score", 0.2, nasty, (ScoreRecord("p", "failed", None, nasty),))
    first = replace(trace.attempts[0], tier=nasty, reason=nasty, score=bad, text=nasty)
    trace = replace(trace, chain=nasty, reason=nasty, attempts=(first, *trace.attempts[1:]))
    text = shown(trace_panel(trace), 140)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert {len(each) for each in text.splitlines()} == {140}
    if "[red]" in nasty:
        assert "[red]x[/red]" in text


def test_wide_characters_keep_the_frame(make_trace):
    """Characters two columns wide do not break the frame."""
    from rich.cells import cell_len

    trace = make_trace("荷物はどこですか" * 20, "分かりません。" * 20, "金曜日です 👩‍🚀" * 12)
    assert {cell_len(each) for each in shown(trace_panel(trace), 80).splitlines()} == {80}


def test_unknown_and_estimated_costs(trace):
    """An unknown cost says so with its lower bound, an estimate carries a mark, none is $0."""
    lost = replace(trace.attempts[0].charges[0], cost_usd=None, basis="unknown", message=None)
    guess = replace(trace.attempts[1].charges[0], basis="estimated")
    trace = replace(
        trace,
        attempts=(
            replace(trace.attempts[0], charges=(lost,)),
            replace(trace.attempts[1], charges=(guess,), model="other"),
        ),
        budget_usd=Decimal("0.5"),
    )
    text = shown(trace_panel(trace))
    assert text.count("cost unknown, at least $0.0022 ·") == 2  # above and below
    assert "cost unknown, at least $0.0022 ·" in str(trace)
    assert "escalated · unknown, at least $0 ·" in str(trace)
    assert "(unknown)" not in str(trace).splitlines()[1]
    assert "~$0.0022" in text
    assert "budget $0.5" in text
    assert "2. big (other)" in text


def test_tool_calls_images_and_policies(make_trace):
    """Tool calls, requests with images and traces without words are readable."""
    parts = [{"type": "text", "text": "look"}, {"type": "image_url"}, "odd"]
    trace = make_trace([{"role": "user", "content": parts}])
    calls = ({"function": {"name": "lookup", "arguments": '{"id": 7}'}}, {"type": "custom"})
    trace = replace(trace, attempts=(replace(trace.attempts[0], tool_calls=calls, text=None),))
    text = shown(trace_panel(trace))
    assert 'calls lookup({"id": 7})' in text
    assert "calls custom" in text
    assert "look [image_url]" in text
    assert "content policy 'none'" in shown(trace_panel(redact(trace, "none")))
    assert "sha256" not in shown(trace_panel(redact(trace, "none")))
    assert "content policy 'hashed'" in shown(trace_panel(redact(trace, "hashed")))


def test_tiers_that_were_not_asked(trace):
    """A skipped tier stands with its reason, neither as asked nor at a cost."""
    why = "the prompt of about 9,000 tokens does not fit its window of 4,096"
    skipped = replace(
        trace.attempts[0], verdict="skipped", reason=why, score=None, text=None, charges=()
    )
    trace = replace(trace, attempts=(skipped, trace.attempts[1]))
    text = shown(trace_panel(trace), 140)
    assert "1. nano" in text
    assert f"skipped  {why}" in " ".join(text.split()).replace("skipped ", "skipped  ")
    assert "1 tier asked · 1 skipped · 1 call" in text
    assert "1. nano: skipped, not asked\n   why      the prompt" in str(trace)


def test_a_stream_left_on_purpose(trace):
    """A stopped call is named so and its estimate is marked; it is no failure in red."""
    first = trace.attempts[0]
    left = replace(first.charges[1], outcome="stopped", basis="estimated")
    trace = replace(trace, attempts=(replace(first, charges=(left,)), trace.attempts[1]))
    text = shown(trace_panel(trace))
    assert "stopped" in text
    assert "~$0.000006" in text
    console = Console(width=100, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(trace_panel(trace))
    assert "\x1b[33mstopped" in capture.get()


def test_what_a_request_was_made_for(trace):
    """Parent and tags are told in every text, as harmless as all foreign text."""
    trace = replace(trace, parent_id="run-7", tags=("agent:a", "\x1b[31mred[bold]"))
    text = shown(trace_panel(trace))
    assert "for    run-7" in text
    assert "tags   agent:a, red[bold]" in text
    assert "made for run-7\ntags agent:a" in str(trace)


def test_requests_without_words(trace, failed_trace):
    """A trace nobody answered, and one without messages or attempts, have a panel too."""
    assert "not found" in shown(trace_panel(failed_trace))
    for request in ({"messages": "x"}, {"messages": ["x"]}, {"messages": [{"content": None}]}):
        assert "│ asked" not in shown(trace_panel(replace(trace, request=request)))
    assert "no tier was asked" in shown(trace_panel(replace(trace, attempts=())))


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_list_fits(width):
    """Every column of a list is whole at 80 columns and above."""
    rows = [
        row(),
        row(status="exhausted", tier=None, cost_usd=None, saved_usd=None, basis="unknown"),
    ]
    text = shown(summary_table(rows), width)
    for expected in (
        "accepted",
        "exhausted",
        "$0.002221",
        "unknown",
        "$0.1",
        "0.75s",
        "11-22 06:25",
    ):
        assert expected in text
    assert "…" not in text
    assert ("2026" in text) == (width >= 100)


def test_ids_are_as_long_as_needed():
    """Ids are cut to what tells the listed traces apart."""
    one = shown(summary_table([row(id="a" * 20), row(id="b" * 20)]))
    two = shown(summary_table([row(id="a" * 19 + "x"), row(id="a" * 19 + "y")]))
    assert "a" * 12 in one
    assert "a" * 13 not in one
    assert "a" * 19 + "y" in two
    assert "long ago" in shown(summary_table([row(started_at="long ago")]))
    assert "begun" in shown(summary_table([]))


def test_short_numbers():
    """A small amount is never shown as nothing, and long times lose their decimals."""
    assert short_dollars(Decimal("0.0000000001")) == "<$0.000000001"
    assert short_dollars(Decimal("-0.0000000001")) == "-<$0.000000001"
    assert (short_dollars(Decimal(0)), short_dollars(None)) == ("$0", "unknown")
    assert (seconds(1.234), seconds(123.4)) == ("1.23s", "123s")
    assert len(line("x" * 10_000).plain) == 2_000
