"""Streams that nobody closes: a dropped one ends at once, a held one with the program."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import pytest

from cascade import AsyncCascade, Cascade, Tier, TraceStore
from cascade.testing import ScriptedModels

BEGIN = """
import asyncio
from cascade import AsyncCascade, Cascade, Tier, openai_client
from cascade.testing import ScriptedModels

models, tiers, store = ScriptedModels({"gpt-5.5": "one two three"}), [Tier("gpt-5.5")], %r
"""

PROGRAMS = {
    "dropped": """
for chunk in Cascade(tiers, models=models, store=store).stream("Why?"):
    break
""",
    "held": """
llm = Cascade(tiers, models=models, store=store)
stream = llm.stream("Why?")
next(stream)
""",
    "never read": """
llm = Cascade(tiers, models=models, store=store)
stream = llm.stream("Why?")
""",
    "a store opened after it": """
from cascade import TraceStore
traces = []
llm = Cascade(tiers, models=models, observers=[lambda trace: later.save(trace)])
stream = llm.stream("Why?")
next(stream)
later = TraceStore(store)
other = Cascade(tiers, models=models).stream("How?")
""",
    "the SDK's": """
client = openai_client(tiers, models=models, store=store)
asked = [{"role": "user", "content": "Why?"}]
for chunk in client.chat.completions.create(model="cascade", messages=asked, stream=True):
    break
""",
    "dropped by a task": """
async def main():
    async for chunk in AsyncCascade(tiers, models=models, store=store).stream("Why?"):
        break
asyncio.run(main())
""",
    "never read by a task": """
llm = AsyncCascade(tiers, models=models, store=store)
async def main():
    global stream
    stream = llm.stream("Why?")
asyncio.run(main())
""",
    "dropped as its loop stops": """
llm = AsyncCascade(tiers, models=models, store=store)
async def main():
    async for chunk in llm.stream("Why?"):
        break
asyncio.new_event_loop().run_until_complete(main())
""",
    "held by a loop that stopped": """
llm = AsyncCascade(tiers, models=models, store=store)
stream = llm.stream("Why?")
loop = asyncio.new_event_loop()
loop.run_until_complete(anext(stream))
loop.close()
""",
    "dropped as its cascade is closed": """
async def main():
    async with AsyncCascade(tiers, models=models, store=store) as llm:
        async for chunk in llm.stream("Why?"):
            break
asyncio.run(main())
""",
}

SAID = {"dropped as its loop stops": "Task was destroyed but it is pending!"}
"""First lines that Python itself writes, of a loop that nobody closed."""


def test_a_dropped_stream_ends_at_once():
    """Leaving a loop over a stream closes its trace; no garbage collector is waited for."""
    traces = []
    llm = Cascade(
        [Tier("gpt-5.5")],
        models=ScriptedModels({"gpt-5.5": "one two three"}),
        observers=[traces.append],
    )
    gc.disable()
    try:
        for _ in llm.stream("Why?"):
            break
        assert [trace.status for trace in traces] == ["cancelled"]
    finally:
        gc.enable()


async def test_a_stream_dropped_in_a_task_ends_in_the_next_turns_of_the_loop():
    """The same where answers are awaited: the loop closes it, without the garbage collector."""
    traces = []
    models = ScriptedModels({"gpt-5.5": "one two three"})
    llm = AsyncCascade([Tier("gpt-5.5")], models=models, observers=[traces.append])
    gc.disable()
    try:
        async for _ in llm.stream("Why?"):
            break
        for _ in range(3):
            await asyncio.sleep(0)
        assert [trace.status for trace in traces] == ["cancelled"]
        llm.stream("Why?")  # never read
        assert [trace.known_cost_usd for trace in traces[1:]] == [0]
    finally:
        gc.enable()


async def test_chunks_hold_their_stream():
    """Who reads the chunks of the wire need not keep the stream as well."""
    traces = []
    models, tiers = ScriptedModels({"gpt-5.5": "one two three"}), [Tier("gpt-5.5")]
    llm = Cascade(tiers, models=models, observers=[traces.append])
    read = [list(llm.stream("Why?").wire_chunks())]
    later = AsyncCascade(tiers, models=models, observers=[traces.append])
    read.append([chunk async for chunk in later.stream("Why?").wire_chunks()])
    assert [len(chunks) for chunks in read] == [5, 5]
    assert [trace.status for trace in traces] == ["accepted", "accepted"]
    next(llm.stream("Why?").wire_chunks())
    llm.stream("Why?").wire_chunks()
    later.stream("Why?").wire_chunks()
    assert [trace.status for trace in traces[2:]] == ["cancelled"] * 3


async def test_a_store_closes_after_the_streams_of_its_cascade(tmp_path):
    """A stream that is still held when its cascade is closed leaves its trace."""
    place = tmp_path / "traces.db"
    models = ScriptedModels({"gpt-5.5": "one two three"})
    async with AsyncCascade([Tier("gpt-5.5")], models=models, store=str(place)) as llm:
        held, done = llm.stream("Why?"), llm.stream("How?")
        await anext(held)
        assert len([chunk async for chunk in done]) > 1
    await held.aclose()
    with TraceStore(place) as store:
        reasons = {trace.status: trace.reason for trace in store.iter_traces()}
    assert reasons.keys() == {"accepted", "cancelled"}
    assert reasons["cancelled"] == "cancelled: the cascade was closed"


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_end_of_the_program_keeps_the_trace(name, tmp_path):
    """What was paid is in the store, although nobody closed anything."""
    place = tmp_path / "traces.db"
    program = BEGIN % str(place) + PROGRAMS[name]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.partition("\n")[0] == SAID.get(name, "")
    with TraceStore(place) as store:
        (trace,) = store.iter_traces()
    assert trace.status == "cancelled"
    assert (trace.known_cost_usd > 0) == ("never read" not in name)
