"""Reading a recording's file, column by column, into requests by tiers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.files.arrow_columns import (
    BadCellError,
    flags_of,
    floats_of,
    money_of,
    texts_of,
)
from cascade.calibration.files.parquet_charges import charges_in
from cascade.calibration.files.parquet_file import ParquetColumns
from cascade.calibration.files.parquet_grid import Grid
from cascade.calibration.files.parquet_header import SIGNAL, TOKENS, Header
from cascade.calibration.money import UNKNOWN
from cascade.calibration.needs import needed
from cascade.calibration.recording import (
    SCORE_KINDS,
    About,
    Charges,
    RecordedTier,
    Recording,
    Role,
    Tokens,
)
from cascade.errors import RecordingError

__all__ = ["recording_in"]

REQUIRED = ("request_id", "tier", "quality", "cost_usd")

NO = np.False_

Convert = Callable[[Any], NDArray[Any]]


def recording_in(columns: ParquetColumns, source: str) -> Recording:
    """The recording that a file holds.

    Args:
        columns: of the file.
        source: what to say of where it comes from, if the file does not.

    Raises:
        RecordingError: as `cascade.calibration.files.parquet.read_recording`.
    """
    header = Header.read(columns.metadata)
    if missing := [name for name in REQUIRED if name not in columns.names]:
        listed = ", ".join(map(repr, columns.names[:20]))
        raise RecordingError(
            f"it has no column {missing[0]!r}; it has {listed}. A recording needs "
            f"{', '.join(REQUIRED)}; `cascade recording import` reads tables with other names"
        )
    return _Reading(columns, header).recording(source)


class _Reading:
    """The columns of a file as attributes of a recording; one without a column has its default."""

    def __init__(self, columns: ParquetColumns, header: Header) -> None:
        self._columns = columns
        self._header = header
        ids, tiers = self._names("request_id"), self._names("tier")
        self._grid = Grid(ids, tiers, [tier.name for tier in header.tiers])

    def recording(self, source: str) -> Recording:
        ids = self._grid.ids
        present = self._grid.spread(np.ones(len(self._grid.row), bool), NO)
        answered = self._cells("answered", flags_of, NO, present)
        score = self._cells("score", floats_of, np.nan)
        tokens = {name: self._cells(column, floats_of, np.nan) for name, column in TOKENS.items()}
        groups = self._once("group")
        free = np.zeros(self._grid.shape, np.int64)
        return Recording(
            tiers=self._tiers(),
            ids=_objects(ids),
            groups=_objects([group or own for group, own in zip(groups, ids, strict=True)]),
            slices=_objects([name or "" for name in self._once("slice")]),
            splits=_objects([name or "" for name in self._once("split")]),
            weights=self._weights(),
            requests=self._requests(),
            references=self._once("reference"),
            answered=answered,
            usable=self._cells("usable", flags_of, NO, answered),
            quality=self._cells("quality", floats_of, np.nan),
            cost_pusd=self._cells("cost_usd", money_of, UNKNOWN),
            score=score,
            score_kind=self._score_kind(score),
            score_cost_pusd=self._cells("score_cost_usd", money_of, 0, free),
            latency_s=self._cells("latency_s", floats_of, np.nan),
            tokens=Tokens(**tokens),
            texts=self._cells("answer", texts_of, None),
            replies=self._cells("reply", texts_of, None),
            signals=self._signals(),
            charges=self._charges(),
            about=self._header.about or About(source=source),
        )

    # Columns -------------------------------------------------------------------------------------

    def _read(self, name: str, convert: Convert) -> NDArray[Any]:
        try:
            return self._columns.read(name, convert)
        except BadCellError as error:
            where = "" if error.row < 0 else f" of {self._grid.named(error.row)}"
            raise RecordingError(f"{name}{where} {error}") from error

    def _has(self, name: str) -> bool:
        return name in self._columns.names

    def _names(self, name: str) -> NDArray[Any]:
        """Ids and tiers, before the grid is known; whole numbers are names as well."""
        try:
            return self._columns.read(name, _names_of)
        except BadCellError as error:
            raise RecordingError(f"{name} {error}") from error

    def _cells(self, name: str, convert: Convert, empty: Any, default: Any = None) -> NDArray[Any]:
        """A column as (n, k); `default`, or `empty`, everywhere where the file has none."""
        if self._has(name):
            return self._grid.spread(self._read(name, convert), empty)
        if default is not None:
            return cast("NDArray[Any]", default.copy())
        return np.full(self._grid.shape, empty, object if empty is None else None)

    def _once(self, name: str, convert: Convert = texts_of) -> NDArray[Any]:
        """A column of requests as (n,); `None` everywhere where the file has none."""
        if not self._has(name):
            return np.full(len(self._grid.ids), None, object)
        return self._grid.once(self._read(name, convert), name)

    def _weights(self) -> NDArray[np.float64]:
        if not self._has("weight"):
            return np.ones(len(self._grid.ids))
        found = self._once("weight", floats_of)
        return np.where(np.isnan(found), 1.0, found)

    def _requests(self) -> NDArray[Any]:
        """The requests, read from JSON; of each only one row is taken: they are long."""
        made = np.full(len(self._grid.ids), None, object)
        if not self._has("request"):
            return made
        read = json.loads if self._header.about is not None else _request_of
        first = self._grid.first
        for begin, chunk in self._columns.groups("request"):
            places = np.flatnonzero((first >= begin) & (first < begin + len(chunk)))
            try:
                texts = texts_of(chunk.take(first[places] - begin))
                for place, text in zip(places, texts, strict=True):
                    made[place] = None if text is None else read(text)
            except BadCellError as error:
                raise RecordingError(f"request {error}") from error
            except ValueError as error:
                raise RecordingError(
                    f"request {self._grid.ids[place]!r} is no JSON: {error}"
                ) from error
        return made

    def _score_kind(self, score: NDArray[np.float64]) -> NDArray[np.int8]:
        scored = np.where(np.isnan(score), 0, 1).astype(np.int8)
        if not self._has("score_kind"):
            return scored
        words = self._cells("score_kind", texts_of, "none")
        codes = {word: code for code, word in enumerate(SCORE_KINDS)}
        made = np.array([codes.get(word or "none", -1) for word in words.ravel()], np.int8)
        made = made.reshape(words.shape)
        self._check_kind(words, made < 0, f"expected one of {', '.join(SCORE_KINDS)}")
        self._check_kind(words, (made == 1) & (scored == 0), "but there is no score")
        self._check_kind(words, (made != 1) & (scored == 1), "but there is a score")
        return made

    def _check_kind(self, words: NDArray[Any], bad: NDArray[np.bool_], why: str) -> None:
        if bad.any():
            row, tier = (int(i) for i in np.argwhere(bad)[0])
            raise RecordingError(
                f"score_kind of request {self._grid.ids[row]!r}, tier {self._grid.names[tier]!r} "
                f"is {words[row, tier]!r}; {why}"
            )

    def _signals(self) -> dict[str, NDArray[np.float64]]:
        names = [name for name in self._columns.names if name.startswith(SIGNAL)]
        return {n.removeprefix(SIGNAL): self._cells(n, floats_of, np.nan) for n in names}

    def _charges(self) -> Charges:
        if not self._has("charges"):
            return Charges.none()
        try:
            return charges_in(self._columns, self._grid)
        except BadCellError as error:
            raise RecordingError(f"charges: an entry {error}") from error

    # Tiers ---------------------------------------------------------------------------------------

    def _tiers(self) -> tuple[RecordedTier, ...]:
        """Those of the header, and what the rows tell of others."""
        known = {tier.name: tier for tier in self._header.tiers}
        names = self._grid.names
        models, roles = self._of_tiers("model"), self._of_tiers("role")
        found = []
        for name, model, role in zip(names, models, roles, strict=True):
            if role not in (None, "tier", "witness"):
                raise RecordingError(
                    f"role of tier {name!r} is {role!r}; expected 'tier' or 'witness'"
                )
            made = RecordedTier(name, model or name, cast("Role", role or "tier"))
            found.append(known.get(name, made))
        return tuple(found)

    def _of_tiers(self, name: str) -> Sequence[Any]:
        if not self._has(name):
            return [None] * len(self._grid.names)
        return self._grid.first_of_tiers(self._read(name, texts_of))


def _names_of(column: Any) -> NDArray[Any]:
    arrow = needed("pyarrow")
    if arrow.types.is_integer(column.type):
        column = column.cast(arrow.string())
    return texts_of(column)


def _request_of(text: str) -> Any:
    """What another tool wrote as a request: a payload or messages as JSON, else a prompt."""
    if text[:1] in ("{", "["):
        try:
            found = json.loads(text)
        except ValueError:
            return text
        if isinstance(found, list) or "messages" in found or "input" in found:
            return found
    return text


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made
