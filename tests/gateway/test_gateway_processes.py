"""Real processes that are stopped, and killed, in the middle of a hundred requests."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from decimal import Decimal

import openai
import pytest
from gateways import until
from openai import AsyncOpenAI, OpenAI

from cascade import TraceStore
from cascade.accounts import Accounts

pytestmark = pytest.mark.loopback

LONG = "words of a prompt that takes the hundred tokens the provider counts " * 3
MANY = 100


@pytest.fixture
def place(tmp_path):
    return tmp_path / "kept.sqlite3"


async def ask(client, words, *, stream):
    """One request: "whole" and the id of its trace, or what became of it."""
    asked = {
        "model": "support",
        "messages": [{"role": "user", "content": words}],
        "max_completion_tokens": 100_000,
    }
    try:
        if stream:
            found = await client.chat.completions.create(**asked, stream=True)
            chunks = [chunk async for chunk in found]
            return "whole", chunks[-1].cascade["trace_id"]
        done = await client.chat.completions.create(**asked)
    except openai.APIStatusError as error:
        return error.code, error.response.headers.get("x-cascade-trace-id")
    except openai.APIError as error:
        return getattr(error, "code", None) or "broken off", None
    return "whole", done.cascade["trace_id"]


async def hundred(url, words, meanwhile, key="ck-any"):
    """A hundred requests at once, half of them streamed; `meanwhile` runs beside them."""
    async with AsyncOpenAI(api_key=key, base_url=url, max_retries=0) as client:
        asked = [
            asyncio.create_task(ask(client, words(number), stream=number % 2))
            for number in range(MANY)
        ]
        await asyncio.to_thread(meanwhile)
        return await asyncio.gather(*asked)


def kept(place):
    """Every trace that can be read; one that cannot fails."""
    with TraceStore(place) as store:
        return list(store.iter_traces())


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_in_the_middle_of_a_hundred_requests(start, upstream, place, which):
    """All hundred are answered whole, all hundred traces are kept, and the process ends well.

    A terminal that is closed is no reason to lose them either.
    """
    process = start(place, "--insecure-local")

    def stop():
        until(lambda: upstream.under_way == MANY)
        process.signal(which)
        if which == signal.SIGHUP:  # comes from the shell, and from the terminal's end
            time.sleep(0.3)
            process.signal(which)
        time.sleep(0.5)
        upstream.release()

    done = await hundred(process.url, lambda number: f"{number}: hold", stop)
    assert process.ended() == 0, process.said
    assert Counter(how for how, _ in done) == {"whole": MANY}
    assert {trace_id for _, trace_id in done} == {trace.id for trace in kept(place)}


async def test_two_signals(start, upstream, place):
    """After a second signal each client is told, each trace is kept, and the exit code says so."""
    process = start(place, "--insecure-local")

    def stop():
        until(lambda: upstream.under_way == MANY)
        process.signal(signal.SIGTERM)
        time.sleep(0.3)
        process.signal(signal.SIGTERM)

    done = await hundred(process.url, lambda number: f"{number}: hang and stall", stop)
    assert process.ended() == 1
    assert process.said.count("100 requests were broken off") == 1
    assert Counter(how for how, _ in done) == {"server_is_shutting_down": MANY}
    assert Counter(trace.status for trace in kept(place)) == {"cancelled": MANY}


async def test_drain_s(start, upstream, place):
    """What does not finish in its time is broken off the same way."""
    process = start(place, "--insecure-local", "--drain-s", "2")

    def stop():
        until(lambda: upstream.under_way == MANY)
        process.signal(signal.SIGINT)
        upstream.release()

    done = await hundred(
        process.url, lambda number: f"{number}: {'hang' if number < 10 else 'hold'}", stop
    )
    assert process.ended() == 1
    assert Counter(how for how, _ in done) == {"whole": MANY - 10, "server_is_shutting_down": 10}
    assert len(kept(place)) == MANY


async def test_sigkill_in_the_middle_of_a_hundred_requests(start, upstream, place):
    """After a crash no trace is half written, and what the dead process held of budgets goes back."""
    with Accounts(place) as accounts:
        key, secret = accounts.create("team", budget_day_usd="30")
    options = ("--lease-s", "4")
    process = start(place, *options)

    def kill():
        until(lambda: len(upstream.asked) == MANY and upstream.under_way == MANY // 2)
        until(lambda: kept(place))
        process.signal(signal.SIGKILL)

    def words(number):
        return f"{number}: {'hang' if number % 2 else 'quick'} {LONG}"

    done = await hundred(process.url, words, kill, secret)
    assert process.ended() == -signal.SIGKILL
    traces = kept(place)
    assert 0 < len(traces) <= MANY // 2
    assert all(trace.status == "accepted" for trace in traces)
    assert {trace.id for trace in traces} <= {trace_id for _, trace_id in done} | {None}

    with Accounts(place) as accounts:
        assert accounts.spent()[key.id].leased_usd > 8

    again = start(place, *options)
    with OpenAI(api_key=secret, base_url=again.url, max_retries=0) as client:
        # Needs nearly all of the budget, of which the dead process held a good part.
        dear = {"max_completion_tokens": 1_400_000, "model": "support"}

        def answers():
            try:
                client.chat.completions.create(
                    messages=[{"role": "user", "content": f"hard {LONG}"}], **dear
                )
            except openai.RateLimitError:
                return False
            return True

        until(answers)
    again.signal(signal.SIGTERM)
    assert again.ended() == 0, again.said

    def spent_of():
        with Accounts(place, lease_s=4) as accounts:
            return accounts.spent()[key.id]

    until(lambda: spent_of().leased_usd == 0)
    spent = spent_of()
    assert spent.day_usd + spent.day_held_usd <= Decimal(30)
    assert sum(trace.known_cost_usd for trace in kept(place)) <= spent.day_usd + Decimal("0.05")


def test_a_disk_that_is_full(start, upstream, place):
    """Requests are answered, budgets kept; traces wait beside the database while there is room.

    What has none anywhere is told in the log; a later process keeps what waited.
    """
    with Accounts(place) as accounts:
        key, secret = accounts.create("team", budget_day_usd="30")
    process = start(place, largest_file_kb=2_000)
    with OpenAI(api_key=secret, base_url=process.url, max_retries=0) as client:

        def answer(number):
            messages = [{"role": "user", "content": f"{number} {LONG * 300}"}]
            done = client.chat.completions.create(
                model="support", messages=messages, max_completion_tokens=100
            )
            return done.cascade["trace_id"]

        answered = {answer(number) for number in range(MANY)}
    process.signal(signal.SIGTERM)
    assert process.ended() in (0, 1)
    assert len(answered) == len(upstream.asked) == MANY
    assert "full" in process.said or "could not be written" in process.said
    traces = kept(place)
    assert 0 < len(traces) < MANY
    assert {trace.id for trace in traces} <= answered
    with Accounts(place) as accounts:
        assert accounts.spent()[key.id].day_usd <= 30
    again = start(place)
    with OpenAI(api_key=secret, base_url=again.url, max_retries=0) as client:
        client.chat.completions.create(
            model="support", messages=[{"role": "user", "content": "x"}], max_completion_tokens=10
        )
    again.signal(signal.SIGTERM)
    assert again.ended() == 0, again.said
    found = {trace.id for trace in kept(place)}
    assert len(traces) + 1 < len(found) <= MANY + 1
    assert len(found - answered) == 1
