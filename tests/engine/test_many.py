"""`complete_many`: bounded, in order or as they come, failures as data, nothing finished lost."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import time
from decimal import Decimal

import pytest

from cascade import (
    AsyncCascade,
    Budget,
    BudgetExceeded,
    Cascade,
    Completion,
    ConfigError,
    DeadlineExceeded,
    ManyResult,
    Price,
    Progress,
    Request,
    RequestError,
    RunError,
    Sticky,
    Tier,
    Trace,
)
from cascade.core.wishes import Try
from cascade.testing import ManualClock, ScriptedModels, failure, reply

CHEAP, DEAR = Price.of("1", "2"), Price.of("4", "8")
KINDS = ["sync", "async"]
WHO = contextvars.ContextVar("who", default="nobody")


def number_of(call):
    return int(call.payload["messages"][-1]["content"])


def write_down(call, answer):
    """Answer as a provider would: the exchange is in the books."""
    made = reply(answer)
    call.tries.append(
        Try("ok", 0.0, 0.0, reply=made, usage=made.usage, service_tier=made.service_tier)
    )
    return made


class Server:
    """Models that answer at once, or wait as told; counts how many wait together."""

    def __init__(self, before=lambda number: None):
        self.before = before
        self.running = self.most = 0
        self.asked = []
        self.lock = threading.Lock()

    def call(self, call):
        number = number_of(call)
        with self.lock:
            self.asked.append(number)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            self.before(number)
            return write_down(call, f"{call.tier.name} {number}")
        finally:
            with self.lock:
                self.running -= 1

    def stream(self, call):
        raise NotImplementedError


class AsyncServer(Server):
    async def call(self, call):
        number = number_of(call)
        self.asked.append(number)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.before(number)
            return write_down(call, f"{call.tier.name} {number}")
        finally:
            self.running -= 1


def even(draft):
    return int(draft.text.split()[1]) % 2 == 0


def tiers(scorer=even, **settings):
    return [Tier("low", scorer=scorer, price=CHEAP, **settings), Tier("top", price=DEAR)]


ONE = [Tier("top", price=DEAR)]


def scripted(**script):
    echo = {name: lambda call: f"{call.tier.name} {number_of(call)}" for name in ("low", "top")}
    return ScriptedModels({**echo, **script})


def run(kind, requests, *, chain=None, models=None, cascade=None, **options):
    """All results, through the sync or the async cascade."""
    settings = {"models": models or scripted(), **(cascade or {})}
    built = chain or tiers()
    if kind == "sync":
        return list(Cascade(built, **settings).complete_many(requests, **options))

    async def main():
        many = AsyncCascade(built, **settings).complete_many(requests, **options)
        return [result async for result in many]

    return asyncio.run(main())


def until_it_raises(kind, requests, *, chain=None, models=None, **options):
    """The results before the iteration ended, and what it ended with; after that it is empty."""
    settings = (chain or tiers(),), {"models": models or scripted()}

    async def as_async(many):
        for result in many:
            yield result

    async def main():
        make = Cascade if kind == "sync" else AsyncCascade
        many = make(*settings[0], **settings[1]).complete_many(requests, **options)
        results = as_async(many) if kind == "sync" else many
        seen, error = [], None
        try:
            async for result in results:
                seen.append(result)
        except Exception as caught:
            error = caught
        assert [item async for item in (as_async(many) if kind == "sync" else many)] == []
        return seen, error

    return asyncio.run(main())


def texts(results):
    return [result.unwrap().text for result in results]


def numbers(count):
    return [str(number) for number in range(count)]


# What comes out ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ordered", [True, False])
def test_every_request_is_answered(kind, ordered):
    """Each request has one result with its own answer, trace and cost, under its index."""
    results = run(kind, numbers(50), ordered=ordered, models=Server(), concurrency=8)
    found = sorted(results, key=lambda result: result.index)
    if ordered:
        assert found == results
    for number, result in enumerate(found):
        done = result.unwrap()
        assert (result.index, result.error, result.trace) == (number, None, done.trace)
        assert done.text == f"{'top' if number % 2 else 'low'} {number}"
        assert done.cost_usd == Decimal("0.000014") + number % 2 * Decimal("0.000056")
    assert len({result.trace.id for result in results}) == 50


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_asked_nothing_answered(kind):
    """No requests, no results, and no error."""
    assert run(kind, []) == run(kind, (item for item in ())) == []


@pytest.mark.parametrize("kind", KINDS)
def test_requests_come_in_every_form(kind):
    """Prompts, messages, payloads and built requests mix; keywords apply to each of them."""
    message = {"role": "user", "content": "1"}
    models = scripted()
    results = run(
        kind,
        ["0", [message], {"messages": [message], "seed": 7}, Request.build("2", {"seed": 8})],
        models=models,
        temperature=0,
        metadata={"job": 3},
        tags=(tag for tag in ["night"]),
        parent="run-1",
        stop_at="low",
    )
    assert texts(results) == ["low 0", "low 1", "low 1", "low 2"]
    assert [call.payload.get("seed") for call in models.calls] == [None, None, 7, 8]
    for call, result in zip(models.calls, results, strict=True):
        assert call.payload["temperature"] == 0
        trace = result.trace
        assert (trace.metadata, trace.tags, trace.parent_id) == ({"job": 3}, ("night",), "run-1")
        assert trace.stop_at == "low"


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_may_span_them(kind):
    """What a conversation has learnt holds for the requests that follow."""
    results = run(kind, ["1", "2"], conversation="c", cascade={"sticky": Sticky()}, concurrency=1)
    assert texts(results) == ["top 1", "top 2"]


@pytest.mark.parametrize("kind", KINDS)
def test_failures_are_results(kind):
    """A failed request and one that cannot be sent are results; the others are answered."""

    def refuse(call):
        return failure("invalid", "no") if number_of(call) == 2 else f"low {number_of(call)}"

    results = run(kind, ["0", "", "2", [], 5, "6"], models=scripted(low=refuse))
    assert [type(result.error) for result in results] == [
        type(None), RequestError, type(results[2].error), RequestError, RequestError, type(None),
    ]  # fmt: skip
    assert isinstance(results[2].error, RunError)
    assert results[2].trace is results[2].error.trace
    assert results[2].trace.status == "refused"
    assert results[1].trace is None
    assert results[2].error.__traceback__ is None  # its frames would keep the request alive
    with pytest.raises(RequestError, match="prompt is empty"):
        results[1].unwrap()
    with pytest.raises(RuntimeError, match="request 3 has neither"):
        ManyResult(3).unwrap()


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_nobody_foresaw_fails_its_request_only(kind):
    """A model client that breaks on one request loses that one, with what it had paid."""

    def breaks(call):
        raise KeyError("oops")

    results = run(kind, ["0", "1", "2"], models=scripted(top=breaks))
    assert [result.completion is None for result in results] == [False, True, False]
    assert isinstance(results[1].error, KeyError)
    assert results[1].error.__traceback__ is not None
    assert results[1].trace.status == "cancelled"
    assert results[1].trace.known_cost_usd > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_mistake_that_concerns_all_is_raised_after_what_was_begun(kind):
    """A missing key found midway: its request is a result, no further one begins, then it raises."""

    def keyless(call):
        raise ConfigError("BIG_KEY is not set")

    seen, error = until_it_raises(kind, numbers(9), models=scripted(top=keyless))
    assert isinstance(error, ConfigError)
    assert [result.index for result in seen] == [0, 1]
    assert isinstance(seen[1].error, ConfigError)
    assert seen[1].trace.known_cost_usd > 0


# How many at once -------------------------------------------------------------------------------


def test_so_many_threads_and_no_more():
    """`concurrency` is reached, and never passed."""
    barrier = threading.Barrier(5)
    server = Server(lambda number: barrier.wait(10))
    results = run("sync", numbers(25), chain=ONE, models=server, concurrency=5)
    assert texts(results) == [f"top {number}" for number in range(25)]
    assert server.most == 5


async def test_so_many_tasks_and_no_more():
    """The same for tasks."""
    barrier = asyncio.Barrier(5)

    async def meet(number):
        async with asyncio.timeout(10):
            await barrier.wait()

    server = AsyncServer(meet)
    many = AsyncCascade(ONE, models=server).complete_many(numbers(25), concurrency=5)
    assert [result.unwrap().text async for result in many] == texts_of(25)
    assert server.most == 5


def texts_of(count):
    return [f"top {number}" for number in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_script_is_read_line_by_line(kind):
    """Models that answer from a list are asked for one request after the other."""
    models = ScriptedModels({"low": [f"low {number}" for number in range(100)]})
    results = run(kind, numbers(100), chain=tiers(lambda draft: True), models=models)
    assert texts(results) == [f"low {number}" for number in range(100)]


def test_a_system_without_threads(monkeypatch):
    """Where no thread can be started the work is done on the caller's; with a few, by these."""
    real, given = threading.Thread.start, []

    def start(thread):
        if thread.name.startswith("cascade-many"):
            if len(given) >= limit:
                raise RuntimeError("can't start new thread")
            given.append(thread)
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    for limit in (0, 1, 2):
        given.clear()
        assert texts(run("sync", numbers(9), chain=ONE, models=Server())) == texts_of(9)
        assert len(given) == limit


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_first_request_holds_up_the_others_only_so_far(kind):
    """In order, others run on ahead of a slow one, up to four times the concurrency."""
    if kind == "sync":
        go_on = threading.Event()
        server = Server(lambda number: number or go_on.wait(10))
        taken = []

        def source():
            for number in range(100):
                taken.append(number)
                yield str(number)

        many = Cascade(ONE, models=server).complete_many(source(), concurrency=3)
        counted = []

        def look():
            while len(taken) < 12:
                time.sleep(0.005)
            time.sleep(0.05)
            counted.append(len(taken))
            go_on.set()

        threading.Thread(target=look, daemon=True).start()
        assert texts(many) == texts_of(100)
        assert counted == [12]
        return

    async def main():
        go_on, taken = asyncio.Event(), []

        async def wait(number):
            if not number:
                await go_on.wait()

        async def source():
            for number in range(100):
                taken.append(number)
                yield str(number)

        many = AsyncCascade(ONE, models=AsyncServer(wait)).complete_many(source(), concurrency=3)
        first = asyncio.ensure_future(anext(many))
        await asyncio.sleep(0.2)
        assert (len(taken), first.done()) == (12, False)
        go_on.set()
        assert (await first).index == 0
        assert [result.index async for result in many] == list(range(1, 100))

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_as_completed_does_not_wait_for_the_slow_one(kind):
    """Unordered, a slow request comes when it is ready and the others before it."""
    if kind == "sync":
        go_on = threading.Event()
        server = Server(lambda number: number or go_on.wait(10))
        many = Cascade(ONE, models=server).complete_many(numbers(30), concurrency=2, ordered=False)
        found = [next(many).index for _ in range(29)]
        go_on.set()
        assert [*found, next(many).index] == [*range(1, 30), 0]
        return

    async def main():
        go_on = asyncio.Event()

        async def wait(number):
            if not number:
                await go_on.wait()

        llm = AsyncCascade(ONE, models=AsyncServer(wait))
        many = llm.complete_many(numbers(30), concurrency=2, ordered=False)
        found = [(await anext(many)).index for _ in range(29)]
        go_on.set()
        assert [*found, (await anext(many)).index] == [*range(1, 30), 0]

    asyncio.run(main())


def test_the_callers_context_reaches_every_request():
    """Scorers see the context variables of the caller, on whichever thread they run."""

    def mine(draft):
        return WHO.get() == "me"

    token = WHO.set("me")
    many = Cascade(tiers(mine), models=Server()).complete_many(numbers(20), concurrency=4)
    WHO.reset(token)
    assert {result.unwrap().tier for result in many} == {"low"}


# Memory -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ordered", [True, False])
def test_a_hundred_thousand_requests_from_a_generator(kind, ordered):
    """The generator is never far ahead of the consumer, and no more traces live than are in use.

    Most of them cannot be sent, so that the test is short.
    """
    count, concurrency = 100_000, 8
    question = Request.build("0")
    taken = handed = furthest = most = 0

    def source():
        nonlocal taken
        for number in range(count):
            taken += 1
            yield question if number % 50 == 0 else 5

    def look(result):
        nonlocal handed, furthest, most
        handed += 1
        furthest = max(furthest, taken - handed)
        assert (result.completion is None) == (result.index % 50 > 0)
        if handed % 20_000 == 0:
            most = max(most, sum(isinstance(item, Trace) for item in gc.get_objects()))

    gc.collect()
    before = sum(isinstance(item, Trace) for item in gc.get_objects())
    options = {"concurrency": concurrency, "ordered": ordered}
    if kind == "sync":
        for result in Cascade(ONE, models=Server()).complete_many(source(), **options):
            look(result)
    else:

        async def main():
            async def at_once(number):
                pass

            llm = AsyncCascade(ONE, models=AsyncServer(at_once))
            async for result in llm.complete_many(source(), **options):
                look(result)

        asyncio.run(main())
    assert (handed, taken) == (count, count)
    assert furthest <= 4 * concurrency
    assert most - before <= 8 * concurrency


def test_a_slow_consumer_is_not_run_away_from():
    """While the consumer is busy, no more begins than was under way."""
    server = Server()
    many = Cascade(ONE, models=server).complete_many((str(n) for n in range(999)), concurrency=4)
    for _ in range(5):
        next(many)
        time.sleep(0.02)
        assert len(server.asked) <= 9
    many.close()


def test_a_finished_result_does_not_wait_for_a_slow_input():
    """A result at hand is handed out before more than one further request is waited for."""
    pulled = []

    def source():
        for number in range(10):
            pulled.append(number)
            time.sleep(0.05)
            yield str(number)

    many = Cascade(ONE, models=Server()).complete_many(source(), concurrency=10)
    next(many)
    assert len(pulled) <= 3
    many.close()


# Input that is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ordered", [True, False])
def test_an_input_that_raises_loses_nothing(kind, ordered):
    """What was begun before the input broke is handed out, then its error is raised, once."""

    def source():
        yield from numbers(7)
        raise OSError("the file ends in the middle")

    seen, error = until_it_raises(kind, source(), chain=ONE, ordered=ordered)
    assert isinstance(error, OSError)
    assert sorted(result.index for result in seen) == list(range(7))


@pytest.mark.parametrize("broken", [True, False])
def test_an_async_input(broken):
    """An async iterable is read by one task, item by item; its end and its error come last."""
    tasks = set()

    async def source():
        async with asyncio.timeout(10):  # would fail if it were entered and left in two tasks
            for number in range(6):
                tasks.add(asyncio.current_task())
                await asyncio.sleep(0.001)
                yield str(number)
        if broken:
            raise OSError("the connection broke")

    seen, error = until_it_raises("async", source(), concurrency=2)
    assert [result.index for result in seen] == list(range(6))
    assert isinstance(error, OSError) == broken
    assert len(tasks) == 1


SINGLE = ["one prompt", b"x", {"messages": []}, Request.build("x"), 5, None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", SINGLE, ids=[type(item).__name__ for item in SINGLE])
def test_a_single_request_is_refused(kind, given):
    """One request in place of several is named, with what to call instead."""
    with pytest.raises(RequestError, match=r"complete_many takes a list of requests, not .*compl"):
        run(kind, given)


def test_an_async_input_needs_an_async_cascade():
    """A sync cascade says who could read it."""

    async def source():
        yield "x"

    items = source()
    with pytest.raises(RequestError, match=r"only AsyncCascade\.complete_many can read"):
        Cascade(ONE, models=scripted()).complete_many(items)


async def slow_progress(progress):
    pass


WRONG = {
    "no concurrency": ({"concurrency": 0}, ConfigError, "concurrency 0 is no whole number"),
    "true": ({"concurrency": True}, ConfigError, "concurrency True"),
    "in words": ({"concurrency": "3"}, ConfigError, "concurrency '3'"),
    "a fraction": ({"concurrency": 2.0}, ConfigError, r"concurrency 2\.0"),
    "ordered in words": ({"ordered": "no"}, ConfigError, "ordered is 'no'"),
    "no progress": ({"progress": 3}, ConfigError, "progress is 3"),
    "a coroutine": ({"progress": slow_progress}, ConfigError, "a plain function of a Progress"),
    "budget": ({"budget": 0.5}, ConfigError, "budget 0.5"),
    "deadline": ({"deadline_s": -1}, ConfigError, "deadline_s -1"),
    "tags": ({"tags": "night"}, RequestError, "tags is 'night'"),
    "parent": ({"parent": 5}, RequestError, "parent is 5"),
    "metadata": ({"metadata": {"a": {1}}}, RequestError, "metadata"),
    "tier": ({"start_at": "middle"}, RequestError, "start_at='middle'"),
    "order of tiers": ({"start_at": "top", "stop_at": "low"}, RequestError, "comes after"),
    "conversation": ({"conversation": "c"}, RequestError, "remembers no conversations"),
    "stream": ({"stream": True}, RequestError, "call .stream"),
    "answers": ({"n": 2}, RequestError, "n=2"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("options", "error", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_for_all_is_refused_once(kind, options, error, words):
    """A setting that no request could be sent with is refused before any is taken."""

    def source():
        raise AssertionError("taken")
        yield

    with pytest.raises(error, match=words):
        run(kind, source(), **options)


@pytest.mark.parametrize("name", ["ordered", "progress", "concurrency"])
def test_its_keywords_do_not_reach_the_api(name):
    """Given to `complete` they are refused with the name of the method they belong to."""
    with pytest.raises(RequestError, match="it belongs to complete_many"):
        Cascade(ONE, models=scripted()).complete("x", **{name: 1})


async def test_a_closed_cascade_takes_none():
    """A cascade that was closed says so at once; one that closes midway hands out what it has."""
    llm = Cascade(ONE, models=scripted())
    llm.close()
    with pytest.raises(ConfigError, match="was closed"):
        llm.complete_many(["0"])
    llm = Cascade(ONE, models=scripted())
    many = llm.complete_many(numbers(9))
    next(many)
    llm.close()
    with pytest.raises(ConfigError, match="was closed"):
        list(many)


# Progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_told_after_each_end(kind):
    """Counts, failures and known cost, on the consumer's thread; a generator has no total."""
    told, threads = [], set()

    def tell(progress):
        told.append(progress)
        threads.add(threading.current_thread())

    def script(call):
        return reply("low 0", input_tokens=None) if number_of(call) == 2 else "low 0"

    models = scripted(low=script)
    results = run(kind, ["0", "", "2"], models=models, progress=tell)
    cost = results[0].completion.cost_usd
    assert told == [
        Progress(1, 0, 3, cost, 0),
        Progress(2, 1, 3, cost, 0),
        Progress(3, 1, 3, cost, 1),
    ]
    assert threads == {threading.current_thread()}
    told.clear()
    run(kind, (item for item in ["0"]), models=models, progress=tell)
    assert told == [Progress(1, 0, None, cost, 0)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_progress_callback_that_raises_costs_nothing(kind, caplog):
    """It is logged once and not called again; every answer is handed out."""
    told = []

    def tell(progress):
        told.append(progress)
        raise OSError("no terminal")

    with caplog.at_level(logging.ERROR, logger="cascade"):
        results = run(kind, numbers(5), chain=ONE, progress=tell)
    assert texts(results) == texts_of(5)
    assert len(told) == 1
    assert caplog.text.count("the progress callback failed; it is not called again") == 1


def test_progress_can_be_asked_for():
    """The same numbers are there without a callback."""
    many = Cascade(ONE, models=scripted()).complete_many(numbers(3))
    assert many.progress == Progress(total=3)
    list(many)
    assert (many.progress.done, many.progress.failed) == (3, 0)


# Caps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_amount_caps_each_and_a_budget_caps_all(kind):
    """A shared `Budget` is kept by all requests together, an amount by each of them."""
    chain = [Tier("top", price=DEAR, params={"max_completion_tokens": 5})]
    shared = Budget("0.002")
    results = run(kind, numbers(40), chain=chain, budget=shared)
    errors = [result.error for result in results if result.error]
    spent = sum(result.trace.cost_usd for result in results)
    assert spent == shared.committed_usd <= shared.limit_usd
    assert 0 < len(errors) < 40
    assert {type(error) for error in errors} == {BudgetExceeded}
    assert len(texts(run(kind, numbers(40), chain=chain, budget="0.002"))) == 40


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_is_each_requests_own(kind):
    """Time that other requests took is not counted."""
    clock = ManualClock()
    models = ScriptedModels({"low": "low 1", "top": "top 1"}, clock=clock, latency_s=2)
    results = run(kind, numbers(3), models=models, deadline_s=3, cascade={"clock": clock})
    assert [result.trace.status for result in results] == ["accepted"] * 3
    models = ScriptedModels({"low": failure("unreachable")}, clock=clock, latency_s=2)
    results = run(kind, numbers(3), models=models, deadline_s=1, cascade={"clock": clock})
    assert {type(result.error) for result in results} == {DeadlineExceeded}


def test_answers_are_completions():
    """A result holds what `complete` would have returned."""
    (result,) = run("sync", ["0"])
    assert isinstance(result.completion, Completion)
    assert result.completion.accepted
