"""Ctrl-C during a file: what is under way is finished, because it is paid for.

At the first Ctrl-C nothing new is begun and what is under way is waited for; at the second it is
left after a moment; a third one breaks off. Ctrl-C also ends the wait for further input.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

__all__ = ["Stop", "stop_on_interrupt"]

GRACE_S = 0.3
"""How long a second Ctrl-C still waits for what is just about to finish."""

Item = TypeVar("Item")


class Stoppable(Protocol):
    """A run over many requests."""

    def stop(self, within_s: float | None = None) -> None:
        """Begin nothing new; leave after `within_s` seconds what has not ended."""
        ...


class Stop:
    """Asks a run to begin nothing new.

    Attributes:
        asked: whether it was asked.
        interrupted: whether Ctrl-C asked.
        many: the run, once it has begun.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.asked = False
        self.interrupted = False
        self.many: Stoppable | None = None
        self._leaving = False
        self._reading = False
        self._told = told

    def __call__(self, within_s: float | None = None) -> None:
        """Ask; what has not ended after `within_s` seconds is left."""
        self.asked = True
        if self.many is not None:
            self.many.stop(within_s)

    def on_signal(self, _number: int, _frame: Any) -> None:
        """Handle Ctrl-C: the first one asks, the second one leaves, a third one breaks off."""
        if self._leaving:
            raise KeyboardInterrupt
        if self.interrupted:
            self._leaving = True
            self(GRACE_S)
        else:
            self.interrupted = True
            self()
            self._told()
        if self._reading:
            raise KeyboardInterrupt

    def reading(self, items: Iterator[Item]) -> Iterator[Item]:
        """The items, until Ctrl-C; also where it comes while the next one is waited for."""
        while not self.asked:
            try:
                self._reading = True
                item = next(items)
            except StopIteration:
                return
            except KeyboardInterrupt:
                self.interrupted = True
                self()
                return
            finally:
                self._reading = False
            yield item


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
