"""The rows of a data set, one after the other: JSON lines, CSV or Parquet. Knows no columns."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

from cascade.calibration.needs import needed
from cascade.core.asked import decoded_line
from cascade.errors import RequestError

__all__ = ["Row", "rows_of"]

BATCH_ROWS = 1_000
"""Rows of a Parquet that are in memory at once as Python objects."""

MOST_CHARACTERS = 2**31 - 1
"""In a cell of a CSV, the most that the parser can count to everywhere: its own 131,072 are fewer
than a long prompt has."""

SEPARATORS = ",;\t"
"""Between the cells of a CSV; spreadsheets write semicolons where commas part decimals."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        place: for messages: "line 3", or "row 3" of a Parquet.
        data: what it holds, mostly a `dict`; empty cells of a CSV and nulls are `None`.
        error: why it cannot be read; "" where it can.
    """

    place: str
    data: Any = None
    error: str = ""


def rows_of(path: str | PathLike[str]) -> Iterator[Row]:
    """The rows of a file, read as they are needed; "-" is JSON lines on standard input.

    Raises:
        RequestError: the file cannot be read, or its ending says nothing.
    """
    file = Path(path)
    readers = {
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".csv": _csv_rows,
        ".parquet": _parquet_rows,
    }
    reader = _json_lines if str(file) == "-" else readers.get(file.suffix.lower())
    if reader is None:
        raise RequestError(
            f"{str(file)!r} ends in {file.suffix!r}; expected one of {', '.join(readers)}"
        )
    try:
        yield from reader(file)
    except OSError as error:
        raise RequestError(f"{str(file)!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{str(file)!r} is no UTF-8 text: {error}") from error


def _json_lines(file: Path) -> Iterator[Row]:
    if str(file) == "-":
        yield from _decoded(enumerate(sys.stdin.buffer, 1))
        return
    with file.open("rb") as lines:
        yield from _decoded(enumerate(lines, 1))


def _decoded(lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    for number, raw in lines:
        if not raw.strip():
            continue
        try:
            yield Row(f"line {number}", decoded_line(raw))
        except RequestError as error:
            yield Row(f"line {number}", error=str(error))


def _csv_rows(file: Path) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), MOST_CHARACTERS))
    with file.open(encoding="utf-8-sig", newline="") as text:
        names: list[str] | None = None
        begins = 1
        try:
            head = text.readline()
            reader = csv.reader(chain([head], text), delimiter=_separator(head), strict=True)
            for cells in reader:
                if names is None:
                    names = _names(cells, file)
                elif cells:
                    yield _csv_row(f"line {begins}", cells, names)
                begins = reader.line_num + 1
        except csv.Error as error:
            # The reader stands somewhere inside a cell: what follows would be read wrongly.
            yield Row(f"line {begins}", error=f"this is no CSV from here on: {error}")


def _separator(head: str) -> str:
    """What parts the first line into most names; the comma where that says nothing."""
    return max(SEPARATORS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))


def _names(cells: list[str], file: Path) -> list[str]:
    if twice := [name for name in cells if cells.count(name) > 1]:
        raise RequestError(f"{str(file)!r}: two columns are called {twice[0]!r}; rename one")
    return cells


def _csv_row(place: str, cells: list[str], names: list[str]) -> Row:
    if len(cells) != len(names):
        words = f"it has {len(cells)} cells; expected {len(names)}, as the first line has"
        return Row(place, error=words)
    return Row(place, {name: cell or None for name, cell in zip(names, cells, strict=True)})


def _parquet_rows(file: Path) -> Iterator[Row]:
    parquet, arrow = needed("pyarrow.parquet"), needed("pyarrow")
    number = 0
    try:
        with parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(BATCH_ROWS):
                for data in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", _without_nulls(data))
    except arrow.ArrowException as error:
        raise RequestError(f"{str(file)!r} is no Parquet, or a damaged one: {error}") from error


def _without_nulls(value: Any) -> Any:
    """The same without keys that hold nothing: in a column of structs every one has all keys."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
