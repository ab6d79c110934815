"""Time limits of many calls with one timer.

`asyncio.timeout` sets a timer for each block. Hardly any of them ever rings, but the event loop has
to keep them in order, and to turn once more for each that is given up. Here one timer is set for
the limit that ends first. When it rings, mostly for a block that has long ended, it is set for
the next.
"""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType

__all__ = ["TimeLimits"]

SOON_S = 0.001
"""Event loops round to milliseconds: a timer may ring so much too early."""


class TimeLimits:
    """The limits of what is under way in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ends: dict[Limit, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def within(self, seconds: float) -> Limit:
        """A block, to be entered with `with` by a task, that raises `TimeoutError` after that."""
        return Limit(self, seconds)

    def begin(self, limit: Limit, seconds: float) -> None:
        """A block begins."""
        end = self._ends[limit] = self.loop.time() + seconds
        if end < self._rings_at:
            self._ring_at(end)

    def end(self, limit: Limit) -> None:
        """A block has ended; the timer stays as it is."""
        self._ends.pop(limit, None)

    def _ring_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = moment
        self._timer = self.loop.call_at(moment, self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, inf
        now = self.loop.time() + SOON_S
        for limit in [limit for limit, end in self._ends.items() if end <= now]:
            del self._ends[limit]
            limit.expire()
        if self._ends:
            self._ring_at(min(self._ends.values()))


class Limit:
    """One block; where it takes too long, its task is cancelled, and it turns that into an error.

    Works as `asyncio.timeout` does: a task that somebody else cancels as well stays cancelled.
    """

    __slots__ = ("_before", "_is_over", "_limits", "_seconds", "_task")

    def __init__(self, limits: TimeLimits, seconds: float) -> None:
        self._limits = limits
        self._seconds = seconds
        self._is_over = False

    def expire(self) -> None:
        """The time is over."""
        self._is_over = True
        self._task.cancel()

    def __enter__(self) -> None:
        limits = self._limits
        task = asyncio.current_task(limits.loop)
        if task is None:
            raise RuntimeError("a time limit is for a task")
        self._task = task
        self._before = task.cancelling()
        limits.begin(self, self._seconds)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._limits.end(self)
        if (
            self._is_over
            and self._task.uncancel() <= self._before
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error
