"""A Parquet file's columns, one row group at a time, and what is wrong with files that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.files.arrow_columns import BadCellError
from cascade.calibration.needs import needed
from cascade.errors import RecordingError

__all__ = ["ParquetColumns", "opened"]

MAGIC = b"PAR1"
"""What a Parquet begins and ends with."""


class ParquetColumns:
    """The columns of an open file.

    Attributes:
        names: of the columns, in order.
        metadata: of the schema.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.names: list[str] = list(file.schema_arrow.names)
        self.metadata: Mapping[bytes, bytes] | None = file.schema_arrow.metadata

    def read(self, name: str, convert: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
        """A whole column as an array.

        Args:
            name: of the column.
            convert: makes an array of one row group's part.

        Raises:
            BadCellError: of `convert`, its row counted from the file's first.
            RecordingError: the file is damaged there.
        """
        parts = []
        for begin, chunk in self.groups(name):
            try:
                parts.append(convert(chunk))
            except BadCellError as error:
                raise BadCellError(
                    error.row + begin if error.row >= 0 else -1, str(error)
                ) from None
        return np.concatenate(parts) if parts else np.zeros(0, object)

    def groups(self, name: str) -> Iterator[tuple[int, Any]]:
        """The part of a column in each row group, with the number of its first row."""
        begin = 0
        for group in range(self._file.num_row_groups):
            with _named_damage(name):
                table = self._file.read_row_group(group, columns=[name])
            yield begin, table.column(name)
            begin += table.num_rows


@contextmanager
def opened(path: Path) -> Iterator[ParquetColumns]:
    """The columns of a file.

    Raises:
        RecordingError: it is no Parquet, or is cut off.
        OSError: it cannot be opened.
    """
    parquet, arrow = needed("pyarrow.parquet"), needed("pyarrow")
    _check_ends(path)
    try:
        file = parquet.ParquetFile(path, page_checksum_verification=True)
    except (OSError, arrow.ArrowException) as error:
        raise RecordingError(f"it is a damaged Parquet: {error}") from error
    with file:
        yield ParquetColumns(file)


@contextmanager
def _named_damage(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, needed("pyarrow").ArrowException) as error:
        raise RecordingError(
            f"it is damaged in column {name!r}: {error}; write it again, or fetch it once more"
        ) from error


def _check_ends(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(len(MAGIC))
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(0, size - len(MAGIC)))
        end = file.read()
    if begin != MAGIC:
        raise RecordingError(
            "it is no Parquet; import tables of other kinds with `cascade recording import`"
        )
    if end != MAGIC:
        raise RecordingError(
            f"it is cut off after {size:,} bytes: the end of a Parquet is missing; write it again, "
            "or fetch it once more"
        )
