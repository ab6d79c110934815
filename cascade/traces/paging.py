"""A list of traces page by page, in any order, as fast on the last page as on the first.

A page ends with a cursor: a text that says where the next one begins. It stays right while traces
come in, because it names a place in the order and no number of rows.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Unpack

from sqlalchemy import Connection

from cascade.errors import ConfigError
from cascade.traces import queries
from cascade.traces.filters import Sort, Wanted, check_limit, check_sort
from cascade.traces.queries import Mark
from cascade.traces.row import TraceRow
from cascade.traces.search import holds, may_hold
from cascade.traces.store import TraceStore

__all__ = ["TracePage", "trace_page"]

LOOKED_THROUGH = 2_000
"""Traces that may hold the words, and are read for one page: a fraction of a second."""

PORTION_CHARS = 16_000_000
"""JSON that is in memory at a time, unless one trace alone has more: some have twenty megabytes."""

PORTION_ROWS = 50

Item = tuple[Mark, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TracePage:
    """One page of a list.

    Attributes:
        rows: its traces, in order.
        after: the cursor of the next page; `None` where there is none.
        damaged: ids of traces on this page that cannot be read.
        looked_to: where a search for words gave up for now: when the last trace it read had begun;
            `None` where it came to its end or filled the page.
    """

    rows: tuple[TraceRow, ...]
    after: str | None
    damaged: tuple[str, ...]
    looked_to: str | None = None


def trace_page(
    store: TraceStore,
    *,
    size: int = 50,
    sort: Sort = "time",
    after: str | None = None,
    text: str = "",
    **wanted: Unpack[Wanted],
) -> TracePage:
    """One page of traces.

    Args:
        store: where they are kept.
        size: how many at most.
        sort: as in `TraceStore.list`.
        after: the cursor of the page before; the first page unless given.
        text: only traces with these words in the request or in an answer, in any case; traces
            whose words were not kept have none.
        **wanted: as in `TraceStore.list`.

    Raises:
        ConfigError: a filter that cannot be meant, or a cursor that is none of this order.
        StoreError: the store cannot be read.
    """
    check_limit(size)
    check_sort(sort)
    where = queries.conditions(wanted) + (may_hold(text) if text else [])
    mark = _read(after, sort) if after else None
    damaged: list[str] = []
    chosen: list[Item] = []
    looked, is_last = 0, False
    with store.reading() as connection:
        while len(chosen) <= size and not is_last and looked < LOOKED_THROUGH:
            asked = size + 1 - len(chosen) if not text else max(size, 200)
            found = queries.sliced(connection, where, asked, sort, mark, with_size=bool(text))
            is_last = len(found) < asked
            mark = found[-1][0] if found else mark
            looked += len(found) if text else 0
            fitting = _with_words(connection, found, text) if text else found
            chosen += islice(fitting, size + 1 - len(chosen))
        shown = chosen[:size]
        rows = queries.rows_from(
            connection, [values for _, values in shown], lambda name, _: damaged.append(name)
        )
    if len(chosen) > size:
        return TracePage(tuple(rows), _written(shown[-1][0] if shown else (), sort), tuple(damaged))
    if is_last or mark is None:
        return TracePage(tuple(rows), None, tuple(damaged))
    return TracePage(tuple(rows), _written(mark, sort), tuple(damaged), str(mark[-2]))


def _with_words(connection: Connection, found: Iterable[Item], text: str) -> Iterator[Item]:
    """Those that hold the words."""
    for some in _portions(found):
        jsons = queries.find_many(connection, [values["id"] for _, values in some])
        for item in some:
            if holds(jsons.pop(item[1]["id"], None), text):
                yield item


def _portions(found: Iterable[Item]) -> Iterator[list[Item]]:
    """Rows whose JSON is read at a time; drops their size, which is not shown."""
    some: list[Item] = []
    chars = 0
    for item in found:
        size = item[1].pop("size") or 0
        if some and (len(some) == PORTION_ROWS or chars + size > PORTION_CHARS):
            yield some
            some, chars = [], 0
        some.append(item)
        chars += size
    if some:
        yield some


def _written(mark: Mark, sort: Sort) -> str:
    parts = [{"usd": str(part)} if isinstance(part, Decimal) else part for part in mark]
    return base64.urlsafe_b64encode(json.dumps([sort, *parts]).encode()).decode().rstrip("=")


def _read(cursor: str, sort: Sort) -> Mark:
    """The place that a cursor names; whoever sends one may have made it up."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return _checked(json.loads(base64.b64decode(padded, b"-_", validate=True)), sort)
    except (ValueError, TypeError, KeyError, RecursionError, ArithmeticError) as error:
        raise ConfigError(
            f"after: {cursor[:40]!r} is no cursor of this list; begin with its first page"
        ) from error


def _checked(data: Any, sort: Sort) -> Mark:
    named, *number, moment, trace_id = data
    wrong = not isinstance(moment, str) or not isinstance(trace_id, str)
    if wrong or named != sort or len(number) != (sort != "time"):
        raise ValueError("a place in another order")
    for part in number:
        if isinstance(part, dict):
            number = [Decimal(part["usd"])]
        elif not isinstance(part, int | float):
            raise TypeError("no number")
    return (*number, moment, trace_id)
