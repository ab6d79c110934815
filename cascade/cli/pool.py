"""Many calls at once on daemon threads, results as they come, stopped politely.

At the first Ctrl-C nothing new is begun and what is under way is waited for, because it is paid
for; at the second it is left after a moment. Ctrl-C also ends the wait for further input.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

__all__ = ["Stop", "run_all", "stop_on_interrupt"]

GRACE_S = 0.3
"""How long a second Ctrl-C still waits for what is just about to finish."""

Work = TypeVar("Work")
Result = TypeVar("Result")


class Stop:
    """Asks a pool to begin nothing new.

    Attributes:
        asked: whether it was asked.
        interrupted: whether Ctrl-C asked.
        reading: whether the pool waits for work, which Ctrl-C breaks off.
        wake: makes the pool look whether it is to leave.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.asked = False
        self.interrupted = False
        self.reading = False
        self.wake: Callable[[], None] = lambda: None
        self._left_at: float | None = None
        self._told = told

    def __call__(self) -> None:
        """Ask."""
        self.asked = True

    def on_signal(self, _number: int, _frame: Any) -> None:
        """Handle Ctrl-C: the first one asks, the second one leaves, a third one breaks off."""
        if self._left_at is not None:
            raise KeyboardInterrupt
        if self.interrupted:
            self._left_at = time.monotonic()
            self.wake()
        else:
            self.interrupted = self.asked = True
            self._told()
        if self.reading:
            raise KeyboardInterrupt

    def left_s(self) -> float | None:
        """Seconds that the pool may still wait; `None` before it was told to leave."""
        if self._left_at is None:
            return None
        return max(0.0, self._left_at + GRACE_S - time.monotonic())


@contextmanager
def stop_on_interrupt(stop: Stop) -> Iterator[Stop]:
    """Let Ctrl-C ask for a stop instead of tearing the program down."""
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGINT, stop.on_signal)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def run_all(
    work: Iterable[Work], answer: Callable[[Work], Result], *, concurrency: int, stop: Stop
) -> Iterator[Result]:
    """Results in the order in which they are ready.

    Args:
        work: taken on only when a thread is free, so that it may be long.
        answer: must not raise.
        concurrency: how many at once, from 1.
        stop: ends the taking on of work, and after a second Ctrl-C the waiting for results.
    """
    todo: SimpleQueue[Work | None] = SimpleQueue()
    done: SimpleQueue[tuple[Result] | None] = SimpleQueue()
    stop.wake = lambda: done.put(None)
    waiting = iter(work)
    threads = under_way = 0
    try:
        while True:
            while under_way < concurrency and not stop.asked:
                item = _next(waiting, stop)
                if item is None:
                    break
                todo.put(item)
                under_way += 1
                if threads < under_way:
                    threads += 1
                    threading.Thread(target=_work, args=(todo, done, answer), daemon=True).start()
            if not under_way:
                return
            result = _finished(done, stop)
            if result is None:
                return
            under_way -= 1
            yield result[0]
    finally:
        for _ in range(threads):
            todo.put(None)


def _next(waiting: Iterator[Work], stop: Stop) -> Work | None:
    """The next piece of work; none where Ctrl-C broke the reading off."""
    try:
        stop.reading = True
        return next(waiting, None)
    except KeyboardInterrupt:
        stop.interrupted = stop.asked = True
        return None
    finally:
        stop.reading = False


def _finished(done: SimpleQueue[tuple[Result] | None], stop: Stop) -> tuple[Result] | None:
    """The next result; none where the rest is left."""
    while True:
        left_s = stop.left_s()
        try:
            result = done.get(timeout=left_s)
        except Empty:
            return None
        if result is not None:
            return result


def _work(
    todo: SimpleQueue[Work | None],
    done: SimpleQueue[tuple[Result] | None],
    answer: Callable[[Work], Result],
) -> None:
    while (item := todo.get()) is not None:
        done.put((answer(item),))
