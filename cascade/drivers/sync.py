"""The sync driver: one wish after the other, on the calling thread; also the streamed form."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.failures import CallFailure
from cascade.core.wishes import Await, ModelCall, Ran, Run, Wish
from cascade.drivers.base import Models, Timing
from cascade.drivers.threads import run_limited

__all__ = ["carry_out", "drive", "drive_stream"]

Decisions = Generator[Wish, Any, Decision]


def drive(decisions: Decisions, models: Models, timing: Timing) -> Decision:
    """Run the decision loop to its end."""
    try:
        wish = next(decisions)
        while True:
            wish = decisions.send(carry_out(wish, models, timing))
    except StopIteration as stop:
        decision: Decision = stop.value
        return decision
    finally:
        decisions.close()


def drive_stream(
    decisions: Decisions, models: Models, timing: Timing
) -> Generator[Mapping[str, Any], None, tuple[Decision, bool]]:
    """Run the decision loop, yielding the wire chunks of an answer that will stand.

    Returns:
        The decision, and whether its answer has been yielded already.
    """
    streamed = False
    try:
        wish = next(decisions)
        while True:
            if isinstance(wish, ModelCall) and wish.final:
                late = timing.admit(wish)
                if late is None:
                    live = models.stream(wish)
                    with closing(iter(live)) as chunks:
                        for chunk in chunks:
                            streamed = True
                            yield chunk
                    wish = decisions.send(live.outcome)
                else:
                    wish = decisions.send(late)
            else:
                wish = decisions.send(carry_out(wish, models, timing))
    except StopIteration as stop:
        return stop.value, streamed
    finally:
        decisions.close()


def carry_out(wish: Wish, models: Models, timing: Timing) -> Any:
    """One wish, waited for."""
    if isinstance(wish, ModelCall):
        late: CallFailure | None = timing.admit(wish)
        return late if late is not None else models.call(wish)
    if isinstance(wish, Run):
        return run_limited(wish.function, timing.left_s(wish.timeout_s))
    return _refuse(wish)


def _refuse(wish: Await) -> Ran:
    """A coroutine that only turned up at run time (a function that returned one)."""
    close = getattr(wish.awaitable, "close", None)
    if close is not None:
        close()
    return Ran(error=TypeError("this scorer is asynchronous: use AsyncCascade"))
