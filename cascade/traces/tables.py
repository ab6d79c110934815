"""Tables whose numbers are whole at every width: columns go, then rows turn into lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

__all__ = ["SHORTEST_NAME", "Column", "fitted", "packed"]

SHORTEST_NAME = 12
"""Characters that a name keeps before columns are left out for it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: its head.
        cells: one for each row.
        rank: columns of the highest rank are left out first; those of rank 0 never.
        least: characters that a cell may be cut to, with a mark; `None` for cells that stay whole.
        folds: what is longer takes another line instead of being cut.
        left: stands to the left, as what is no number does.
        drawn: only a picture of what another column says, and not among the lines of a row.
    """

    name: str
    cells: Sequence[Text | str]
    rank: int = 0
    least: int | None = None
    folds: bool = False
    left: bool = False
    drawn: bool = False

    @property
    def width(self) -> int:
        """Characters of its longest cell."""
        return max(_text(cell).cell_len for cell in (self.name, *self.cells))

    @property
    def floor(self) -> int:
        """Characters that it takes at least."""
        return self.width if self.least is None else min(self.width, self.least)


def fitted(columns: Sequence[Column]) -> RenderableType:
    """A table that is laid out when it is printed: only then the width is known.

    The first column names the row. Where even the columns of rank 0 do not fit, each row becomes
    its name and, below it, what its cells say.
    """
    return _Fitted(columns)


def packed(items: Sequence[Text], width: int, indent: int = 2) -> Iterator[Text]:
    """Items on as few lines as they need, broken between items only where one fits a line."""
    line: Text | None = None
    for item in items:
        if line is not None and line.cell_len + len(" · ") + item.cell_len <= width:
            line.append(" · ", "dim").append_text(item)
            continue
        if line is not None:
            yield line
        line = Text(" " * indent, overflow="fold").append_text(item)
    if line is not None:
        yield line


class _Fitted:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        room = options.max_width
        for rank in sorted({column.rank for column in self._columns}, reverse=True):
            shown = [column for column in self._columns if column.rank <= rank]
            for gap in (2, 1):
                if sum(column.floor + gap for column in shown) - gap <= room:
                    yield _table(shown, room, gap)
                    return
        yield from _stacked(self._columns, room)


def _table(columns: Sequence[Column], room: int, gap: int) -> Table:
    widths = [column.width for column in columns]
    over = sum(widths) + gap * (len(widths) - 1) - room
    while over > 0:  # the longest of those that may be cut gives way
        spare = [
            (width, -place)
            for place, (width, column) in enumerate(zip(widths, columns, strict=True))
            if width > column.floor
        ]
        widths[-max(spare)[1]] -= 1
        over -= 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        to_the_left = column.left or column.least is not None or column.drawn
        table.add_column(
            column.name,
            justify="left" if to_the_left else "right",
            width=width,
            no_wrap=not column.folds,
            overflow="fold" if column.folds else "ellipsis",
            header_style="dim",
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _stacked(columns: Sequence[Column], room: int) -> Iterator[Text]:
    head, *others = [column for column in columns if not column.drawn]
    for place, cell in enumerate(head.cells):
        name = _text(cell).copy()
        name.no_wrap, name.overflow = False, "fold"
        yield name
        items = ((column.name, _text(column.cells[place])) for column in others)
        said = [
            Text(f"{label} " if label else "", "dim").append_text(_plain(value))
            for label, value in items
            if value.plain.strip()
        ]
        yield from packed(said, room)


def _plain(value: Text) -> Text:
    """A value behind its label, whose dimness it does not take on."""
    shown = value.copy()
    shown.stylize_before("default not dim")
    return shown


def _text(cell: Text | str) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)
