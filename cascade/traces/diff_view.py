"""The difference of two traces in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cascade.core.dollars import dollars
from cascade.core.price import EXACT
from cascade.percent import percent
from cascade.traces.diff import TIMES, AttemptDiff, Change, TraceDiff
from cascade.traces.lines import line
from cascade.traces.tables import Column, fitted

__all__ = ["diff_panel"]

WIDEST = 20
"""Characters that a value has on a line at least: no amount is longer."""

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff_panel(diff: TraceDiff) -> RenderableType:
    """A difference to read: values side by side, texts as unified diff."""
    parts: list[RenderableType] = [*_head(diff)]
    if diff.changes:
        parts += [Text(), _table(diff.changes)]
    if diff.request:
        parts += [Text(), Text("request", "bold"), *map(_diff_line, diff.request)]
    for attempt in diff.attempts:
        parts += [Text(), *_attempt(attempt)]
    return Group(*parts)


def _head(diff: TraceDiff) -> Iterator[Text]:
    yield Text("before  ", "dim").append_text(line(diff.before, "red not dim"))
    yield Text("after   ", "dim").append_text(line(diff.after, "green not dim"))
    if not diff.words_compared:
        yield Text("their content policies differ: only names and numbers are compared", "yellow")
    if diff.same:
        told = any((diff.changes, diff.attempts))
        yield Text("the same but for times" if told else "the same", "bold green")


def _attempt(attempt: AttemptDiff) -> Iterator[RenderableType]:
    head = Text("tier ", "dim").append_text(line(attempt.tier, "bold not dim"))
    if attempt.only_in == "before":
        yield head.append(" was tried before, not after", "red not bold not dim")
        return
    if attempt.only_in == "after":
        yield head.append(" was not tried before, but after", "green not bold not dim")
        return
    yield head
    if attempt.changes:
        yield _table(attempt.changes)
    yield from map(_diff_line, attempt.text)


def _table(changes: Sequence[Change]) -> RenderableType:
    before = [_folded(_value(change.name, change.before), "red") for change in changes]
    after = [_folded(_value(change.name, change.after), "green") for change in changes]
    return fitted(
        [
            Column("value", [line(_name(change.name)) for change in changes], least=12),
            Column("before", before, least=WIDEST, folds=True),
            Column("after", after, least=WIDEST, folds=True),
            Column("change", [_delta(change) for change in changes]),
        ]
    )


def _diff_line(text: str) -> Text:
    style = STYLES.get(text[:1], "")
    if text.startswith("@@"):
        return _folded(text, style)
    return Text(f"{text[:1]} ", style, overflow="fold").append_text(_folded(text[1:], style))


def _folded(text: str, style: str) -> Text:
    """Foreign text on as many lines as it needs."""
    folded = line(text, style)
    folded.no_wrap, folded.overflow = False, "fold"
    return folded


def _name(name: str) -> str:
    """A field's name in words; its unit stands beside the value."""
    return name.removesuffix("_usd").removesuffix("_s").replace("_", " ")


def _value(name: str, value: Any) -> str:
    if value is None:
        return "unknown" if name.endswith("usd") else "none"
    if isinstance(value, Decimal):
        return dollars(value)
    if isinstance(value, float):
        return f"{value:.3f} s" if name in TIMES else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    return str(value)


def _delta(change: Change) -> Text:
    """By how much an amount or number differs; nothing for anything else."""
    before, after = change.before, change.after
    if isinstance(before, Decimal) and isinstance(after, Decimal):
        step = EXACT.subtract(after, before)
        sign = "+" if step > 0 else ""
        share = f" ({sign}{percent(float(step / before), 0)})" if before > 0 else ""
        return Text(f"{sign}{dollars(step)}{share}")
    if isinstance(before, int | float) and isinstance(after, int | float):
        return Text(f"{after - before:+.4g}")
    return Text()
