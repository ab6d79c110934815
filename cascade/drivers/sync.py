"""The sync driver: one wish after the other, on the calling thread; also the streamed form."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.failures import CallFailure
from cascade.core.wishes import ModelCall, Ran, Run, Wish
from cascade.drivers.base import Decisions, Holdback, Models, Timing, step
from cascade.drivers.threads import discard, run_limited

__all__ = ["carry_out", "drive", "drive_stream"]


def drive(decisions: Decisions, models: Models, timing: Timing) -> Decision:
    """Run the decision loop to its end."""
    try:
        wish = step(decisions)
        while not isinstance(wish, Decision):
            wish = step(decisions, carry_out(wish, models, timing))
        return wish
    finally:
        decisions.close()


def drive_stream(
    decisions: Decisions, models: Models, timing: Timing
) -> Generator[Mapping[str, Any], None, tuple[Decision, bool]]:
    """Run the decision loop, yielding the wire chunks of an answer that will stand.

    Returns:
        The decision, and whether its answer has been yielded already.
    """
    gate = Holdback()
    try:
        wish = step(decisions)
        while not isinstance(wish, Decision):
            if isinstance(wish, ModelCall) and wish.final and timing.admit(wish) is None:
                live = models.stream(wish)
                with closing(iter(live)) as chunks:
                    for chunk in chunks:
                        yield from gate.pass_on(chunk)
                wish = step(decisions, live.outcome)
            else:
                wish = step(decisions, carry_out(wish, models, timing))
        return wish, gate.shown
    finally:
        decisions.close()


def carry_out(wish: Wish, models: Models, timing: Timing) -> Any:
    """One wish, waited for."""
    if isinstance(wish, ModelCall):
        late: CallFailure | None = timing.admit(wish)
        return late if late is not None else models.call(wish)
    if isinstance(wish, Run):
        return run_limited(wish.function, timing.left_s(wish.timeout_s))
    # A coroutine that only turned up at run time: a plain function returned it.
    discard(wish)
    return Ran(error=TypeError("this scorer is asynchronous: use AsyncCascade"))
