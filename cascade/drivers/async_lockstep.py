"""The lock-step driver, awaiting: the calls of a round are made at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from cascade.core.wishes import ModelCall, Together, Wish
from cascade.drivers import asynchronous
from cascade.drivers.base import AsyncModels
from cascade.drivers.lockstep import Lane

__all__ = ["drive"]

Gather = Callable[[list[Callable[[], Awaitable[None]]]], Awaitable[None]]
"""Awaits what the functions return, at most so many at once."""


async def drive(
    lanes: Sequence[Lane], models: AsyncModels, gather: Gather, done: Callable[[Lane], object]
) -> None:
    """Run all lanes to their end, round by round; `gather` bounds how many calls are open."""
    try:
        for lane in lanes:
            lane.answer()
            await _score(lane, models, done)
        while waiting := [(lane, lane.wish) for lane in lanes if lane.wish is not None]:
            await gather([partial(_round, lane, call, models, done) for lane, call in waiting])
    finally:
        for lane in lanes:
            lane.close()


async def _round(
    lane: Lane, call: Wish, models: AsyncModels, done: Callable[[Lane], object]
) -> None:
    lane.answer(await asynchronous.carry_out(call, models, lane.timing))
    await _score(lane, models, done)


async def _score(lane: Lane, models: AsyncModels, done: Callable[[Lane], object]) -> None:
    while lane.wish is not None and not isinstance(lane.wish, ModelCall | Together):
        lane.answer(await asynchronous.carry_out(lane.wish, models, lane.timing))
    if lane.wish is None:
        done(lane)
