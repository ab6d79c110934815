"""The rows of a recording's file, some thousands at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.files.arrow_columns import BadCellError, floats_to, money_to, texts_to
from cascade.calibration.files.parquet_header import CHARGE_TOKENS, SIGNAL, TOKENS
from cascade.calibration.needs import needed
from cascade.calibration.recording import SCORE_KINDS, Charges, Recording
from cascade.errors import RecordingError

__all__ = ["tables_of"]

ROWS_AT_ONCE = 65_536
"""Rows of a group: enough to compress well, few enough to hold their texts once more in memory."""


def tables_of(recording: Recording, schema: Any) -> Iterator[Any]:
    """The file as Arrow tables, one after the other.

    Args:
        recording: what is written.
        schema: of `schema_of`.

    Raises:
        RecordingError: a value that a file cannot hold; the message names request and tier.
    """
    step = max(1, ROWS_AT_ONCE // len(recording.tiers))
    charges = _Lists(recording.charges, len(recording.tiers), schema.field("charges").type)
    for begin in range(0, len(recording), step):
        part = _Part(recording, begin, min(begin + step, len(recording)))
        columns = {**part.requests(), **part.tiers(), **part.answers()}
        columns["charges"] = part.made("charges", charges.of, (begin, part.end))
        arrays = [columns[name] for name in schema.names]
        yield needed("pyarrow").Table.from_arrays(arrays, schema=schema)


class _Part:
    """Some requests of a recording, as columns of rows: a row per request and tier."""

    def __init__(self, recording: Recording, begin: int, end: int) -> None:
        self._whole = recording
        self._begin = begin
        self.end = end

    def requests(self) -> dict[str, Any]:
        """What is the same in all rows of a request."""
        whole, k = self._whole, len(self._whole.tiers)
        asked = [_as_json(whole, row) for row in range(self._begin, self.end)]
        texts = {
            "request_id": whole.ids[self._begin : self.end],
            "group": whole.groups[self._begin : self.end],
            "slice": whole.slices[self._begin : self.end],
            "split": whole.splits[self._begin : self.end],
            "reference": whole.references[self._begin : self.end],
            "request": _objects(asked),
        }
        made = {n: self.made(n, texts_to, np.repeat(values, k)) for n, values in texts.items()}
        made["weight"] = floats_to(np.repeat(whole.weights[self._begin : self.end], k))
        return made

    def tiers(self) -> dict[str, Any]:
        """What is the same in all rows of a tier."""
        count = self.end - self._begin
        columns = {"tier": "name", "model": "model", "role": "role"}
        return {
            column: texts_to([getattr(tier, name) for tier in self._whole.tiers] * count)
            for column, name in columns.items()
        }

    def answers(self) -> dict[str, Any]:
        """What each row has of its own."""
        whole, flags = self._whole, needed("pyarrow").array
        kinds = _objects(SCORE_KINDS)[self._cells(whole.score_kind)]
        numbers = {
            "quality": whole.quality,
            "score": whole.score,
            "latency_s": whole.latency_s,
            **{column: getattr(whole.tokens, name) for name, column in TOKENS.items()},
            **{f"{SIGNAL}{name}": values for name, values in whole.signals.items()},
        }
        money = {"cost_usd": whole.cost_pusd, "score_cost_usd": whole.score_cost_pusd}
        texts = {"answer": whole.texts, "reply": whole.replies}
        return {
            "answered": flags(self._cells(whole.answered)),
            "usable": flags(self._cells(whole.usable)),
            "score_kind": texts_to(kinds),
            **{name: floats_to(self._cells(values)) for name, values in numbers.items()},
            **{n: self.made(n, money_to, self._cells(values)) for n, values in money.items()},
            **{n: self.made(n, texts_to, self._cells(values)) for n, values in texts.items()},
        }

    def made(self, name: str, convert: Callable[[Any], Any], values: Any) -> Any:
        """A column; raises `RecordingError` and names what cannot be in it."""
        try:
            return convert(values)
        except BadCellError as error:
            row, tier = divmod(error.row, len(self._whole.tiers))
            raise RecordingError(
                f"{name} of request {self._whole.ids[self._begin + row]!r}, tier "
                f"{self._whole.tiers[tier].name!r} {error}"
            ) from error

    def _cells(self, values: NDArray[Any]) -> NDArray[Any]:
        return values[self._begin : self.end].ravel()


class _Lists:
    """Charges as one list per row."""

    def __init__(self, charges: Charges, k: int, kind: Any) -> None:
        cell = charges.request * k + charges.tier
        self._order = np.argsort(cell, kind="stable")
        self._cell = cell[self._order]
        self._charges = charges
        self._kind = kind
        self._k = k

    def of(self, requests: tuple[int, int]) -> Any:
        """The lists of the rows of some requests, from the first to before the second."""
        arrow = needed("pyarrow")
        cells = np.arange(requests[0] * self._k, requests[1] * self._k + 1)
        offsets = np.searchsorted(self._cell, cells)
        taken = self._order[offsets[0] : offsets[-1]]
        try:
            columns = self._columns(taken)
        except BadCellError as error:
            cell = int(self._cell[offsets[0] + error.row])
            raise BadCellError(cell - int(cells[0]), str(error)) from None
        structs = arrow.StructArray.from_arrays(columns, fields=list(self._kind.value_type))
        starts = arrow.array(offsets - offsets[0], arrow.int32())
        return arrow.ListArray.from_arrays(starts, structs, type=self._kind)

    def _columns(self, taken: NDArray[np.int64]) -> list[Any]:
        charges, flags = self._charges, needed("pyarrow").array
        made: Mapping[str, Any] = {
            "purpose": texts_to(charges.purpose[taken]),
            "model": texts_to(charges.model[taken]),
            "service_tier": texts_to(charges.service_tier[taken]),
            "batch": flags(charges.batch[taken]),
            "regional": flags(charges.regional[taken]),
            **{n: floats_to(charges.tokens[taken, i]) for i, n in enumerate(CHARGE_TOKENS)},
            "cost_usd": money_to(charges.cost_pusd[taken]),
        }
        return [made[spec.name] for spec in self._kind.value_type]


def _as_json(recording: Recording, row: int) -> str | None:
    request = recording.requests[row]
    if request is None:
        return None
    try:
        return json.dumps(request, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise RecordingError(
            f"request {recording.ids[row]!r} is no JSON: {error}; give a prompt, messages or a "
            "payload of plain data"
        ) from error


def _objects(values: Any) -> NDArray[np.object_]:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made
