"""What a scorer is worth: what it costs, what it catches, and what would be without it."""

from __future__ import annotations

import numpy as np
import pytest

from cascade.calibration import Gate, Plan, Step, simulate
from cascade.calibration.comparing.net_value import net_values
from cascade.calibration.comparing.pairs import pairs_of
from cascade.calibration.money import PER_USD, UNKNOWN
from tests.calibration.builders import Scores, recording

PLAN = Plan((Step("nano", threshold=0.5), Step("top")))


def dollars(*amounts):
    return [int(amount * PER_USD) for amount in amounts]


def value_of(quality, scores, *, cost=(1, 10), price=0.0, plan=PLAN):
    made = recording(quality, dollars(*cost), names=["nano", "top"])
    source = Scores({0: scores}, costs={((0,), 0): int(price * PER_USD)})
    found = simulate(plan, made, source)
    return net_values(plan, made, source, found)


def test_a_scorer_that_catches_what_is_wrong():
    """Caught and missed, right and wrong, and what equal quality costs without it, by hand."""
    (found,) = value_of([[1, 1], [0, 1], [0, 1], [1, 1]], [0.9, 0.1, 0.6, 0.2], price=0.1)
    assert (found.judged, found.accepted) == (4, 2)
    assert (found.caught, found.false_rejects, found.false_accepts) == (1, 1, 1)
    assert str(found.cost_usd) == "0.4"
    accept, drop = found.alternatives
    assert (accept.what, accept.cost_usd, accept.quality) == ("accept all at nano", 1, 0.5)
    assert (drop.what, drop.cost_usd, drop.quality) == ("drop nano", 10, 1)
    assert found.cost_without_usd == pytest.approx(5.5)  # half of the requests to each
    assert found.net_usd == pytest.approx(5.5 - (1.1 + 5))
    assert not found.is_worth_it


def test_a_scorer_that_knows_is_worth_its_price():
    """Perfect scores reach the top's quality for less than any mix does."""
    (found,) = value_of([[1, 1], [0, 1], [1, 1], [1, 1]], [0.9, 0.1, 0.6, 0.8])
    assert found.net_usd == pytest.approx(10 - 3.5)
    assert found.is_worth_it


def test_a_scorer_beside_a_cheap_tier_that_is_better_loses():
    """Where accepting everything is cheaper and better, that is said in dollars."""
    (found,) = value_of([[1, 0], [1, 0], [1, 1], [1, 1]], [0.1, 0.1, 0.9, 0.9])
    assert found.cost_without_usd == 1
    assert found.net_usd == pytest.approx(1 - 6)


def test_a_scorer_is_worth_no_more_than_the_best_pair_without_it():
    """Where two other tiers reach the plan's quality for less than mixing, they are compared."""
    quality = [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]
    made = recording(quality, dollars(1, 2, 10), names=["nano", "mini", "top"])
    source = Scores({0: [0.9, 0.1, 0.1, 0.1], 1: [0.9, 0.9, 0.1, 0.1]})
    plan = Plan((Step("nano", threshold=0.5), Step("top")))
    found = simulate(plan, made, source)
    (alone,) = net_values(plan, made, source, found)
    assert (alone.cost_without_usd, alone.without) == (10, "drop nano")
    (beside,) = net_values(plan, made, source, found, pairs=pairs_of(made, source))
    assert (beside.cost_without_usd, beside.without) == (7, "mini >= 0.9 → top")
    assert beside.net_usd == pytest.approx(7 - 8.5)
    assert not beside.is_worth_it


def test_pairs_that_use_a_scorer_do_not_speak_against_it():
    """A pair that begins with the same tier is judged by the same scorer."""
    made = recording([[1, 1], [0, 1]], dollars(1, 10), names=["nano", "top"])
    source = Scores({0: [0.9, 0.1]})
    found = simulate(PLAN, made, source)
    (value,) = net_values(PLAN, made, source, found, pairs=pairs_of(made, source))
    assert value.without == "drop nano"


def test_a_mix_names_what_it_mixes():
    """What is drawn by lot is said; the cheapest single model is said as it is."""
    (found,) = value_of([[1, 1], [0, 1], [0, 1], [1, 1]], [0.9, 0.1, 0.6, 0.2], price=0.1)
    assert found.without == "accept all at nano or drop nano, by lot"


def test_a_witness_costs_its_answers_and_can_be_dropped():
    """The answers bought as evidence are part of what the step costs."""
    made = recording(
        [[1, 0, 1], [0, 0, 1]], dollars(1, 0.5, 10), names=["nano", "peer", "top"]
    ).with_tiers(["nano", "top"], ["peer"])
    plan = Plan((Step("nano", threshold=0.9), Step("peer", "nano", 0.6), Step("top")))
    source = Scores({0: [0.5, 0.5]}, by_state={((0, 2), 0): [0.8, 0.3]})
    first, second = net_values(plan, made, source, simulate(plan, made, source))
    assert str(second.cost_usd) == "1"
    assert (second.caught, second.false_rejects, second.false_accepts) == (1, 0, 0)
    assert [other.what for other in second.alternatives] == ["drop peer"]
    assert [other.what for other in first.alternatives] == ["accept all at nano", "drop nano"]
    assert first.alternatives[1].cost_usd == 10  # the witness on nano goes with it


def test_a_gate_goes_with_its_first_step():
    """Without the step that a gate guards there is nothing to guard."""
    plan = Plan((Step("nano", threshold=0.5), Step("top")), Gate("top", 0.5))
    made = recording([[1, 1], [0, 1]], dollars(1, 10), names=["nano", "top"])
    source = Scores({0: [0.9, 0.9]}, gates={0: [0.9, 0.1]})
    (found,) = net_values(plan, made, source, simulate(plan, made, source))
    assert (found.judged, found.accepted) == (1, 1)
    assert found.alternatives[1].cost_usd == 10


def test_what_cannot_be_told_says_why():
    """An alternative that asks an unknown cost has none, and the plan itself still has its value."""
    cost = np.array([dollars(1, 10), [PER_USD, UNKNOWN]])
    made = recording([[1, 1], [1, 1]], cost, names=["nano", "top"])
    source = Scores({0: [0.1, 0.9]})
    (found,) = net_values(PLAN, made, source, simulate(PLAN, made, source))
    assert found.alternatives[1].cost_usd is None
    assert "not known" in found.alternatives[1].reason
    three = recording([[1, 1, 1]] * 2, dollars(1, 2, 3), names=["a", "b", "c"])
    plan = Plan((Step("a", threshold=0.5), Step("b", threshold=0.5), Step("c")))
    only = Scores({}, by_state={((0,), 0): [0.1, 0.1], ((0, 1), 1): [0.9, 0.1]})
    only._by_tier = {9: np.zeros(2)}
    first, _ = net_values(plan, three, only, simulate(plan, three, only))
    assert "no scores for tier 1" in first.alternatives[1].reason


def test_where_nothing_can_be_told_there_is_no_value():
    """Neither alternatives nor single models are known: no cost without, and it counts as worth it."""
    quality = [[1, 1], [np.nan, 1]]
    cost = np.array([[PER_USD, UNKNOWN], [PER_USD, PER_USD]])
    made = recording(quality, cost, names=["nano", "top"])
    source = Scores({0: [0.9, 0.1]})
    (found,) = net_values(PLAN, made, source, simulate(PLAN, made, source))
    assert (found.cost_without_usd, found.net_usd) == (None, None)
    assert found.is_worth_it


def test_the_judge_is_named_as_its_source_says():
    """Where a learned model judges, the recorded scorer's name is not shown."""
    made = recording([[1, 1], [0, 1]], [10, 200], names=["nano", "top"])

    class Named(Scores):
        def judge(self, asks):
            return f"judge of {asks}"

    plan = Plan((Step("nano", threshold=0.5), Step("top")))
    for source, name in ((Named({0: [1, 0]}), "judge of 0"), (Scores({0: [1, 0]}), "")):
        [value] = net_values(plan, made, source, simulate(plan, made, source))
        assert value.scorer == name


def test_noise_is_no_value():
    """Ways that cost the same differ by nothing, not by the rounding of a floating sum."""
    quality = np.ones((7, 3))
    plan = Plan((Step("nano", threshold=0.5), Step("mini", threshold=0.5), Step("top")))
    source = Scores({0: [0.9] * 7, 1: [0.9] * 7})
    for cost in range(1, 40):
        made = recording(quality, [cost, 2 * cost, 9 * cost], names=["nano", "mini", "top"])
        found = simulate(plan, made, source)
        values = net_values(plan, made, source, found, pairs=pairs_of(made, source))
        assert [one.net_usd for one in values] == [0, 0]
