"""A thread that writes in the background what callers hand over, in batches.

Handing over never blocks: where the queue is full the item is dropped, counted and reported. What
was taken on is written before the interpreter ends, however the main thread ended (`os._exit`, a
signal that kills and a crash of the interpreter leave no time for that). Knows no database: `write`
does the work.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from cascade.errors import StoreError

__all__ = ["Writer"]

BATCH = 500
"""Items written in one transaction: beyond this the time per item hardly falls."""

GATHER_S = 0.1
"""How long further items are waited for once there is one: a transaction for itself costs an item
ten times as much. Whoever waits for the writing ends it."""

TRIES = 3
"""A lock or a full disk may pass; after that the batch is given up so that the queue moves on."""

RETRY_WAIT_S = 0.2
"""First wait between tries, doubled each time."""

IDLE_S = 1.0
"""After so long without work the connection is closed: the file is then complete by itself."""

ENDING_S = 3.0
"""How long closing goes on with what `rest` has to do besides."""

Item = TypeVar("Item")
Write = Callable[[list[Item]], list[Exception]]
"""Writes a batch in one go or raises; returns one error for each item that cannot be written."""

log = logging.getLogger("cascade")


class Writer(Generic[Item]):
    """Takes items on and writes them in the background.

    Args:
        write: writes a batch; called on the writer's thread only.
        rest: called on the same thread when there has been no work for a while, and at the end.
            Says after how many seconds it is to be called again even so; `None` for not at all.
        queue_size: items that may wait; further ones are dropped.
        queue_bytes: what they may weigh together, those that are just being written included. An
            item that is alone may weigh more.
        weigh: about how many bytes an item takes; called on the caller's thread.
        name: of the place written to, for messages.
    """

    def __init__(
        self,
        write: Write[Item],
        rest: Callable[[], float | None],
        *,
        queue_size: int,
        queue_bytes: int,
        weigh: Callable[[Item], int],
        name: str,
    ) -> None:
        self._do_write = write
        self._rest = rest
        self._size = queue_size
        self._most = queue_bytes
        self._weigh = weigh
        self._enough = min(BATCH, max(1, queue_size // 2))  # to begin with
        self._name = name
        self._closed = False
        self._start_empty()
        atexit.register(self._at_exit)
        self_or_none = weakref.ref(self)

        def in_child() -> None:
            writer = self_or_none()
            if writer is not None:
                writer._start_empty()  # noqa: SLF001  its own

        os.register_at_fork(after_in_child=in_child)

    def _start_empty(self) -> None:
        """Begin, and begin anew in a forked child: the parent's items are the parent's to write.

        The lock is new as well: a thread of the parent may have held the old one.
        """
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._items: deque[tuple[Item, int]] = deque()  # with their weights
        self._weight = 0  # of what waits and of what is being written
        self._thread: threading.Thread | None = None
        self._taken = 0  # items ever taken on
        self._settled = 0  # of those, written or given up
        self._dropped = 0
        self._burst = 0  # dropped since the queue was last empty
        self._lost = 0  # given up since flush() last told
        self._error: Exception | None = None
        self._failing = False  # the last batch was given up
        self._ending = False
        self._awaited = 0  # callers of wait()

    @property
    def dropped(self) -> int:
        """Items that were not written: the queue was full, or writing failed for good."""
        return self._dropped

    @property
    def is_running(self) -> bool:
        """Whether its thread is at work."""
        return self._thread is not None and self._thread.is_alive()

    def put(self, item: Item) -> bool:
        """Take an item on, or drop it where the queue is full.

        Returns:
            Whether it was taken on.

        Raises:
            StoreError: the writer is closed.
        """
        weight = self._weigh(item)
        with self._lock:  # the condition's, without the two calls that entering it takes
            if self._closed:
                raise StoreError(f"{self._name} is closed: it takes no more traces")
            total = self._weight + weight
            if len(self._items) < self._size and (total <= self._most or not self._weight):
                self._items.append((item, weight))
                self._weight = total
                self._taken += 1
                if self._thread is None:
                    self._start()
                elif len(self._items) in (1, self._enough):
                    self._changed.notify_all()
                return True
            self._dropped += 1
            self._burst += 1
            first, count = self._burst == 1, len(self._items)
        if first:  # outside the lock: a log handler may be slow
            log.warning(
                "%s cannot keep up: its queue is full with %d traces (about %d MB with those that "
                "are being written) and traces are being dropped",
                self._name,
                count,
                (total - weight) // 1_000_000,
            )
        return False

    def begin(self) -> None:
        """Start the thread before there is an item: `rest` has things to do."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._start()

    def lose(self, errors: list[Exception]) -> None:
        """Count items that were settled before and turn out not to be writable."""
        self._settle(0, errors)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until everything taken on so far is settled; False where time ran out first."""
        with self._changed:
            target = self._taken
            self._awaited += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: self._settled >= target, timeout_s)
            finally:
                self._awaited -= 1

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything taken on so far is written.

        Raises:
            StoreError: time ran out, or something could not be written since the last call.
        """
        if not self.wait(timeout_s):
            left = self._taken - self._settled
            raise StoreError(f"{self._name}: {left} traces are not yet written; flush() again")
        with self._changed:
            lost, error = self._lost, self._error
            self._lost, self._error = 0, None
        if lost:
            raise StoreError(
                f"{self._name}: {lost} traces could not be written: {error}; "
                "check that the place can be reached, its space, permissions and locks"
            ) from error

    def close(self, timeout_s: float | None = None) -> None:
        """Write what is left and stop; a second call does nothing.

        Raises:
            StoreError: as `flush`.
        """
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._ending = True
            self._changed.notify_all()
            thread = self._thread
        atexit.unregister(self._at_exit)
        if thread is not None:
            thread.join(timeout_s)
        if self._dropped:
            log.warning("%s: %d traces were dropped in all", self._name, self._dropped)
        self.flush(0.0)

    def _at_exit(self) -> None:
        try:
            self.close()
        except StoreError as error:
            log.warning("%s", error)

    # The thread ----------------------------------------------------------------------------------

    def _start(self) -> None:
        _at_process_end(self._at_exit)
        self._thread = threading.Thread(target=self._run, name="cascade-traces", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the interpreter is ending and starts no more threads
            self._thread = None
            self._write(*self._batch())

    def _run(self) -> None:
        wait_s: float | None = 0.0
        while self._has_work(wait_s) or not self._ending:
            if self._items:
                self._gather()
                self._write(*self._batch())
                wait_s = IDLE_S
            else:
                wait_s = self._rest()
        end = time.monotonic() + ENDING_S
        while self._rest() == 0.0 and time.monotonic() < end:
            pass

    def _has_work(self, timeout_s: float | None) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ending, timeout_s)
            return bool(self._items)

    def _gather(self) -> None:
        """Let more items come."""

        def enough() -> bool:
            return bool(self._ending or self._awaited) or len(self._items) >= self._enough

        with self._changed:
            self._changed.wait_for(enough, GATHER_S)

    def _batch(self) -> tuple[list[Item], int]:
        """The next items, and what they weigh."""
        with self._changed:
            found = [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]
        return [item for item, _ in found], sum([weight for _, weight in found])

    def _write(self, batch: list[Item], weight: int) -> None:
        """Write a batch, or give it up after a bounded number of tries."""
        try:
            errors = self._try(batch)
            self._failing = False
        except Exception as error:  # noqa: BLE001  whatever a database raises; flush() tells
            errors = [error] * len(batch)
            self._failing = True
        self._settle(len(batch), errors, weight)

    def _try(self, batch: list[Item]) -> list[Exception]:
        for wait_s in (RETRY_WAIT_S * 2**number for number in range(TRIES - 1)):
            if self._failing and self._ending:
                break  # closing must not take minutes over a place that is gone
            try:
                return self._do_write(batch)
            except Exception as error:  # noqa: BLE001  tried again below
                log.debug("%s: %s; trying again", self._name, error)
                time.sleep(wait_s)
        return self._do_write(batch)

    def _settle(self, count: int, errors: list[Exception], weight: int = 0) -> None:
        with self._changed:
            self._settled += count
            self._weight -= weight
            self._dropped += len(errors)
            self._lost += len(errors)
            if errors:
                self._error = errors[-1]
            burst = 0 if self._items else self._burst
            self._burst -= burst
            self._changed.notify_all()
        if burst:
            log.warning("%s has caught up: %d traces were dropped", self._name, burst)
        if errors:
            log.warning(
                "%s: %d traces could not be written: %s", self._name, len(errors), errors[-1]
            )


def _at_process_end(function: Callable[[], None]) -> None:
    """Children of `multiprocessing` leave by `os._exit`, past `atexit`; they have their own way."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415  loaded in such a child

        Finalize(None, function, exitpriority=0)
