"""The steps that bring a set of tables to today's shape: numbered, applied once, in order.

Several sets may live in one database (traces; keys and budgets), each with a table of its own that
says which steps it has had. A step is plain SQL that SQLite and PostgreSQL both understand but for
one name, and never changes after it was released: a new shape of the tables is a new step. What is
sorted by compares byte by byte (COLLATE binary, "C" on PostgreSQL): the order is the same
everywhere, and no update of a machine's languages can spoil an index.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, text

from cascade.errors import StoreError

__all__ = ["TableSet", "migrate"]

LOCK = 0x43_41_53_43
"""Any number, the same in every process: one process at a time migrates a PostgreSQL database.
SQLite locks the file when the transaction begins."""


@dataclass(frozen=True)
class TableSet:
    """Tables that belong together, and how they came to be.

    Attributes:
        what: what a place with them is called in messages, e.g. "a trace store".
        versions: name of the table that says which steps were applied.
        steps: the statements of each step; step 1 stands first.
        tables: names that must be free before step 1.
    """

    what: str
    versions: str
    steps: tuple[tuple[str, ...], ...]
    tables: frozenset[str]


def migrate(connection: Connection, tables: TableSet) -> None:
    """Bring the tables up to date, within the caller's transaction.

    Raises:
        StoreError: a newer version of Cascade wrote them, or tables of these names belong to
            something else.
    """
    on_postgres = connection.dialect.name == "postgresql"
    if on_postgres:
        _check_encoding(connection)
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    _apply(connection, tables, _version(connection, tables), on_postgres=on_postgres)
    # A change that changes nothing: a place that can only be read shows itself now.
    connection.execute(text(f"UPDATE {tables.versions} SET number = number WHERE number = 1"))  # noqa: S608


def _version(connection: Connection, tables: TableSet) -> int:
    """The last step applied; makes the table that says so where there is none."""
    found = set(inspect(connection).get_table_names())
    if tables.versions not in found:
        _check_foreign(found, tables)
        connection.execute(
            text(
                f"CREATE TABLE {tables.versions} "
                "(number INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)"
            )
        )
    version: int = connection.execute(
        text(f"SELECT coalesce(max(number), 0) FROM {tables.versions}")  # noqa: S608
    ).scalar_one()
    if version > len(tables.steps):
        raise StoreError(
            f"it has schema version {version}, but this Cascade knows up to {len(tables.steps)}; "
            "upgrade frugal-cascade, or use another store"
        )
    return version


def _apply(connection: Connection, tables: TableSet, version: int, *, on_postgres: bool) -> None:
    for number, statements in enumerate(tables.steps[version:], start=version + 1):
        for statement in statements:
            if on_postgres:
                statement = statement.replace("COLLATE binary", 'COLLATE "C"')  # noqa: PLW2901
            connection.execute(text(statement))
        connection.execute(
            text(f"INSERT INTO {tables.versions} (number, applied_at) VALUES (:number, :at)"),  # noqa: S608
            {"number": number, "at": datetime.now(UTC).isoformat(timespec="seconds")},
        )


def _check_encoding(connection: Connection) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding not in ("UTF8", "SQL_ASCII"):  # the latter keeps any bytes
        raise StoreError(
            f"its encoding {encoding} cannot hold every text; "
            "make the database with ENCODING 'UTF8'"
        )


def _check_foreign(found: set[str], tables: TableSet) -> None:
    taken = sorted(found & tables.tables)
    if taken:
        raise StoreError(
            f"it is not {tables.what}: another program has made its table {taken[0]!r}; "
            "choose another place"
        )
