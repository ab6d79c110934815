"""Keeps traces in a database: SQLite in one file by default, PostgreSQL for many machines.

A store is an observer: give it to a cascade and every trace is kept. Saving costs the request
microseconds, because a background thread writes; `cascade.traces.writer` says what that promises.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    delete,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from cascade.core.trace import Content, Status, Trace
from cascade.errors import ConfigError, StoreError, TraceError
from cascade.traces.content import check_content, redact
from cascade.traces.forks import ForkGate, watch_forks
from cascade.traces.migrations import migrate
from cascade.traces.row import TraceRow
from cascade.traces.schema import charge_rows, charges, trace_row, traces, utc
from cascade.traces.writer import Writer

__all__ = ["TraceRow", "TraceStore"]

DEFAULT_PLACE = "traces.sqlite3"

QUEUE_SIZE = 10_000
"""Traces that may wait to be written: seconds of a writer's work, and some tens of megabytes."""

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another process that is writing."""

READ_WAIT_S = 10.0
"""How long reading waits for this process's own traces to be written first."""

PAGE = 200
"""Traces that `iter_traces` reads at once; a long conversation takes a megabyte."""

Batch = list[Trace]
Errors = list[Exception]
Rows = dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]
"""By trace id: its row of `traces` and its rows of `charges`."""

Moment = str | datetime


class TraceStore:
    """A place where traces are kept.

        with TraceStore("traces.sqlite3") as store:
            llm = Cascade(tiers, store=store)

    Safe to share between threads. A forked child may use the object too: it writes with a thread
    and connections of its own, and what its parent had taken on stays the parent's to write.

    Args:
        where: path of an SQLite file, made if it does not exist, or an SQLAlchemy URL.
        content: what of a conversation is kept; see `cascade.traces.content.redact`.
        key: makes the digests of content "hashed" an HMAC.
        queue_size: traces that may wait for the writer; further ones are dropped, counted in
            `dropped` and reported in the log.

    Raises:
        ConfigError: a content policy that does not exist, or a queue without room.
        StoreError: the place cannot be written, is no trace store, is damaged, or was written by a
            newer version. An existing file is never overwritten.
    """

    def __init__(
        self,
        where: str | os.PathLike[str] = DEFAULT_PLACE,
        *,
        content: Content = "full",
        key: bytes | str | None = None,
        queue_size: int = QUEUE_SIZE,
    ) -> None:
        self.content: Content = check_content(content)
        if queue_size < 1:
            raise ConfigError(f"queue_size is {queue_size!r}; expected at least 1")
        self._key = key
        self._url = _url(where)
        self.where = _shown(self._url)
        self._engine = _engine(self._url)
        self._reader = self._engine.execution_options(cascade_read=True)
        self._connection: Connection | None = None  # the writer's, while there is work
        self._gate = ForkGate()
        watch_forks(self)
        self._open()
        self._writer: Writer[Trace] = Writer(
            self._write, self._rest, queue_size=queue_size, name=f"trace store {self.where}"
        )

    def __repr__(self) -> str:
        return f"TraceStore({self.where!r}, content={self.content!r})"

    # Writing -------------------------------------------------------------------------------------

    def __call__(self, trace: Trace) -> None:
        """Keep a trace: the store is an observer."""
        self.save(trace)

    def save(self, trace: Trace) -> None:
        """Hand a trace to the writer and return at once; the same id again replaces.

        Raises:
            StoreError: the store is closed.
        """
        self._writer.put(trace)

    @property
    def dropped(self) -> int:
        """Traces that were not kept: the queue was full, or they could not be written."""
        return self._writer.dropped

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every trace saved so far is written.

        Raises:
            StoreError: time ran out, or a trace could not be written since the last call.
        """
        self._writer.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """Write what is left and stop taking traces; reading still works.

        Raises:
            StoreError: as `flush`.
        """
        try:
            self._writer.close(timeout_s)
        finally:
            self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Reading -------------------------------------------------------------------------------------

    def get(self, trace_id: str) -> Trace:
        """The trace of that id, as it was kept.

        Raises:
            StoreError: there is none, or the store cannot be read.
        """
        with self._reading() as connection:
            query = select(traces.c.json).where(traces.c.id == trace_id)
            text = connection.execute(query).scalar_one_or_none()
        if text is None:
            raise StoreError(f"no trace {trace_id!r} in {self.where}; `cascade trace list` has ids")
        return _read(trace_id, text)

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
        query = (
            select(traces.c.id)
            .where(traces.c.id.startswith(start, autoescape=True))
            .order_by(traces.c.id)
            .limit(3)
        )
        with self._reading() as connection:
            found = list(connection.execute(query).scalars())
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
        status: Status | str | None = None,
        tier: str | None = None,
        since: Moment | None = None,
    ) -> Sequence[TraceRow]:
        """Traces in short, newest first.

        Args:
            limit: how many at most; `None` for all.
            status: only those that ended so.
            tier: only those that this tier answered.
            since: only those begun at this moment or later; without a zone it counts as UTC.
        """
        names = TraceRow.__slots__
        query = (
            select(*(traces.c[name] for name in names))
            .where(*_conditions(status, tier, since))
            .order_by(traces.c.started_at.desc(), traces.c.id.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            return [_row(dict(row._mapping)) for row in connection.execute(query)]  # noqa: SLF001  its public name

    def iter_traces(
        self,
        *,
        status: Status | str | None = None,
        tier: str | None = None,
        since: Moment | None = None,
    ) -> Iterator[Trace]:
        """Whole traces, oldest first, read page by page; filters as in `list`."""
        after: tuple[str, str] | None = None
        place = (traces.c.started_at, traces.c.id)
        while True:
            query = (
                select(*place, traces.c.json)
                .where(*_conditions(status, tier, since))
                .order_by(*place)
                .limit(PAGE)
            )
            if after is not None:
                later = (place[0] == after[0]) & (place[1] > after[1])
                query = query.where((place[0] > after[0]) | later)
            with self._reading() as connection:
                page = connection.execute(query).all()
            for started_at, trace_id, text in page:
                after = (started_at, trace_id)
                yield _read(trace_id, text)
            if len(page) < PAGE:
                return

    def count(self) -> int:
        """How many traces are kept."""
        with self._reading() as connection:
            return connection.execute(select(func.count()).select_from(traces)).scalar_one()

    # The database --------------------------------------------------------------------------------

    def _open(self) -> None:
        """Bring the tables up to date; beginning to write shows whether that is possible."""
        try:
            with self._gate, self._engine.begin() as connection:
                migrate(connection)
        except StoreError as error:
            raise StoreError(f"{self.where}: {error}") from None
        except (SQLAlchemyError, ImportError) as error:
            raise _explained(self.where, error) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection that sees what this process saved before."""
        self._writer.wait(READ_WAIT_S)
        try:
            with self._gate, self._reader.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _explained(self.where, error) from error

    def _write(self, batch: Batch) -> Errors:
        """Write a batch in one transaction; on the writer's thread.

        A trace that cannot be kept (made by hand with values that JSON cannot hold) must not take
        the others with it: it is left out and reported.
        """
        rows: Rows = {}
        errors: Errors = []
        for trace in batch:
            try:
                kept = redact(trace, self.content, self._key)
                rows[trace.id] = (trace_row(kept), charge_rows(kept))
            except Exception as error:  # noqa: BLE001  whatever it holds; reported by flush()
                errors.append(error)
        with self._gate:
            return errors + self._insert(rows)

    def _insert(self, rows: Rows) -> Errors:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                _replace(self._connection, rows)
        except OperationalError as error:  # locked, full, gone: the writer tries the batch again
            self._close_connection()
            raise StoreError(str(error.orig)) from error
        except (SQLAlchemyError, ValueError) as error:  # the database refuses one of the rows
            self._close_connection()
            if len(rows) <= 1:
                return [error]
            half = len(rows) // 2
            items = list(rows.items())
            return self._insert(dict(items[:half])) + self._insert(dict(items[half:]))
        return []

    def _rest(self) -> None:
        """Close the writer's connection while there is no work."""
        with self._gate:
            self._close_connection()

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # it was broken: that is why it is closed
                connection.close()

    # Forks; see `cascade.traces.forks` ----------------------------------------------------------

    def before_fork(self) -> None:
        """Close the writer's connection; no other is opened until the fork is over."""
        self._gate.shut()
        self._close_connection()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """Begin with connections of its own; pooled ones of another database stay the parent's."""
        self._gate.renew()
        self._engine.dispose(close=False)


def _replace(connection: Connection, rows: Rows) -> None:
    if not rows:
        return
    booked = [row for _, found in rows.values() for row in found]
    connection.execute(delete(charges).where(charges.c.trace_id.in_(rows)))
    connection.execute(delete(traces).where(traces.c.id.in_(rows)))
    connection.execute(insert(traces), [row for row, _ in rows.values()])
    if booked:
        connection.execute(insert(charges), booked)


def _conditions(
    status: str | None, tier: str | None, since: Moment | None
) -> list[Any]:  # SQLAlchemy's own type for conditions is a union that no caller needs
    wanted = []
    if status is not None:
        wanted.append(traces.c.status == status)
    if tier is not None:
        wanted.append(traces.c.tier == tier)
    if since is not None:
        wanted.append(traces.c.started_at >= utc(since))
    return wanted


def _row(values: dict[str, Any]) -> TraceRow:
    for name in ("cost_usd", "scoring_cost_usd", "saved_usd"):
        values[name] = None if values[name] is None else Decimal(values[name])
    return TraceRow(**values)


def _read(trace_id: str, text: str) -> Trace:
    try:
        return Trace.from_json(text)
    except TraceError as error:
        raise type(error)(f"trace {trace_id}: {error}") from error


# Opening ---------------------------------------------------------------------------------------


def _url(where: str | os.PathLike[str]) -> URL:
    if not isinstance(where, str) or "://" not in where:
        if str(where) in ("", ":memory:"):
            raise StoreError(f"a trace store needs a file or a database URL, not {str(where)!r}")
        return URL.create("sqlite", database=str(Path(where).expanduser()))
    try:
        url = make_url(where)
    except ArgumentError as error:
        raise StoreError(f"{where!r} is no database URL: {error}") from error
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreError(
            f"{where!r} is a database in memory, which every connection has its own of; "
            "give a file, e.g. 'traces.sqlite3'"
        )
    return url


def _shown(url: URL) -> str:
    """The place for messages, without a password."""
    if url.drivername == "sqlite" and not url.query:
        return str(url.database)
    return url.render_as_string(hide_password=True)


def _engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"pool_pre_ping": True}
    if is_sqlite:
        # No pool: a connection must not outlive its use, see `cascade.traces.forks`; opening one
        # costs a fraction of a millisecond. A fork closes the writer's from its own thread.
        options = {"poolclass": NullPool, "connect_args": {"check_same_thread": False}}
    try:
        engine = create_engine(url, hide_parameters=True, **options)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise _explained(_shown(url), error) from error
    if is_sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


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


def _explained(where: str, error: BaseException) -> StoreError:
    """What a database error means, and what to do."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    words = str(cause).lower()
    if isinstance(error, ImportError | NoSuchModuleError):
        return StoreError(f"{where}: {cause}; install the database's driver")
    if "not a database" in words or "malformed" in words or "no such" in words:
        return StoreError(
            f"{where} is not a trace store or is damaged: {cause}; "
            "move it away to start a new one in its place"
        )
    if "locked" in words:
        return StoreError(f"{where}: {cause}; another program is writing to it, try again")
    folder = Path(where).parent
    if "unable to open" in words and not folder.is_dir():
        return StoreError(f"{where} cannot be opened: there is no folder {str(folder)!r}; make it")
    return StoreError(
        f"{where} cannot be used: {cause}; "
        "check its permissions and free space, or choose another place"
    )
