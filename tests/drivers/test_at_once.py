"""Calls that are made at once really are, and none of them is lost when something breaks."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from cascade import AsyncCascade, Cascade, Price, Reply, Score, Tier, sample
from cascade.core.wishes import Try
from cascade.testing import ScriptedModels, reply

PRICE = Price.of("1", "2")
COUNT = 4


def agrees(draft):
    """Asks again and wants every sample back."""
    found = yield from sample(draft, COUNT)
    return Score(sum(isinstance(item, Reply) for item in found) / COUNT, reason=str(len(found)))


def tiers(**settings):
    return [Tier("low", scorer=agrees, price=PRICE, **settings), Tier("top", price=PRICE)]


def answered(call, text="yes"):
    result = reply(text, model=call.model)
    call.tries.append(Try("ok", 0.0, 0.0, reply=result, usage=result.usage))
    return result


class Meeting:
    """Sync models whose samples come back only when all of them are there."""

    def __init__(self):
        self.barrier = threading.Barrier(COUNT)

    def call(self, call):
        if call.purpose == "scorer":
            self.barrier.wait(10)
        return answered(call)


class AsyncMeeting:
    def __init__(self, *, go_on=True):
        self.arrived = 0
        self.go_on = go_on
        self.all_here = asyncio.Event()

    async def call(self, call):
        if call.purpose == "scorer":
            self.arrived += 1
            if self.arrived == COUNT:
                self.all_here.set()
            await self.all_here.wait()
            await asyncio.sleep(0 if self.go_on else 10)
        return answered(call)


def test_samples_meet_on_threads():
    """A barrier that lets nobody through alone lets the samples through together."""
    done = Cascade(tiers(), models=Meeting()).complete("hello")
    assert done.tier == "low"
    assert [charge.purpose for charge in done.trace.charges] == ["draft", *["scorer"] * COUNT]
    assert [charge.call for charge in done.trace.charges] == list(range(COUNT + 1))


async def test_samples_meet_on_the_event_loop():
    """The same for tasks."""
    done = await AsyncCascade(tiers(), models=AsyncMeeting()).complete("hello")
    assert (done.tier, len(done.trace.charges)) == ("low", COUNT + 1)


async def test_samples_of_many_requests_meet_in_a_round():
    """A lock-step round asks the samples of all its requests."""
    llm = AsyncCascade(tiers(), models=ScriptedModels({"low": "yes"}))
    for done in await llm.complete_rounds(["a", "b", "c"]):
        assert (done.tier, len(done.trace.charges)) == ("low", COUNT + 1)


async def test_a_cancelled_request_cancels_its_samples():
    """Nobody goes on spending for a caller that went away; what was begun is booked as unknown."""
    traces = []
    models = AsyncMeeting(go_on=False)
    llm = AsyncCascade(tiers(), models=models, observers=[traces.append])
    task = asyncio.ensure_future(llm.complete("hello"))
    await models.all_here.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
    [trace] = traces
    assert trace.status == "cancelled"
    assert [charge.outcome for charge in trace.charges] == ["ok", *["cancelled"] * COUNT]
    assert trace.cost_usd is None


def test_a_sample_that_breaks_the_models_is_raised():
    """An exception that a model client lets slip is the caller's to see, not a lost sample."""

    class Broken(Meeting):
        def call(self, call):
            if call.purpose == "scorer":
                raise ZeroDivisionError("a defect of the client")
            return answered(call)

    traces = []
    with pytest.raises(ZeroDivisionError):
        Cascade(tiers(), models=Broken(), observers=[traces.append]).complete("hello")
    assert traces[0].status == "cancelled"


def test_ctrl_c_begins_no_further_call():
    """Models that answer from a list are asked in turn: what was not begun stays so, and is free."""
    asked = []

    class InOrder:
        in_order = True

        def call(self, call):
            asked.append(call.number)
            if call.number == 1:
                raise KeyboardInterrupt
            return answered(call)

    traces = []
    llm = Cascade(tiers(), models=InOrder(), observers=[traces.append])
    with pytest.raises(KeyboardInterrupt):
        llm.complete("hello")
    assert asked == [0, 1]
    assert [charge.cost_usd is None for charge in traces[0].charges] == [False, True, *[False] * 3]
    assert traces[0].known_cost_usd == traces[0].charges[0].cost_usd > 0


def test_ctrl_c_does_not_wait_for_the_other_samples():
    """The one on the calling thread is interrupted; the others are left to end by themselves."""

    class Interrupted(Meeting):
        def call(self, call):
            if call.purpose == "draft":
                return answered(call)
            if threading.current_thread() is threading.main_thread():
                raise KeyboardInterrupt
            time.sleep(5)
            return answered(call)

    begun = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        Cascade(tiers(), models=Interrupted()).complete("hello")
    assert time.perf_counter() - begun < 3
