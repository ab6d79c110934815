"""A request that is left while its thread waits for a model: its books close as they stand."""

from __future__ import annotations

import threading

from cascade import Cascade, Price, Tier
from cascade.drivers import sync
from cascade.engine.options import NO_OPTIONS
from cascade.testing import ScriptedModels

TIERS = [
    Tier("low", scorer=lambda draft: False, price=Price.of("1", "2")),
    Tier("top", price=Price.of("4", "8")),
]


def test_a_request_that_was_left_asks_no_further_tier():
    """The call under way is unknown in the trace, the next tier is not asked, observers hear once."""
    asked, go_on, seen = threading.Event(), threading.Event(), []

    def slow(call):
        asked.set()
        go_on.wait(10)
        return "bad"

    models = ScriptedModels({"low": slow, "top": "never"})
    llm = Cascade(TIERS, models=models, observers=[seen.append])
    run = llm._begin("hello", {}, NO_OPTIONS)
    ended = []

    def answer():
        with run:
            ended.append(run.finish(sync.drive(run.decisions, models, run.timing)))

    thread = threading.Thread(target=answer)
    thread.start()
    assert asked.wait(10)
    trace = run.leave("nobody waits")
    go_on.set()
    thread.join(10)
    assert seen == [trace]
    assert (trace.status, trace.reason) == ("cancelled", "cancelled: nobody waits")
    assert [(charge.tier, charge.cost_usd) for charge in trace.charges] == [("low", None)]
    assert [call.tier.name for call in models.calls] == ["low"]
    assert ended[0].trace is trace


def test_a_request_that_has_ended_cannot_be_left():
    """Leaving after the end changes nothing and says so."""
    llm = Cascade(TIERS[1:], models=ScriptedModels({"top": "yes"}))
    run = llm._begin("hello", {}, NO_OPTIONS)
    with run:
        done = run.finish(sync.drive(run.decisions, llm._models, run.timing))
    assert run.leave("too late") is None
    assert run.trace is done.trace
    assert done.accepted


def test_leaving_twice_counts_once():
    """A second leave finds the books closed."""
    seen = []
    llm = Cascade(TIERS, models=ScriptedModels({}), observers=[seen.append])
    run = llm._begin("hello", {}, NO_OPTIONS)
    found = [run.leave("first") for _ in range(2)]
    assert found == [seen[0], None]
    assert len(seen) == 1
