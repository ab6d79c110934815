"""Keeps traces in a database: SQLite in one file by default, PostgreSQL for many machines.

A store is an observer: give it to a cascade and every trace is kept. Saving costs the request
microseconds, because a background thread writes; `cascade.traces.writer` says what that promises.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from cascade.core.trace import Content, Trace
from cascade.database.forks import ForkGate, watch_forks
from cascade.database.migrations import migrate
from cascade.database.patience import patience
from cascade.database.place import engine_of, file_of, shown, url_of
from cascade.database.trouble import explained, is_about_a_row, may_pass, words_of
from cascade.errors import ConfigError, StoreError
from cascade.traces.content import check_content, redact
from cascade.traces.migrations import TABLES
from cascade.traces.reader import TraceReader
from cascade.traces.relay import Relay
from cascade.traces.replacing import replace_rows
from cascade.traces.row import TraceRow
from cascade.traces.schema import Kept, rows_of
from cascade.traces.spool import SPOOL_BYTES, Spool
from cascade.traces.suspicion import may_hold_secret
from cascade.traces.writer import Writer

__all__ = ["TraceRow", "TraceStore"]

QUEUE_SIZE = 10_000
"""Traces that may wait to be written: seconds of a writer's work, and some tens of megabytes."""

QUEUE_BYTES = 1 << 28
"""What these may weigh together: a burst of images, or of long answers, reaches this sooner."""

TOKEN_BYTES = 128
"""What a token of an answer weighs: so much of JSON it is with its log-probability."""

LEAST_BYTES = 1024
"""What a trace weighs besides."""

READ_WAIT_S = 10.0
"""How long reading waits for this process's own traces to be written first."""

SILENT_S = 8.0
"""How long a server may take over a batch before it is given up: more than it waits for a lock."""

BROKEN_S = 1.0
"""A connection that fails sooner was merely broken: with a new one the place may well be there."""

Batch = list[Trace]
Rows = list[Kept]
Errors = list[Exception]

Identity = tuple[int, int] | None
"""Device and number of a file; `None` where there is none, or a server."""

log = logging.getLogger("cascade")


class TraceStore(TraceReader):
    """A place where traces are kept.

        with TraceStore("traces.sqlite3") as store:
            llm = Cascade(tiers, store=store)

    Safe to share between threads. A forked child may use the object too: it writes with a thread
    and connections of its own, and what its parent had taken on stays the parent's to write.

    Args:
        where: path of an SQLite file, made if it does not exist, or an SQLAlchemy URL, e.g.
            postgresql+psycopg://user:password@host/name (`pip install frugal-cascade[postgres]`).
            Unless given, `CASCADE_DATABASE_URL`, else the file traces.sqlite3.
        content: what of a conversation is kept; see `cascade.traces.content.redact`.
        key: makes the digests of content "hashed" an HMAC.
        queue_size: traces that may wait for the writer; further ones are dropped, counted in
            `dropped` and reported in the log. So are those that would make it more than 256 MB.
        spool: a folder of this machine where traces wait while the place cannot be written: they
            are delivered when it can, also by a later process. The store then opens although its
            server is away. Without it such traces are dropped.
        spool_bytes: how much may wait there for this place; what does not fit is dropped.

    Raises:
        ConfigError: a content policy that does not exist, or a queue without room.
        StoreError: the place cannot be written, is no trace store, is damaged, or was written by a
            newer version. An existing file is never overwritten.
    """

    def __init__(
        self,
        where: str | os.PathLike[str] | None = None,
        *,
        content: Content = "full",
        key: bytes | str | None = None,
        queue_size: int = QUEUE_SIZE,
        spool: str | os.PathLike[str] | None = None,
        spool_bytes: int = SPOOL_BYTES,
    ) -> None:
        self.content: Content = check_content(content)
        if queue_size < 1:
            raise ConfigError(f"queue_size is {queue_size!r}; expected at least 1")
        self._key = key
        url = url_of(where)
        self.where = shown(url)
        self._file = file_of(url)
        self._engine = engine_of(url if self._file is None else url.set(database=str(self._file)))
        self._reader = self._engine.execution_options(cascade_read=True)
        self._connection: Connection | None = None  # the writer's, while there is work
        self._connected_to: Identity = None
        self._gate = ForkGate()
        self._identity: Identity = None  # of the file that has the tables
        self._renewing = threading.Lock()
        self._is_ready = False  # whether the tables are known to be there
        name = f"trace store {self.where}"
        self._spool, self._relay = _spool_of(spool, url, self._file, spool_bytes), None
        if self._spool is not None:
            self._relay = Relay(self._insert, self._spool, name=name)
        watch_forks(self)
        self._open()
        self._writer: Writer[Trace] = Writer(
            self._write,
            self._rest,
            queue_size=queue_size,
            queue_bytes=QUEUE_BYTES,
            weigh=_weight,
            name=name,
        )
        if self._spool is not None:
            self._writer.begin()

    def __repr__(self) -> str:
        return f"TraceStore({self.where!r}, content={self.content!r})"

    # Writing -------------------------------------------------------------------------------------

    def __call__(self, trace: Trace) -> None:
        """Keep a trace: the store is an observer."""
        self.save(trace)

    def save(self, trace: Trace) -> None:
        """Hand a trace to the writer and return at once; the same id again replaces.

        Raises:
            StoreError: the store is closed, or the trace is a replay: nothing of it was paid, and
                it would replace what happened.
        """
        if trace.replayed:
            raise StoreError(
                f"trace {trace.id} is a replay; the store keeps requests that happened. Keep it "
                "with trace.to_json()"
            )
        self._writer.put(trace)

    @property
    def dropped(self) -> int:
        """Traces that were not kept: the queue was full, or they could not be written."""
        return self._writer.dropped

    @property
    def spooled(self) -> int:
        """Traces that wait on this machine until the place can be written."""
        return self._spool.count if self._spool is not None else 0

    @property
    def is_away(self) -> bool:
        """Whether the place could not be written when it was last tried; only with a spool."""
        return self._relay is not None and self._relay.is_away

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every trace saved so far is written, or on the spool.

        Raises:
            StoreError: time ran out, or a trace could not be written since the last call.
        """
        self._writer.flush(timeout_s)

    def close(self, timeout_s: float | None = None) -> None:
        """Write what is left and stop taking traces; reading still works.

        What waits on the spool for a place that is away stays there for the next process.

        Raises:
            StoreError: as `flush`.
        """
        try:
            self._writer.close(timeout_s)
        finally:
            self._engine.dispose()
            if self._spool is not None and not self._writer.is_running:
                self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The database --------------------------------------------------------------------------------

    def _open(self) -> None:
        """Bring the tables up to date; beginning to write shows whether that is possible."""
        try:
            with self._gate:
                self._migrate()
        except StoreError as error:
            raise StoreError(f"{self.where}: {error}") from None
        except (SQLAlchemyError, ImportError) as error:
            if self._relay is None or not may_pass(error):
                raise self._explained(error) from error
            self._relay.left(StoreError(words_of(error)))

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            migrate(connection, TABLES)
        self._identity, self._is_ready = _identity(self._file), True

    def _stay_with_file(self) -> None:
        """Begin a new file, loudly, where the one in use was deleted or replaced.

        A deleted file takes writes as before, and all of them are lost when it is closed.
        """
        with self._renewing:
            now = _identity(self._file)
            if self._is_ready and now == self._identity:
                return
            if self._is_ready:
                log.warning(
                    "trace store %s was %s while in use: the traces written to it before are not "
                    "there any more, new ones go to the file now in its place",
                    self.where,
                    "deleted" if now is None else "replaced",
                )
            self._migrate()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what this process saved before; to read with, in this thread.

        Raises:
            StoreError: the store cannot be read.
        """
        self._writer.wait(READ_WAIT_S)
        try:
            with self._gate:
                self._stay_with_file()
                with self._reader.connect() as connection:
                    yield connection
        except SQLAlchemyError as error:
            raise self._explained(error) from error

    def _write(self, batch: Batch) -> Errors:
        """Write a batch in one transaction; on the writer's thread.

        A trace that cannot be kept (made by hand with values that JSON cannot hold) must not take
        the others with it: it is left out and reported.
        """
        rows: dict[str, Kept] = {}  # by id: the last of a batch counts
        errors: Errors = []
        for trace in batch:
            try:
                rows[trace.id] = self._kept(trace)
            except Exception as error:  # noqa: BLE001  whatever it holds; reported by flush()
                errors.append(error)
        write = self._insert if self._relay is None else self._relay.write
        with self._gate:
            return errors + write(list(rows.values()))

    def _kept(self, trace: Trace) -> Kept:
        """A trace as the content policy lets it be kept."""
        if self.content == trace.content == "full":
            rows = rows_of(trace)
            if not may_hold_secret(rows.json):
                return rows  # as it would be after looking at every text in it
        return rows_of(redact(trace, self.content, self._key))

    def _insert(self, rows: Rows) -> Errors:
        """Write rows; raises `StoreError` where the place is in trouble, not a row."""
        was_connected, begun = self._connection is not None, time.monotonic()
        try:
            connection = self._connected()
            with patience(connection, SILENT_S), connection.begin():
                replace_rows(connection, rows)
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            self._close_connection()
            if not is_about_a_row(error):  # locked, full, gone: the batch is tried again
                if was_connected and time.monotonic() - begun < BROKEN_S:
                    return self._insert(rows)
                raise StoreError(words_of(error)) from error
            if len(rows) <= 1:
                return [StoreError(words_of(error))]  # the database's own error may show the row
            half = len(rows) // 2
            return self._insert(rows[:half]) + self._insert(rows[half:])
        return []

    def _connected(self) -> Connection:
        """The writer's connection, to a place that has the tables."""
        if self._connected_to != _identity(self._file):  # lets the old file go first
            self._close_connection()
        try:
            self._stay_with_file()
            if self._connection is None:
                self._connection = self._engine.connect()
                self._connected_to = self._identity
        except SQLAlchemyError as error:  # never about a row
            raise StoreError(words_of(error)) from error
        return self._connection

    def _explained(self, error: BaseException) -> StoreError:
        return explained(self._engine.dialect.name, self.where, error)

    def _rest(self) -> float | None:
        """Without new traces: deliver what waits, or close the writer's connection."""
        errors: Errors = []
        wait_s: float | None = None
        with self._gate:
            if self._relay is not None:
                errors, wait_s = self._relay.idle()
            if wait_s != 0.0:
                self._close_connection()
        if errors:
            self._writer.lose(errors)
        return wait_s

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # it was broken: that is why it is closed
                connection.close()

    # Forks; see `cascade.database.forks` ----------------------------------------------------------

    def before_fork(self) -> None:
        """Close the writer's connection; no other is opened until the fork is over."""
        self._gate.shut()
        self._close_connection()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """Begin with connections of its own."""
        self._gate.renew()
        self._renewing = threading.Lock()
        if self._spool is not None:
            self._spool.forget()
        self._engine.dispose(close=False)


def _spool_of(
    folder: str | os.PathLike[str] | None, url: URL, file: Path | None, most: int
) -> Spool | None:
    """The spool of a place, whoever reaches it with whatever password."""
    if folder is None:
        return None
    if file is not None:
        return Spool(Path(folder), str(file), most)
    query = sorted(item for item in url.query.items() if "passw" not in item[0].lower())
    place = (url.get_backend_name(), url.host, url.port, url.database, query)
    return Spool(Path(folder), repr(place), most)


def _weight(trace: Trace) -> int:
    """About how many bytes a trace takes; what was asked may be images, so it is measured."""
    request: Any = trace.request
    try:
        asked = len(orjson.dumps(request))
    except TypeError:  # half of a surrogate pair; made by hand, of something else than JSON
        asked = len(str(request))
    return LEAST_BYTES + asked + TOKEN_BYTES * trace.usage.output_tokens


def _identity(file: Path | None) -> Identity:
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None
