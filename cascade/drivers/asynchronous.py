"""The async driver: the same loop, awaiting; also the streamed form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from cascade.core.escalation import Decision
from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.wishes import Await, ModelCall, Ran, Run, Together, Wait, Wish
from cascade.drivers.base import Arriving, AsyncModels, Decisions, Holdback, Timing, step
from cascade.drivers.threads import attempt, discard, start, timed_out

__all__ = ["StreamEnd", "carry_out", "drive", "drive_stream", "together"]


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
        return late or await (models.call(wish) if wish.watch is None else _watched(wish, models))
    if isinstance(wish, Together):
        return await together([carry_out(call, models, timing) for call in wish.calls])
    if isinstance(wish, Wait):
        return await _await(Await(asyncio.wrap_future(wish.future)), timing.left_s(None))
    limit_s = timing.left_s(wish.timeout_s)
    if limit_s is not None and limit_s <= 0:
        if isinstance(wish, Await):
            discard(wish)
        return timed_out(limit_s)
    if isinstance(wish, Run):
        return attempt(wish.function) if limit_s is None else await _run(wish, limit_s)
    return await _await(wish, limit_s)


Value = TypeVar("Value")


async def together(awaitables: Sequence[Awaitable[Value]]) -> list[Value]:
    """Await several things at once; where one breaks or is cancelled, none is left behind."""
    tasks = [asyncio.ensure_future(item) for item in awaitables]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watched(call: ModelCall, models: AsyncModels) -> Reply | CallFailure:
    live, arriving = models.stream(call), Arriving(call)
    async with aclosing(aiter(live)) as chunks:
        async for chunk in chunks:
            if arriving.lost(chunk):
                break
    return arriving.outcome(live.outcome)


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
