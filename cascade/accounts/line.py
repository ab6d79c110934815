"""A connection that is kept while there is work, and given up where it fails or falls silent."""

from __future__ import annotations

import selectors
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, Connection
from sqlalchemy.exc import SQLAlchemyError

from cascade.database.forks import ForkGate, watch_forks
from cascade.database.patience import patience
from cascade.database.place import engine_of, shown
from cascade.database.trouble import explained
from cascade.errors import StoreError

__all__ = ["Line"]

SILENT_S = 3.0
"""A server that says nothing for so long is given up."""


class Line:
    """Transactions of one thread, which keeps its connection, and of others, which keep none.

    Args:
        url: the database.
    """

    def __init__(self, url: URL) -> None:
        self.where = shown(url)
        self._engine = engine_of(url)
        self._connection: Connection | None = None
        self._gate = ForkGate()
        watch_forks(self)

    @contextmanager
    def kept(self) -> Iterator[Connection]:
        """A transaction on the connection that is kept; for one thread only.

        Raises:
            StoreError: the database cannot be used; whether it was written to is not known.
        """
        try:
            with self._gate:
                if self._connection is not None and _was_closed(self._connection):
                    self.rest()
                if self._connection is None:
                    self._connection = self._engine.connect()
                with patience(self._connection, SILENT_S), self._connection.begin():
                    yield self._connection
        except (SQLAlchemyError, ImportError) as error:
            self.rest()
            raise self.explained(error) from error

    @contextmanager
    def once(self) -> Iterator[Connection]:
        """A transaction on a connection of its own.

        Raises:
            StoreError: the database cannot be used.
        """
        try:
            with self._gate, self._engine.connect() as connection, connection.begin():
                yield connection
        except (SQLAlchemyError, ImportError) as error:
            raise self.explained(error) from error

    @property
    def is_open(self) -> bool:
        """Whether a connection is kept."""
        return self._connection is not None

    def rest(self) -> None:
        """Keep no connection until there is work again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):  # it was broken: that is why it is closed
                connection.close()

    def explained(self, error: BaseException) -> StoreError:
        """An error of the database, with the next step."""
        return explained(self._engine.dialect.name, self.where, error)

    # Forks; see `cascade.database.forks` ---------------------------------------------------------

    def before_fork(self) -> None:
        """Close the connection; no other is opened until the fork is over."""
        self._gate.shut()
        self.rest()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.open()

    def after_fork_in_child(self) -> None:
        """Begin with connections of its own."""
        self._gate.renew()
        self._engine.dispose(close=False)


def _was_closed(connection: Connection) -> bool:
    """Whether the server has let go of a connection on which nothing was asked: a restart, mostly.

    Whoever asked on it would be told that the database is away, which it is not.
    """
    raw: Any = connection.connection.dbapi_connection
    line = getattr(getattr(raw, "pgconn", None), "socket", None)
    if line is None or line < 0:
        return False
    with selectors.DefaultSelector() as waiting:
        waiting.register(line, selectors.EVENT_READ)
        return bool(waiting.select(0))  # it has something to say: goodbye
