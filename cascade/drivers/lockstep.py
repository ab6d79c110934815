"""The lock-step driver: many requests, tier by tier.

Every round collects one model call from each request that is still open and answers them together.
That is the shape a batch API needs; here the round is answered by an ordinary client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.wishes import ModelCall, Wish
from cascade.drivers.base import AsyncModels, Models, Timing
from cascade.drivers.sync import Decisions, carry_out

__all__ = ["Lane", "drive", "drive_async"]


class Lane:
    """One request on its way through the rounds.

    Attributes:
        wish: what it waits for, `None` when it is finished.
        decision: how it ended.
    """

    def __init__(self, decisions: Decisions, timing: Timing) -> None:
        self.timing = timing
        self.decision: Decision | None = None
        self.wish: Wish | None = None
        self._decisions = decisions
        self._advance(lambda: next(decisions))

    def answer(self, result: Any) -> None:
        """Hand over what it waited for."""
        self._advance(lambda: self._decisions.send(result))

    def close(self) -> None:
        """Give up; finished lanes are not changed."""
        self._decisions.close()

    def _advance(self, step: Callable[[], Wish]) -> None:
        try:
            self.wish = step()
        except StopIteration as stop:
            self.wish, self.decision = None, stop.value


def drive(lanes: Sequence[Lane], models: Models, done: Callable[[Lane], object]) -> None:
    """Run all lanes to their end, round by round; `done` hears of each one that finishes."""
    try:
        while open_lanes := [lane for lane in lanes if lane.wish is not None]:
            for lane in open_lanes:
                lane.answer(carry_out(_open(lane), models, lane.timing))
                if lane.wish is None:
                    done(lane)
    finally:
        for lane in lanes:
            lane.close()


async def drive_async(
    lanes: Sequence[Lane],
    models: AsyncModels,
    gather: Callable[[list[Awaitable[Any]]], Awaitable[list[Any]]],
    done: Callable[[Lane], object],
) -> None:
    """The same, with the calls of one round at once; `gather` bounds how many."""
    from cascade.drivers.asynchronous import carry_out as carry_out_async  # noqa: PLC0415

    try:
        while open_lanes := [lane for lane in lanes if lane.wish is not None]:
            results = await gather(
                [carry_out_async(_open(lane), models, lane.timing) for lane in open_lanes]
            )
            for lane, result in zip(open_lanes, results, strict=True):
                lane.answer(result)
                if lane.wish is None:
                    done(lane)
    finally:
        for lane in lanes:
            lane.close()


def _open(lane: Lane) -> Wish:
    wish = lane.wish
    if wish is None:
        raise RuntimeError("a finished lane was asked for its wish")
    if isinstance(wish, ModelCall):
        wish.final = False  # nothing is streamed in a round
    return wish
