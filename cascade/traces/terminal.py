"""A trace in the terminal, with rich: each attempt with its scores and calls, and what it came to.

What people wrote and models answered is shown as plain text: markup in it has no effect and control
characters are taken out, so that an answer can neither colour nor move the terminal. Every colour
repeats what a word beside it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.text import Text

from cascade.core.dollars import dollars, saved_or_lost
from cascade.core.trace import Attempt, Charge, ScoreRecord, Trace
from cascade.core.trace_text import cost_words, ending_words, made_for, score_text
from cascade.core.usage import Usage
from cascade.forms.reading import messages_of
from cascade.traces.lines import cost_text, line, seconds
from cascade.traces.summary import STATUSES, summary_table
from cascade.traces.tables import packed

__all__ = ["summary_table", "trace_panel"]

VERDICTS = {"accepted": "green", "escalated": "yellow", "failed": "red", "skipped": "dim"}

OUTCOMES = {"ok": "dim", "stopped": "yellow"}
"""Colours of calls; the others failed and are red. A stopped one was left early on purpose."""

COLUMNS = ("result", "in", "cached", "out", "cost", "time")

GAP = 2

LABEL = 7
"""Columns of a label above or below the attempts."""

SHORTEST_NAME = 16
"""Characters that the first column keeps however narrow the terminal is."""

FRAME = 4
"""Columns that the panel's border and padding take."""


def trace_panel(trace: Trace) -> RenderableType:
    """A trace to read, laid out for the terminal's width."""
    return _TracePanel(trace)


class _TracePanel:
    """Laid out when it is printed: only then the width is known."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        trace, width = self._trace, options.max_width
        room = width - FRAME
        body = [*_header(trace), Text(), *_laid_out(trace, room), Text(), *_footer(trace, room)]
        yield Panel(
            Group(*body),
            title=line(f"Trace {trace.id} · {trace.chain}", "bold"),
            title_align="left",
            border_style=STATUSES.get(trace.status, "red"),
            width=width,
        )


# Above and below the attempts --------------------------------------------------------------------


def _header(trace: Trace) -> Iterator[Text]:
    head = Text(overflow="fold")
    head.append(ending_words(trace.status), style=f"bold {STATUSES.get(trace.status, 'red')}")
    if trace.tier:
        head.append(" by ").append_text(line(trace.tier, "bold"))
    head.append(" · cost ").append(cost_words(trace.cost_usd, trace.known_cost_usd), style="bold")
    if trace.cost_usd is not None:
        head.append(f" ({trace.basis})")
    if trace.saved_usd is not None:
        word = saved_or_lost(trace.saved_usd)
        head.append(f" · {word} ").append(dollars(abs(trace.saved_usd)), style="bold")
        head.append(" against ").append_text(line(trace.top_tier))
    yield head.append(f" · {seconds(trace.duration_s)}")
    question = _question(trace)
    if question:
        yield _labelled("asked", question)
    if trace.reason:
        yield _labelled("why", trace.reason)
    for label, words in made_for(trace):
        yield _labelled(label.removeprefix("made "), words)
    if trace.content != "full":
        yield _labelled("kept", f"content policy {trace.content!r}: words were not kept")


def _footer(trace: Trace, width: int) -> Iterator[Text]:
    usage, calls = trace.usage, len(trace.charges)
    asked = sum(attempt.asked for attempt in trace.attempts)
    skipped = sum(attempt.verdict == "skipped" for attempt in trace.attempts)
    unasked = len(trace.attempts) - asked - skipped
    counts = [
        f"{asked} {'tier' if asked == 1 else 'tiers'} asked",
        *([f"{skipped} skipped"] if skipped else []),
        *([f"{unasked} not asked"] if unasked else []),
        f"{calls} {'call' if calls == 1 else 'calls'}",
        f"{usage.input_tokens:,} tokens in, {usage.cached_tokens:,} of them cached",
        f"{usage.output_tokens:,} out",
    ]
    costs = [f"cost {cost_words(trace.cost_usd, trace.known_cost_usd)}"]
    costs.append(f"of it scoring {dollars(trace.scoring_cost_usd)}")
    if trace.top_tier_cost_usd is not None:
        costs.append(f"{line(trace.top_tier)} alone {dollars(trace.top_tier_cost_usd)}")
    if trace.budget_usd is not None:
        costs.append(f"budget {dollars(trace.budget_usd)}")
    lines = [*_items(counts, width), *_items(costs, width)]
    lines[0] = Text("total", style="dim").append_text(lines[0][len("total") :])
    yield from lines


def _items(words: list[str], width: int) -> Iterator[Text]:
    """Numbers with their words: on further lines rather than cut."""
    return packed([Text(item, "default") for item in words], width, LABEL)


def _labelled(label: str, text: str) -> Text:
    head = Text(f"{label:<{LABEL}}", style="dim", no_wrap=True, overflow="ellipsis")
    return head.append_text(line(text, "default"))


def _question(trace: Trace) -> str:
    """The last message, where it was kept."""
    messages = messages_of(trace.request or {})
    if not messages:
        return ""
    content = messages[-1].get("content") if isinstance(messages[-1], Mapping) else None
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        return " ".join(str(part.get("text") or f"[{part.get('type')}]") for part in parts)
    return content if isinstance(content, str) else ""


# The attempts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the table: a name, the cells behind it, or text in place of the last cells."""

    name: Text
    cells: tuple[Text, ...] = ()
    rest: Text | None = None
    opens: bool = False  # an attempt's own row


def _laid_out(trace: Trace, width: int) -> Iterator[Text]:
    rows = [row for number, item in enumerate(trace.attempts, 1) for row in _rows(number, item)]
    if not rows:
        yield Text("no tier was asked", style="dim")
        return
    heads = _Row(Text("tier"), tuple(Text(name) for name in COLUMNS))
    widths = [
        max(row.cells[place].cell_len for row in (heads, *rows) if len(row.cells) > place)
        for place in range(len(COLUMNS))
    ]
    longest = max(row.name.cell_len for row in rows if row.cells)
    room = width - sum(widths) - GAP * len(widths)
    if room < min(longest, SHORTEST_NAME):
        yield from _below_each_other(rows, width)
        return
    first = min(longest, room)
    head = _joined(heads, first, widths, width)
    head.stylize("dim")
    yield head
    for place, row in enumerate(rows):
        if row.opens and place:
            yield Text()
        yield _joined(row, first, widths, width)


def _below_each_other(rows: list[_Row], width: int) -> Iterator[Text]:
    """Each row as its name and, below it, what its cells say: there is no room for columns."""
    for place, row in enumerate(rows):
        if row.opens and place:
            yield Text()
        yield _fitted(row.name, width, pad=False)
        labels = (f"{name} " if name != "result" else "" for name in COLUMNS)
        said = [
            Text(label, "dim").append_text(cell)
            for label, cell in zip(labels, row.cells, strict=False)
        ]
        depth = row.name.cell_len - len(row.name.plain.lstrip()) + GAP
        yield from packed(said, width, depth)
        if row.rest is not None:
            yield _fitted(Text(" " * depth).append_text(row.rest), width, pad=False)


def _joined(row: _Row, first: int, widths: list[int], width: int) -> Text:
    """A row as one line: names and results to the left, numbers to the right."""
    if not row.cells:
        return _fitted(row.name, width, pad=False)
    joined = _fitted(row.name, first)
    for place, cell in enumerate(row.cells):
        joined.append(" " * GAP)
        if place == 0:
            joined.append_text(_fitted(cell, widths[0]))
        else:
            joined.append(" " * (widths[place] - cell.cell_len)).append_text(cell)
    if row.rest is not None:
        joined.append(" " * GAP).append_text(row.rest)
        joined.truncate(width, overflow="ellipsis")
    joined.no_wrap = True
    return joined


def _fitted(text: Text, width: int, *, pad: bool = True) -> Text:
    fitted = text.copy()
    fitted.truncate(width, overflow="ellipsis", pad=pad)
    return fitted


def _rows(number: int, attempt: Attempt) -> Iterator[_Row]:
    name = line(f"{number}. {attempt.tier}", "bold")
    if attempt.model != attempt.tier:
        name.append(" ").append_text(line(f"({attempt.model})", "dim"))
    if attempt.verdict == "skipped":
        words = line(attempt.reason or "not asked", "dim")
        yield _Row(name, (Text("skipped", style=VERDICTS["skipped"]),), words, opens=True)
        return
    yield _Row(
        name,
        (
            Text(attempt.verdict, style=f"bold {VERDICTS[attempt.verdict]}"),
            *_tokens(_usage(attempt.charges)),
            cost_text(attempt.cost_usd, _basis(attempt.charges), style="bold"),
            Text(seconds(attempt.latency_s)),
        ),
        opens=True,
    )
    if attempt.text:
        yield _Row(_indented(Text("“").append_text(line(attempt.text)).append("”")))
    for call in attempt.tool_calls:
        yield _Row(_indented(line(f"calls {_tool(call)}")))
    if attempt.score is not None:
        yield from _score_rows(attempt.score, attempt.threshold)
    for charge in attempt.charges:
        yield from _charge_rows(charge)


def _score_rows(record: ScoreRecord, threshold: float | None, depth: int = 1) -> Iterator[_Row]:
    name = _indented(Text("score ", style="dim").append_text(line(record.scorer, "default")), depth)
    words = line(record.reason, "dim") if record.reason else None
    yield _Row(name, (Text(score_text(record, threshold)),), words)
    for part in record.parts:
        yield from _score_rows(part, None, depth + 1)


def _charge_rows(charge: Charge) -> Iterator[_Row]:
    who = "draft" if charge.purpose == "draft" else f"{charge.scorer} asks"
    name = Text(f"{line(who).plain} ", style="dim").append_text(line(charge.model, "default"))
    yield _Row(
        _indented(name),
        (
            line(ending_words(charge.outcome), OUTCOMES.get(charge.outcome, "red")),
            *_tokens(charge.usage),
            cost_text(charge.cost_usd, charge.basis),
            Text(seconds(charge.latency_s)),
        ),
    )
    if charge.message:
        yield _Row(_indented(line(charge.message, "dim"), 2))
    for note in charge.notes:
        yield _Row(_indented(line(note, "dim"), 2))


def _indented(text: Text, depth: int = 1) -> Text:
    return Text(" " * (1 + 2 * depth), no_wrap=True).append_text(text)


def _tool(call: Mapping[str, object]) -> str:
    function = call.get("function")
    if not isinstance(function, Mapping):
        return str(call.get("sha256") or call.get("type") or "a tool")
    return f"{function.get('name')}({function.get('arguments')})"


def _tokens(usage: Usage | None) -> tuple[Text, ...]:
    if usage is None:
        return tuple(Text("?", style="dim") for _ in range(3))
    counts = (usage.input_tokens, usage.cached_tokens, usage.output_tokens)
    return tuple(Text(f"{count:,}") for count in counts)


def _usage(charges: tuple[Charge, ...]) -> Usage | None:
    known = [charge.usage for charge in charges if charge.usage is not None]
    return sum(known, Usage(0, 0)) if known else None


def _basis(charges: tuple[Charge, ...]) -> str:
    found = {charge.basis for charge in charges}
    return "estimated" if "estimated" in found else "exact"
