"""Streams that nobody closes: a dropped one ends at once, a held one with the program."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from cascade import Cascade, Tier, TraceStore
from cascade.testing import ScriptedModels

BEGIN = """
from cascade import Cascade, Tier, openai_client
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
}


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


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_end_of_the_program_keeps_the_trace(name, tmp_path):
    """What was paid is in the store, although nobody closed anything."""
    place = tmp_path / "traces.db"
    program = BEGIN % str(place) + PROGRAMS[name]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    with TraceStore(place) as store:
        (trace,) = store.iter_traces()
    assert trace.status == "cancelled"
    assert (trace.known_cost_usd > 0) == (name != "never read")
