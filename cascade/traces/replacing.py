"""How a trace store writes, within a connection that somebody else opens."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, Table, bindparam, delete, insert
from sqlalchemy.dialects import postgresql, sqlite

from cascade.traces.schema import Kept, Row, charges, tags, traces

__all__ = ["replace_rows"]

AT_ONCE = 20
"""Rows that SQLite is given at once. After each statement the writer waits until the event loop
lets go of Python; row by row it would wait for every one of them."""


def replace_rows(connection: Connection, rows: Iterable[Kept]) -> None:
    """Write traces with their charges in place of what their ids stood for.

    Other processes may write the same ids to a server at the same time. Whoever writes the row of a
    trace first holds it to the end of the transaction, and ids in order cannot deadlock.
    """
    rows = sorted(rows, key=attrgetter("id"))
    if not rows:
        return
    dialect = connection.dialect.name
    found = [kept.trace for kept in rows]
    if _write(connection, _insertion(dialect), found) != len(rows):  # some ids were there
        _write(connection, _upsert(dialect), found)
        ids: list[Row] = [(kept.id,) for kept in rows]
        for table in (charges, tags):
            _write(connection, _removal(table), ids)
    for table, added in (
        (charges, [row for kept in rows for row in kept.charges]),
        (tags, [row for kept in rows for row in kept.tags]),
    ):
        if added:
            _write(connection, _addition(table), added)


class Prepared(NamedTuple):
    """A statement as a database reads it.

    Attributes:
        one: for a row.
        several: for `AT_ONCE` rows; `None` where the driver has a quick way of its own.
    """

    one: str
    several: str | None


def _write(connection: Connection, statement: Any, rows: list[Row]) -> int:
    """Execute a statement for each of several rows whose values any driver takes as they are.

    Returns:
        How many rows of the table that changed; anything where the driver cannot tell.
    """
    made = _prepared(statement, connection.dialect)
    changed = 0
    if made.several is not None:
        while len(rows) >= AT_ONCE:
            some, rows = rows[:AT_ONCE], rows[AT_ONCE:]
            flat = tuple(chain.from_iterable(some))
            changed += connection.exec_driver_sql(made.several, flat).rowcount
    if rows:
        changed += connection.exec_driver_sql(made.one, rows).rowcount
    return changed


@lru_cache(16)
def _prepared(statement: Any, dialect: Dialect) -> Prepared:
    """A statement that takes its values in order.

    SQLAlchemy would look this up for every batch, and look at every value.
    """
    if not dialect.positional:  # SQLAlchemy would name them; the driver takes either
        kind: Any = type(dialect)
        return Prepared(str(statement.compile(dialect=kind(paramstyle="format"))), None)
    several = None
    if isinstance(statement, Insert):
        rows = [dict.fromkeys(statement.table.c.keys())] * AT_ONCE
        several = str(statement.values(rows).compile(dialect=dialect))
    return Prepared(str(statement.compile(dialect=dialect)), several)


@cache
def _insertion(dialect: str) -> Any:
    """Writes traces whose ids are new, and passes over the others.

    Statements are made once, because that takes longer than writing a trace.
    """
    return _insert(dialect).on_conflict_do_nothing(index_elements=[traces.c.id])


@cache
def _upsert(dialect: str) -> Any:
    """Writes traces in place of what their ids stood for."""
    upsert = _insert(dialect)
    others = {column.name: upsert.excluded[column.name] for column in traces.c}
    return upsert.on_conflict_do_update(index_elements=[traces.c.id], set_=others)


def _insert(dialect: str) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(traces)


@cache
def _removal(table: Table) -> Any:
    """Removes the rows of a trace."""
    return delete(table).where(table.c.trace_id == bindparam("of"))


@cache
def _addition(table: Table) -> Any:
    """Adds rows."""
    return insert(table)
