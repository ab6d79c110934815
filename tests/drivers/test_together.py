"""Many requests at once: isolated from each other, capped together, in rounds where asked."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from cascade import (
    AsyncCascade,
    Budget,
    BudgetExceeded,
    Cascade,
    ChainExhausted,
    ConfigError,
    Price,
    RequestError,
    Score,
    Tier,
    ask,
)
from cascade.testing import ScriptedModels, failure, reply

CHEAP, DEAR = Price.of("1", "2"), Price.of("4", "8")
WHO = contextvars.ContextVar("who", default="nobody")


def echo(call):
    """Answers with the tier's name and the request's own words."""
    return f"{call.tier.name}:{call.payload['messages'][-1]['content']}"


def even(draft):
    """Accepts even numbers."""
    return int(draft.text.split(":")[1]) % 2 == 0


def tiers(scorer=even, **settings):
    return [Tier("low", scorer=scorer, price=CHEAP, **settings), Tier("top", price=DEAR)]


def expected(number):
    return f"{'top' if number % 2 else 'low'}:{number}"


def check(done, number):
    assert done.text == expected(number)
    assert done.trace.request["messages"][0]["content"] == str(number)
    assert len(done.trace.charges) == 1 + number % 2
    assert done.cost_usd == Decimal("0.000012") + number % 2 * Decimal("0.000048")


def test_threads_share_a_cascade():
    """200 threads on one `Cascade` each get their own answer, trace and cost."""
    llm = Cascade(tiers(), models=ScriptedModels({"low": echo, "top": echo}))
    with ThreadPoolExecutor(200) as pool:
        results = list(pool.map(lambda number: llm.complete(str(number)), range(200)))
    for number, done in enumerate(results):
        check(done, number)
    assert len({done.trace.id for done in results}) == 200


async def test_tasks_share_a_cascade():
    """500 tasks on one `AsyncCascade` each get their own answer, trace and cost."""
    llm = AsyncCascade(tiers(), models=ScriptedModels({"low": echo, "top": echo}))
    results = await asyncio.gather(*(llm.complete(str(number)) for number in range(500)))
    for number, done in enumerate(results):
        check(done, number)
    assert len({done.trace.id for done in results}) == 500


def test_threads_share_a_script():
    """A scripted list is used up once, each line by one thread."""
    models = ScriptedModels({"low": [f"low:{number}" for number in range(0, 400, 2)]})
    llm = Cascade(tiers(), models=models)
    with ThreadPoolExecutor(32) as pool:
        texts = list(pool.map(lambda _: llm.complete("0").text, range(200)))
    assert sorted(texts) == sorted(f"low:{number}" for number in range(0, 400, 2))


def test_a_shared_budget_holds_under_threads():
    """Requests on many threads cannot pass a shared cap together, and the books agree."""
    budget = Budget("0.001")
    llm = Cascade(
        tiers(params={"max_completion_tokens": 5}),
        models=ScriptedModels({"low": echo, "top": echo}),
        budget=budget,
    )

    def run(number):
        try:
            return llm.complete(str(number)).trace
        except BudgetExceeded as error:
            return error.trace

    with ThreadPoolExecutor(50) as pool:
        traces = list(pool.map(run, range(200)))
    spent = sum(trace.cost_usd for trace in traces)
    assert spent == budget.committed_usd <= budget.limit_usd
    assert {trace.status for trace in traces} >= {"accepted", "budget_exceeded"}


@pytest.mark.parametrize("limit_s", [None, 5.0])
def test_context_variables_reach_scorers(limit_s):
    """A scorer sees the caller's context, on whichever thread it runs."""

    def scorer(draft):
        return Score(1.0, reason=WHO.get())

    WHO.set("me")
    llm = Cascade(tiers(scorer, scorer_timeout_s=limit_s), models=ScriptedModels({"low": "x"}))
    assert llm.complete("hello").trace.attempts[0].score.reason == "me"


async def test_context_variables_reach_scorers_of_tasks():
    """Each task's scorers see that task's context."""

    def scorer(draft):
        return Score(1.0, reason=WHO.get())

    llm = AsyncCascade(tiers(scorer), models=ScriptedModels({"low": "x"}))

    async def run(name):
        WHO.set(name)
        return (await llm.complete("hello")).trace.attempts[0].score.reason

    assert await asyncio.gather(run("a"), run("b")) == ["a", "b"]


# Rounds ------------------------------------------------------------------------------------------


def asks_first(draft):
    """Asks about odd numbers before it judges."""
    if int(draft.text.split(":")[1]) % 2:
        yield from ask("judge", draft.text)
    return even(draft)


def order(calls):
    return [(call.tier.name, echo(call).split(":", 1)[1]) for call in calls]


WANTED_ORDER = [
    *(("low", str(number)) for number in range(4)),
    ("judge", "low:1"),
    ("judge", "low:3"),
    ("top", "1"),
    ("top", "3"),
]


def rounds_models():
    return ScriptedModels({"low": echo, "top": echo, "judge": "?"})


def test_rounds_go_tier_by_tier():
    """All requests are asked on a tier, then all questions of scorers, then the rest move on."""
    models = rounds_models()
    llm = Cascade(tiers(asks_first), models=models)
    results = llm.complete_rounds([str(number) for number in range(4)])
    assert [done.text for done in results] == [expected(number) for number in range(4)]
    assert order(models.calls) == WANTED_ORDER


async def test_async_rounds_go_tier_by_tier():
    """The same with the calls of one round at once."""
    models = rounds_models()
    llm = AsyncCascade(tiers(asks_first), models=models)
    results = await llm.complete_rounds([str(number) for number in range(4)])
    assert [done.text for done in results] == [expected(number) for number in range(4)]
    found = order(models.calls)
    assert [sorted(part) for part in (found[:4], found[4:6], found[6:])] == [
        WANTED_ORDER[:4], WANTED_ORDER[4:6], WANTED_ORDER[6:],
    ]  # fmt: skip


async def test_rounds_keep_so_many_calls_in_flight():
    """`concurrency` bounds how many calls of a round run at once."""
    running = most = 0

    class Models:
        async def call(self, call):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            return reply(echo(call))

        def stream(self, call):
            raise NotImplementedError

    llm = AsyncCascade(tiers(), models=Models())
    await llm.complete_rounds([str(number) for number in range(20)], concurrency=3)
    assert most == 3


async def test_a_round_holds_a_call_of_every_open_request():
    """Scorers run between rounds, so a request without one does not run ahead of the others."""
    together = asyncio.Barrier(3)

    class Models:
        async def call(self, call):
            if call.tier.name == "low":
                return failure("malformed") if echo(call) == "low:0" else reply(echo(call))
            if call.tier.name == "judge" or echo(call) == "top:0":
                async with asyncio.timeout(2):
                    await together.wait()
            return reply(echo(call))

        def stream(self, call):
            raise NotImplementedError

    def asks(draft):
        yield from ask("judge", draft.text)
        return 0.0

    results = await AsyncCascade(tiers(asks), models=Models()).complete_rounds(["0", "1", "2"])
    assert [done.text for done in results] == ["top:0", "top:1", "top:2"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_rounds_give_errors_in_their_places(asynchronous):
    """A request that fails is an error in the list; its neighbours are answered."""

    def line(call):
        return failure("malformed") if echo(call).endswith("1") else echo(call)

    def end(call):
        return failure("malformed")

    models = ScriptedModels({"low": line, "top": end})
    if asynchronous:
        results = asyncio.run(AsyncCascade(tiers(), models=models).complete_rounds(["0", "1", "2"]))
    else:
        results = Cascade(tiers(), models=models).complete_rounds(["0", "1", "2"])
    assert [type(result).__name__ for result in results] == [
        "Completion",
        "ChainExhausted",
        "Completion",
    ]
    assert isinstance(results[1], ChainExhausted)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_rounds_of_requests_that_ask_nobody(asynchronous):
    """Requests that end before their first call have their place in the result, and none is none."""
    settings = {"models": ScriptedModels({}), "budget": "0.000000001"}
    if asynchronous:
        llm = AsyncCascade(tiers(), **settings)
        results = asyncio.run(llm.complete_rounds(["1", "2"]))
        assert asyncio.run(llm.complete_rounds([])) == []
    else:
        results = Cascade(tiers(), **settings).complete_rounds(["1", "2"])
        assert Cascade(tiers(), **settings).complete_rounds([]) == []
    assert [type(result) for result in results] == [BudgetExceeded, BudgetExceeded]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_bad_request_among_many_is_data_in_its_place(asynchronous):
    """A request that cannot be sent is its own failure: the others are answered, in order."""
    llm = (AsyncCascade if asynchronous else Cascade)(tiers(), models=ScriptedModels({"low": echo}))
    rounds = llm.complete_rounds(["2", 5, "2", ""])
    first, odd, third, empty = asyncio.run(rounds) if asynchronous else rounds
    assert [first.tier, third.tier] == ["low", "low"]
    assert [type(odd), type(empty)] == [RequestError, RequestError]
    assert "prompt is empty" in str(empty)


def test_what_is_said_for_all_is_refused_before_any_is_asked():
    """A keyword that no request could be sent with is raised, and nothing is asked."""
    models = ScriptedModels({"low": echo})
    with pytest.raises(RequestError, match="nowhere"):
        Cascade(tiers(), models=models).complete_rounds(["2"], start_at="nowhere")
    assert models.calls == []


# Observers ---------------------------------------------------------------------------------------


def test_a_failing_observer_does_not_lose_the_answer(caplog):
    """An observer that raises is logged; the answer and the other observers are served."""

    def broken(trace):
        raise OSError("disk full")

    seen = []
    llm = Cascade(tiers(), models=ScriptedModels({"low": "low:2"}), observers=[broken, seen.append])
    with caplog.at_level(logging.ERROR, logger="cascade"):
        done = llm.complete("2")
    assert done.text == "low:2"
    assert seen == [done.trace]
    assert "observer failed" in caplog.text
    assert "disk full" in caplog.text


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, None, True])
async def test_rounds_need_room_for_a_call(concurrency):
    """A concurrency that no call could pass is refused instead of waiting for ever."""
    llm = AsyncCascade(tiers(), models=ScriptedModels({}))
    with pytest.raises(ConfigError, match="no whole number from 1 up"):
        await llm.complete_rounds(["hello"], concurrency=concurrency)
