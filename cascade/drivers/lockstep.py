"""The lock-step driver: many requests, tier by tier.

Every round collects one model call from each request that is still open and answers them together.
Scorers run between the rounds, until each request wants its next model call or is finished. That is
the shape a batch API needs; here the round is answered by an ordinary client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.wishes import ModelCall, Together, Wish
from cascade.drivers import asynchronous
from cascade.drivers.base import AsyncModels, Decisions, Models, Timing, step
from cascade.drivers.sync import carry_out

__all__ = ["Lane", "drive", "drive_async"]

Gather = Callable[[list[Callable[[], Awaitable[None]]]], Awaitable[None]]
"""Awaits what the functions return, at most so many at once."""


class Lane:
    """One request on its way through the rounds.

    Attributes:
        timing: the request's clock and deadline.
        wish: what it waits for, `None` before its start and after its end.
        decision: how it ended.
    """

    def __init__(self, decisions: Decisions, timing: Timing) -> None:
        self.timing = timing
        self.decision: Decision | None = None
        self.wish: Wish | None = None
        self._decisions = decisions

    def answer(self, result: Any = None) -> None:
        """Hand over what it waited for; the first time starts it."""
        item = step(self._decisions, result)
        if isinstance(item, Decision):
            self.wish, self.decision = None, item
            return
        if isinstance(item, ModelCall):
            item.final = False  # nothing is streamed in a round
        self.wish = item

    def close(self) -> None:
        """Give up; finished lanes are not changed."""
        self._decisions.close()


def drive(lanes: Sequence[Lane], models: Models, done: Callable[[Lane], object]) -> None:
    """Run all lanes to their end, round by round; `done` hears of each one that finishes."""
    try:
        for lane in lanes:
            lane.answer()
            _score(lane, models, done)
        while waiting := [(lane, lane.wish) for lane in lanes if lane.wish is not None]:
            for lane, call in waiting:
                lane.answer(carry_out(call, models, lane.timing))
                _score(lane, models, done)
    finally:
        for lane in lanes:
            lane.close()


async def drive_async(
    lanes: Sequence[Lane], models: AsyncModels, gather: Gather, done: Callable[[Lane], object]
) -> None:
    """The same, with the calls of one round at once; `gather` bounds how many."""
    try:
        for lane in lanes:
            lane.answer()
            await _score_async(lane, models, done)
        while waiting := [(lane, lane.wish) for lane in lanes if lane.wish is not None]:
            await gather([partial(_round, lane, call, models, done) for lane, call in waiting])
    finally:
        for lane in lanes:
            lane.close()


def _score(lane: Lane, models: Models, done: Callable[[Lane], object]) -> None:
    """Run what a lane's scorer wants run, until it wants a model or is finished."""
    while lane.wish is not None and not isinstance(lane.wish, ModelCall | Together):
        lane.answer(carry_out(lane.wish, models, lane.timing))
    if lane.wish is None:
        done(lane)


async def _round(
    lane: Lane, call: Wish, models: AsyncModels, done: Callable[[Lane], object]
) -> None:
    lane.answer(await asynchronous.carry_out(call, models, lane.timing))
    await _score_async(lane, models, done)


async def _score_async(lane: Lane, models: AsyncModels, done: Callable[[Lane], object]) -> None:
    while lane.wish is not None and not isinstance(lane.wish, ModelCall | Together):
        lane.answer(await asynchronous.carry_out(lane.wish, models, lane.timing))
    if lane.wish is None:
        done(lane)
