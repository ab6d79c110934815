"""`complete_many` that ends early: nothing new begins, every trace closes, finished work is kept."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import cascade
from cascade import AsyncCascade, Cascade, Price, RunError, Tier, TraceStore
from cascade.core.wishes import Try
from cascade.testing import reply

ROOT = Path(cascade.__file__).parent.parent
CHEAP, DEAR = Price.of("1", "2"), Price.of("4", "8")
STUCK = 100
"""Requests from this number on are never answered by the second tier."""


def numbers(*found):
    return [str(number) for number in found]


def number_of(call):
    return int(call.payload["messages"][-1]["content"])


def write_down(call, text):
    made = reply(text)
    call.tries.append(Try("ok", 0.0, 0.0, reply=made, usage=made.usage, service_tier="default"))
    return made


def small(draft):
    return int(draft.text) < STUCK


def tiers(scorer=small):
    return [Tier("low", scorer=scorer, price=CHEAP), Tier("top", price=DEAR)]


def wait_until(condition, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def once(condition, action):
    """Do something from another thread as soon as a condition holds."""

    def wait():
        wait_until(condition)
        action()

    threading.Thread(target=wait, daemon=True).start()


class Stuck:
    """Models whose second tier answers only once it is let go."""

    def __init__(self):
        self.stuck = []
        self.asked = []
        self.let_go = threading.Event()

    def call(self, call):
        number = number_of(call)
        self.asked.append(number)
        if call.tier.name == "top":
            self.stuck.append(number)
            self.let_go.wait(30)
        return write_down(call, str(number))

    def stream(self, call):
        raise NotImplementedError


@pytest.fixture
def models():
    made = Stuck()
    yield made
    made.let_go.set()


def check_left(traces, count):
    """So many traces that were left with a draft paid and a call of unknown cost."""
    left = [trace for trace in traces if trace.status == "cancelled"]
    assert len(left) == count
    for trace in left:
        assert [(charge.tier, charge.outcome) for charge in trace.charges] == [
            ("low", "ok"),
            ("top", "cancelled"),
        ]
        assert trace.cost_usd is None
        assert trace.known_cost_usd > 0


# Sync -------------------------------------------------------------------------------------------


def leave_by_break(many):
    for _ in many:
        break


def leave_by_error(many):
    def fails():
        with many:
            _ = 1 / next(many).index

    with pytest.raises(ZeroDivisionError):
        fails()


def leave_by_close(many):
    next(many)
    many.close()
    many.close()


def leave_by_with(many):
    with many:
        next(many)


WAYS = [leave_by_break, leave_by_error, leave_by_close, leave_by_with]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_abandoned_iterator_leaves_closed_traces(way, models):
    """However the consumer goes away, what is under way is left at once with what it had paid."""
    seen, taken = [], []

    def source():
        for item in numbers(0, 100, 101, 1, 2, 3, 4, 5, 6):
            taken.append(item)
            yield item

    def wait_for_both(draft):
        if draft.text == "0":
            wait_until(lambda: len(models.stuck) == 2)
        return small(draft)

    llm = Cascade(tiers(wait_for_both), models=models, observers=[seen.append])
    begun = time.monotonic()
    way(llm.complete_many(source(), concurrency=3))
    gc.collect()
    assert time.monotonic() - begun < 5
    check_left(seen, 2)
    assert len(taken) <= 4
    asked = list(models.asked)
    models.let_go.set()
    time.sleep(0.1)
    assert models.asked == asked  # the threads that were left ask nobody any more
    assert len({trace.id for trace in seen}) == len(seen)


def test_what_was_left_and_what_was_finished_can_be_had(models):
    """After `close` finished results are there once, and those left with an error and a trace."""
    llm = Cascade(tiers(), models=models)
    many = llm.complete_many(numbers(100, 1, 2, 101), concurrency=4)
    once(lambda: many.progress.done == 2 and len(models.stuck) == 2, lambda: many.stop(0.0))
    assert [result.index for result in many] == [1, 2]  # nobody waits for the gap
    assert many.finished() == []
    assert [result.index for result in many.left] == [0, 3]
    for result in many.left:
        with pytest.raises(RunError, match=r"left under way \(spent an unknown amount, at least"):
            result.unwrap()
    check_left([result.trace for result in many.left], 2)
    assert many.progress.done == 2
    models.let_go.set()
    wait_until(lambda: len(many._workers._done) == 2)
    assert many.finished() == []  # answers to requests that were left come too late
    assert many.progress.done == 2


def test_finished_results_outlive_the_close(models):
    """Results that nobody has taken yet are there after the close, by index, and only once."""
    llm = Cascade(tiers(), models=models)
    many = llm.complete_many(numbers(100, 1, 2), concurrency=3)
    once(lambda: many.progress.done == 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        next(many)
    assert [result.unwrap().text for result in many.finished()] == ["1", "2"]
    assert many.finished() == list(many) == []
    assert [result.index for result in many.left] == [0]


def test_stop_waits_for_what_is_under_way(models):
    """After `stop` nothing new begins and what is under way is handed out."""
    llm = Cascade(tiers(), models=models)
    many = llm.complete_many(numbers(*range(100, 120)), concurrency=4)
    once(lambda: len(models.stuck) == 4, lambda: (many.stop(), models.let_go.set()))
    assert [result.unwrap().tier for result in many] == ["top"] * 4
    assert many.left == ()


def test_stop_within_a_time_leaves_the_rest(models):
    """`stop(within_s)` hands out what ends in time and leaves the rest."""
    llm = Cascade(tiers(), models=models)
    many = llm.complete_many(numbers(100, 1, 101), concurrency=3, ordered=False)
    assert next(many).index == 1
    begun = time.monotonic()
    many.stop(0.1)
    assert list(many) == []
    assert 0.09 < time.monotonic() - begun < 5
    assert [result.index for result in many.left] == [0, 2]


def test_an_answer_that_is_just_arriving_is_kept():
    """A request whose books are closed has an answer: leaving waits a moment for it."""
    observing, seen = threading.Event(), []

    def observer(trace):
        observing.set()
        time.sleep(0.1)
        seen.append(trace)

    llm = Cascade(tiers(), models=Stuck(), observers=[observer])
    many = llm.complete_many(numbers(1))
    many._fill()
    assert observing.wait(5)
    many.close()
    (result,) = many.finished()
    assert result.unwrap().trace is seen[0]
    assert many.left == ()


def test_an_answer_that_takes_too_long_to_arrive_counts_as_left(monkeypatch):
    """An observer that hangs holds nobody up; the request's trace tells that it was answered."""
    monkeypatch.setattr("cascade.engine.many.ARRIVING_S", 0.05)
    observing, go_on = threading.Event(), threading.Event()

    def observer(trace):
        observing.set()
        go_on.wait(10)

    llm = Cascade(tiers(), models=Stuck(), observers=[observer])
    many = llm.complete_many(numbers(1))
    many._fill()
    assert observing.wait(5)
    many.close()
    go_on.set()
    assert many.finished() == []
    (result,) = many.left
    assert result.trace.status == "accepted"
    assert "spent $0.00001" in str(result.error)


def test_a_request_that_ends_the_program_ends_it():
    """`SystemExit` out of a scorer is raised where the results are read, after what was finished."""

    def scorer(draft):
        if draft.text == "1":
            raise SystemExit(3)
        return True

    many = Cascade(tiers(scorer), models=Stuck()).complete_many(numbers(0, 1, 2), concurrency=1)
    seen = [next(many), next(many)]
    assert [type(result.error) for result in seen] == [type(None), SystemExit]
    with pytest.raises(SystemExit):
        next(many)


def test_a_forked_child_leaves_nothing(models):
    """What a parent has under way is none of a forked child's business."""
    many = Cascade(tiers(), models=models).complete_many(numbers(100))
    many._fill()
    wait_until(lambda: models.stuck)
    flow = many._flow
    flow._process = -1  # as seen by a child
    flow._at_exit()
    assert many.left == ()
    flow._process = os.getpid()
    flow._at_exit()
    assert len(many.left) == 1
    assert many.left[0].trace.reason == "cancelled: the program ended"


# Processes --------------------------------------------------------------------------------------

COMMON = """
import asyncio, sys, time
from cascade import AsyncCascade, Cascade, Price, Tier, TraceStore
from cascade.core.wishes import Try
from cascade.testing import reply

def answer(call):
    made = reply(call.payload["messages"][-1]["content"])
    call.tries.append(Try("ok", 0.0, 0.0, reply=made, usage=made.usage, service_tier="default"))
    return made

class Models:
    def call(self, call):
        if call.tier.name == "top":
            print("stuck", flush=True)
            time.sleep(60)
        return answer(call)
    def stream(self, call):
        raise NotImplementedError

class AsyncModels(Models):
    async def call(self, call):
        if call.tier.name == "top":
            print("stuck", flush=True)
            await asyncio.sleep(60)
        return answer(call)

tiers = [Tier("low", scorer=lambda draft: int(draft.text) < 100, price=Price.of("1", "2")),
         Tier("top", price=Price.of("4", "8"))]
requests = ["0", "100", "1", "101", "2"]
store = TraceStore(sys.argv[1])
"""

INTERRUPTED = """
many = Cascade(tiers, models=Models(), store=store).complete_many(requests)
print(next(many).index, flush=True)
try:
    for result in many:
        pass
except KeyboardInterrupt:
    print("finished", *(result.index for result in many.finished()))
    print("left", *(result.index for result in many.left))
    raise
"""

UNCAUGHT = """
many = Cascade(tiers, models=Models(), store=store).complete_many(requests)
for result in many:
    pass
"""

IN_TASKS = """
async def main():
    async for result in AsyncCascade(tiers, models=AsyncModels(), store=store).complete_many(requests):
        pass
asyncio.run(main())
"""

FORGOTTEN = """
many = Cascade(tiers, models=Models(), store=store).complete_many(requests, ordered=False)
for _ in range(3):
    next(many)
time.sleep(0.5)
"""


@pytest.mark.parametrize("code", [INTERRUPTED, UNCAUGHT, IN_TASKS], ids=["caught", "loop", "tasks"])
def test_an_interrupt_keeps_all_finished_work_and_closes_every_trace(code, tmp_path):
    """A real SIGINT ends the program at once; finished and left requests are all in the store."""
    place = tmp_path / "t.db"
    run = start(code, place)
    lines = [run.stdout.readline() for _ in range(3 if code is INTERRUPTED else 2)]
    assert sum(line == "stuck\n" for line in lines) == 2
    time.sleep(0.3)  # the other three are answered by now
    begun = time.monotonic()
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=20)
    assert time.monotonic() - begun < 8
    assert run.returncode == -signal.SIGINT
    assert err.splitlines()[-1].startswith("KeyboardInterrupt"), err
    if code is INTERRUPTED:
        assert out.split() == ["finished", "2", "4", "left", "1", "3"]
    check_store(place)


def test_a_program_that_ends_leaves_closed_traces(tmp_path):
    """An iterator that nobody closed neither holds up the exit nor loses a trace."""
    place = tmp_path / "t.db"
    run = start(FORGOTTEN, place)
    begun = time.monotonic()
    _, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (0, "")
    assert time.monotonic() - begun < 20
    check_store(place)


def start(code, place):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(COMMON + code), str(place)],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_store(place):
    with TraceStore(place) as store:
        kept = list(store.iter_traces())
    assert sorted(trace.status for trace in kept) == ["accepted"] * 3 + ["cancelled"] * 2
    check_left(kept, 2)


# Async ------------------------------------------------------------------------------------------


class AsyncStuck:
    """The same, awaiting; writes down that it was cancelled."""

    def __init__(self):
        self.stuck = []
        self.cancelled = []
        self.let_go = asyncio.Event()
        self.both = asyncio.Event()

    async def call(self, call):
        number = number_of(call)
        if call.tier.name == "top":
            self.stuck.append(number)
            if len(self.stuck) == 2:
                self.both.set()
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(number)
                raise
        return write_down(call, str(number))

    def stream(self, call):
        raise NotImplementedError


async def begin(ordered=True):
    """Five requests, two of which get stuck; the results of the others are there."""
    models, seen, answered = AsyncStuck(), [], asyncio.Event()

    def observer(trace):
        seen.append(trace)
        if len(seen) == 3:
            answered.set()

    llm = AsyncCascade(tiers(), models=models, observers=[observer])
    many = llm.complete_many(numbers(0, 100, 1, 101, 2), ordered=ordered)
    assert (await anext(many)).index == 0
    async with asyncio.timeout(10):
        await models.both.wait()
        await answered.wait()
    return many, models, seen


async def test_closing_cancels_and_closes_the_books():
    """`aclose` returns when every task has ended and every trace is closed."""
    many, models, seen = await begin()
    await many.aclose()
    await many.aclose()
    assert sorted(models.cancelled) == [100, 101]
    check_left(seen, 2)
    assert [result.index for result in many.left] == [1, 3]
    assert [result.unwrap().text for result in many.finished()] == ["1", "2"]
    assert [result async for result in many] == []


async def test_leaving_the_block_closes():
    """`async with` closes, whatever ends the block."""
    many, models, seen = await begin()

    async def fails():
        async with many:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert len(models.cancelled) == 2
    check_left(seen, 2)


async def test_an_async_iterator_that_is_dropped():
    """Dropping it closes the books at once and cancels the tasks soon."""
    many, models, seen = await begin()
    del many
    gc.collect()
    check_left(seen, 2)
    await asyncio.sleep(0.01)
    assert sorted(models.cancelled) == [100, 101]
    assert len(seen) == 5


def test_an_async_iterator_that_is_dropped_after_its_loop():
    """The books close although the loop has gone."""
    many, _, seen = asyncio.run(begin())
    assert len(seen) == 5  # `asyncio.run` has cancelled the tasks
    check_left(seen, 2)
    del many
    gc.collect()
    assert len(seen) == 5


async def test_a_cancelled_consumer_closes():
    """Cancelling the task that waits for a result ends all of them before it ends itself."""
    many, models, seen = await begin()
    consumer = asyncio.ensure_future(anext(many))
    await asyncio.sleep(0.01)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert len(models.cancelled) == 2
    check_left(seen, 2)


async def test_a_consumer_out_of_time_closes():
    """A time limit around the iteration ends it the same way."""
    many, models, seen = await begin()

    async def all_of_them():
        return [result async for result in many]

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(all_of_them(), 0.05)
    assert len(models.cancelled) == 2
    check_left(seen, 2)


async def test_async_stop_waits_or_leaves():
    """`stop` hands out what is under way; with a time it leaves what takes longer."""
    many, models, _ = await begin(ordered=False)
    many.stop()
    models.let_go.set()
    assert sorted([result.index async for result in many]) == [1, 2, 3, 4]
    many, models, seen = await begin(ordered=False)
    many.stop(0.02)
    assert sorted([result.index async for result in many]) == [2, 4]
    assert [result.index for result in many.left] == [1, 3]
    check_left(seen, 2)


async def test_a_stop_does_not_wait_for_a_slow_input():
    """An async input that has no next item yet is not waited for after `stop`."""
    closed = asyncio.Event()

    async def source():
        try:
            yield "0"
            await asyncio.Event().wait()
        finally:
            closed.set()

    many = AsyncCascade(tiers(), models=AsyncStuck()).complete_many(source())
    assert (await anext(many)).index == 0
    waiting = asyncio.ensure_future(anext(many, None))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    many.stop()
    async with asyncio.timeout(5):
        assert await waiting is None
        await closed.wait()


async def test_a_dropped_iterator_stops_reading_its_input():
    """The task that reads an async input ends with the iterator."""
    closed = asyncio.Event()

    async def source():
        try:
            yield "0"
            await asyncio.Event().wait()
        finally:
            closed.set()

    many = AsyncCascade(tiers(), models=AsyncStuck()).complete_many(source())
    await anext(many)
    many._fill()  # it waits for the second item now
    await asyncio.sleep(0.01)
    assert many.progress.done == 1
    del many
    gc.collect()
    async with asyncio.timeout(5):
        await closed.wait()


async def test_a_task_that_others_cancel_is_told():
    """A request whose task is cancelled from outside ends the run; its books are closed."""
    many, models, seen = await begin(ordered=False)
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
    results = [await anext(many) for _ in range(4)]
    with pytest.raises(asyncio.CancelledError):
        await anext(many)
    assert len(models.cancelled) == 2
    assert sorted(result.index for result in results) == [1, 2, 3, 4]
    check_left(seen, 2)


async def test_tasks_that_never_began_close_their_books_too():
    """Requests that are cancelled before their task's first step leave a trace as well."""
    seen = []
    llm = AsyncCascade(tiers(), models=AsyncStuck(), observers=[seen.append])
    many = llm.complete_many(numbers(*range(100, 105)))
    many._fill()
    await many.aclose()
    assert [trace.status for trace in seen] == ["cancelled"] * 5
    assert [len(trace.charges) for trace in seen] == [0] * 5
    assert len(many.left) == 5


def test_an_interrupt_in_a_task_ends_the_loop():
    """Ctrl-C that hits a request's own task ends the event loop, and every trace is closed."""
    seen = []

    def scorer(draft):
        if draft.text == "1":
            raise KeyboardInterrupt
        return small(draft)

    async def main():
        low, top = tiers(scorer)
        chain = [replace(low, scorer_timeout_s=None), top]
        llm = AsyncCascade(chain, models=AsyncStuck(), observers=[seen.append])
        async for _ in llm.complete_many(numbers(100, 1, 101)):
            pass

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert [trace.status for trace in seen] == ["cancelled"] * 3
