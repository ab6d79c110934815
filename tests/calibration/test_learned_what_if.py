"""What-ifs of chains with learned scorers, and what becomes of their decisions when signals fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cascade import Cascade
from cascade.calibration import LearnedModel, compare, learn, simulate, what_if
from cascade.calibration.learning.evidence import OWN_GROUP, PAIR_GROUP, registered_evidence
from cascade.calibration.serving import chain_of_plan
from cascade.errors import ConfigError, RecordingError
from tests.calibration import test_served_plan as served

learning = served.learning
FEW = served.SUMS[::9]


@pytest.mark.parametrize("plan", served.PLANS.values(), ids=served.PLANS)
def test_a_learned_chain_is_priced_as_its_plan(plan, learning):
    """The chain's own models are put to the recording: witnesses, gates and all."""
    made = learning.recording
    model = learning.model_for([plan])
    chain = chain_of_plan(plan, served.CHAIN, model=model, witnesses=[served.PEER])
    found = what_if(chain, made, resamples=20)
    told = simulate(plan, made, model.on(made))
    assert found.plan.digest == plan.digest
    assert found.outcomes.returned.tolist() == told.returned.tolist()
    assert found.outcomes.cost_pusd.tolist() == told.cost_pusd.tolist()
    assert found.n == len(made)
    again = what_if(plan, made, source=learning.source, resamples=20)
    assert again.plan == plan


def test_a_tier_with_a_rule_beside_a_learned_one(learning):
    """Each step is judged by the scorer that its own tier has."""
    made = learning.recording
    plan = served.PLANS["three tiers"]
    chain = chain_of_plan(plan, served.CHAIN, model=learning.model_for([plan]))
    tiers = (
        replace(chain.tiers[0], scorer=lambda draft: "maybe" not in draft.text),
        *chain.tiers[1:],
    )
    found = what_if(replace(chain, tiers=tiers), made, resamples=20)
    sure = np.array(["maybe" not in text for text in made.texts[:, 0]])
    assert ((found.outcomes.stop == 0) == sure).all()
    with pytest.raises(RecordingError, match="know no gate"):
        what_if(served.PLANS["a gate"], made)


def raises(*drafts):
    raise RuntimeError("evidence broke")


def silent(*drafts):
    return None


def no_number(*drafts):
    return {"x": "text"}


SIGNALS = [
    (group, name)
    for group in (OWN_GROUP, PAIR_GROUP)
    for name in sorted(registered_evidence(group))
]


@pytest.mark.parametrize("fault", [raises, silent, no_number], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal[1])
def test_failing_evidence_never_accepts(signal, fault, learning, monkeypatch):
    """A19 in the engine: with any one signal broken, each request ends where it did, or later."""
    group, name = signal
    for plan in (served.PLANS["three tiers"], served.PLANS["a witness"]):
        model = learning.model_for([plan])
        clean = ends(plan, model)
        assert len(set(clean)) > 1
        with monkeypatch.context() as patched:
            patched.setitem(registered_evidence(group), name, fault)
            broken = ends(plan, LearnedModel.from_dict(model.to_dict()))
        assert all(after >= before for before, after in zip(clean, broken, strict=True))
        used = name in (model.own if group == OWN_GROUP else model.pairs)
        assert not used or broken != clean


def ends(plan, model):
    """How many tiers each request asked before one was accepted."""
    chain = chain_of_plan(plan, served.CHAIN, model=model, witnesses=[served.PEER])
    with Cascade(chain, models=served.models()) as llm:
        traces = [llm.complete(served.prompt(a, b)).trace for a, b in FEW]
    return [sum(attempt.asked for attempt in trace.attempts) for trace in traces]


def test_a_learned_chain_says_that_its_numbers_may_flatter(learning):
    """Who prices a certified chain on the requests it was learned from is told so."""
    plan = served.PLANS["three tiers"]
    chain = chain_of_plan(plan, served.CHAIN, model=learning.model_for([plan]))
    assert any(
        "may have been learned" in note
        for note in what_if(chain, learning.recording, resamples=5).notes
    )
    out_of_fold = what_if(chain, learning.recording, source=learning.source, resamples=5)
    assert not any("may have been learned" in note for note in out_of_fold.notes)


def test_paths_in_place_of_recordings_are_named(learning):
    """Learning and what-ifs say what they take, and what reads a file."""
    for call in (
        lambda: learn("r.parquet"),
        lambda: what_if(served.CHAIN, "r.parquet"),
        lambda: compare("r.parquet"),
    ):
        with pytest.raises(ConfigError, match=r"takes a Recording, not 'r\.parquet'"):
            call()
    with pytest.raises(ConfigError, match=r"not 'c.toml'; a chain's file is read by load_chain"):
        what_if("c.toml", learning.recording)
