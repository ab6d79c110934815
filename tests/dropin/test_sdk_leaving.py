"""Leaving early, many at once: what was spent is booked, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import pytest
from sdk_faces import ASKED, numbered, two_tiers

from cascade import Tier, async_openai_client, openai_client, trace_of
from cascade.testing import ScriptedModels

LONG = "one two three four five six"


def long_models():
    return ScriptedModels({"gpt-5.5": lambda call: numbered(LONG, model=call.model)})


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_that_is_closed_early(sdk, api):
    """Closing a stream books what had come until then, as an estimate."""
    used = sdk([Tier("gpt-5.5")], models=long_models())
    stream = (used.create if api == "chat" else used.respond)(stream=True)

    async def leave():
        await anext(stream)
        await stream.close()

    if used.kind == "async":
        used.run(leave())
    else:
        next(stream)
        stream.close()
    (trace,) = used.traces
    assert trace.status == "cancelled"
    assert trace.basis == "estimated"
    assert 0 < trace.known_cost_usd < 10 * 5e-6 + 6 * 30e-6
    assert trace_of(stream) is trace


def test_a_stream_that_is_never_read(sdk):
    """The first piece has come before the stream is handed out, so leaving it unread costs that."""
    used = sdk([Tier("gpt-5.5")], models=long_models())
    stream = used.create(stream=True)
    used.run(stream.close())
    (trace,) = used.traces
    assert trace.status == "cancelled"
    assert trace.known_cost_usd > 0


def test_a_with_block_left_by_an_error(sdk):
    """An exception in the reader's own code leaves the stream, too."""
    used = sdk([Tier("gpt-5.5")], models=long_models())

    def visit(stream):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        used.inside(used.create(stream=True), visit)
    assert used.traces[0].status == "cancelled"


class Never:
    """Models that answer only when they are left."""

    async def call(self, call):
        await asyncio.Event().wait()

    def stream(self, call):
        raise NotImplementedError


async def test_a_cancelled_call():
    """Cancelling the task that waits for an answer closes the books."""
    traces = []
    client = async_openai_client(two_tiers(), models=Never(), observers=[traces.append])
    asking = client.chat.completions.create(model="cascade", messages=ASKED)
    task = asyncio.ensure_future(asking)
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
    assert [trace.status for trace in traces] == ["cancelled"]


@pytest.mark.parametrize("tidy", [True, False], ids=["async with", "left to close()"])
async def test_a_cancelled_reader(tidy):
    """Cancelling the task that reads a stream books what had come, at the latest with the client."""
    traces, begun = [], asyncio.Event()
    client = async_openai_client([Tier("gpt-5.5")], models=long_models(), observers=[traces.append])

    async def read():
        stream = await client.chat.completions.create(model="cascade", messages=ASKED, stream=True)
        async with AsyncExitStack() as stack:
            if tidy:
                await stack.enter_async_context(stream)
            async for _ in stream:
                begun.set()
                await asyncio.sleep(60)

    task = asyncio.ensure_future(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(traces) == tidy
    await client.close()
    assert [trace.status for trace in traces] == ["cancelled"]
    assert traces[0].known_cost_usd > 0


def test_one_client_in_many_threads():
    """Threads share a client: each gets its own answer and trace."""
    meeting = threading.Barrier(8)

    def answer(call):
        meeting.wait(timeout=10)
        return numbered(call.payload["messages"][0]["content"].upper(), model=call.model)

    models = ScriptedModels({"gpt-5.5": answer})
    with openai_client([Tier("gpt-5.5")], models=models) as client:

        def ask(number):
            messages = [{"role": "user", "content": f"n{number}"}]
            done = client.chat.completions.create(model="cascade", messages=messages)
            asked = trace_of(done).request["messages"][0]["content"]
            return done.choices[0].message.content, asked

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(ask, range(16)))
    assert found == [(f"N{number}", f"n{number}") for number in range(16)]


async def test_one_client_in_many_tasks():
    """Tasks share a client, streams among them."""
    client = async_openai_client([Tier("gpt-5.5")], models=long_models())

    async def ask():
        stream = await client.chat.completions.create(model="cascade", messages=ASKED, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert await asyncio.gather(*[ask() for _ in range(20)]) == [LONG] * 20
    await client.close()
