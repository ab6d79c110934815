"""Examples to record: requests with what is known of them, from JSON lines, CSV or Parquet.

A column is recognised by its name (`NAMES`), or by the one given for it. What is asked stands in
one of the columns that `cascade run --input` knows as well: a prompt, messages, Responses' `input`,
or a whole payload; `PARAMS` may stand beside it. Other columns are passed over.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from cascade.calibration.files.example_rows import Row, rows_of
from cascade.calibration.files.row_requests import PARAMS, request_in, text_of
from cascade.core.asked import WAYS
from cascade.core.request import Asked, Request
from cascade.errors import RequestError

__all__ = ["NAMES", "PARAMS", "Example", "read_examples", "request_digest"]

NAMES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "question", "query"),
    "messages": ("messages",),
    "input": ("input",),
    "body": ("body", "payload"),
    "system": ("system",),
    "id": ("id", "custom_id", "example_id", "query_id", "request_id"),
    "reference": ("reference", "answer", "label", "gold"),
    "group": ("group", "group_id"),
    "weight": ("weight",),
    "slice": ("slice",),
    "split": ("split",),
}
"""What a column holds, and the names that say so; the first that is there counts."""

DIGITS = 16

MOST_NAMED = 10
"""Bad rows that one error names; more of them would say nothing new."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request to record, and what is known of it.

    Attributes:
        id: unique in its data set.
        request: a prompt, messages, or a whole wire payload.
        reference: the right answer as text (JSON text for a record), `None` where unknown.
        group: what belongs together (a user, a document) and must not be split; the id unless
            given.
        weight: how much it counts, above 0.
        slice: a part of the traffic with its own promise; "" for none.
        split: "train", "test" or the like where the data came split.

    Raises:
        RequestError: no id, no request, or a weight that is no number above 0.
    """

    id: str
    request: Asked
    reference: str | None = None
    group: str = ""
    weight: float = 1.0
    slice: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise RequestError(f"an example's id is {self.id!r}; expected text")
        if not self.request:
            raise RequestError(f"example {self.id!r} asks nothing: {self.request!r}")
        weight: object = self.weight
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
            raise RequestError(f"example {self.id!r}: weight is {weight!r}; expected a number > 0")
        if not math.isfinite(weight):
            raise RequestError(f"example {self.id!r}: weight is {weight!r}; expected a finite one")
        if not self.group:
            object.__setattr__(self, "group", self.id)


def read_examples(
    path: str | PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    unused: Callable[[Sequence[str]], object] | None = None,
) -> list[Example]:
    """Read a data set, row by row; the ending says what it is: .jsonl, .csv or .parquet.

    Without an id column an example is called by a digest of what it asks, so that a later run
    recognises it; what is asked twice is numbered, and belongs to one group.

    Args:
        path: the file; "-" reads JSON lines from standard input.
        columns: the file's own names for what `NAMES` lists, e.g. `{"prompt": "headline"}`.
        unused: told once which columns were passed over, where there are any.

    Raises:
        RequestError: the file cannot be read, holds no example, or some rows are none; the message
            names them by line and says what was expected.
    """
    reader = _Reader(_checked_columns(columns or {}))
    for row in rows_of(path):
        reader.take(row)
    found = reader.examples(str(path))
    if unused is not None and reader.unused:
        unused(reader.unused)
    return found


def request_digest(request: Asked) -> str:
    """16 hexadecimal digits for what is asked, however it is written.

    A trace that kept its request, or the request's SHA-256, can be joined with it.

    Raises:
        RequestError: it cannot be sent.
    """
    payload = Request.build(request).payload
    # Canonical JSON as in `cascade.traces.content`: a hashed trace holds the same digest.
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


class _Reader:
    """Collects examples and what is wrong with the rows that are none."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._found: list[Example] = []
        self._places: dict[str, str] = {}
        self._digests: Counter[str] = Counter()
        self._wrong: list[str] = []
        self._seen: dict[str, None] = {}
        self._used: set[str] = {*PARAMS, *columns.values()}

    @property
    def unused(self) -> list[str]:
        """Columns that nothing was read from, in their order."""
        return [str(name) for name in self._seen if name not in self._used]

    def take(self, row: Row) -> None:
        try:
            if row.error:
                raise RequestError(row.error)  # noqa: TRY301  one place writes them down
            example = self._example(row.data)
        except RequestError as error:
            self._wrong.append(f"{row.place}: {error}")
            return
        earlier = self._places.setdefault(example.id, row.place)
        if earlier != row.place:
            self._wrong.append(
                f"{row.place}: id {example.id!r} stands in {earlier} already; every example needs "
                "one of its own, and those that belong together share a group"
            )
            return
        self._found.append(example)

    def examples(self, where: str) -> list[Example]:
        if self._wrong:
            count = len(self._wrong)
            more = f"; and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
            what = "1 row is no example" if count == 1 else f"{count} rows are no examples"
            raise RequestError(f"{where!r}: {what}: {'; '.join(self._wrong[:MOST_NAMED])}{more}")
        if not self._found:
            raise RequestError(f"{where!r} holds no example; expected a request in each row")
        return self._found

    def _example(self, data: Any) -> Example:
        if isinstance(data, str):
            data = {"prompt": data}
        if not isinstance(data, dict):
            raise RequestError(f"expected a JSON string or object, got {type(data).__name__}")
        self._seen.update((name, None) for name, value in data.items() if value is not None)
        found = {what: self._value(data, what) for what in NAMES}
        asks = {what: found[what] for what in WAYS if found[what] is not None}
        if not asks:
            known = _listed(name for what in WAYS for name in NAMES[what])
            raise RequestError(f"it asks nothing: expected one of {known}; it has {_listed(data)}")
        system = None if found["system"] is None else text_of(found["system"])
        request = request_in(asks, data, system)
        digest = request_digest(request)
        named, group = text_of(found["id"]), text_of(found["group"])
        if not named:
            self._digests[digest] += 1
            again = self._digests[digest]
            named, group = digest if again == 1 else f"{digest}-{again}", group or digest
        return Example(
            id=named,
            request=request,
            reference=None if found["reference"] is None else text_of(found["reference"]),
            group=group,
            weight=_weight(found["weight"]),
            slice=text_of(found["slice"]),
            split=text_of(found["split"]),
        )

    def _value(self, data: Mapping[str, Any], what: str) -> Any:
        if what in self._columns:
            name = self._columns[what]
            if name not in data:
                raise RequestError(
                    f"there is no {name!r}, which is to be the {what}; it has {_listed(data)}"
                )
            return data[name]
        taken = self._columns.values()  # a column with a part of its own has no second one
        for name in NAMES[what]:
            if data.get(name) is not None and name not in taken:
                self._used.add(name)
                return data[name]
        return None


def _weight(value: Any) -> float:
    if value is None or value == "":
        return 1.0
    try:
        return float(value)
    except (TypeError, ValueError):
        raise RequestError(f"weight is {value!r}; expected a number above 0") from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "no column"


def _checked_columns(columns: Mapping[str, str]) -> Mapping[str, str]:
    if unknown := [what for what in columns if what not in NAMES]:
        raise RequestError(f"columns: {_listed(unknown)} is none of {_listed(NAMES)}")
    return columns
