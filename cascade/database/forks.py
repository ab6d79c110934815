"""Keeps database connections out of forks.

SQLite's locks belong to a process, its notes about them are copied by `fork`: a child that opens a
file while its parent had it open believes to hold locks that it does not, and can damage the file
(sqlite.org, "How To Corrupt", 2.6). So a fork waits until no connection is in use, and idle ones
are closed first. To a server parent and child would otherwise talk over one wire. Children started
by `exec` are not concerned.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol, Self

__all__ = ["ForkGate", "watch_forks"]

PATIENCE_S = 10.0
"""A fork waits no longer: twice the time that a write waits for another process."""


class ForkGate:
    """Entered while a connection is in use; shut while the process forks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    def __enter__(self) -> Self:
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)
            self._inside += 1
        return self

    def __exit__(self, *exc: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def shut(self) -> None:
        """Wait until nobody is inside, and let nobody in."""
        self._changed.acquire()
        self._shut = True  # or busy threads would keep slipping in
        self._changed.wait_for(lambda: not self._inside, PATIENCE_S)

    def open(self) -> None:
        """Let everybody in again."""
        self._shut = False
        self._changed.notify_all()
        self._changed.release()

    def renew(self) -> None:
        """In the child, where no other thread is left: begin anew."""
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False


class Forking(Protocol):
    """What forks must know of an object with connections."""

    def before_fork(self) -> None:
        """Close idle connections and let none be opened."""
        ...

    def after_fork_in_parent(self) -> None:
        """Go on."""
        ...

    def after_fork_in_child(self) -> None:
        """Begin anew."""
        ...


def watch_forks(watched: Forking) -> None:
    """Tell an object about forks for as long as it lives."""
    maybe = weakref.ref(watched)
    told: list[Forking] = []  # whoever heard of the beginning hears of the end

    def before() -> None:
        alive = maybe()
        if alive is not None:
            alive.before_fork()
            told.append(alive)

    def in_parent() -> None:
        while told:
            told.pop().after_fork_in_parent()

    def in_child() -> None:
        while told:
            told.pop().after_fork_in_child()

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
