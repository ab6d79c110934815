"""Requests are decided by a plan as the engine would decide them."""

import numpy as np
import pytest

from cascade.calibration import Gate, Plan, Step, simulate
from cascade.calibration.money import UNKNOWN
from cascade.calibration.plan import check_tiers
from cascade.errors import ConfigError, RecordingError
from tests.calibration.builders import Scores, recording

NANO_TOP = Plan((Step("nano", threshold=0.5), Step("top")))


def two(**given):
    """Four requests, two tiers."""
    return recording([[1, 1], [0, 1], [1, 0], [0, 0]], [10, 200], names=["nano", "top"], **given)


def test_a_threshold_in_the_place_of_a_name():
    """A number where a step's answer is named is told at once, with the way to write it."""
    with pytest.raises(ConfigError, match=r"returns is 0.9; .*Step\('nano', threshold=0.9\)"):
        Step("nano", 0.9)


def test_accepted_where_the_score_reaches_the_threshold():
    """A score at the threshold accepts; one below, or none at all, escalates and pays twice."""
    found = simulate(NANO_TOP, two(), Scores({0: [0.5, 0.49, np.nan, 0.9]}))
    assert found.returned.tolist() == [0, 1, 1, 0]
    assert found.stop.tolist() == [0, 1, 1, 0]
    assert found.quality.tolist() == [1, 1, 0, 0]
    assert found.cost_pusd.tolist() == [10, 210, 210, 10]
    assert found.calls.tolist() == [1, 2, 2, 1]
    assert found.score.tolist()[0] == 0.5
    assert np.isnan(found.score[1])


def test_a_score_that_costs_is_paid_where_it_is_asked():
    """Drafts that no scorer sees cost no score."""
    usable = np.array([[1, 1], [0, 1], [1, 1], [1, 1]], bool)
    scores = Scores({0: [1, 1, 0, 0]}, costs={((0,), 0): 3})
    found = simulate(NANO_TOP, two(usable=usable), scores)
    assert found.cost_pusd.tolist() == [13, 210, 213, 213]
    assert found.returned.tolist() == [0, 1, 1, 1]


def test_an_unknown_cost_makes_the_sum_unknown():
    """What nobody knows is not added as nothing."""
    made = recording([[1, 1], [1, 1]], [[UNKNOWN, 5], [1, UNKNOWN]], names=["nano", "top"])
    assert simulate(NANO_TOP, made, Scores({0: [0, 1]})).cost_pusd.tolist() == [UNKNOWN, 1]


def test_the_best_draft_stands_where_the_top_fails():
    """Without an answer of the last tier the best-scoring draft is returned, the later of equals."""
    answered = np.array([[1, 1, 0]] * 3, bool)
    made = recording([[1, 0, 0]] * 3, [1, 2, 3], names=["a", "b", "c"], answered=answered)
    plan = Plan((Step("a", threshold=0.9), Step("b", threshold=0.9), Step("c")))
    found = simulate(plan, made, Scores({0: [0.5, 0.2, np.nan], 1: [0.1, 0.2, np.nan]}))
    assert found.returned.tolist() == [0, 1, 1]
    assert found.cost_pusd.tolist() == [6, 6, 6]


def test_nothing_answered():
    """Where no tier answered, nothing is returned and the quality is 0."""
    made = recording([[0, 0]], [1, 2], names=["nano", "top"], answered=np.zeros((1, 2), bool))
    found = simulate(NANO_TOP, made, Scores({0: [1.0]}))
    assert (found.returned.tolist(), found.quality.tolist()) == ([-1], [0])


def test_a_witness_lets_an_earlier_answer_stand():
    """A witness is paid, and what it lets stand is the answer that it was asked about."""
    made = recording(
        [[1, 0, 0], [0, 0, 1]], [10, 4, 100], names=["nano", "peer", "top"]
    ).with_tiers(["nano", "top"], ["peer"])
    plan = Plan((Step("nano", threshold=0.9), Step("peer", "nano", threshold=0.6), Step("top")))
    scores = Scores({0: [0.5, 0.5]}, by_state={((0, 2), 0): [0.8, 0.3]})
    found = simulate(plan, made, scores)
    assert found.returned.tolist() == [0, 1]
    assert found.cost_pusd.tolist() == [14, 114]
    assert str(plan) == "nano >= 0.9 → peer on nano >= 0.6 → top"


def test_a_gate_skips_the_steps_below():
    """Where the gate is shut the request begins higher up; no signal leaves it open."""
    plan = Plan(NANO_TOP.steps, Gate("top", 0.4))
    scores = Scores({0: [1, 1, 1, 1]}, gates={0: [0.4, 0.1, np.nan, 0.9]})
    found = simulate(plan, two(), scores)
    assert found.returned.tolist() == [0, 1, 0, 0]
    assert found.cost_pusd.tolist() == [10, 200, 10, 10]
    assert str(plan) == "[top where P < 0.4] nano >= 0.5 → top"


@pytest.mark.parametrize(
    ("steps", "gate", "words"),
    [
        ((), None, "one or more steps"),
        ((Step("a"), Step("a")), None, "each tier asked once"),
        ((Step("a", "b"), Step("b")), None, "returned before it is asked"),
        ((Step("a"), Step("b", "a")), None, "the last step must be a tier that answers"),
        ((Step("a"), Step("b")), Gate("a", 0.5), "its gate begins at 'a'"),
    ],
)
def test_plans_that_cannot_work(steps, gate, words):
    """A plan that asks twice, judges what is not there, or begins nowhere is refused."""
    with pytest.raises(ConfigError, match=words):
        Plan(steps, gate)


def test_a_plan_reads_back():
    """A plan survives its JSON, and its digest with it."""
    plan = Plan(
        (Step("nano", threshold=0.5), Step("w", "nano", 0.7), Step("top")), Gate("top", 0.2)
    )
    again = Plan.from_dict(plan.to_dict())
    assert again == plan
    assert again.digest == plan.digest != NANO_TOP.digest
    with pytest.raises(ConfigError, match="is no plan"):
        Plan.from_dict({"steps": [{"ask": "nano"}]})


def test_missing_tiers_are_named():
    """A plan over tiers that were not recorded says which."""
    with pytest.raises(RecordingError, match="holds no 'mini'; it has 'nano', 'top'"):
        check_tiers(Plan((Step("mini"),)), two())
