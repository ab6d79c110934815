"""What a trace store asks its database, within a connection that somebody else opens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from cascade.core.trace import Trace
from cascade.errors import TraceError
from cascade.traces.row import TraceRow
from cascade.traces.schema import charge_rows, charges, column_text, trace_row, traces, utc

__all__ = [
    "Conditions",
    "Kept",
    "Moment",
    "OnDamaged",
    "Place",
    "conditions",
    "count",
    "find",
    "find_ids",
    "listed",
    "page",
    "replace_rows",
    "rows_of",
]

Moment = str | datetime

Place = tuple[str, str]
"""Where a page ended: the time and id of its last trace."""

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
}
"""What SQLite's columns hold unless somebody put something else into them."""

Kept = tuple[dict[str, Any], list[dict[str, Any]]]
"""A trace's row of `traces` and its rows of `charges`."""


def rows_of(trace: Trace) -> Kept:
    """A trace as it is kept."""
    return trace_row(trace), charge_rows(trace)


def replace_rows(connection: Connection, rows: Iterable[Kept]) -> None:
    """Write traces with their charges in place of what their ids stood for.

    Other processes may write the same ids to a server at the same time. Whoever writes the row of a
    trace first holds it to the end of the transaction, and ids in order cannot deadlock.
    """
    rows = sorted(rows, key=lambda kept: kept[0]["id"])
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    upsert = dialect.insert(traces)
    others = {column.name: upsert.excluded[column.name] for column in traces.c}
    connection.execute(
        upsert.on_conflict_do_update(index_elements=[traces.c.id], set_=others),
        [row for row, _ in rows],
    )
    ids = [row["id"] for row, _ in rows]
    connection.execute(delete(charges).where(charges.c.trace_id.in_(ids)))
    booked = [row for _, found in rows for row in found]
    if booked:
        connection.execute(insert(charges), booked)


def find(connection: Connection, trace_id: str) -> str | None:
    """The JSON of one trace."""
    query = select(traces.c.json).where(traces.c.id == column_text(trace_id))
    return connection.execute(query).scalar_one_or_none()


def find_ids(connection: Connection, start: str, limit: int) -> list[str]:
    """The first ids that begin so."""
    query = (
        select(traces.c.id)
        .where(traces.c.id.startswith(column_text(start), autoescape=True))
        .order_by(traces.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def conditions(status: str | None, tier: str | None, since: Moment | None) -> Conditions:
    """What a trace must fulfil to be listed."""
    wanted = []
    if status is not None:
        wanted.append(traces.c.status == column_text(status))
    if tier is not None:
        wanted.append(traces.c.tier == column_text(tier))
    if since is not None:
        wanted.append(traces.c.started_at >= column_text(utc(since)))
    return wanted


def listed(
    connection: Connection,
    wanted: Conditions,
    limit: int | None,
    on_damaged: OnDamaged | None = None,
) -> list[TraceRow]:
    """Traces in short, newest first; a damaged row goes to `on_damaged` where there is one."""
    query = (
        select(*(traces.c[name] for name in TraceRow.__slots__))
        .where(*wanted)
        .order_by(traces.c.started_at.desc(), traces.c.id.desc())
        .limit(limit)
    )
    rows = []
    for found in connection.execute(query).mappings():
        try:
            rows.append(_row(dict(found)))
        except TraceError as error:
            if on_damaged is None:
                raise
            on_damaged(str(found["id"]), error)
    return rows


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


def count(connection: Connection) -> int:
    """How many traces there are."""
    return connection.execute(select(func.count()).select_from(traces)).scalar_one()


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
