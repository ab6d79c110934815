"""Requests of the Responses API in every way of asking: one trace, the caller's form."""

from __future__ import annotations

import asyncio

import pytest

from cascade import AsyncCascade, Budget, Cascade, Policy, Price, Score, Tier, replay
from cascade.core.scoring import Needs
from cascade.errors import RunError
from cascade.testing import ManualClock, ScriptedModels, reply

ASKED = {
    "input": [{"role": "user", "content": "2+2?"}],
    "instructions": "s",
    "max_output_tokens": 64,
}


def low(draft):
    return Score(0.1, reason="too short")


def tiers(**settings):
    return [
        Tier("small", price=Price.of("1", "2"), scorer=low, api="chat", **settings),
        Tier("big", price=Price.of("3", "4"), api="responses"),
    ]


def models():
    return ScriptedModels({"small": "5", "big": "It is 4."}, clock=ManualClock())


def settings():
    return {"models": models(), "clock": ManualClock()}


def asked_in_every_way():
    async def awaited(ask):
        async with AsyncCascade(tiers(), **settings()) as llm:
            return await ask(llm)

    async def streamed(llm):
        stream = llm.stream(ASKED)
        _ = [chunk async for chunk in stream]
        return stream.completion

    sync = Cascade(tiers(), **settings())
    yield "complete", sync.complete(ASKED)
    stream = Cascade(tiers(), **settings()).stream(ASKED)
    list(stream)
    yield "stream", stream.completion
    yield "rounds", Cascade(tiers(), **settings()).complete_rounds([ASKED])[0]
    yield "async", asyncio.run(awaited(lambda llm: llm.complete(ASKED)))
    yield "async stream", asyncio.run(awaited(streamed))
    yield "replay", None


def test_every_way_gives_the_same():
    """The wire object is a response, the trace the same, and it replays."""
    seen = []
    for way, done in asked_in_every_way():
        if done is None:
            assert replay(seen[0].trace, tiers()) == seen[0].trace
            continue
        assert done.text == "It is 4.", way
        assert done.reply.wire["object"] == "response", way
        assert done.reply.wire["instructions"] == "s", way
        assert done.trace.request == ASKED, way
        seen.append(done)
    costs = {(done.cost_usd, done.trace.basis, len(done.trace.charges)) for done in seen}
    assert len(costs) == 1
    assert [charge.reply["object"] for charge in seen[0].trace.charges] == [
        "chat.completion",
        "response",
    ]


def test_a_rejected_draft_is_handed_on():
    """Repair adds its message to the input, of whatever form the next tier takes."""
    used = models()
    llm = Cascade(tiers(), models=used, policy=Policy(repair=True))
    assert llm.complete({"input": "2+2?"}).text == "It is 4."
    first, second = used.calls
    assert [message["role"] for message in first.payload["messages"]] == ["user"]
    assert len(second.payload["input"]) == 2
    assert "too short" in second.payload["input"][1]["content"]


def test_a_lost_draft_is_left_early():
    """A draft that streams as events is watched like one of chunks."""

    class Watches:
        needs = Needs()

        def __call__(self, draft):
            return 0.0

        def hopeless(self, text, tokens, threshold):
            return "lost" if "five" in text else None

    answer = " ".join(["five"] * 40)
    used = ScriptedModels({"small": reply(answer, api="responses"), "big": "4"})
    chain = [
        Tier("small", price=Price.of("1", "2"), scorer=Watches(), api="responses"),
        Tier("big", price=Price.of("3", "4")),
    ]
    done = Cascade(chain, models=used, policy=Policy(stop_early=True)).complete(ASKED)
    left = done.trace.attempts[0].charges[0]
    assert (left.outcome, left.basis) == ("stopped", "estimated")
    assert left.usage.output_tokens < 10
    assert done.text == "4"


def test_a_budget_bounds_the_answer():
    """The limit of a Responses request bounds its worst case as Chat's does."""
    chain = [Tier("m", price=Price.of("0", "1"))]
    budget = Budget("0.000064")
    done = Cascade(chain, models=ScriptedModels({"m": "4"})).complete(ASKED, budget=budget)
    assert done.text == "4"
    with pytest.raises(Exception, match="could cost up to"):
        Cascade(chain, models=ScriptedModels({"m": "4"})).complete(
            {**ASKED, "max_output_tokens": 65}, budget="0.000064"
        )


def test_a_scorers_better_answer_comes_in_the_callers_form():
    """A reply that a scorer made up takes the caller's form like any other."""
    better = Score(1.0, reply=reply("better"))
    chain = [Tier("m", price=Price.free(), scorer=lambda _: better), Tier("n", price=Price.free())]
    llm = Cascade(chain, models=ScriptedModels({"m": "worse"}))
    done = llm.complete(ASKED)
    assert done.reply.wire["output"][0]["content"][0]["text"] == "better"
    assert "".join(chunk.text for chunk in llm.stream(ASKED)) == "better"


def test_a_budget_without_room_names_the_limit_that_the_api_has():
    """The advice can be followed: Responses knows no `max_completion_tokens`."""
    for api in (None, "chat", "responses"):  # it is the caller who follows it
        cascade = Cascade([Tier("gpt-5.4-nano", api=api)], models=ScriptedModels({}))
        with pytest.raises(RunError, match="a lower max_output_tokens lowers the bound"):
            cascade.complete({"input": "hi", "max_output_tokens": 100}, budget="0.00001")
        with pytest.raises(RunError, match="a lower max_completion_tokens lowers the bound"):
            cascade.complete("hi", max_completion_tokens=100, budget="0.00001")
