"""Columns of Arrow as arrays, and back: numbers, flags, texts and exact money.

An Arrow array comes in chunks; each is converted on its own, so that memory stays linear and no
text column is too long for its offsets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.money import PER_USD, UNKNOWN, Pico
from cascade.calibration.needs import needed

__all__ = [
    "MOST_PICO",
    "BadCellError",
    "flags_of",
    "floats_of",
    "floats_to",
    "money_of",
    "money_to",
    "money_type",
    "pico_of_floats",
    "texts_of",
    "texts_to",
]

MOST_PICO = 10**18 - 1
"""The largest amount in a file, 999,999.999999999999 USD: decimal128(18, 12), as others read it."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""Halves of pairs; whole ones are one character in Python."""

WORDS = 2
"""64-bit words of a decimal128."""


class BadCellError(Exception):
    """A value that its column cannot hold; whoever knows the rows names it.

    Attributes:
        row: from 0, -1 for the whole column.
    """

    def __init__(self, row: int, words: str) -> None:
        super().__init__(words)
        self.row = row


# From Arrow --------------------------------------------------------------------------------------


def floats_of(column: Any) -> NDArray[np.float64]:
    """A numeric or boolean column; NaN for nulls. Raises `BadCellError` for texts."""
    arrow = needed("pyarrow")
    kinds = arrow.types
    kind = column.type
    if not (kinds.is_boolean(kind) or kinds.is_decimal(kind) or _is_number(kind)):
        raise BadCellError(-1, f"is of type {kind}; expected numbers")
    if kinds.is_decimal(kind):
        column = column.cast(arrow.float64())

    def convert(chunk: Any) -> Any:
        values = chunk.to_numpy(zero_copy_only=False)  # nulls make NaN of whole numbers, too
        if kinds.is_boolean(kind):
            return np.array([np.nan if value is None else value for value in values], float)
        return values

    return _joined(column, convert, np.float64)


def flags_of(column: Any) -> NDArray[np.bool_]:
    """A column of true and false, or 1 and 0; false for nulls. Raises `BadCellError` for others."""
    values = floats_of(column)
    bad = ~(np.isnan(values) | (values == 0) | (values == 1))
    _refuse(bad, values, "true or false")
    flags: NDArray[np.bool_] = values == 1
    return flags


def texts_of(column: Any) -> NDArray[np.object_]:
    """A column of texts; `None` for nulls. Raises `BadCellError` for other types."""
    kinds = needed("pyarrow").types
    kind = column.type
    if kinds.is_null(kind):
        return np.full(len(column), None, object)
    inner = kind.value_type if kinds.is_dictionary(kind) else kind
    if not (kinds.is_string(inner) or kinds.is_large_string(inner) or _is_view(inner)):
        raise BadCellError(-1, f"is of type {kind}; expected text")
    return _joined(column, lambda chunk: chunk.to_numpy(zero_copy_only=False), object)


def money_of(column: Any) -> Pico:
    """A column of dollars in picodollars; `UNKNOWN` for nulls and NaN.

    Decimals are exact. Floating dollars become the nearest picodollar, single precision the one
    nearest to the shortest decimal that it can stand for: 1.33e-05 is that, and no neighbour.

    Raises:
        BadCellError: an amount that is negative, infinite, too large, or finer than a picodollar.
    """
    arrow = needed("pyarrow")
    if arrow.types.is_decimal(column.type):
        try:
            exact = column.cast(arrow.decimal128(38, 12))
        except arrow.ArrowInvalid as error:
            raise BadCellError(-1, f"holds an amount finer than a picodollar: {error}") from error
        return _joined(exact, _pico_of_chunk, np.int64)
    single = arrow.types.is_float32(column.type) or arrow.types.is_float16(column.type)
    return pico_of_floats(floats_of(column), single=single)


def pico_of_floats(values: NDArray[np.float64], *, single: bool = False) -> Pico:
    """Floating dollars in picodollars; raises as `money_of`."""
    bad = ~np.isnan(values) & ~((values >= 0) & (values * PER_USD <= MOST_PICO))
    _refuse(bad, values, "dollars from 0 up, below a million")
    if single:
        values = values.astype(np.float32).astype(str).astype(np.float64)
    known = ~np.isnan(values)
    made = np.full(len(values), UNKNOWN, np.int64)
    made[known] = np.rint(values[known] * PER_USD).astype(np.int64)
    return made


def _pico_of_chunk(chunk: Any) -> Pico:
    known = chunk.is_valid().to_numpy(zero_copy_only=False)
    words = np.frombuffer(chunk.buffers()[1], np.int64)
    pairs = words.reshape(-1, WORDS)[chunk.offset : chunk.offset + len(chunk)]
    low, high = pairs[:, 0], pairs[:, 1]
    bad = known & ((high != 0) | (low < 0) | (low > MOST_PICO))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise BadCellError(row, f"is {chunk[row].as_py()}; expected dollars from 0 to a million")
    return np.where(known, low, UNKNOWN)


def _joined(column: Any, convert: Callable[[Any], Any], kind: Any) -> NDArray[Any]:
    made = np.empty(len(column), kind)
    begin = 0
    for chunk in column.chunks if hasattr(column, "chunks") else [column]:
        try:
            made[begin : begin + len(chunk)] = convert(chunk)
        except BadCellError as error:
            raise BadCellError(begin + error.row, str(error)) from None
        begin += len(chunk)
    return made


def _refuse(bad: NDArray[np.bool_], values: NDArray[np.float64], expected: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise BadCellError(row, f"is {values[row].item()!r}; expected {expected}")


def _is_number(kind: Any) -> bool:
    kinds = needed("pyarrow").types
    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_null(kind))


def _is_view(kind: Any) -> bool:
    return bool(needed("pyarrow").types.is_string_view(kind))


# To Arrow ----------------------------------------------------------------------------------------


def money_type() -> Any:
    """The type of amounts in a file."""
    return needed("pyarrow").decimal128(18, 12)


def floats_to(values: NDArray[np.float64]) -> Any:
    """Numbers as doubles, NaN as null."""
    return needed("pyarrow").array(values, mask=np.isnan(values))


def money_to(amounts: Pico) -> Any:
    """Picodollars as decimals, `UNKNOWN` as null; raises `BadCellError` for a million and more."""
    arrow = needed("pyarrow")
    over = amounts > MOST_PICO
    if over.any():
        row = int(np.flatnonzero(over)[0])
        raise BadCellError(row, f"is {amounts[row]} picodollars; a file holds less than a million")
    known = amounts != UNKNOWN
    words = np.zeros((len(amounts), WORDS), np.int64)
    words[:, 0] = np.where(known, amounts, 0)
    valid = arrow.py_buffer(np.packbits(known, bitorder="little").tobytes())
    buffers = [valid, arrow.py_buffer(words.tobytes())]
    return arrow.Array.from_buffers(money_type(), len(amounts), buffers)


def texts_to(values: Sequence[Any] | NDArray[np.object_]) -> Any:
    """Texts as strings, `None` as null; half a surrogate pair, which no file holds, becomes "�".

    Raises:
        BadCellError: a value that is no text.
    """
    arrow = needed("pyarrow")
    try:
        return arrow.array(values, arrow.string())
    except UnicodeEncodeError:
        clean = [SURROGATE.sub("\ufffd", value) if value else value for value in values]
        return arrow.array(clean, arrow.string())
    except (TypeError, arrow.ArrowException):
        rows = (i for i, value in enumerate(values) if not isinstance(value, str | None))
        row = next(rows, 0)
        raise BadCellError(row, f"is {values[row]!r:.80}; expected text") from None
