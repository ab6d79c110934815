"""Tables of others, from Parquet, CSV, JSON lines or memory: their columns as arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.files.arrow_columns import (
    BadCellError,
    floats_of,
    pico_of_floats,
    texts_of,
)
from cascade.calibration.files.example_rows import rows_of
from cascade.calibration.files.row_requests import text_of
from cascade.calibration.money import Pico
from cascade.calibration.needs import needed
from cascade.errors import RecordingError, RequestError

__all__ = ["Source", "Table"]

Source = Any
"""A path, a table of Arrow, a data frame that gives one (pandas, polars), or a list of rows."""

ENDINGS = (".parquet", ".csv", ".jsonl", ".ndjson")

DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+")
"""It may as well part thousands, so that nothing is read into it."""


class Table:
    """A table whose columns are read as what is wanted of them.

    Attributes:
        name: for messages.
        title: to remember it by: of a path its last two parts, as the rest is of one machine.
        columns: their names.
    """

    def __init__(
        self,
        data: Any,
        name: str,
        title: str = "",
        *,
        places: Sequence[str] = (),
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.data = data
        self.name = name
        self.title = title or name
        self.columns: list[str] = list(data.column_names)
        self._places = places  # of the source's rows, where it says more than their numbers
        self._rows = np.arange(len(self)) if rows is None else rows  # of the source

    @classmethod
    def read(cls, source: Source, name: str) -> Self:
        """The table of a file or of what is in memory.

        Args:
            source: see `Source`.
            name: what to call it, where it has no path.

        Raises:
            RecordingError: it cannot be read, or is no table.
        """
        arrow = needed("pyarrow")
        if isinstance(source, cls):
            return source
        if isinstance(source, str | PathLike):
            path = Path(source)
            data, places = _from_file(path)
            title = "/".join(path.parts[-2:]).lstrip("/")
            return cls(data, repr(str(path)), title, places=places)
        try:
            if isinstance(source, list):
                return cls(arrow.Table.from_pylist(source), name)
            return cls(source if isinstance(source, arrow.Table) else arrow.table(source), name)
        except (TypeError, arrow.ArrowException) as error:
            raise RecordingError(
                f"{name}: {type(source).__name__} is no table ({error}); give a path, a table of "
                "pyarrow, a data frame, or a list of rows"
            ) from error

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def keep(self, mask: NDArray[np.bool_]) -> Self:
        """The same with some rows only."""
        kept = self.data.filter(needed("pyarrow").array(mask))
        return self._with(kept, self._rows[mask])

    def repeated(self, data: Any, times: int) -> Self:
        """Other columns whose rows are this table's, as many times over."""
        return self._with(data, np.tile(self._rows, times))

    def _with(self, data: Any, rows: NDArray[np.int64]) -> Self:
        return type(self)(data, self.name, self.title, places=self._places, rows=rows)

    def place(self, row: int) -> str:
        """Where a row stands in what was read, for messages: "line 3" of a text, or "row 2"."""
        there = int(self._rows[row])
        return self._places[there] if self._places else f"row {there + 1}"

    def texts(self, column: str) -> NDArray[np.object_]:
        """A column as texts; whole numbers as their digits, lists and the like as JSON."""
        arrow = needed("pyarrow")
        kind = self.data.column(column).type
        try:
            return texts_of(self.data.column(column))
        except BadCellError:
            pass
        if arrow.types.is_nested(kind):
            values = self.data.column(column).to_pylist()
            return _objects([None if value is None else text_of(value) for value in values])
        return texts_of(self.data.column(column).cast(arrow.string()))

    def is_empty(self, column: str) -> NDArray[np.bool_]:
        """Where a column holds nothing: null, not a number, or a text of spaces at most."""
        if self.is_numeric(column):
            return np.isnan(self.numbers(column))
        return np.array([text is None or not text.strip() for text in self.texts(column)], bool)

    def is_numeric(self, column: str) -> bool:
        """Whether it holds numbers, true and false, or, as in a CSV, texts that are some."""
        try:
            self.numbers(column)
        except RecordingError:
            return False
        return True

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A column as numbers, NaN where there is none.

        Raises:
            RecordingError: it holds something else; the message names the row.
        """
        try:
            return floats_of(self.data.column(column))
        except BadCellError as error:
            words = str(error)
        if not needed("pyarrow").types.is_string(self.data.column(column).type):
            raise RecordingError(f"{self.name}: column {column!r} {words}")
        found = np.full(len(self), np.nan)
        for row, text in enumerate(self.texts(column)):
            if text is not None and text.strip():
                found[row] = self._number(text, column, row)
        return found

    def _number(self, text: str, column: str, row: int) -> float:
        word = text.strip().lower()
        if word in ("true", "false"):
            return float(word == "true")
        try:
            return float(word)
        except ValueError:
            point = ", with a point for its decimals" if DECIMAL_COMMA.fullmatch(word) else ""
            raise RecordingError(
                f"{self.name}: {column!r} in {self.place(row)} is {text[:60]!r}; expected a number"
                f"{point}"
            ) from None

    def money(self, column: str) -> Pico:
        """A column of dollars in picodollars, `UNKNOWN` where there is none.

        Raises:
            RecordingError: an amount that is none; the message names the row.
        """
        kind = self.data.column(column).type
        single = needed("pyarrow").types.is_float32(kind)
        try:
            return pico_of_floats(self.numbers(column), single=single)
        except BadCellError as error:
            raise RecordingError(
                f"{self.name}: {column!r} in {self.place(error.row)} {error}"
            ) from error


def _from_file(path: Path) -> tuple[Any, Sequence[str]]:
    """The table of a file, and where its rows stand in it, where numbers do not say so."""
    arrow, parquet = needed("pyarrow"), needed("pyarrow.parquet")
    if path.suffix.lower() not in ENDINGS:
        raise RecordingError(
            f"{str(path)!r} ends in {path.suffix!r}; expected one of {', '.join(ENDINGS)}"
        )
    try:
        if path.suffix.lower() == ".parquet":
            return parquet.ParquetFile(path).read(), ()
        rows = list(rows_of(path))
    except RequestError as error:  # which names the file
        raise RecordingError(str(error)) from error
    except (OSError, arrow.ArrowException) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise RecordingError(f"{str(path)!r} cannot be read: {words}") from error
    if bad := [row for row in rows if row.error or not isinstance(row.data, dict)]:
        words = bad[0].error or f"expected an object, got {bad[0].data!r:.60}"
        raise RecordingError(f"{str(path)!r}, {bad[0].place}: {words}")
    return _table([row.data for row in rows], path), [row.place for row in rows]


def _table(rows: Sequence[dict[str, Any]], path: Path) -> Any:
    """Rows as a table; a column of mixed types is one of texts."""
    arrow = needed("pyarrow")
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = arrow.array(values)
        except (TypeError, arrow.ArrowException):
            columns[name] = arrow.array([None if v is None else str(v) for v in values])
    if not columns:
        raise RecordingError(f"{str(path)!r} holds no row")
    return arrow.table(columns)


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made
