"""A plan is served as it was certified: the chain decides and costs what the recording said."""

import random

import numpy as np
import pytest

from cascade import Cascade, Chain, Price, Tier
from cascade.calibration import Example, Gate, Plan, Step, learn, record, simulate
from cascade.calibration.money import usd_of
from cascade.calibration.serving import chain_of_plan, plan_of_chain
from cascade.errors import ConfigError
from cascade.testing import ScriptedModels

SUMS = [(a, b) for a in range(2, 18) for b in range(3, 18)]
RIGHT = {"nano": 0.6, "peer": 0.7, "mini": 0.85, "top": 0.97}
PRICES = {
    "nano": ("0.2", "1.25"),
    "peer": ("0.25", "1"),
    "mini": ("0.75", "4.5"),
    "top": ("5", "30"),
}


def answers():
    """What each model says to each question; small ones fail on large numbers, and say so less."""
    rng = random.Random(7)
    said = {}
    for a, b in SUMS:
        hard = (a * b) / 300
        for name, right in RIGHT.items():
            fails = rng.random() > right + 0.3 - hard * (1.2 - right)
            value = a * b + (rng.choice([-10, -1, 1, 10]) if fails else 0)
            hedge = " I think, maybe roughly." if fails and rng.random() < 0.6 else ""
            said[name, prompt(a, b)] = f"{a} x {b} is {value}.{hedge}"
    return said


def prompt(a, b):
    return f"What is {a} times {b}?"


SAID = answers()


def models():
    def said_by(name):
        return lambda call: SAID[name, call.payload["messages"][-1]["content"]]

    return ScriptedModels({name: said_by(name) for name in RIGHT})


def tier(name):
    return Tier(name, price=Price.of(*PRICES[name]))


CHAIN = Chain(tuple(tier(name) for name in ("nano", "mini", "top")))
PEER = tier("peer")


@pytest.fixture(scope="module")
def learning():
    examples = [
        Example(str(place), prompt(a, b), reference=str(a * b)) for place, (a, b) in enumerate(SUMS)
    ]
    made = record(CHAIN, examples, metric="numeric", witnesses=[PEER], models=models())
    return learn(made)


PLANS = {
    "two tiers": Plan((Step("nano", threshold=0.7), Step("top"))),
    "three tiers": Plan((Step("nano", threshold=0.8), Step("mini", threshold=0.9), Step("top"))),
    "a tier skipped": Plan((Step("mini", threshold=0.9), Step("top"))),
    "a witness": Plan(
        (Step("nano", threshold=0.9), Step("peer", "nano", threshold=0.7), Step("top"))
    ),
    "a gate": Plan((Step("nano", threshold=0.7), Step("top")), Gate("top", 0.6)),
    "all of it": Plan(
        (
            Step("nano", threshold=0.9),
            Step("peer", "nano", threshold=0.7),
            Step("mini", threshold=0.9),
            Step("top"),
        ),
        Gate("mini", 0.5),
    ),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_chain_decides_as_the_recording_said(plan, learning):
    """Answer and cost of every request are those of the simulation, to the digit."""
    made = learning.recording
    model = learning.model_for([plan])
    told = simulate(plan, made, model.on(made))
    assert len(set(told.stop.tolist())) > 1, "the plan decides nothing here"
    chain = chain_of_plan(plan, CHAIN, model=model, witnesses=[PEER])
    with Cascade(chain, models=models()) as llm:
        for row, (a, b) in enumerate(SUMS):
            done = llm.complete(prompt(a, b))
            assert done.text == made.texts[row, told.returned[row]]
            assert done.cost_usd == usd_of(told.cost_pusd[row])
            assert sum(attempt.asked for attempt in done.trace.attempts) == told.calls[row]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_served_plan_reads_back(plan, learning):
    """A chain made of a plan is read as that plan."""
    chain = chain_of_plan(plan, CHAIN, model=learning.model_for([plan]), witnesses=[PEER])
    assert plan_of_chain(chain).digest == plan.digest


def test_scores_are_the_same_whoever_asks(learning):
    """One request judged alone scores as it does among all, to the last digit that is kept."""
    made = learning.recording
    model = learning.model_for(PLANS.values())
    scores = model.on(made).scores((0, 1), 1)
    few = model.on(made.rows(np.arange(5, 9))).scores((0, 1), 1)
    assert scores[5:9].tolist() == few.tolist()


def test_what_cannot_be_served():
    """A witness that nobody gave, and a gate without a model, are named."""
    with pytest.raises(ConfigError, match="asks 'peer', which chain 'chain' lacks"):
        chain_of_plan(PLANS["a witness"], CHAIN)
    with pytest.raises(ConfigError, match="served by a learned model"):
        chain_of_plan(PLANS["a gate"], CHAIN)
    with pytest.raises(ConfigError, match="not one that a plan can express"):
        plan_of_chain(Chain(CHAIN.tiers, entry=lambda _request: None))
