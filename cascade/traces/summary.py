"""Many traces as a table in the terminal, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from cascade.core.trace_text import ending_words
from cascade.traces.lines import cost_text, line, seconds, short_dollars
from cascade.traces.row import TraceRow
from cascade.traces.tables import SHORTEST_NAME, Column, fitted

__all__ = ["STATUSES", "summary_table"]

STATUSES = {"accepted": "green", "unaccepted": "yellow"}
"""Colours of good and doubtful endings; the others are red. The word always stands beside it."""

NARROW = 100
"""Below this width the time of a trace is shown without its year and seconds."""

STATUS = 10
"""Characters of a status that are always shown."""

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
        short, rows = options.max_width < NARROW, self._rows
        length = _id_length([row.id for row in rows])
        begun = [_when(row.started_at, short=short) for row in rows]
        saved = ["-" if row.saved_usd is None else short_dollars(row.saved_usd) for row in rows]
        yield fitted(
            [
                Column("id", [line(row.id[:length], "cyan") for row in rows], left=True),
                Column("begun, UTC", begun, left=True),
                Column("status", [_status(row.status) for row in rows], least=STATUS),
                Column("answered by", [line(row.tier or "-") for row in rows], least=SHORTEST_NAME),
                Column("asked", [str(row.attempts) for row in rows], rank=1),
                Column("cost", [cost_text(row.cost_usd, row.basis) for row in rows]),
                Column("saved", saved),
                Column("time", [seconds(row.duration_s) for row in rows]),
            ]
        )


def _status(status: str) -> Text:
    return line(ending_words(status), STATUSES.get(status, "red"))


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
