"""The sync driver: one wish after the other, on the calling thread; also the streamed form."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.wishes import ModelCall, Ran, Run, Together, Wait, Wish
from cascade.drivers.base import (
    Arriving,
    Decisions,
    Holdback,
    Models,
    Timing,
    in_order,
    step,
)
from cascade.drivers.threads import attempt, discard, run_limited, run_together

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
        return _call(wish, models, timing)
    if isinstance(wish, Together):
        calls = [partial(_call, call, models, timing) for call in wish.calls]
        return [_value_of(ran) for ran in run_together(calls, in_order=in_order(models))]
    if isinstance(wish, Run):
        return run_limited(wish.function, timing.left_s(wish.timeout_s))
    if isinstance(wish, Wait):
        return attempt(partial(wish.future.result, timing.left_s(None)))
    # A coroutine that only turned up at run time: a plain function returned it.
    discard(wish)
    return Ran(error=TypeError("this scorer is asynchronous: use AsyncCascade"))


def _call(call: ModelCall, models: Models, timing: Timing) -> Reply | CallFailure:
    late: CallFailure | None = timing.admit(call)
    if late is not None:
        return late
    if call.watch is None:
        return models.call(call)
    live, arriving = models.stream(call), Arriving(call)
    with closing(iter(live)) as chunks:
        for chunk in chunks:
            if arriving.lost(chunk):
                break
    return arriving.outcome(live.outcome)


def _value_of(ran: Ran) -> Any:
    if ran.error is not None:
        raise ran.error
    return ran.value
