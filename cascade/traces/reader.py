"""Finding and reading the traces that a place keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Unpack

from sqlalchemy import Connection

from cascade.core.trace import Trace
from cascade.errors import StoreError, TraceError
from cascade.traces import queries
from cascade.traces.filters import Sort, Wanted, check_limit, check_sort
from cascade.traces.queries import OnDamaged
from cascade.traces.row import TraceRow

__all__ = ["TraceReader"]

PAGE = 200
"""Traces that `iter_traces` reads at once; a long conversation takes a megabyte."""


class TraceReader(ABC):
    """What can be asked of a place with traces.

    Attributes:
        where: the place, as it may be shown.
    """

    where: str

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with, in this thread."""

    def get(self, trace_id: str) -> Trace:
        """The trace of that id, as it was kept.

        Raises:
            StoreError: there is none, or the store cannot be read.
        """
        found = self.find(trace_id)
        if found is None:
            raise StoreError(f"no trace {trace_id!r} in {self.where}; `cascade trace list` has ids")
        return found

    def find(self, trace_id: str) -> Trace | None:
        """The trace of that id, `None` where there is none; raises as `get` otherwise."""
        with self.reading() as connection:
            text = queries.find(connection, trace_id)
        return None if text is None else _read(trace_id, text)

    def resolve(self, start: str) -> str:
        """The one id that begins with `start`; "last" means the newest trace.

        Raises:
            StoreError: none does, or several do.
        """
        if start == "last":
            newest = self.list(limit=1)
            if not newest:
                raise StoreError(f"{self.where} holds no traces yet")
            return newest[0].id
        with self.reading() as connection:
            found = queries.find_ids(connection, start, limit=3)
        if start in found or len(found) == 1:
            return start if start in found else found[0]
        if not found:
            raise StoreError(f"no trace begins with {start!r} in {self.where}")
        raise StoreError(
            f"several traces begin with {start!r}: {', '.join(found)}; give more of it"
        )

    def list(
        self,
        limit: int | None = 20,
        *,
        sort: Sort = "time",
        on_damaged: OnDamaged | None = None,
        **wanted: Unpack[Wanted],
    ) -> Sequence[TraceRow]:
        """Traces in short, newest first unless `sort` says otherwise.

        Args:
            limit: how many at most; `None` for all.
            sort: "time" for the newest first, "cost" for the dearest (an unknown cost counts with
                what is known of it), "duration" for the longest.
            on_damaged: told of each damaged row, which is then passed over.
            **wanted: what narrows the list; all that is given must hold. `status`: how they ended;
                `tier`: which one answered; `chain`: its name; `tag`: one of their tags; `parent`:
                the trace or run they were made for, or several; `since` and `until`: begun then or
                later, and before then: a date or datetime, one in ISO 8601, or so long ago as
                "12h" or "7d"; a moment without a zone counts as UTC.

        Raises:
            ConfigError: what a filter is given cannot be meant: no such status, no moment.
            TraceError: a row is damaged, and there is no `on_damaged`.
        """
        check_limit(limit)
        check_sort(sort)
        where = queries.conditions(wanted)
        with self.reading() as connection:
            return queries.listed(connection, where, limit, on_damaged, sort)

    def iter_traces(
        self, *, on_damaged: OnDamaged | None = None, **wanted: Unpack[Wanted]
    ) -> Iterator[Trace]:
        """Whole traces, oldest first, read page by page; arguments and errors as in `list`."""
        return self._pages(queries.conditions(wanted), on_damaged)

    def _pages(self, where: queries.Conditions, on_damaged: OnDamaged | None) -> Iterator[Trace]:
        after: queries.Place | None = None
        while True:
            with self.reading() as connection:
                page = queries.page(connection, where, after, PAGE)
            for started_at, trace_id, text in page:
                after = (started_at, trace_id)
                try:
                    found = _read(trace_id, text)
                except TraceError as error:
                    if on_damaged is None:
                        raise
                    on_damaged(trace_id, error)
                else:
                    yield found
            if len(page) < PAGE:
                return

    def count(self, **wanted: Unpack[Wanted]) -> int:
        """How many traces are kept; arguments as in `list`."""
        where = queries.conditions(wanted)
        with self.reading() as connection:
            return queries.count(connection, where)


def _read(trace_id: str, text: Any) -> Trace:
    if not isinstance(text, str):  # SQLite keeps whatever somebody put there
        raise TraceError(f"trace {trace_id}: this is no trace: its JSON is no text")
    try:
        return Trace.from_json(text)
    except TraceError as error:
        raise type(error)(f"trace {trace_id}: {error}") from error
