"""Many requests answered in tasks: `AsyncCascade.complete_many`."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import Self

from cascade.core.request import Asked, Request
from cascade.drivers import asynchronous
from cascade.drivers.base import AsyncModels
from cascade.drivers.tasks import Tasks
from cascade.engine.flow import Flow
from cascade.engine.intake import Intake
from cascade.engine.results import ManyResult, Progress
from cascade.engine.run import Run

__all__ = ["AsyncMany"]

WHY = "left under way"

Begin = Callable[[Asked | Request], Run]


class AsyncMany:
    """As `Many`, to be iterated with `async for`, by one task.

    Use it in an `async with` block where you may stop early: it ends when the requests under way
    have been cancelled and their traces closed. Cancelling the consumer does the same.
    """

    def __init__(
        self,
        requests: Iterable[Asked | Request] | AsyncIterable[Asked | Request],
        begin: Begin,
        models: AsyncModels,
        flow: Flow,
    ) -> None:
        self._begin = begin
        self._models = models
        self._flow = flow
        self._tasks: Tasks[ManyResult] = Tasks()
        self._intake: Intake[Asked | Request] = Intake(requests, self._tasks.wake)
        self._context = contextvars.copy_context()
        self._leave_at: float | None = None

    @property
    def progress(self) -> Progress:
        """How far the requests have come."""
        return self._flow.progress

    @property
    def left(self) -> tuple[ManyResult, ...]:
        """The requests that were left under way: their error is a `RunError` with the trace."""
        return self._flow.left

    def finished(self) -> list[ManyResult]:
        """Results that are there and were not handed out, by index; each is given once."""
        self._collect()
        return self._flow.rest()

    def stop(self, within_s: float | None = None) -> None:
        """Begin nothing new; the iteration ends with the last request that is under way.

        Args:
            within_s: leave what has not ended after so many seconds.
        """
        if within_s is not None:
            self._leave_at = time.monotonic() + within_s
        self._flow.stop()
        self._tasks.wake()

    async def aclose(self) -> None:
        """Begin nothing new and leave what is under way; see `left` and `finished`."""
        self._flow.stop()
        try:
            await self._intake.aclose()
            await self._tasks.leave()
        finally:
            self._close_books()

    close = aclose
    """The name that the cascade itself uses."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ManyResult:
        try:
            result = await self._next()
        except BaseException:
            await self.aclose()
            raise
        if result is not None:
            return result
        await self.aclose()
        trouble, self._flow.trouble = self._flow.trouble, None
        raise trouble or StopAsyncIteration

    async def _next(self) -> ManyResult | None:
        """The next result; `None` after the last one."""
        self._collect()
        self._fill()
        while True:
            result = self._flow.take()
            if result is not None or (self._flow.is_idle and self._flow.is_stopped):
                return result
            left_s = None if self._leave_at is None else self._leave_at - time.monotonic()
            if left_s is not None and left_s <= 0:
                await self._tasks.leave()
                self._close_books()
            else:
                await self._tasks.wait(left_s)
            self._collect()
            if not self._flow.has_result:  # else the consumer sees it first, and may stop
                self._fill()

    def _fill(self) -> None:
        """Begin as many requests as there is room for; with a result at hand, one at most."""
        while self._flow.has_room:
            try:
                asked = self._intake.take()
            except StopAsyncIteration:
                self._flow.stop()
                return
            except Exception as error:  # noqa: BLE001  raised once finished work is handed out
                self._flow.fail(error)
                return
            if asked is None:
                return  # it will come
            begun = self._flow.begin(partial(self._begin, asked[0]))
            if begun is not None:
                self._tasks.start(
                    _answer(*begun, self._models),
                    context=self._context.copy(),
                    cancelled=partial(ManyResult, begun[0], error=asyncio.CancelledError()),
                )
            if self._flow.has_result:
                return

    def _collect(self) -> None:
        for result in self._tasks.collect():
            self._flow.end(result)

    def _close_books(self) -> None:
        self._collect()
        self._flow.leave(WHY)
        self._flow.forget()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        self._flow.stop()
        self._close_books()
        self._tasks.abandon()
        self._intake.abandon()


async def _answer(index: int, run: Run, models: AsyncModels) -> ManyResult:
    """Answer a request, in a task of its own; what it raises is its result."""
    try:
        with run:
            decision = await asynchronous.drive(run.decisions, models, run.timing)
            return ManyResult(index, run.finish(decision))
    except Exception as error:  # noqa: BLE001  the consumer decides what it means
        return ManyResult(index, error=error)
