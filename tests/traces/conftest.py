"""Traces as a cascade makes them, from scripted models, and stores to keep them in."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from databases import database, postgres, server, sqlite, wire  # noqa: F401

import cascade
from cascade import Cascade, Price, Score, Tier, TraceStore
from cascade.core.chain import Chain
from cascade.errors import RunError
from cascade.testing import ManualClock, ScriptedModels, failure, reply

PRICE = Price.of("0.20", "1.25", cached_input="0.02")


def unsure(draft):
    return Score(0.41, reason=f"only {len(draft.text)} characters like {draft.text[:12]!r}")


def sure(_draft):
    return Score(0.97, reason="well grounded")


def build_trace(
    prompt="Where is my parcel?",
    cheap="I do not know.",
    top="It arrives on Friday.",
    *,
    metadata=None,
    **params,
):
    """A request whose first tier is rejected, after a failed try, and whose second is accepted."""
    clock = ManualClock()
    seen = []
    models = ScriptedModels(
        {
            "nano": [
                failure("rate_limit", f"slow down: {cheap}", status=429),
                reply(cheap, cached_tokens=4),
            ],
            "big": reply(top, model="gpt-big-2026", input_tokens=200, output_tokens=40),
        },
        clock=clock,
        latency_s=0.25,
    )
    tiers = (
        Tier("nano", scorer=unsure, threshold=0.92, price=PRICE),
        Tier("big", scorer=sure, threshold=0.5, price=Price.of("5", "30")),
    )
    chain = Chain(tiers, name="support")
    llm = Cascade(chain, models=models, clock=clock, observers=[seen.append])
    llm.complete(prompt, metadata=metadata, **params)
    return seen[0]


def build_failed(kind="not_found", message="no such model"):
    """A request that nobody answered."""
    clock = ManualClock()
    models = ScriptedModels({"nano": failure(kind, message)}, clock=clock, latency_s=0.1)
    llm = Cascade([Tier("nano", price=PRICE)], models=models, clock=clock)
    with pytest.raises(RunError) as caught:
        llm.complete("hello")
    return caught.value.trace


@pytest.fixture
def make_trace():
    return build_trace


@pytest.fixture
def failed_trace():
    return build_failed()


@pytest.fixture
def trace():
    return build_trace()


@pytest.fixture
def store(database):  # noqa: F811
    made = TraceStore(database.where)
    yield made
    made.close()


@pytest.fixture
def run_python():
    """Runs code, or a script, in an interpreter that sees the package and `build_trace`."""
    root, here = Path(cascade.__file__).parent.parent, Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root, here, here.parent)))}

    def run(code, *args):
        way = [str(code)] if isinstance(code, Path) else ["-c", textwrap.dedent(code)]
        return subprocess.run(
            [sys.executable, "-W", "error", *way, *map(str, args)],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.env = env
    return run
