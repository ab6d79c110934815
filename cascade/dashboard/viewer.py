"""Who looks, and the traces that they may see: an administrator all, a key those that it paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import func, select

from cascade.accounts.key import KEY_TAG
from cascade.core.trace import Trace
from cascade.traces import queries
from cascade.traces.filters import Sort, Wanted
from cascade.traces.paging import TracePage, trace_page
from cascade.traces.schema import column_text, traces
from cascade.traces.series import Series, Step, series
from cascade.traces.store import TraceStore

__all__ = ["Traces", "Viewer"]

NEWEST = 20_000
"""Traces looked through for the names of chains and tiers."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at the pages.

    Attributes:
        name: as the pages greet them.
        key_id: of the key that logged in; `None` on this machine, without a login.
        is_admin: may see every trace and every key.
    """

    name: str
    key_id: str | None
    is_admin: bool

    @property
    def manages_keys(self) -> bool:
        """Whether they may make and revoke keys: only an administrator who logged in.

        Without a login whoever has an account on this machine reaches the pages: an administrator's
        key made there would outlast them, and open the gateway to anybody.
        """
        return self.is_admin and self.key_id is not None


@dataclass(frozen=True, slots=True)
class Traces:
    """A store as one viewer sees it; every page reads through this."""

    store: TraceStore
    viewer: Viewer

    def find(self, trace_id: str) -> Trace | None:
        """The trace of that id; `None` where there is none for this viewer."""
        found = self.store.find(trace_id)
        return found if found is not None and self._is_visible(found) else None

    def iter_traces(self, **wanted: Any) -> Iterator[Trace]:
        """Whole traces, oldest first; damaged ones are passed over."""
        return self.store.iter_traces(on_damaged=_passed_over, **self._own(wanted))

    def newest(self, count: int, **wanted: Any) -> Iterator[Trace]:
        """At most so many of the newest, oldest first."""
        wanted = dict(self._own(wanted))
        rows = self.store.list(count, on_damaged=_passed_over, **cast("Wanted", wanted))
        if rows and (len(rows) == count or self.store.count(**cast("Wanted", wanted)) > count):
            wanted["since"] = rows[-1].started_at  # rows that cannot be read are not listed
        return self.store.iter_traces(on_damaged=_passed_over, **cast("Wanted", wanted))

    def count(self, **wanted: Any) -> int:
        """How many there are."""
        return self.store.count(**self._own(wanted))

    def page(
        self, *, size: int, sort: Sort, after: str | None, text: str, **wanted: Any
    ) -> TracePage:
        """One page of them."""
        own = self._own(wanted)
        return trace_page(self.store, size=size, sort=sort, after=after, text=text, **own)

    def series(self, step: Step, **wanted: Any) -> Series:
        """What they came to over time."""
        return series(self.store, step=step, **self._own(wanted))

    def jsons(self, ids: Sequence[str], longest: int) -> Mapping[str, Any]:
        """The JSON of some that were listed for this viewer, where it is no longer than that."""
        names = [column_text(item) for item in ids]
        short = select(traces.c.id).where(
            traces.c.id.in_(names), func.length(traces.c.json) <= longest
        )
        with self.store.reading() as connection:
            return queries.find_many(connection, list(connection.execute(short).scalars()))

    def names(self, column: str) -> list[str]:
        """Names of chains or tiers among the newest."""
        where = queries.conditions(self._own({}))
        with self.store.reading() as connection:
            return queries.names(connection, column, where, NEWEST)

    def _own(self, wanted: Mapping[str, Any]) -> Wanted:
        own = {**wanted}
        if not self.viewer.is_admin:
            own["tags"] = [*wanted.get("tags", ()), f"{KEY_TAG}{self.viewer.key_id}"]
        return cast("Wanted", own)

    def _is_visible(self, trace: Trace) -> bool:
        return self.viewer.is_admin or f"{KEY_TAG}{self.viewer.key_id}" in trace.tags


def _passed_over(_trace_id: str, _error: Exception) -> None:
    """Pages name damaged traces in lists; sums do without them."""
