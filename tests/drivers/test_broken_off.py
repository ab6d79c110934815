"""Requests that are broken off: cancelled, interrupted, abandoned, late. The books close all the same."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
from decimal import Decimal

import pytest

from cascade import AsyncCascade, Budget, Cascade, DeadlineExceeded, Price, Tier, ask
from cascade.core.failures import CallFailure
from cascade.core.wishes import Try
from cascade.testing import ManualClock, ScriptedModels, reply

CHEAP, DEAR = Price.of("1", "2"), Price.of("4", "8")


def bad(draft):
    return 0.0


def tiers(scorer=bad, **settings):
    return [Tier("low", scorer=scorer, price=CHEAP, **settings), Tier("top", price=DEAR)]


def breaks(error):
    """A line that raises instead of answering."""

    def line(call):
        raise error

    return line


class Pending:
    """Async models whose top tier never answers; what was sent is written down on cancellation."""

    def __init__(self):
        self.started = asyncio.Event()

    async def call(self, call):
        if call.tier.name == "low":
            call.tries.append(Try("ok", 0.0, 0.0, reply=reply("bad"), usage=reply("bad").usage))
            return reply("bad")
        self.started.set()
        return await asyncio.Event().wait()

    def stream(self, call):
        return PendingStream(self, call)


class PendingStream:
    def __init__(self, models, call):
        self.models, self.call, self.outcome = models, call, None

    async def __aiter__(self):
        yield {"choices": [{"delta": {"content": "half"}}]}
        self.outcome = await self.models.call(self.call)


async def cancelled(coroutine, started):
    task = asyncio.ensure_future(coroutine)
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_task_leaves_its_trace():
    """Cancelling a task while a call is in flight keeps what was paid and marks the call unknown."""
    seen, models = [], Pending()
    llm = AsyncCascade(tiers(), models=models, observers=[seen.append])
    await cancelled(llm.complete("hello"), models.started)
    (trace,) = seen
    assert trace.status == "cancelled"
    assert "CancelledError" in trace.reason
    assert [charge.outcome for charge in trace.charges] == ["ok", "cancelled"]
    assert trace.known_cost_usd > 0
    assert trace.cost_usd is None


async def test_a_cancelled_stream_leaves_its_trace():
    """Cancelling the reader of a stream closes the trace once, as cancelled."""
    seen, models = [], Pending()
    llm = AsyncCascade(tiers(), models=models, observers=[seen.append])

    async def read():
        async for _ in llm.stream("hello"):
            pass

    await cancelled(read(), models.started)
    assert [trace.status for trace in seen] == ["cancelled"]


async def test_cancelled_rounds_leave_every_trace():
    """Cancelling lock-step rounds closes the trace of every request, waiting ones included."""
    seen, models = [], Pending()
    llm = AsyncCascade(tiers(), models=models, observers=[seen.append])
    await cancelled(llm.complete_rounds(["a", "b", "c"], concurrency=2), models.started)
    assert [trace.status for trace in seen] == ["cancelled"] * 3


def test_interrupted_rounds_charge_nothing_for_what_was_not_asked():
    """Lanes that were waiting for their turn have spent nothing, and their traces know it."""
    seen, budget = [], Budget("1")
    models = ScriptedModels({"low": [reply("bad"), breaks(KeyboardInterrupt())]})
    llm = Cascade(tiers(), models=models, observers=[seen.append], budget=budget)
    with pytest.raises(KeyboardInterrupt):
        llm.complete_rounds(["a", "b", "c"], max_completion_tokens=10)
    assert [trace.status for trace in seen] == ["cancelled"] * 3
    assert [trace.cost_usd is None for trace in seen] == [False, True, False]
    assert seen[2].cost_usd == 0
    assert budget.committed_usd < Decimal("0.001")


async def test_a_broken_lane_stops_the_others():
    """When one request of a round breaks the program's way, the others stop spending."""
    finished = []

    class Models(Pending):
        async def call(self, call):
            if call.payload["messages"][0]["content"] == "boom":
                await self.started.wait()
                raise RuntimeError("a defect")
            self.started.set()
            await asyncio.sleep(0.05)
            finished.append(call)

    seen = []
    llm = AsyncCascade(tiers(), models=Models(), observers=[seen.append])
    with pytest.raises(RuntimeError, match="a defect"):
        await llm.complete_rounds(["boom", "other"])
    await asyncio.sleep(0.1)
    assert finished == []
    assert [trace.status for trace in seen] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), RuntimeError("a defect")])
def test_an_interrupt_in_a_model_call_closes_the_books(error):
    """What a model client raises reaches the caller, who finds the trace on it."""
    seen = []
    models = ScriptedModels({"low": "bad", "top": breaks(error)})
    llm = Cascade(tiers(), models=models, observers=[seen.append])
    with pytest.raises(type(error)) as caught:
        llm.complete("hello")
    assert caught.value.trace is seen[0]
    assert [charge.outcome for charge in seen[0].charges] == ["ok", "cancelled"]
    assert len(seen) == 1


@pytest.mark.parametrize("limit_s", [None, 5.0])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_a_scorer_ends_the_request(kind, limit_s):
    """Ctrl-C and exit are no scorer failures, on whichever thread they are raised."""

    def scorer(draft):
        raise kind

    seen = []
    llm = Cascade(
        tiers(scorer, scorer_timeout_s=limit_s),
        models=ScriptedModels({"low": "bad"}),
        observers=[seen.append],
    )
    with pytest.raises(kind):
        llm.complete("hello")
    assert [trace.status for trace in seen] == ["cancelled"]


def test_a_model_client_that_lets_stop_iteration_slip_is_no_end():
    """A `StopIteration` from a model client is its own defect, never the end of the request."""
    models = ScriptedModels({"low": breaks(StopIteration("slipped"))})
    with pytest.raises(StopIteration, match="slipped"):
        Cascade(tiers(), models=models).complete("hello")


def test_a_deadline_during_a_call_ends_the_request():
    """A call that the client cut at the deadline ends the request; its cost is unknown."""
    models = ScriptedModels({"low": CallFailure("deadline", "cut")})
    with pytest.raises(DeadlineExceeded) as caught:
        Cascade(tiers(), models=models, deadline_s=5).complete("hello")
    assert caught.value.trace.cost_usd is None


def test_a_deadline_cuts_a_scorer_short():
    """A scorer gets no more time than the request has left."""

    def slow(draft):
        import threading

        threading.Event().wait(10)

    models = ScriptedModels({"low": "bad"})
    done = Cascade(tiers(slow), models=models, deadline_s=0.1).complete("hello")
    assert (done.text, done.accepted) == ("bad", False)
    assert "TimeoutError" in done.trace.attempts[0].reason


async def test_a_late_coroutine_scorer_is_dropped_quietly():
    """A coroutine scorer that comes after the deadline is never begun and never complained about."""

    async def scorer(draft):
        return 1.0

    clock = ManualClock()
    models = ScriptedModels({"low": "bad"}, clock=clock, latency_s=1.0)
    done = await AsyncCascade(tiers(scorer), models=models, clock=clock, deadline_s=1).complete("x")
    assert "deadline has passed" in done.trace.attempts[0].reason


# Streams that are not read to their end ----------------------------------------------------------


def streaming(cls=Cascade):
    seen = []
    models = ScriptedModels({"low": "bad", "top": "one two three"})
    return cls(tiers(), models=models, observers=[seen.append]), seen


def by_break(stream):
    for _ in stream:
        break


def by_close(stream):
    next(stream)
    stream.close()
    stream.close()


def by_with(stream):
    with stream:
        next(stream)


@pytest.mark.parametrize("leave", [by_break, by_close, by_with])
def test_a_reader_who_leaves_closes_the_books(leave):
    """A stream left in the middle books the draft and the call that was streaming, once."""
    llm, seen = streaming()
    stream = llm.stream("hello")
    leave(stream)
    trace = stream.trace
    del stream
    gc.collect()
    assert [t.status for t in seen] == ["cancelled"]
    assert trace in (None, seen[0])
    assert [charge.tier for charge in seen[0].charges] == ["low", "top"]


@pytest.mark.parametrize("closed", [False, True])
def test_a_stream_nobody_starts_closes_too(closed):
    """A stream that is dropped or closed unread leaves an empty trace, once."""
    llm, seen = streaming()
    stream = llm.stream("hello")
    if closed:
        stream.close()
    del stream
    gc.collect()
    assert [(trace.status, trace.charges) for trace in seen] == [("cancelled", ())]


def test_leaving_after_the_answer_changes_nothing():
    """A reader who stops before the usage chunk has had the answer; the trace says so."""
    llm, seen = streaming()
    stream = llm.stream("hello")
    while stream.completion is None:
        next(stream)
    stream.close()
    assert [trace.status for trace in seen] == ["accepted"]


async def test_an_async_reader_who_leaves_closes_the_books():
    """The same for `aclose`, and for leaving an `async with` block."""
    for leave in ("aclose", "with"):
        llm, seen = streaming(AsyncCascade)
        stream = llm.stream("hello")
        if leave == "aclose":
            await anext(stream)
            await stream.aclose()
        else:
            async with stream:
                async for _ in stream:
                    break
        assert [trace.status for trace in seen] == ["cancelled"]
        assert stream.trace is seen[0]
        assert [charge.tier for charge in seen[0].charges] == ["low", "top"]


async def test_an_async_stream_nobody_starts_closes_too():
    """Closing or dropping an unread async stream leaves an empty trace, once."""
    for leave in ("aclose", "drop"):
        llm, seen = streaming(AsyncCascade)
        stream = llm.stream("hello")
        if leave == "aclose":
            await stream.aclose()
        del stream
        gc.collect()
        assert [(trace.status, trace.charges) for trace in seen] == [("cancelled", ())]


async def test_an_abandoned_async_stream_is_closed_by_the_loop():
    """An async stream dropped in the middle closes its trace when the loop gets to it."""
    llm, seen = streaming(AsyncCascade)
    stream = llm.stream("hello")
    await anext(stream)
    del stream
    gc.collect()
    await asyncio.sleep(0.05)
    assert [trace.status for trace in seen] == ["cancelled"]


# Scorers that go their own ways ------------------------------------------------------------------


def test_a_scorer_that_never_returns_does_not_hold_up_the_exit():
    """The interpreter ends although a scorer's thread still runs."""
    code = """
        import threading
        from cascade import Cascade, Price, Tier
        from cascade.testing import ScriptedModels

        def never(draft):
            threading.Event().wait()

        tiers = [
            Tier("low", scorer=never, scorer_timeout_s=0.05, price=Price.free()),
            Tier("top", price=Price.free()),
        ]
        print(Cascade(tiers, models=ScriptedModels({"low": "a", "top": "b"})).complete("x").text)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "b", "")


def test_a_generator_scorer_left_behind_is_not_closed_under_its_feet():
    """A generator scorer that hangs in its own thread is left to it; the request goes on."""
    import threading

    go_on = threading.Event()

    def scorer(draft):
        go_on.wait(10)
        yield from ask("top", "Is it right?")

    models = ScriptedModels({"low": "bad", "top": "good"})
    done = Cascade(tiers(scorer, scorer_timeout_s=0.05), models=models).complete("hello")
    go_on.set()
    assert done.text == "good"
    assert "TimeoutError" in done.trace.attempts[0].reason


async def test_an_answer_after_the_loop_has_gone_is_dropped():
    """A scorer that comes back after its loop has closed reports to nobody, quietly."""
    import threading

    go_on, came_back = threading.Event(), threading.Event()

    def scorer(draft):
        go_on.wait(10)
        came_back.set()
        return 1.0

    def run():
        llm = AsyncCascade(
            tiers(scorer, scorer_timeout_s=0.05),
            models=ScriptedModels({"low": "bad", "top": "good"}),
        )
        return asyncio.run(llm.complete("hello"))

    done = await asyncio.to_thread(run)
    go_on.set()
    assert came_back.wait(5)
    assert done.text == "good"


async def test_an_answer_that_comes_late_is_dropped():
    """A scorer's late answer does not disturb the loop that has stopped waiting for it."""
    import threading

    go_on = threading.Event()

    def scorer(draft):
        go_on.wait(10)
        return 1.0

    models = ScriptedModels({"low": "bad", "top": "good"})
    done = await AsyncCascade(tiers(scorer, scorer_timeout_s=0.05), models=models).complete("hello")
    go_on.set()
    await asyncio.sleep(0.05)
    assert done.text == "good"
