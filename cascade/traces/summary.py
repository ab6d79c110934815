"""Many traces as a table in the terminal, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from cascade.traces.lines import cost_text, line, seconds, short_dollars
from cascade.traces.row import TraceRow

__all__ = ["STATUSES", "summary_table"]

STATUSES = {"accepted": "green", "unaccepted": "yellow"}
"""Colours of good and doubtful endings; the others are red. The word always stands beside it."""

NARROW = 100
"""Below this width the time of a trace is shown without its year and seconds."""

SHORTEST_ID = 12
"""Characters of an id: the millisecond. More are shown where two of the list would look alike."""


def summary_table(rows: Sequence[TraceRow]) -> RenderableType:
    """Traces in short, one line each, ids cut to what tells them apart."""
    return _SummaryTable(rows)


class _SummaryTable:
    """Laid out when it is printed: only then the width is known."""

    def __init__(self, rows: Sequence[TraceRow]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        narrow = options.max_width < NARROW
        table = Table(box=None, pad_edge=False, padding=(0, 1 if narrow else 2, 0, 0))
        table.add_column("id", no_wrap=True)
        table.add_column("begun, UTC", no_wrap=True)
        table.add_column("status", no_wrap=True, overflow="ellipsis", min_width=10)
        table.add_column("answered by", no_wrap=True, overflow="ellipsis", min_width=8)
        for name in ("asked", "cost", "saved", "time"):
            table.add_column(name, justify="right", no_wrap=True)
        length = _id_length([row.id for row in self._rows])
        for row in self._rows:
            table.add_row(
                line(row.id[:length], "cyan"),
                _when(row.started_at, short=narrow),
                Text(row.status, style=STATUSES.get(row.status, "red")),
                line(row.tier or "-"),
                str(row.attempts),
                cost_text(row.cost_usd, row.basis),
                "-" if row.saved_usd is None else short_dollars(row.saved_usd),
                seconds(row.duration_s),
            )
        yield table


def _id_length(ids: Sequence[str]) -> int:
    longest = max((len(item) for item in ids), default=SHORTEST_ID)
    for length in range(SHORTEST_ID, longest):
        if len({item[:length] for item in ids}) == len(set(ids)):
            return length
    return longest


def _when(started_at: str, *, short: bool) -> Text:
    try:
        moment = datetime.fromisoformat(started_at)
    except ValueError:
        return line(started_at)
    return Text(moment.strftime("%m-%d %H:%M" if short else "%Y-%m-%d %H:%M:%S"))
