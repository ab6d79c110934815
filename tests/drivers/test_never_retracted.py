"""What a stream has shown is the answer, whatever happens after it or instead of it."""

from __future__ import annotations

import asyncio

import pytest

from cascade import AsyncCascade, Cascade, Price, Tier, ask
from cascade.testing import ManualClock, ScriptedModels, failure, reply
from cascade.wire.replies import read_reply

PRICE = Price.of("1", "2")


def checked(draft):
    return (yield from ask("judge", "Is that right?"))


def thought_alone():
    """A model that thinks until its limit and never answers."""
    wire = dict(reply("", finish_reason="length").wire)
    [choice] = wire["choices"]
    thinking = {**choice["message"], "reasoning_content": "let me see"}
    return read_reply({**wire, "choices": [{**choice, "message": thinking}]})


def tiers(top_scorer=None):
    judge = Tier("judge", scorer=lambda _: False, price=PRICE)
    low = Tier("low", scorer=lambda _: 0.3, price=PRICE)
    return [judge, low, Tier("top", scorer=top_scorer, price=PRICE)]


def streamed(asynchronous, chain, **settings):
    """The text of all chunks, and the completion."""

    async def read():
        stream = AsyncCascade(chain, **settings).stream("hello")
        return "".join([chunk.text async for chunk in stream]), stream.completion

    if asynchronous:
        return asyncio.run(read())
    stream = Cascade(chain, **settings).stream("hello")
    return "".join([chunk.text for chunk in stream]), stream.completion


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ["deadline", "billing"])
def test_a_last_answer_stands_although_its_scorer_was_stopped(kind, asynchronous):
    """A stop while the last tier's answer is scored neither replaces nor withdraws that answer."""
    models = ScriptedModels(
        {"judge": "no", "low": "cheap", "top": "the answer"}, scorers={"judge": failure(kind)}
    )
    text, done = streamed(asynchronous, tiers(checked), models=models, clock=ManualClock())
    assert (text, done.text, done.tier) == ("the answer", "the answer", "top")
    assert done.trace.attempts[-1].reason.endswith("the last tier's answer stands")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_thinking_without_an_answer_is_not_shown_for_one(asynchronous):
    """A last tier that only thinks shows nothing; the draft that is returned is streamed."""
    models = ScriptedModels({"judge": "", "low": "cheap", "top": thought_alone()})
    text, done = streamed(asynchronous, tiers(), models=models)
    assert (text, done.text, done.tier) == ("cheap", "cheap", "low")
