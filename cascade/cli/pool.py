"""Many calls at once on daemon threads, results as they come, stopped politely.

At the first Ctrl-C nothing new is begun and what is under way is waited for, because it is paid
for; at the second it is left.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["Stop", "run_all", "stop_on_interrupt"]

Work = TypeVar("Work")
Result = TypeVar("Result")


class Stop:
    """Asks a pool to begin nothing new.

    Attributes:
        asked: whether it was asked.
        interrupted: whether Ctrl-C asked.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.asked = False
        self.interrupted = False
        self._told = told

    def __call__(self) -> None:
        """Ask."""
        self.asked = True

    def on_signal(self, _number: int, _frame: Any) -> None:
        """Handle Ctrl-C."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = self.asked = True
        self._told()


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
        stop: ends the taking on of work.
    """
    todo: SimpleQueue[Work | None] = SimpleQueue()
    done: SimpleQueue[Result] = SimpleQueue()
    waiting = iter(work)
    threads = under_way = 0
    try:
        while True:
            while under_way < concurrency and not stop.asked:
                item = next(waiting, None)
                if item is None:
                    break
                todo.put(item)
                under_way += 1
                if threads < under_way:
                    threads += 1
                    threading.Thread(target=_work, args=(todo, done, answer), daemon=True).start()
            if not under_way:
                return
            result = done.get()
            under_way -= 1
            yield result
    finally:
        for _ in range(threads):
            todo.put(None)


def _work(
    todo: SimpleQueue[Work | None], done: SimpleQueue[Result], answer: Callable[[Work], Result]
) -> None:
    while (item := todo.get()) is not None:
        done.put(answer(item))
