"""`Cascade` and `AsyncCascade`: building, asking, per-request settings, who gets the trace."""

from __future__ import annotations

import asyncio
import copy
import functools
import os
import pickle
from decimal import Decimal

import pytest

from cascade import (
    AsyncCascade,
    Budget,
    BudgetExceeded,
    Cascade,
    Chain,
    ChainExhausted,
    Chunk,
    ConfigError,
    DeadlineExceeded,
    Endpoint,
    Policy,
    Price,
    Request,
    RequestError,
    Tier,
)
from cascade.testing import ManualClock, ScriptedModels, failure, reply

CHEAP, DEAR = Price.of("1", "2"), Price.of("4", "8")


def good(draft):
    return "good" in draft.text


async def slow(draft):
    return True


class AsyncObject:
    async def __call__(self, draft):
        return True


class Combined:
    def __init__(self, *scorers):
        self.scorers = scorers

    def __call__(self, draft):
        return True


def tiers(scorer=good, **settings):
    return [Tier("low", scorer=scorer, price=CHEAP, **settings), Tier("top", price=DEAR)]


def scripted(low="bad", top="the answer", **settings):
    return ScriptedModels({"low": low, "top": top}, **settings)


def sdk(name):
    """A stand-in for an SDK client: the check reads the names of its classes."""
    return type("Mine", (type(name, (), {}),), {})()


# Building ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scorer",
    [slow, AsyncObject(), functools.partial(slow), functools.partial(AsyncObject()),
     Combined(good, slow), Combined(Combined(AsyncObject()))],
    ids=str,
)  # fmt: skip
def test_a_coroutine_scorer_is_refused_where_nobody_can_await_it(scorer):
    """A sync cascade refuses coroutine scorers when it is built, an async one takes them."""
    with pytest.raises(ConfigError) as caught:
        Cascade(tiers(scorer), models=scripted())
    for word in ("tier 'low'", "coroutine function", "use AsyncCascade or a plain function"):
        assert word in str(caught.value)
    assert AsyncCascade(tiers(scorer), models=scripted()).chain.top.name == "top"


@pytest.mark.parametrize(
    ("kind", "client", "words"),
    [
        (Cascade, "AsyncOpenAI", "Cascade got an async client (AsyncOpenAI); pass openai.OpenAI"),
        (Cascade, "AsyncAzureOpenAI", "pass openai.AzureOpenAI"),
        (
            AsyncCascade,
            "OpenAI",
            "AsyncCascade got a sync client (OpenAI); pass openai.AsyncOpenAI",
        ),
        (AsyncCascade, "AzureOpenAI", "pass openai.AsyncAzureOpenAI"),
    ],
)
@pytest.mark.parametrize("place", ["cascade", "tier"])
def test_a_client_of_the_other_kind_is_refused(kind, client, words, place):
    """A sync client in an async cascade, or the reverse, is named with the right one."""
    own, given = (sdk(client), None) if place == "tier" else (None, sdk(client))
    with pytest.raises(ConfigError) as caught:
        kind(tiers(client=own), client=given)
    assert words in str(caught.value)


def test_a_client_of_the_right_kind_is_taken():
    """A fitting client or an endpoint builds, without anything being sent."""
    assert Cascade(tiers(), client=sdk("OpenAI")).chain.top.name == "top"
    assert AsyncCascade(tiers(), client=sdk("AsyncOpenAI")).chain.top.name == "top"
    assert len(Cascade(tiers(), client=Endpoint("http://127.0.0.1:1/v1")).chain) == 2


def test_models_that_cannot_answer_are_refused():
    """`models=` wants an object that answers calls, and of the right kind."""
    with pytest.raises(ConfigError, match="models='gpt' cannot answer calls"):
        Cascade(tiers(), models="gpt")

    class Asynchronous:
        async def call(self, call):
            return reply("good")

    with pytest.raises(ConfigError, match=r"asynchronous models \(Asynchronous\); use AsyncC"):
        Cascade(tiers(), models=Asynchronous())
    done = asyncio.run(AsyncCascade(tiers(), models=Asynchronous()).complete("x"))
    assert done.text == "good"


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), float("inf"), "5", True])
@pytest.mark.parametrize("kind", [Cascade, AsyncCascade])
def test_a_deadline_that_is_none_is_refused(kind, deadline):
    """Deadlines are seconds above 0, for a cascade and for a request."""
    with pytest.raises(ConfigError, match=r"deadline_s .* is not a number of seconds above 0"):
        kind(tiers(), models=scripted(), deadline_s=deadline)
    with pytest.raises(ConfigError, match="deadline_s"):
        kind(tiers(), models=scripted()).stream("x", deadline_s=deadline)


@pytest.mark.parametrize("budget", [0.5, -1, "0", float("nan"), "much"])
@pytest.mark.parametrize("kind", [Cascade, AsyncCascade])
def test_a_budget_that_is_none_is_refused(kind, budget):
    """Budgets are checked when a cascade is built and when a request names its own."""
    with pytest.raises(ConfigError, match="budget"):
        kind(tiers(), models=scripted(), budget=budget)
    with pytest.raises(ConfigError, match="budget"):
        kind(tiers(), models=scripted()).stream("x", budget=budget)


def test_a_policy_goes_with_tiers():
    """A list of tiers takes a policy; a chain has its own, and two would contradict."""
    llm = Cascade(tiers(), models=scripted(), policy=Policy(on_length="accept"))
    assert llm.chain.policy.on_length == "accept"
    with pytest.raises(ConfigError, match="this Chain has its own"):
        Cascade(Chain(tiers()), models=scripted(), policy=Policy())


def test_unknown_prices_are_taken_where_allowed():
    """A list of tiers may hold models without price when the caller says so; cost is unknown."""
    models = ScriptedModels({"own": "good"})
    llm = Cascade([Tier("own")], models=models, allow_unknown_prices=True)
    done = llm.complete("x")
    assert (done.cost_usd, done.saved_usd, done.top_tier_cost_usd) == (None, None, None)


# Asking ------------------------------------------------------------------------------------------


def test_a_completion_tells_what_it_cost():
    """An answer carries its tier, whether it was accepted, and its costs as the trace has them."""
    done = Cascade(tiers(), models=scripted()).complete("x")
    assert (done.text, done.tier, done.accepted) == ("the answer", "top", True)
    assert done.cost_usd == Decimal("0.000068")
    assert done.cost_by_tier == {"low": Decimal("0.000012"), "top": Decimal("0.000056")}
    assert done.scoring_cost_usd == 0
    assert done.saved_usd == done.top_tier_cost_usd - done.cost_usd == Decimal("-0.000012")
    assert done.reply.wire["choices"][0]["message"]["content"] == "the answer"


def test_parameters_reach_the_model():
    """Keywords pass through to the wire, over the payload's own."""
    models = scripted("good")
    Cascade(tiers(), models=models).complete({"messages": [{"role": "user", "content": "x"}],
                                              "seed": 1}, seed=2, user="ann")  # fmt: skip
    assert (models.calls[0].payload["seed"], models.calls[0].payload["user"]) == (2, "ann")


@pytest.mark.parametrize("kind", ["complete", "stream", "complete_rounds"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_every_way_takes_budget_deadline_and_labels(kind, asynchronous):
    """A request's own budget, deadline and labels win over the cascade's, on every way."""
    clock = ManualClock()
    settings = {"models": scripted(clock=clock, latency_s=1.0), "clock": clock, "budget": "9",
                "deadline_s": 9}  # fmt: skip
    llm = (AsyncCascade if asynchronous else Cascade)(tiers(), **settings)
    asked = ["x"] if kind == "complete_rounds" else "x"
    own = {"budget": Budget("0.5"), "deadline_s": 0.5, "metadata": {"who": "ann"}}
    own["max_completion_tokens"] = 5

    async def main():
        if kind == "stream":
            async for _ in (stream := llm.stream(asked, **own)):
                pass
            return stream.completion
        return await getattr(llm, kind)(asked, **own)

    if asynchronous:
        result = asyncio.run(main())
    elif kind == "stream":
        stream = llm.stream(asked, **own)
        assert all(isinstance(chunk, Chunk) for chunk in stream)
        result = stream.completion
    else:
        result = getattr(llm, kind)(asked, **own)
    done = result[0] if isinstance(result, list) else result
    assert (done.text, done.trace.status) == ("bad", "unaccepted")
    assert done.trace.budget_usd == Decimal("0.5")
    assert done.trace.metadata == {"who": "ann"}


def test_an_amount_is_each_requests_own_and_a_budget_is_shared():
    """An amount caps every request for itself; a `Budget` caps all of them together."""
    capped = tiers(params={"max_completion_tokens": 5})
    each = Cascade(capped, models=scripted("good"), budget="0.0001")
    assert [each.complete("x").accepted for _ in range(9)] == [True] * 9
    shared = Cascade(capped, models=scripted("good"), budget=Budget("0.0001"))
    with pytest.raises(BudgetExceeded, match=r"\(spent \$0; see \.trace\)"):
        [shared.complete("x") for _ in range(9)]


def test_a_request_can_be_asked_again():
    """A built request is reusable; parameters and labels given with it extend it."""
    request = Request.build("x", {"seed": 1}, metadata={"a": 1})
    models = scripted("good")
    llm = Cascade(tiers(), models=models)
    first, second = llm.complete(request), llm.complete(request, seed=2, metadata={"b": 2})
    assert [call.payload["seed"] for call in models.calls] == [1, 2]
    assert first.trace.metadata == {"a": 1}
    assert second.trace.metadata == {"a": 1, "b": 2}
    assert request.payload["seed"] == 1


def test_the_model_that_was_asked_for_is_kept_to_show():
    """A payload's own model does not decide; the trace shows it."""
    payload = {"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}
    trace = Cascade(tiers(), models=scripted("good")).complete(payload).trace
    assert (trace.requested_model, trace.attempts[0].model) == ("gpt-4", "low")


@pytest.mark.parametrize(
    ("asked", "params", "words"),
    [
        ("x", {"stream": True}, "call .stream"),
        ([], {}, "at least one message"),
        ("", {}, "prompt is empty"),
        ("x", {"metadata": {"a": {1}}}, "metadata['a']"),
    ],
)
def test_a_request_that_cannot_be_sent_leaves_no_trace(asked, params, words):
    """What cannot be sent is refused before anything is asked or observed."""
    seen, models = [], scripted()
    llm = Cascade(tiers(), models=models, observers=[seen.append])
    for ask in (llm.complete, llm.stream):
        with pytest.raises(RequestError) as caught:
            ask(asked, **params)
        assert words in str(caught.value)
    assert (seen, models.calls) == ([], [])


def test_an_error_says_what_was_spent():
    """An error names the money, also where it is unknown, and carries the trace."""
    with pytest.raises(ChainExhausted, match=r"spent an unknown amount; see \.trace") as caught:
        Cascade(tiers(), models=scripted(failure("malformed"), failure("malformed"))).complete("x")
    assert caught.value.trace.cost_usd is None
    clock = ManualClock()
    models = scripted(failure("unreachable"), clock=clock, latency_s=3)
    with pytest.raises(DeadlineExceeded, match=r"spent \$0"):
        Cascade(tiers(), models=models, clock=clock, deadline_s=1).complete("x")


def test_ids_sort_by_time():
    """Trace ids of later requests sort after those of earlier ones, to the millisecond."""
    from cascade.engine.run import _new_id

    now = 1_900_000_000_000
    assert _new_id(now) < _new_id(now + 1)
    assert _new_id(now) != _new_id(now)


@pytest.mark.parametrize("ms", [0, 7, 1_900_000_000_000, 1_709_251_199_999, 4_102_444_800_050])
def test_the_beginning_is_written_to_the_millisecond(ms):
    """A trace says when it began as ISO 8601, in UTC."""
    from datetime import UTC, datetime, timedelta

    from cascade.engine.run import _moment

    began = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert _moment(ms) == began.isoformat(timespec="milliseconds")


def test_whoever_seeds_chance_does_not_repeat_ids():
    """Ids differ in two programs that seed Python's own random numbers alike."""
    import random

    from cascade.engine.run import _new_id

    found = set()
    for ms in range(2):
        random.seed(7)
        found.add(_new_id(ms)[12:])
    assert len(found) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_draws_ids_of_its_own():
    """Parent and children, which begin from the same state, draw different ids."""
    from cascade.engine.run import _new_id

    moment = 1_900_000_000_000
    reader, writer = os.pipe()
    for _ in range(2):
        child = os.fork()
        if not child:
            os.write(writer, _new_id(moment).encode())
            os._exit(0)
        os.waitpid(child, 0)
    ids = os.read(reader, 1000).decode()
    os.close(reader)
    os.close(writer)
    assert len({ids[:28], ids[28:], _new_id(moment)}) == 3


def test_a_chain_may_be_asked_for_a_plain_coroutine_at_run_time():
    """A plain function that returns a coroutine fails as a scorer of a sync cascade, quietly."""
    done = Cascade(tiers(lambda draft: slow(draft)), models=scripted()).complete("x")  # noqa: PLW0108
    assert "this scorer is asynchronous: use AsyncCascade" in done.trace.attempts[0].reason


def test_an_awaitable_that_is_no_coroutine_is_dropped_too():
    """An awaitable without `close` fails in a sync cascade like a coroutine."""

    class Later:
        def __await__(self):
            yield

    done = Cascade(tiers(lambda draft: Later()), models=scripted()).complete("x")
    assert "use AsyncCascade" in done.trace.attempts[0].reason


async def test_a_coroutine_scorer_may_raise():
    """What a coroutine scorer raises is its failure, a timeout of its own included."""

    async def scorer(draft):
        raise TimeoutError("mine")

    done = await AsyncCascade(tiers(scorer), models=scripted()).complete("x")
    assert done.trace.attempts[0].score.reason == "TimeoutError: mine"


async def test_an_async_cascade_may_run_scorers_on_its_own_thread():
    """Without a time limit a plain scorer of an async cascade runs right there."""
    llm = AsyncCascade(tiers(scorer_timeout_s=None), models=scripted("good"))
    assert (await llm.complete("x")).tier == "low"


# Streams -----------------------------------------------------------------------------------------


def test_a_stream_ends_with_the_usage_of_all_attempts():
    """The last chunk carries no text and the tokens of every attempt together."""
    stream = Cascade(tiers(), models=scripted()).stream("x")
    assert stream.trace is None
    chunks = list(stream)
    assert [chunk.text for chunk in chunks if chunk.text] == ["the", " answer"]
    assert (
        chunks[-1].wire["usage"]["total_tokens"] == stream.completion.trace.usage.input_tokens + 3
    )
    assert chunks[-1].wire["choices"] == []
    assert stream.trace is stream.completion.trace


def test_a_held_back_draft_is_shown_at_once():
    """An accepted draft that could have been rejected is shown whole, after its verdict."""
    stream = Cascade(tiers(), models=scripted("good answer")).stream("x")
    assert [chunk.text for chunk in stream if chunk.text] == ["good answer"]
    assert stream.completion.tier == "low"


def test_chunks_without_a_delta_are_held_back():
    """Chunks that carry no part of an answer wait for one that does."""

    class Odd:
        def call(self, call):
            raise NotImplementedError

        def stream(self, call):
            return OddStream()

    class OddStream:
        outcome = reply("text")

        def __iter__(self):
            yield {"choices": []}
            yield {"choices": [{"delta": {"role": "assistant", "content": ""}}]}
            yield {"choices": [{"delta": {"content": "text"}}]}

    stream = Cascade([Tier("top", price=DEAR)], models=Odd()).stream("x")
    assert [chunk.text for chunk in stream] == ["", "", "text", ""]


async def test_sync_models_may_give_their_chunks_in_any_iterable():
    """Chunks in a plain list stream under an async cascade too."""

    class Listed:
        outcome = reply("text")

        def __iter__(self):
            return iter([{"choices": [{"delta": {"content": "text"}}]}])

    class Models:
        def call(self, call):
            raise NotImplementedError

        def stream(self, call):
            return Listed()

    stream = AsyncCascade([Tier("top", price=DEAR)], models=Models()).stream("x")
    assert [chunk.text async for chunk in stream] == ["text", ""]
    assert stream.completion.text == "text"


# The client that is made on the first call --------------------------------------------------------


class Room:
    """A stand-in for the provider's client, which counts what was made and closed."""

    made: list = []

    def __init__(self, client, *, clock):
        self.client, self.closed = client, 0
        Room.made.append(self)

    def call(self, call):
        return scripted("good").call(call)

    def stream(self, call):
        return scripted("good", "good").stream(call)

    def close(self):
        self.closed += 1


class AsyncRoom(Room):
    async def call(self, call):
        return Room.call(self, call)

    def stream(self, call):
        from cascade.drivers.base import as_async

        return as_async(scripted("good", "good")).stream(call)

    async def close(self):
        self.closed += 1


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr("cascade.provider.client.OpenAIModels", Room)
    monkeypatch.setattr("cascade.provider.client.AsyncOpenAIModels", AsyncRoom)
    monkeypatch.setattr(Room, "made", [])
    return Room.made


def test_the_client_is_made_once_and_late(made):
    """Nothing is made until the first call; every call then shares it; leaving closes it."""
    with Cascade(tiers(), client=sdk("OpenAI")) as llm:
        assert made == []
        assert [llm.complete("x").text for _ in range(2)] == ["good", "good"]
        assert "".join(c.text for c in Cascade(tiers()[1:]).stream("x")) == "good"
        assert len(made) == 2
    assert [room.closed for room in made] == [1, 0]
    Cascade(tiers()).close()
    assert len(made) == 2


async def test_the_async_client_is_made_once_and_late(made):
    """The same for an async cascade."""
    async with AsyncCascade(tiers(), client=sdk("AsyncOpenAI")) as llm:
        assert made == []
        assert (await llm.complete("x")).text == "good"
        alone = AsyncCascade(tiers()[1:])
        assert "".join([c.text async for c in alone.stream("x")]) == "good"
    assert [room.closed for room in made] == [1, 0]
    await AsyncCascade(tiers()).close()
    assert len(made) == 2


def test_threads_make_one_client_together(made):
    """First calls on many threads at once make one client."""
    from concurrent.futures import ThreadPoolExecutor

    llm = Cascade(tiers())
    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(lambda _: llm.complete("x").text, range(64)))
    assert texts == ["good"] * 64
    assert len(made) == 1


def test_the_shared_part_is_no_cascade():
    """What both cascades share has no models of its own."""
    from cascade.engine.base import Engine

    with pytest.raises(NotImplementedError):
        Engine(tiers())


# Keeping -----------------------------------------------------------------------------------------


class Store:
    """A store as a cascade sees it."""

    def __init__(self, path=None):
        self.path, self.seen, self.closed = path, [], 0

    def __call__(self, trace):
        self.seen.append(trace)

    def close(self):
        self.closed += 1


def test_a_given_store_gets_every_trace_and_stays_open():
    """A store object gets each trace once; closing it is its owner's business."""
    store = Store()
    with Cascade(tiers(), models=scripted("good"), store=store) as llm:
        done = llm.complete("x")
    assert store.seen == [done.trace]
    assert store.closed == 0


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_store_made_from_a_path_is_closed(asynchronous, monkeypatch):
    """A cascade that opened a store closes it, on leaving its block."""
    made = []

    def make(path):
        made.append(Store(path))
        return made[0]

    monkeypatch.setattr("cascade.traces.store.TraceStore", make)

    async def main():
        async with AsyncCascade(tiers(), models=scripted("good"), store="t.db") as llm:
            await llm.complete("x")

    if asynchronous:
        asyncio.run(main())
    else:
        with Cascade(tiers(), models=scripted("good"), store="t.db") as llm:
            llm.complete("x")
    assert (made[0].path, len(made[0].seen), made[0].closed) == ("t.db", 1, 1)


def test_traces_are_logged_where_the_host_listens(caplog):
    """With the logger on, every trace is an event; no observer is needed."""
    with caplog.at_level("INFO", logger="cascade"):
        done = Cascade(tiers(), models=scripted("good")).complete("x")
    assert done.trace.id in caplog.text


def test_an_error_survives_copies_and_processes():
    """An error that was copied or sent to another process keeps its words and its trace."""
    with pytest.raises(ChainExhausted) as caught:
        Cascade(tiers(), models=scripted(failure("server"), failure("server"))).complete("hello")
    error = caught.value
    sent = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    for twin in (sent, copy.copy(error)):
        assert (type(twin), str(twin), twin.trace) == (type(error), str(error), error.trace)


def test_ids_sort_in_the_order_in_which_requests_began():
    """Thousands in a few milliseconds: each above the one before, all of one length."""
    llm = Cascade([Tier("a", price=Price.free())], models=ScriptedModels({"a": "hi"}))
    ids = [llm.complete("hello").trace.id for _ in range(2000)]
    assert ids == sorted(set(ids))
    assert {len(item) for item in ids} == {28}


def test_a_completion_is_shown_in_short():
    """Printed, it is its text, its tier and its cost, not everything that it holds."""
    price = Price.of("1", "1")
    llm = Cascade([Tier("m", price=price)], models=ScriptedModels({"m": "word " * 100}))
    shown = repr(llm.complete("x"))
    assert shown.startswith("<Completion 'word word")
    assert shown.endswith(" from 'm' for $0.00011>")
    assert len(shown) < 120
    other = Cascade(
        [Tier("m")],
        models=ScriptedModels({"m": reply("hi", input_tokens=None)}),
        allow_unknown_prices=True,
    )
    assert repr(other.complete("x")) == "<Completion 'hi' from 'm' for an unknown amount>"


def test_an_async_cascade_closes_by_either_name():
    """`aclose` is `close`, for those who expect the one or the other."""

    async def use():
        llm = AsyncCascade([Tier("m", price=Price.free())], models=ScriptedModels({"m": "x"}))
        await llm.aclose()
        with pytest.raises(ConfigError, match="was closed"):
            await llm.complete("x")

    asyncio.run(use())
