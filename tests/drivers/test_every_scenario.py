"""Every scenario through every driver: the same trace, the same answer, the same error."""

from __future__ import annotations

from decimal import Decimal

import pytest
from runners import ASYNC_DRIVERS, DRIVERS, comparable
from scenarios import SCENARIOS, Scenario

from cascade import Chain, Policy, Trace, replay

NAMES = list(SCENARIOS)
PAIRS = [
    (name, driver)
    for name in NAMES
    for driver in DRIVERS
    if driver in ASYNC_DRIVERS or not SCENARIOS[name].only_async
]
REFERENCES: dict[str, Trace] = {}

ERRORS = {
    "exhausted": "ChainExhausted",
    "budget_exceeded": "BudgetExceeded",
    "deadline_exceeded": "DeadlineExceeded",
    "billing_stopped": "BillingStopped",
    "refused": "CallRefused",
    "interrupted": "StreamInterrupted",
}


def reference(name: str) -> Trace:
    """The trace of the first driver that can carry the scenario out."""
    if name not in REFERENCES:
        driver = "async" if SCENARIOS[name].only_async else "sync"
        REFERENCES[name] = DRIVERS[driver](SCENARIOS[name]).trace
    return REFERENCES[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_ends_as_it_must(name):
    """Each request ends with the status, the tiers and the exact cost that its script implies."""
    wanted, trace = SCENARIOS[name], reference(name)
    cost = None if wanted.cost is None else Decimal(wanted.cost)
    assert (trace.status, trace.tier) == (wanted.status, wanted.tier)
    assert tuple(attempt.tier for attempt in trace.attempts) == wanted.asked
    assert trace.cost_usd == cost
    assert Trace.from_json(trace.to_json()) == trace


@pytest.mark.parametrize(("name", "driver"), PAIRS)
def test_every_driver_tells_the_same_story(name, driver):
    """A driver changes when things happen, never what happens or what it costs."""
    wanted = SCENARIOS[name]
    outcome = DRIVERS[driver](wanted)
    assert comparable(outcome.trace) == comparable(reference(name))
    assert outcome.text == wanted.text
    assert outcome.error == (None if wanted.text is not None else ERRORS[wanted.status])
    assert outcome.streamed in (None, wanted.text or "")


@pytest.mark.parametrize(
    "name", [n for n in NAMES if SCENARIOS[n].replays and not SCENARIOS[n].only_async]
)
def test_a_replay_gives_the_trace_back(name):
    """Deciding a recorded request again under its own chain gives an equal trace."""
    assert replay(reference(name), chain_of(SCENARIOS[name])) == reference(name)


def chain_of(scenario: Scenario) -> Chain:
    return Chain(tuple(scenario.tiers()), policy=scenario.settings.get("policy", Policy()))
