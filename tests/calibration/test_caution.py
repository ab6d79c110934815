"""A path is put in an order that risks least first, without looking at what it is certified on."""

import numpy as np

from cascade.calibration import Gate, Plan, Step, simulate
from cascade.calibration.proof.caution import cautious_order
from tests.calibration.builders import Scores, recording

TOP = Plan((Step("top"),))


def plan(threshold):
    return Plan((Step("cheap", threshold=threshold), Step("top")))


def learned(n=200):
    """The cheap tier is right where its score is high; scores rise along the rows."""
    scores = np.linspace(0, 1, n)
    quality = np.column_stack([scores > 0.3, np.ones(n)]).astype(float)
    return recording(quality, [10, 100], names=["cheap", "top"]), Scores({0: scores})


def test_it_runs_from_the_top_tier_to_the_cheapest():
    """The top tier comes first, then ever cheaper plans; safer variants stand in front."""
    made, scores = learned()
    path = cautious_order([plan(0.2), plan(0.6), TOP, plan(0.4)], made, scores)
    assert path[0] == TOP
    assert path[-2:] == (plan(0.4), plan(0.2))
    thresholds = [one.steps[0].threshold for one in path[1:]]
    assert thresholds == sorted(thresholds, reverse=True)
    assert len(path) > 5
    costs = [simulate(one, made, scores).cost_pusd.sum() for one in path]
    assert costs == sorted(costs, reverse=True)


def test_plans_that_save_nothing_are_left_out():
    """What costs as much as the top tier, or more than a safer plan, is not tested."""
    made, scores = learned()
    dear = plan(0.99)  # asks the cheap tier and keeps next to nothing of it
    path = cautious_order([dear, plan(0.6), plan(0.4)], made, scores, in_front=False)
    assert path == (TOP, plan(0.4))  # 0.6 is dearer and as free of harm


def test_nothing_to_order():
    """Without a cheaper plan the top tier is left alone."""
    made, scores = learned()
    assert cautious_order([], made, scores) == (TOP,)
    assert cautious_order([TOP, plan(0.999)], made, scores) == (TOP,)


def test_a_constant_plan_has_no_safer_variant():
    """A model without a threshold cannot be made more careful."""
    made, scores = learned()
    assert cautious_order([Plan((Step("cheap"),))], made, scores)[1:] == (Plan((Step("cheap"),)),)


def test_a_gate_stays():
    """Safer variants begin where the plan begins."""
    scores = np.linspace(0, 1, 200)
    made, _ = learned()
    source = Scores({0: scores}, gates={0: scores})
    gated = Plan((Step("cheap", threshold=0.4), Step("top")), Gate("top", 0.2))
    path = cautious_order([gated], made, source)
    assert all(one.gate == gated.gate for one in path[1:])


def test_unknown_costs_leave_all_plans_in():
    """Where no cost is known nothing can be left out for its cost."""
    made, scores = learned()
    made.cost_pusd[:] = -1
    assert plan(0.4) in cautious_order([plan(0.4)], made, scores)
