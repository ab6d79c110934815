"""Where tables are kept: a path or URL as an engine, and how each database is set up.

A connection is opened for each use and not pooled: it must not outlive its use, see
`cascade.database.forks`, and many machines share a server's few. SQLite opens one in a fraction of
a millisecond, PostgreSQL in a few; who has work to do keeps its own meanwhile.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from cascade.database.trouble import explained
from cascade.errors import StoreError

__all__ = ["default_place", "engine_of", "file_of", "shown", "url_of"]

VARIABLE = "CASCADE_DATABASE_URL"
"""The environment's say in where traces, keys and budgets are kept, where a program says nothing.
"""

DEFAULT_PLACE = "traces.sqlite3"

BUSY_TIMEOUT_MS = 5_000
"""How long a database waits for another process that is writing."""

LIBPQ: dict[str, Any] = {
    "client_encoding": "utf8",
    "fallback_application_name": "cascade",
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""How psycopg connects where the URL says nothing: a server that falls silent is given up within
half a minute, not within the quarter of an hour that the network would try."""


def default_place() -> str:
    """Where tables are kept if nothing else is said: `CASCADE_DATABASE_URL`, else a file here."""
    return os.environ.get(VARIABLE) or DEFAULT_PLACE


def url_of(where: str | os.PathLike[str] | None) -> URL:
    """The database that a path or URL means; `None` for `default_place`.

    Raises:
        StoreError: it means none that could keep tables.
    """
    where = default_place() if where is None else where
    if not isinstance(where, str) or "://" not in where:
        if str(where) in ("", ":memory:"):
            raise StoreError(f"expected a file or a database URL, not {str(where)!r}")
        return URL.create("sqlite", database=str(Path(where).expanduser()))
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):  # a port that is no number; the words may hold a password
        raise _unreadable(where) from None
    if url.get_backend_name() == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise StoreError(
                f"{where!r} is a database in memory, which every connection has its own of; "
                "give a file, e.g. 'traces.sqlite3'"
            )
    elif "@" in f"{url.host}{url.database}":  # the rest of a password
        raise _unreadable(where)
    elif url.get_backend_name() not in ("postgresql", "postgres"):
        raise StoreError(
            f"{url.get_backend_name()!r} is no kind of database that tables are kept in; expected "
            "a file (SQLite), or postgresql://user:password@host:5432/name"
        )
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def shown(url: URL) -> str:
    """The place for messages, without a password."""
    if url.drivername == "sqlite" and not url.query:
        return str(url.database)
    secret = {key: "hidden" for key in url.query if "passw" in key.lower()}
    return url.update_query_dict(secret).render_as_string(hide_password=True)


def file_of(url: URL) -> Path | None:
    """The file that an SQLite database is kept in, wherever the process goes; else `None`."""
    is_path = url.get_backend_name() == "sqlite" and not str(url.database).startswith("file:")
    return Path(str(url.database)).absolute() if is_path else None


def engine_of(url: URL) -> Engine:
    """An engine for that database; connects to nothing yet.

    Raises:
        StoreError: its driver is missing, or is one for asyncio.
    """
    sqlite, postgres = (url.get_backend_name() == name for name in ("sqlite", "postgresql"))
    options: dict[str, Any] = {}
    if sqlite:  # a fork closes the writer's connection from its own thread
        options["connect_args"] = {"check_same_thread": False}
    elif postgres:
        options["isolation_level"] = "READ COMMITTED"  # a statement sees what it waited for
        if url.get_driver_name() == "psycopg":
            unsaid = {key: value for key, value in LIBPQ.items() if key not in url.query}
            options["connect_args"] = unsaid
    try:
        if url.get_dialect().is_async:
            raise StoreError(
                f"{shown(url)}: tables are written by threads; name a driver that is not for "
                "asyncio, e.g. postgresql+psycopg://"
            )
        engine = create_engine(url, hide_parameters=True, poolclass=NullPool, **options)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise explained(url.get_backend_name(), shown(url), error) from error
    if sqlite:
        event.listen(engine, "do_connect", partial(_for_us_alone, file_of(url)))
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif postgres:
        event.listen(engine, "begin", _begin_postgres)
    return engine


def _unreadable(where: str) -> StoreError:
    kind = where.partition("://")[0]
    return StoreError(
        f"{kind + '://...'!r} is no database URL; expected one like "
        "postgresql+psycopg://user:password@host:5432/name, "
        "special characters of the password percent-encoded (@ is %40)"
    )


def _for_us_alone(file: Path | None, *_connecting: object) -> None:
    """Make a new file for its owner alone: it will hold what people asked and were answered."""
    if file is not None:
        with suppress(OSError):  # it is there; or it cannot be made, which connecting explains
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_up_sqlite(connection: Any, _record: object) -> None:
    """Write-ahead log, so that reading never waits for writing; referential integrity is opt-in."""
    connection.isolation_level = None  # the driver begins no transactions of its own
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _use_write_ahead_log(connection)
    connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last moments
    connection.execute("PRAGMA foreign_keys = ON")


def _use_write_ahead_log(connection: Any) -> None:
    """Switch a new file over; two that do so at once get "locked" without any waiting."""
    end = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except connection.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start: a reader that turns writer half way can only fail."""
    if not connection.get_execution_options().get("cascade_read"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    """Wait no longer for a lock than SQLite would; said per transaction, as poolers need it."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_MS}")
