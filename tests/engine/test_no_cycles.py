"""Requests leave nothing behind that only the garbage collector can free."""

from __future__ import annotations

import asyncio
import gc

import pytest

from cascade import AsyncCascade, Budget, BudgetExceeded, Cascade, Tier
from cascade.testing import ScriptedModels, reply

CHEAP, DEAR = "gpt-5.4-nano", "gpt-5.4-mini"
ASKED = 20


class Forgetful(ScriptedModels):
    """Keeps no calls: they would keep their requests."""

    def call(self, call):
        self.calls.clear()
        return super().call(call)

    def stream(self, call):
        self.calls.clear()
        return super().stream(call)


def escalates(draft):
    return 0.0


def setup(kind):
    models = Forgetful({CHEAP: reply("so so"), DEAR: reply("good")})
    tiers = [Tier(CHEAP, scorer=escalates, threshold=0.5), Tier(DEAR)]
    return kind(tiers, models=models, budget=Budget("500"))


def complete(llm):
    assert llm.complete("Why?").text == "good"


def stream(llm):
    assert "".join(chunk.text for chunk in llm.stream("Why?")) == "good"


async def complete_async(llm):
    assert (await llm.complete("Why?")).text == "good"


async def stream_async(llm):
    assert "".join([chunk.text async for chunk in llm.stream("Why?")]) == "good"


def left_by(work):
    """Objects that only a search frees, after the first few requests have filled the caches."""
    work()
    gc.collect()
    gc.disable()
    try:
        for _ in range(ASKED):
            work()
        return gc.collect()
    finally:
        gc.enable()


@pytest.mark.parametrize("ask", [complete, stream])
def test_a_request_is_freed_at_once(ask):
    """With two tiers, scorers and a budget, a request is gone as soon as nobody holds it."""
    llm = setup(Cascade)
    assert left_by(lambda: ask(llm)) < ASKED


@pytest.mark.parametrize("ask", [complete_async, stream_async])
def test_an_awaited_request_is_freed_at_once(ask):
    """The same, awaited."""
    llm = setup(AsyncCascade)
    with asyncio.Runner() as runner:
        assert left_by(lambda: runner.run(ask(llm))) < ASKED


def fails(llm):
    try:
        llm.complete("Why?", budget=Budget("0.0000001"))
    except BudgetExceeded:
        return
    raise AssertionError("it was answered")


def test_a_request_that_fails_is_freed_at_once():
    """An error that nobody holds takes its trace and its request with it."""
    llm = setup(Cascade)
    assert left_by(lambda: fails(llm)) < ASKED
