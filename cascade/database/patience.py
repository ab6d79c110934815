"""Gives a server up that takes a question and never answers it.

The network notices a machine that is gone; it does not notice one that keeps the line and says
nothing, and no driver for PostgreSQL has a limit of its own for that.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

__all__ = ["patience"]


@contextmanager
def patience(connection: Connection, seconds: float) -> Iterator[None]:
    """Cut the line where the block takes longer; whoever waits on it gets the driver's error.

    SQLite waits for nobody but other writers, and has its own limit for that.
    """
    raw: Any = connection.connection.dbapi_connection
    line = getattr(getattr(raw, "pgconn", None), "socket", None)
    if line is None:
        yield
        return
    watch = threading.Timer(seconds, _cut, (line,))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def _cut(line: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(line)) as same:  # it may be closed by now
        same.shutdown(socket.SHUT_RDWR)
