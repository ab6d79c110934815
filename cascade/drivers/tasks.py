"""Tasks that do pieces of work at once, for one task that hands out and collects."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Generic, TypeVar

__all__ = ["Tasks"]

Result = TypeVar("Result")


class Tasks(Generic[Result]):
    """Runs coroutines, which must not raise, and keeps their results until they are collected.

    The tasks know this object and not the one that collects, which can so be dropped while they
    run; it then cancels them.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Result]] = set()
        self._done: deque[Result] = deque()
        self._sign = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = False

    def start(
        self,
        work: Coroutine[Any, Any, Result],
        *,
        context: Context,
        cancelled: Callable[[], Result],
    ) -> None:
        """Run a coroutine.

        Args:
            work: what to run.
            context: the context variables that it sees.
            cancelled: makes the result where something else than `leave` cancels the task.
        """
        self._loop = asyncio.get_running_loop()
        task = self._loop.create_task(work, context=context)
        self._running.add(task)
        task.add_done_callback(partial(self._ended, cancelled))

    def collect(self) -> Iterator[Result]:
        """Results that are there, each taken off the list once the caller comes back for more."""
        self._sign.clear()
        while self._done:
            yield self._done[0]
            self._done.popleft()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for a result or a `wake`; False where time ran out first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._sign.wait()
        except TimeoutError:
            return False
        return True

    def wake(self) -> None:
        """End the waiting; from the loop's own thread."""
        self._sign.set()

    async def leave(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        running = self._cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def abandon(self) -> None:
        """Cancel what runs, from any thread; nobody waits for it."""
        if self._running and self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed: nothing runs any more
                self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> list[asyncio.Task[Result]]:
        self._leaving = True
        running = list(self._running)
        for task in running:
            task.cancel()
        return running

    def _ended(self, cancelled: Callable[[], Result], task: asyncio.Task[Result]) -> None:
        self._running.discard(task)
        self._sign.set()
        if not task.cancelled():
            if task.exception() is None:  # else it ends the program, and the loop has raised it
                self._done.append(task.result())
        elif not self._leaving:
            self._done.append(cancelled())
