"""The async driver: the same loop, awaiting; also the streamed form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cascade.core.escalation import Decision
from cascade.core.wishes import Await, ModelCall, Ran, Run, Wish
from cascade.drivers.base import AsyncModels, Decisions, Holdback, Timing, step
from cascade.drivers.threads import attempt, discard, start, timed_out

__all__ = ["StreamEnd", "carry_out", "drive", "drive_stream"]


@dataclass(slots=True)
class StreamEnd:
    """Where `drive_stream` leaves its result: an async generator cannot return one."""

    decision: Decision | None = None
    streamed: bool = False


async def drive(decisions: Decisions, models: AsyncModels, timing: Timing) -> Decision:
    """Run the decision loop to its end."""
    try:
        wish = step(decisions)
        while not isinstance(wish, Decision):
            wish = step(decisions, await carry_out(wish, models, timing))
        return wish
    finally:
        decisions.close()


async def drive_stream(
    decisions: Decisions, models: AsyncModels, timing: Timing, end: StreamEnd
) -> AsyncGenerator[Mapping[str, Any]]:
    """Run the decision loop, yielding the wire chunks of an answer that will stand."""
    gate = Holdback()
    try:
        wish = step(decisions)
        while not isinstance(wish, Decision):
            if isinstance(wish, ModelCall) and wish.final and timing.admit(wish) is None:
                live = models.stream(wish)
                async with aclosing(aiter(live)) as chunks:
                    async for chunk in chunks:
                        for ready in gate.pass_on(chunk):
                            yield ready
                wish = step(decisions, live.outcome)
            else:
                wish = step(decisions, await carry_out(wish, models, timing))
        end.decision, end.streamed = wish, gate.shown
    finally:
        decisions.close()


async def carry_out(wish: Wish, models: AsyncModels, timing: Timing) -> Any:
    """One wish, awaited."""
    if isinstance(wish, ModelCall):
        late = timing.admit(wish)
        return late if late is not None else await models.call(wish)
    limit_s = timing.left_s(wish.timeout_s)
    if limit_s is not None and limit_s <= 0:
        if isinstance(wish, Await):
            discard(wish)
        return timed_out(limit_s)
    if isinstance(wish, Run):
        return attempt(wish.function) if limit_s is None else await _run(wish, limit_s)
    return await _await(wish, limit_s)


async def _run(wish: Run, limit_s: float) -> Ran:
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Ran] = loop.create_future()

    def settle(ran: Ran) -> None:
        if not outcome.done():
            outcome.set_result(ran)

    def done(ran: Ran) -> None:
        try:
            loop.call_soon_threadsafe(settle, ran)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return

    start(wish.function, done)
    try:
        return await asyncio.wait_for(outcome, limit_s)
    except TimeoutError:
        return timed_out(limit_s)


async def _await(wish: Await, limit_s: float | None) -> Ran:
    try:
        async with asyncio.timeout(limit_s) as limit:
            return Ran(value=await wish.awaitable)
    except Exception as error:  # noqa: BLE001  plug-in border: a scorer's exception is its outcome
        if isinstance(error, TimeoutError) and limit.expired() and limit_s is not None:
            return timed_out(limit_s)
        return Ran(error=error)
