"""The lock-step driver: many requests, tier by tier.

Every round collects one model call from each request that is still open and answers them together.
Scorers run between the rounds, until each request wants its next model call or is finished. That is
the shape a batch API needs; here the round is answered by an ordinary client, call by call.
`async_lockstep` makes the calls of a round at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.wishes import ModelCall, Together, Wish
from cascade.drivers.base import Decisions, Models, Timing, step
from cascade.drivers.sync import carry_out

__all__ = ["Lane", "drive"]


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


def _score(lane: Lane, models: Models, done: Callable[[Lane], object]) -> None:
    """Run what a lane's scorer wants run, until it wants a model or is finished."""
    while lane.wish is not None and not isinstance(lane.wish, ModelCall | Together):
        lane.answer(carry_out(lane.wish, models, lane.timing))
    if lane.wish is None:
        done(lane)
