"""Daemon threads that do pieces of work at once, for one thread that hands out and collects.

A thread that waits for a model cannot be stopped in Python; it can be left. None of them holds up
the exit of the program. Knows no request: `cascade.engine.many` gives the work its meaning.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Workers"]

Result = TypeVar("Result")


class Workers(Generic[Result]):
    """As many threads as there is work at once; work must not raise.

    An interrupt that hits the collecting thread loses no result: it lies in a list until it has
    been dealt with, and what the thread waits for are mere signs that there is something to see.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[Callable[[], Result] | None] = SimpleQueue()
        self._done: deque[Result] = deque()
        self._signs: SimpleQueue[None] = SimpleQueue()
        self._threads = 0
        self._busy = 0

    def start(self, work: Callable[[], Result]) -> None:
        """Do a piece of work on a thread that is free, or a new one."""
        self._busy += 1
        if self._busy > self._threads and not self._grow() and not self._threads:
            self._done.append(work())  # the system gives no thread at all: it is done right here
            return
        self._todo.put(work)

    def collect(self) -> Iterator[Result]:
        """Results that are there, each taken off the list once the caller comes back for more."""
        while not self._signs.empty():  # one look at the list answers them all
            self._signs.get()
        while self._done:
            yield self._done[0]
            self._done.popleft()
            self._busy -= 1

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for a result or a `wake`; False where time ran out first."""
        try:
            self._signs.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def wake(self) -> None:
        """End the waiting; may be called from a signal handler."""
        self._signs.put(None)

    def dismiss(self) -> None:
        """Let each thread end when its piece of work is done."""
        threads, self._threads = self._threads, 0
        for _ in range(threads):
            self._todo.put(None)

    def _grow(self) -> bool:
        # The thread knows the queues and not this object, which can so be dropped and collected.
        arguments = (self._todo, self._done, self._signs)
        thread = threading.Thread(target=_work, args=arguments, name="cascade-many", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads: those that there are do it in turn
            return False
        self._threads += 1
        return True


def _work(
    todo: SimpleQueue[Callable[[], Result] | None],
    done: deque[Result],
    signs: SimpleQueue[None],
) -> None:
    while (work := todo.get()) is not None:
        done.append(work())
        del work  # an idle thread keeps no request alive
        signs.put(None)
