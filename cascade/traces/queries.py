"""What a trace store reads, within a connection that somebody else opens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Connection,
    Double,
    Numeric,
    cast,
    func,
    literal,
    select,
    tuple_,
)

from cascade.errors import TraceError
from cascade.traces.filters import Sort, Wanted, checked
from cascade.traces.row import TraceRow
from cascade.traces.schema import charges, column_text, tags, traces, utc

__all__ = [
    "Conditions",
    "Mark",
    "OnDamaged",
    "Place",
    "conditions",
    "count",
    "find",
    "find_ids",
    "find_many",
    "listed",
    "names",
    "page",
    "rows_from",
    "sliced",
]

Place = tuple[str, str]
"""Where a page ended: the time and id of its last trace."""

Mark = tuple[Any, ...]
"""A row's place in an order: what it is sorted by."""

Conditions = list[Any]
"""SQLAlchemy's own type is a union that no caller needs."""

OnDamaged = Callable[[str, TraceError], object]
"""Is told the id of a trace that cannot be read, and why."""

AMOUNTS = ("cost_usd", "scoring_cost_usd", "saved_usd")

KINDS: dict[str, Any] = {
    "started_at": str,
    "status": str,
    "tier": str | None,
    "chain": str,
    "attempts": int,
    "duration_s": int | float,
    "parent_id": str | None,
}
"""What SQLite's columns hold unless somebody put something else into them."""

CHUNK = 500
"""Ids named in one question: databases take some thousands at most."""


def find(connection: Connection, trace_id: str) -> str | None:
    """The JSON of one trace."""
    query = select(traces.c.json).where(traces.c.id == column_text(trace_id))
    return connection.execute(query).scalar_one_or_none()


def find_many(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """The JSON of some traces, by id."""
    found: dict[str, Any] = {}
    for start in range(0, len(ids), CHUNK):
        some = traces.c.id.in_([column_text(item) for item in ids[start : start + CHUNK]])
        rows = connection.execute(select(traces.c.id, traces.c.json).where(some))
        found.update((row[0], row[1]) for row in rows)
    return found


def names(connection: Connection, column: str, wanted: Conditions, among: int) -> list[str]:
    """What stands in a column of the newest traces."""
    newest = select(traces.c[column].label("name")).where(*wanted)
    newest = newest.order_by(traces.c.started_at.desc()).limit(among)
    part = newest.subquery()
    query = select(part.c.name).where(part.c.name.is_not(None)).distinct().order_by(part.c.name)
    return [str(name) for name in connection.execute(query).scalars()]


def find_ids(connection: Connection, start: str, limit: int) -> list[str]:
    """The first ids that begin so."""
    query = (
        select(traces.c.id)
        .where(traces.c.id.startswith(column_text(start), autoescape=True))
        .order_by(traces.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def conditions(wanted: Wanted) -> Conditions:
    """What a trace must fulfil to be listed.

    Raises:
        TypeError: there is no such filter.
        ConfigError: what a filter is given cannot be meant.
    """
    wanted = checked(wanted)
    found: Conditions = []
    for name in ("status", "tier", "chain"):
        value = wanted.get(name)
        if isinstance(value, str):
            found.append(traces.c[name] == column_text(value))
    since, until, tag = wanted.get("since"), wanted.get("until"), wanted.get("tag")
    if isinstance(since, datetime):  # which a checked moment is
        found.append(traces.c.started_at >= column_text(utc(since)))
    if isinstance(until, datetime):
        found.append(traces.c.started_at < column_text(utc(until)))
    for each in (*([] if tag is None else [tag]), *(wanted.get("tags") or ())):
        marked = select(tags.c.trace_id).where(tags.c.tag == column_text(each))
        found.append(traces.c.id.in_(marked))
    parent = wanted.get("parent")
    if parent is not None:
        parents = [parent] if isinstance(parent, str) else parent
        found.append(traces.c.parent_id.in_([column_text(item) for item in parents]))
    return found + _numbers(wanted)


def _numbers(wanted: Wanted) -> Conditions:
    """Conditions on what was counted and measured; an unknown cost fulfils none on costs."""
    found: Conditions = []
    escalated, basis = wanted.get("escalated"), wanted.get("basis")
    if escalated is not None:
        found.append(traces.c.attempts > 1 if escalated else traces.c.attempts <= 1)
    if basis is not None:
        found.append(traces.c.basis == basis)
    cost, duration = cast(traces.c.cost_usd, Numeric), traces.c.duration_s
    if (low := wanted.get("min_cost_usd")) is not None:
        found.append(cost >= cast(str(low), Numeric))
    if (high := wanted.get("max_cost_usd")) is not None:
        found.append(cost <= cast(str(high), Numeric))
    if (least := wanted.get("min_duration_s")) is not None:
        found.append(duration >= least)
    if (most := wanted.get("max_duration_s")) is not None:
        found.append(duration <= most)
    return found


def listed(
    connection: Connection,
    wanted: Conditions,
    limit: int | None,
    on_damaged: OnDamaged | None = None,
    sort: Sort = "time",
) -> list[TraceRow]:
    """Traces in short; a damaged row goes to `on_damaged` where there is one."""
    found = sliced(connection, wanted, limit, sort)
    return rows_from(connection, [values for _, values in found], on_damaged)


def sliced(
    connection: Connection,
    wanted: Conditions,
    limit: int | None,
    sort: Sort = "time",
    after: Mark | None = None,
    *,
    with_size: bool = False,
) -> list[tuple[Mark, dict[str, Any]]]:
    """Rows of `traces` in order, each with the mark after which the next one follows.

    With `size`, the characters of their JSON, where that is asked for.
    """
    keys = [*_order(sort, connection.dialect.name), traces.c.started_at, traces.c.id]
    names = [name for name in TraceRow.__slots__ if name != "tags"]
    columns: list[Any] = [traces.c[name] for name in names]
    if with_size:
        columns.append(func.length(traces.c.json).label("size"))
    marks = [key.label(f"mark_{place}") for place, key in enumerate(keys)]
    query = select(*columns, *marks).where(*wanted).order_by(*(key.desc() for key in keys))
    if after is not None:
        query = query.where(tuple_(*keys) < tuple_(*map(literal, after)))
    rows = []
    for row in connection.execute(query.limit(limit)).mappings():
        values = dict(row)
        rows.append((tuple(values.pop(mark.name) for mark in marks), values))
    return rows


def rows_from(
    connection: Connection, found: Iterable[dict[str, Any]], on_damaged: OnDamaged | None = None
) -> list[TraceRow]:
    """Rows of `traces` as values, with their tags."""
    rows = []
    for values in found:
        try:
            rows.append(_row(values))
        except TraceError as error:
            if on_damaged is None:
                raise
            on_damaged(str(values["id"]), error)
    marks = _tags(connection, [row.id for row in rows])
    return [replace(row, tags=marks[row.id]) if row.id in marks else row for row in rows]


def _order(sort: Sort, dialect: str) -> list[Any]:
    """What stands first, before the newest; an unknown cost counts with what is known of it."""
    if sort == "duration":
        return [traces.c.duration_s]
    if sort == "time":
        return []
    number = Double if dialect == "sqlite" else Numeric  # each as the database compares it
    known = (
        select(func.sum(cast(charges.c.cost_usd, number)))
        .where(charges.c.trace_id == traces.c.id)
        .scalar_subquery()
    )
    return [func.coalesce(cast(traces.c.cost_usd, number), known, cast(0, number))]


def page(
    connection: Connection, wanted: Conditions, after: Place | None, size: int
) -> Sequence[tuple[str, str, str]]:
    """Time, id and JSON of the traces that follow a place, oldest first."""
    time, trace_id = traces.c.started_at, traces.c.id
    query = select(time, trace_id, traces.c.json).where(*wanted).order_by(time, trace_id)
    if after is not None:
        later = (time == after[0]) & (trace_id > after[1])
        query = query.where((time > after[0]) | later)
    return [(row[0], row[1], row[2]) for row in connection.execute(query.limit(size))]


def count(connection: Connection, wanted: Conditions) -> int:
    """How many traces there are."""
    query = select(func.count()).select_from(traces).where(*wanted)
    return connection.execute(query).scalar_one()


def _tags(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The tags of those traces that have any."""
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(ids), CHUNK):
        some = tags.c.trace_id.in_(ids[start : start + CHUNK])
        query = select(tags.c.trace_id, tags.c.tag).where(some).order_by(tags.c.position)
        for trace_id, tag in connection.execute(query):
            found[trace_id] = (*found.get(trace_id, ()), tag)
    return found


def _row(values: dict[str, Any]) -> TraceRow:
    """A row as a value; SQLite keeps whatever somebody put into a column.

    Raises:
        TraceError: it holds what no trace would have written.
    """
    try:
        for name in AMOUNTS:
            values[name] = None if values[name] is None else Decimal(values[name])
    except (TypeError, ValueError, ArithmeticError) as error:
        raise TraceError(f"trace {values['id']}: its column {name} is damaged") from error
    for name, kinds in KINDS.items():
        if not isinstance(values[name], kinds):
            raise TraceError(f"trace {values['id']}: its column {name} is damaged")
    return TraceRow(**values)
