"""What a table says of requests: joined with the answers, or read off them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.imports.column_names import Columns
from cascade.calibration.imports.tables import Table
from cascade.errors import RecordingError

__all__ = ["RequestColumns", "keys_of"]

SEPARATOR = "/"
"""Between an id and what completes it."""


def keys_of(table: Table, names: Sequence[str]) -> list[str]:
    """The texts of some columns of each row, joined."""
    columns = [table.texts(name) for name in names]
    if len(columns) == 1:
        return ["" if value is None else value for value in columns[0]]
    return [
        SEPARATOR.join("" if part is None else part for part in parts)
        for parts in zip(*columns, strict=True)
    ]


class RequestColumns:
    """The columns of requests, one value per request of a recording.

    Args:
        columns: which column means what.
        answers: the answers, with `first`, the first row of each request.
        requests: the table of requests, `None` where the answers hold them.
        key: the columns that make up a request's id among the answers.

    Attributes:
        used: the names of the columns that were read.
        unmatched: how many requests the table of requests does not hold.
    """

    def __init__(
        self,
        columns: Columns,
        answers: tuple[Table, NDArray[np.int64]],
        requests: Table | None,
        key: Sequence[str],
    ) -> None:
        self._columns = columns
        self._answers, self._first = answers
        self._requests = requests
        self.used: set[str] = set()
        self.unmatched = 0
        self._places: NDArray[np.int64] = self._first
        if requests is not None:
            self._places = self._joined(requests, key)
            self.unmatched = int((self._places < 0).sum())

    def _joined(self, requests: Table, key: Sequence[str]) -> NDArray[np.int64]:
        """The row of each request in their table, -1 where it has none."""
        own = self._columns.id_of(requests)
        shared = [name for name in key[1:] if name in requests.columns]
        rows: dict[str, int] = {}
        for row, name in enumerate(keys_of(requests, [own, *shared])):
            if rows.setdefault(name, row) != row:
                raise RecordingError(
                    f"{requests.name}: id {name!r} stands in {requests.place(rows[name])} and "
                    f"again in {requests.place(row)}; every request needs one of its own"
                )
        self.used |= {own, *shared}
        wanted = keys_of(self._answers, [key[0], *shared])
        return np.array([rows.get(wanted[place], -1) for place in self._first])

    def texts(self, meaning: str) -> NDArray[np.object_] | None:
        """What the first column of that meaning says of each request; `None` where none does."""
        found = self._candidates(meaning)
        return self._values(*found[0]) if found else None

    def slices(self) -> NDArray[np.object_] | None:
        """The first column that parts the requests; where none does, the first there is."""
        found = self._candidates("slice")
        for table, name in found:
            if len(set(self._values(table, name))) > 1:
                return self._values(table, name)
        return self._values(*found[0]) if found else None

    def weights(self) -> NDArray[np.float64]:
        """How much each request counts; 1 where nothing says."""
        found = self._candidates("weight")
        if not found:
            return np.ones(len(self._first))
        table, name = found[0]
        self.used.add(name)
        values = table.numbers(name)[self._rows(table)]
        return np.where(np.isnan(values) | (self._rows(table) < 0), 1.0, values)

    def requests(self) -> NDArray[np.object_]:
        """What was asked: the prompt as text where it is all there is, else a payload."""
        parts = {name: self.texts(name) for name in ("messages", "prompt", "system", "tools")}
        made = np.full(len(self._first), None, object)
        for place in range(len(made)):
            row = {n: values[place] for n, values in parts.items() if values is not None}
            made[place] = _request({name: text for name, text in row.items() if text})
        return made

    def _candidates(self, meaning: str) -> list[tuple[Table, str]]:
        tables = [table for table in (self._requests, self._answers) if table is not None]
        return [(t, name) for t in tables for name in self._columns.request(meaning, t)]

    def _rows(self, table: Table) -> NDArray[np.int64]:
        return self._first if table is self._answers else self._places

    def _values(self, table: Table, name: str) -> NDArray[np.object_]:
        self.used.add(name)
        rows = self._rows(table)
        values: NDArray[np.object_] = table.texts(name)[rows]
        values[rows < 0] = None
        return values


def _request(parts: dict[str, str]) -> Any:
    """A request of its parts; tools in the form of a bare function are put into that of the API."""
    if "messages" in parts:
        messages = _json(parts["messages"])
    elif "prompt" in parts:
        messages = [{"role": "user", "content": parts["prompt"]}]
    else:
        return None
    if not isinstance(messages, list):
        return parts["messages"]
    if "system" in parts:
        messages = [{"role": "system", "content": parts["system"]}, *messages]
    tools = _json(parts.get("tools", "[]"))
    tools = [tools] if isinstance(tools, dict) and tools else tools  # one function alone
    if isinstance(tools, list) and tools:
        listed = [t if "function" in t else {"type": "function", "function": t} for t in tools]
        return {"messages": messages, "tools": listed}
    return parts["prompt"] if set(parts) == {"prompt"} else {"messages": messages}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
