"""How many requests are answered at once, who waits for a turn, and when nobody is taken on.

Belongs to one event loop, hence no lock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from cascade.gateway import refusals
from cascade.gateway.limits import Limits

__all__ = ["Turns"]


class Turns:
    """The requests that are under way.

    Attributes:
        draining: the gateway is stopping: what is under way goes on, nothing new begins.
        in_flight: how many are answered now.
    """

    def __init__(self, limits: Limits) -> None:
        self.draining = False
        self.in_flight = 0
        self._limits = limits
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    async def enter(self, task: asyncio.Task[Any]) -> None:
        """Take one of the places for a task; whoever got one calls `leave`.

        Raises:
            Refusal: the gateway is stopping, or there is no place and no room to wait.
        """
        if self.draining:
            raise refusals.stopping()
        if self.in_flight >= self._limits.max_concurrent:
            await self._wait()
        else:
            self.in_flight += 1
            self._idle.clear()
        self._tasks.add(task)

    def leave(self, task: asyncio.Task[Any]) -> None:
        """Give the place back, or to whoever waits for one."""
        self._tasks.discard(task)
        self._pass_on()

    async def idle(self, within_s: float) -> bool:
        """Wait until nothing is under way; False where time ran out first."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def drain(self) -> None:
        """Begin nothing new; those that wait for a turn are sent away."""
        self.draining = True
        for place in self._waiting:
            if not place.done():
                place.set_exception(refusals.stopping())
        self._waiting.clear()

    def cancel(self) -> int:
        """Break off what is under way; how much that is."""
        for task in self._tasks:
            task.cancel()
        return len(self._tasks)

    async def _wait(self) -> None:
        """Wait for a place, which the request that leaves it hands over."""
        if len(self._waiting) >= self._limits.max_waiting:
            raise refusals.overloaded()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._pass_on()  # it was handed over just when nobody wanted it any more
            elif place in self._waiting:
                self._waiting.remove(place)
            if isinstance(error, TimeoutError):
                raise refusals.overloaded() from None
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()
