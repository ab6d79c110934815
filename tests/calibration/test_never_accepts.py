"""A19: a signal that fails, times out or is missing never turns an escalation into an acceptance."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade import (
    Abstained,
    AsyncCascade,
    Cascade,
    Chain,
    Failed,
    Policy,
    Price,
    Score,
    Tier,
    replay,
)
from cascade.calibration import (
    Plan,
    RecordedScores,
    RecordedTier,
    Recording,
    Step,
    import_traces,
    simulate,
    what_if,
)
from cascade.errors import RecordingError
from cascade.testing import ScriptedModels
from tests.calibration.builders import Scores, recording

FREE = Price.free()


@st.composite
def faulty(draw):
    """Scores of three steps, the same with faults, and thresholds."""
    n = draw(st.integers(1, 12))
    row = st.lists(st.sampled_from([0.0, 0.3, 0.6, 1.0]), min_size=n, max_size=n)
    clean = [np.array(draw(row)) for _ in range(3)]
    faults = [np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))) for _ in range(3)]
    thresholds = [draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])) for _ in range(3)]
    return n, clean, faults, thresholds


@given(faulty(), st.sampled_from(["no score", "no answer", "not usable"]))
def test_a_fault_only_ever_escalates(world, kind):
    """Whatever a step lacks, the requests it touches end there or later, never earlier."""
    n, clean, faults, thresholds = world
    names = ["a", "b", "c", "d"]
    steps = [Step(name, threshold=t) for name, t in zip(names, thresholds, strict=False)]
    plan = Plan((*steps, Step("d")))
    made = recording(np.ones((n, 4)), [1, 2, 3, 4], names=names)
    before = simulate(plan, made, Scores(dict(enumerate(clean))))
    broken = {at: np.where(fault, np.nan, clean[at]) for at, fault in enumerate(faults)}
    if kind == "no score":
        after = simulate(plan, made, Scores(broken))
    else:
        can = np.column_stack([*(~fault for fault in faults), np.ones(n, bool)])
        changed = {"usable": can} if kind == "not usable" else {"usable": can, "answered": can}
        lacking = recording(np.ones((n, 4)), [1, 2, 3, 4], names=names, **changed)
        after = simulate(plan, lacking, Scores(dict(enumerate(clean))))
    assert (after.stop >= before.stop).all()
    for at, fault in enumerate(faults):
        accepted = (after.stop == at) & (at < 3)
        assert not (accepted & fault).any()


# Through the engine ------------------------------------------------------------------------------


def unsure(draft):
    return Score(0.2)


def raises(draft):
    raise RuntimeError("evidence broke")


def abstains(draft):
    return Abstained("no signal")


def fails(draft):
    return Failed("timed out")


def not_a_number(draft):
    return float("nan")


def nothing(draft):
    return None


def too_much(draft):
    return 1.2


def minus_infinity(draft):
    return float("-inf")


def hangs(draft):
    """Sure of every answer, but only long after its time is over."""
    threading.Event().wait(1.0)
    return 1.0


FAULTS = [raises, abstains, fails, not_a_number, nothing, too_much, minus_infinity, hangs]


def trace_of(scorer):
    threshold = 0.5 if scorer is unsure else 0.0
    limit_s = 0.02 if scorer is hangs else 30.0
    first = Tier("a", scorer=scorer, threshold=threshold, price=FREE, scorer_timeout_s=limit_s)
    tiers = [first, Tier("b", price=FREE)]
    return Cascade(tiers, models=ScriptedModels({"a": "one", "b": "two"})).complete(
        "x"
    ).trace, tiers


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_broken_scorer_escalates_served_replayed_and_simulated(fault):
    """Even at threshold 0, in the engine, in its replay, as recorded and judged again alike."""
    trace, tiers = trace_of(fault)
    assert trace.tier == "b"
    assert replay(trace, tiers) == trace
    chain = Chain(tuple(tiers))
    recorded = import_traces([trace], chain=chain)
    assert recorded.score_kind[0, 0] in (2, 3)
    assert what_if(chain, recorded, resamples=1).outcomes.returned.tolist() == [1]
    assert np.isnan(RecordedScores(recorded).scores((0,), 0)).all()
    other, others = trace_of(unsure)  # recorded with another scorer: this one is run again
    again = import_traces([other], chain=Chain(tuple(others)))
    assert np.isnan(RecordedScores(again, chain).scores((0,), 0)).all()
    assert what_if(chain, again, resamples=1).outcomes.returned.tolist() == [1]


async def test_a_scorer_that_awaits_too_long_escalates():
    """A coroutine scorer whose time is over accepts nothing, even at threshold 0."""

    async def awaits(draft):
        await asyncio.sleep(30)
        return 1.0

    first = Tier("a", scorer=awaits, threshold=0.0, price=FREE, scorer_timeout_s=0.02)
    models = ScriptedModels({"a": "one", "b": "two"})
    done = await AsyncCascade([first, Tier("b", price=FREE)], models=models).complete("x")
    assert done.tier == "b"
    assert done.trace.attempts[0].scores[0].kind == "failed"


@pytest.mark.parametrize("choice", ["on_abstain", "on_scorer_failure"])
def test_a_policy_that_accepts_silence_is_refused(choice):
    """A what-if says so rather than take a missing signal for an acceptance."""
    trace, tiers = trace_of(abstains if choice == "on_abstain" else raises)
    chain = Chain(tuple(tiers), policy=Policy(**{choice: "accept"}))
    made = import_traces([trace], chain=chain)
    with pytest.raises(RecordingError, match="never takes a missing signal for acceptance"):
        what_if(chain, made)


@pytest.mark.parametrize("kind", [2, 3])
def test_what_was_recorded_as_no_score_is_none(kind):
    """An abstention or a failure is no score, whatever number stands beside it."""
    made = Recording.build(
        [RecordedTier("a", "m", scorer="s", scorer_settings="x"), RecordedTier("b", "n")],
        ["q"],
        quality=[[1, 1]],
        cost_pusd=[[1, 2]],
        score=[[0.99, np.nan]],
        score_kind=np.array([[kind, 0]], np.int8),
    )
    plan = Plan((Step("a", threshold=0.0), Step("b")))
    assert simulate(plan, made, RecordedScores(made)).returned.tolist() == [1]
