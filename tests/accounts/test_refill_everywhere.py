"""A budget that can fetch more is asked by every driver, once for each call that does not fit."""

import asyncio
import threading
from concurrent.futures import Future
from decimal import Decimal

import pytest
from accounts_help import models, tiers

from cascade import AsyncCascade, Budget, BudgetExceeded, Cascade, Price, Score, Tier, ask_all
from cascade.core.scoring import Ask
from cascade.testing import ScriptedModels, failure, reply


class Fetching(Budget):
    """A budget of which only a part is at hand; the rest is brought by a thread, a bit later."""

    def __init__(self, limit, *, grants):
        super().__init__(limit)
        self.grants = grants
        self.asked = []

    def reserve(self, amount_usd):
        return False

    def refill(self, amount_usd):
        self.asked.append(amount_usd)
        future = Future()
        is_granted = self.grants and super().reserve(amount_usd)
        threading.Timer(
            0.02, lambda: future.set_running_or_notify_cancel() and future.set_result(is_granted)
        ).start()
        return future


def streamed(llm):
    stream = llm.stream("hi", max_completion_tokens=10)
    list(stream)
    return stream.completion


async def async_streamed(llm):
    stream = llm.stream("hi", max_completion_tokens=10)
    async for _ in stream:
        pass
    return stream.completion


async def awaited(llm):
    return await llm.complete("hi", max_completion_tokens=10)


async def async_rounds(llm):
    return (await llm.complete_rounds(["hi"], max_completion_tokens=10))[0]


DRIVERS = {
    "sync": (Cascade, lambda llm: llm.complete("hi", max_completion_tokens=10)),
    "stream": (Cascade, streamed),
    "rounds": (Cascade, lambda llm: llm.complete_rounds(["hi"], max_completion_tokens=10)[0]),
    "async": (AsyncCascade, lambda llm: asyncio.run(awaited(llm))),
    "async stream": (AsyncCascade, lambda llm: asyncio.run(async_streamed(llm))),
    "async rounds": (AsyncCascade, lambda llm: asyncio.run(async_rounds(llm))),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_more_is_fetched_once_and_the_call_is_made(driver):
    """The call waits for its money and is made; what it really cost is settled."""
    kind, run = DRIVERS[driver]
    budget = Fetching("1", grants=True)
    done = run(kind(tiers(), models=models(), budget=budget))
    assert done.text == "ok"
    assert len(budget.asked) == 1
    assert budget.committed_usd == done.cost_usd
    assert done.trace.status == "accepted"


@pytest.mark.parametrize("driver", DRIVERS)
def test_where_no_more_comes_the_call_is_refused(driver):
    """A refused refill is a budget that is used up, in the same words."""
    kind, run = DRIVERS[driver]
    budget = Fetching("1", grants=False)
    try:
        ended = run(kind(tiers(), models=models(), budget=budget))
    except BudgetExceeded as error:
        ended = error
    assert isinstance(ended, BudgetExceeded)
    assert "of $1 is left" in str(ended)
    assert budget.committed_usd == 0
    assert [attempt.charges for attempt in ended.trace.attempts] == [()]


def test_calls_made_together_wait_too():
    """A scorer that asks twice at once waits for the money of each question."""

    def ask_twice(_draft):
        question = Ask(
            "judge", [{"role": "user", "content": "right?"}], {"max_completion_tokens": 5}
        )
        made = yield from ask_all(question, question)
        return Score(1.0 if all(one.text == "yes" for one in made) else 0.0)

    price = Price.of("1", "10")
    answers = ScriptedModels(
        {"nano": lambda _call: reply("ok"), "judge": lambda _call: reply("yes")}
    )
    budget = Fetching("1", grants=True)
    chain = [Tier("nano", scorer=ask_twice, threshold=0.5, price=price), Tier("judge", price=price)]
    done = Cascade(chain, models=answers, budget=budget).complete("hi", max_completion_tokens=10)
    assert (done.tier, len(done.trace.charges), len(budget.asked)) == ("nano", 3, 3)
    assert budget.committed_usd == done.cost_usd


def test_a_retry_takes_from_what_is_at_hand():
    """Between tries nothing is fetched: a second try needs money that is there."""
    budget = Fetching("1", grants=True)
    answers = ScriptedModels({"nano": [failure("rate_limit", "slow down"), reply("ok")]})
    with pytest.raises(Exception, match="slow down") as caught:
        Cascade(tiers(), models=answers, budget=budget).complete("hi", max_completion_tokens=10)
    assert len(budget.asked) == 1
    assert budget.committed_usd == 0
    assert len(caught.value.trace.charges) == 1


def test_an_error_of_the_refill_is_raised():
    """A refill that breaks ends the request with its error, and leaves its trace."""

    class Broken(Fetching):
        def refill(self, amount_usd):
            future = Future()
            future.set_exception(OSError("broken"))
            return future

    seen = []
    with pytest.raises(OSError, match="broken"):
        Cascade(
            tiers(), models=models(), budget=Broken("1", grants=True), observers=[seen.append]
        ).complete("hi", max_completion_tokens=10)
    assert [trace.status for trace in seen] == ["cancelled"]
    assert Decimal(0) == seen[0].cost_usd
