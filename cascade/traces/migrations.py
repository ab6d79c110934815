"""The steps that bring a trace store to today's tables: numbered, applied once, in order.

A step is plain SQL that SQLite and PostgreSQL both understand but for one name, and never changes
after it was released: a new shape of the tables is a new step. `cascade.traces.schema` describes
the result. What is sorted by compares byte by byte (COLLATE binary, "C" on PostgreSQL): the order
is the same everywhere, and no update of a machine's languages can spoil an index.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, text

from cascade.errors import StoreError

__all__ = ["LATEST", "MIGRATIONS", "migrate"]

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (  # 1: traces with their charges
        """
        CREATE TABLE traces (
            id TEXT COLLATE binary PRIMARY KEY,
            started_at TEXT COLLATE binary NOT NULL,
            status TEXT COLLATE binary NOT NULL,
            tier TEXT COLLATE binary,
            chain TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            cost_usd TEXT,
            scoring_cost_usd TEXT,
            saved_usd TEXT,
            basis TEXT NOT NULL,
            duration_s DOUBLE PRECISION NOT NULL,
            content TEXT NOT NULL,
            json TEXT NOT NULL
        )
        """,
        "CREATE INDEX traces_by_time ON traces (started_at, id)",
        "CREATE INDEX traces_by_status ON traces (status, started_at)",
        "CREATE INDEX traces_by_tier ON traces (tier, started_at)",
        """
        CREATE TABLE charges (
            trace_id TEXT COLLATE binary NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            tier TEXT NOT NULL,
            model TEXT COLLATE binary NOT NULL,
            purpose TEXT NOT NULL,
            outcome TEXT NOT NULL,
            cost_usd TEXT,
            basis TEXT NOT NULL,
            input_tokens BIGINT,
            cached_tokens BIGINT,
            cache_write_tokens BIGINT,
            output_tokens BIGINT,
            reasoning_tokens BIGINT,
            latency_s DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (trace_id, position)
        )
        """,
        "CREATE INDEX charges_by_model ON charges (model)",
    ),
    (  # 2: what a request was made for, and the caller's marks
        "ALTER TABLE traces ADD COLUMN parent_id TEXT COLLATE binary",
        "CREATE INDEX traces_by_parent ON traces (parent_id, started_at)",
        """
        CREATE TABLE tags (
            trace_id TEXT COLLATE binary NOT NULL REFERENCES traces (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            tag TEXT COLLATE binary NOT NULL,
            PRIMARY KEY (trace_id, position)
        )
        """,
        "CREATE INDEX tags_by_tag ON tags (tag, trace_id)",
    ),
)

LATEST = len(MIGRATIONS)

LOCK = 0x43_41_53_43
"""Any number, the same in every process: one process at a time migrates a PostgreSQL store. SQLite
locks the file when the transaction begins."""


def migrate(connection: Connection) -> None:
    """Bring the tables up to date, within the caller's transaction.

    Raises:
        StoreError: a newer version of Cascade wrote the store, or its tables belong to something
            else.
    """
    on_postgres = connection.dialect.name == "postgresql"
    if on_postgres:
        _check_encoding(connection)
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    found = set(inspect(connection).get_table_names())
    if "cascade_migrations" not in found:
        _check_foreign(found)
        connection.execute(
            text(
                "CREATE TABLE cascade_migrations "
                "(number INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)"
            )
        )
    version = connection.execute(text("SELECT max(number) FROM cascade_migrations")).scalar() or 0
    if version > LATEST:
        raise StoreError(
            f"it has schema version {version}, but this Cascade knows up to {LATEST}; "
            "upgrade frugal-cascade, or use another store"
        )
    for number in range(version + 1, LATEST + 1):
        for statement in MIGRATIONS[number - 1]:
            if on_postgres:
                statement = statement.replace("COLLATE binary", 'COLLATE "C"')  # noqa: PLW2901
            connection.execute(text(statement))
        connection.execute(
            text("INSERT INTO cascade_migrations (number, applied_at) VALUES (:number, :at)"),
            {"number": number, "at": datetime.now(UTC).isoformat(timespec="seconds")},
        )
    # A change that changes nothing: a place that can only be read shows itself now.
    connection.execute(text("UPDATE cascade_migrations SET number = number WHERE number = 1"))


def _check_encoding(connection: Connection) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding not in ("UTF8", "SQL_ASCII"):  # the latter keeps any bytes
        raise StoreError(
            f"its encoding {encoding} cannot hold every text; "
            "make the database with ENCODING 'UTF8'"
        )


def _check_foreign(tables: set[str]) -> None:
    taken = sorted(tables & {"traces", "charges", "tags"})
    if taken:
        raise StoreError(
            f"it is not a trace store: another program has made its table {taken[0]!r}; "
            "choose another place"
        )
