"""A plan beside everything simpler in one value, and how far its scores can be believed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cascade.calibration import Gate, Plan, PlanPath, PlanPoint, Step, compare, search_plans
from cascade.calibration.comparing.as_data import as_data
from cascade.calibration.comparing.bootstrap import Bootstrap
from cascade.calibration.comparing.measures import DEFINITIONS
from cascade.calibration.comparing.reliability import reliability
from cascade.calibration.money import PER_USD, UNKNOWN
from cascade.calibration.plan import simulate
from cascade.cli.output import plain
from cascade.errors import RecordingError
from tests.calibration.builders import Scores, recording

NAMES = ["nano", "mini", "top"]


def dealt(n=300, seed=0, **given):
    """Requests of all kinds of difficulty, and scores that know half of it."""
    rng = np.random.default_rng(seed)
    ease = rng.random((n, 1))
    quality = (ease + np.array([0.0, 0.25, 0.45]) > rng.random((n, 3))).astype(float)
    scores = np.clip(0.5 * quality + 0.5 * rng.random((n, 3)), 0, 1)
    cost = (np.array([1, 4, 20]) * rng.uniform(0.5, 1.5, (n, 3)) * PER_USD).astype(np.int64)
    made = recording(quality, cost, names=NAMES, **given)
    return made, Scores({at: scores[:, at] for at in range(3)})


PLAN = Plan((Step("nano", threshold=0.5), Step("mini", threshold=0.5), Step("top")))
CHEAP = Plan((Step("nano", threshold=0.25), Step("mini", threshold=0.2), Step("top")))


def test_a_comparison_holds_everything():
    """Path, baselines, scorers, reliability and measures, all on the same requests."""
    made, source = dealt()
    path = search_plans(made, source, gates=False)
    found = compare(made, source, chosen=CHEAP, path=path, resamples=100)
    assert [point.plan for point in found.path] == [point.plan for point in path.points]
    for mine, theirs in zip(found.path, path.points, strict=True):
        assert mine.cost_usd == pytest.approx(theirs.cost_usd)
        assert mine.quality == pytest.approx(theirs.quality)
    assert found.chosen.plan == CHEAP
    assert [point.name for point in found.singles] == NAMES
    assert len(found.baselines) == 10
    assert (len(found.scorers), len(found.reliability)) == (2, 2)
    assert found.metrics.keys() == DEFINITIONS.keys()
    assert None not in found.metrics.values()
    assert found.top == "top"
    assert found.notes == ()
    loss = made.quality[:, 2] - found.chosen.outcomes.quality
    assert set(found.harm_rows) == set(np.flatnonzero(loss > 0).tolist())
    assert set(found.gain_rows) == set(np.flatnonzero(loss < 0).tolist())


def test_the_order_of_things():
    """The oracle is never dearer than the best pair, nor that than random mixing."""
    made, source = dealt()
    found = compare(made, source, chosen=CHEAP, resamples=50)
    at = {one.name: one for one in found.baselines}
    pair, mix = at["best pair at equal quality"].cost, at["random mixing at equal quality"].cost
    assert pair.value <= mix.value
    router, cascade = found.oracle_router, found.oracle_cascade
    assert router[-1].cost_usd <= cascade[-1].cost_usd
    assert router[-1].quality == pytest.approx(made.quality.max(axis=1).mean())
    assert len(router) <= 200
    assert 0 < found.metrics["gap_closed"] < 1
    assert found.metrics["cost_at_100"] <= 1


def test_without_a_plan_the_top_tier_is_the_measure():
    """Baselines stand beside always-top; what only a plan has is missing."""
    made, source = dealt()
    found = compare(made, source, resamples=20)
    assert found.chosen is None
    assert (found.scorers, found.reliability, found.harm_rows) == ((), (), ())
    assert found.metrics["retention"] is None
    assert found.metrics["cost_at_98"] is not None
    top = next(one for one in found.baselines if one.name == "always top")
    assert top.quality.value == pytest.approx(made.quality[:, 2].mean())


def test_one_tier_is_compared_with_itself():
    """A recording of one tier has a cost and a quality, no pair, no gap and no harm."""
    made = recording([[1], [0]], [PER_USD], names=["only"])
    found = compare(made, Scores({0: [0.5, 0.5]}), chosen=Plan((Step("only"),)), resamples=20)
    assert found.chosen.cost_ratio.value == 1
    assert found.metrics["apgr"] is None
    assert found.metrics["pgr"] is None
    assert found.metrics["gap_closed"] is None
    assert found.metrics["aiq"] is None


def test_it_is_data():
    """A comparison becomes JSON with plans, intervals and exact amounts."""
    made, source = dealt(40)
    found = compare(made, source, chosen=PLAN, resamples=20)
    data = json.loads(json.dumps(plain(found.to_dict()), allow_nan=False))
    assert data["chosen"]["plan"]["steps"][0]["asks"] == "nano"
    assert data["baselines"][1]["cost"]["value"] > 0
    assert data["metrics"]["retention"] > 0
    assert "outcomes" not in data["chosen"]


def test_plans_that_this_recording_cannot_decide_are_named():
    """A searched plan whose scores are missing here is left out with a note."""
    made, source = dealt(60)
    path = search_plans(made, source, gates=False)
    half = Scores({0: source.scores((0,), 0), 1: source.scores((1,), 1)})
    del half._by_tier[1]
    found = compare(
        made, half, chosen=Plan((Step("nano", threshold=0.5), Step("top"))), path=path, resamples=20
    )
    assert len(found.path) < len(path.points)
    assert any("no scores for tier 1" in note for note in found.notes)


def test_what_has_no_quality_cannot_be_compared():
    """Without labels the message says how many are missing."""
    made, source = dealt(20)
    blank = recording(np.full((20, 3), np.nan), [1, 2, 3], names=NAMES)
    with pytest.raises(RecordingError, match="quality of 20 of 20 answers of 'nano'"):
        compare(blank, source, chosen=PLAN)
    assert made is not blank


# Reliability -------------------------------------------------------------------------------------


def told(plan, made, source, resamples=200):
    boot = Bootstrap(made.groups, made.weights, resamples)
    return reliability(plan, made, source, simulate(plan, made, source), boot)


def test_scores_that_are_right_about_themselves():
    """Perfect scores have the ECE that so few answers show by chance, and it lies in its interval."""
    rng = np.random.default_rng(3)
    scores = rng.random(2000)
    quality = np.column_stack([rng.random(2000) < scores, np.ones(2000)])
    made = recording(quality, [1, 10], names=["nano", "top"])
    (step,) = told(Plan((Step("nano", threshold=0.7), Step("top"))), made, Scores({0: scores}))
    assert step.ece.value == pytest.approx(step.ece_null, abs=0.01)
    assert step.ece.low <= step.ece.value <= step.ece.high
    assert step.auroc == step.auroc_pooled == pytest.approx(5 / 6, abs=0.02)
    assert step.brier == pytest.approx(1 / 6, abs=0.01)
    assert (step.n, step.without_signal, len(step.bins)) == (2000, 0, 15)
    for one in step.bins:
        assert one.low <= one.predicted <= one.high
        assert one.observed.low <= one.observed.value <= one.observed.high
    assert sum(one.n for one in step.bins) == 2000


def test_only_what_reaches_a_step_counts():
    """Accepted requests are not judged further up; unusable answers and silence are told apart."""
    made = recording(
        [[1, 1, 1]] * 4,
        [1, 2, 3],
        names=NAMES,
        usable=np.array([[1, 1, 1]] * 3 + [[1, 0, 1]], bool),
    )
    source = Scores({0: [0.9, 0.1, 0.1, 0.1], 1: [0.1, 0.9, np.nan, 0.9]})
    first, second = told(PLAN, made, source)
    assert (first.n, second.n, second.without_signal) == (4, 1, 1)
    assert second.auroc is None


def test_overconfidence_shows_in_the_accepted_region():
    """Scores that claim 0.9 and keep 0.5 have an ECE of 0.4 there."""
    quality = np.array([[1, 1], [0, 1]] * 50, float)
    made = recording(quality, [1, 10], names=["nano", "top"])
    (step,) = told(
        Plan((Step("nano", threshold=0.5), Step("top"))), made, Scores({0: np.full(100, 0.9)})
    )
    assert step.ece_accepted == pytest.approx(0.4)
    assert step.ece.value == pytest.approx(0.4)
    assert step.auroc == 0.5


def test_equal_scores_are_one_bin():
    """No order of the rows shows, and the interval knows how few answers share a score."""
    quality = np.array([[1, 1]] * 60 + [[0, 1]] * 40, float)
    made = recording(quality, [1, 10], names=["nano", "top"])
    scores = np.where(np.arange(100) % 10, 1.0, 0.2)
    (step,) = told(Plan((Step("nano", threshold=0.5), Step("top"))), made, Scores({0: scores}))
    assert [(one.low, one.high, one.n) for one in step.bins] == [(0.2, 0.2, 10), (1, 1, 90)]
    (same,) = told(
        Plan((Step("nano", threshold=0.5), Step("top"))), made, Scores({0: np.ones(100)})
    )
    assert same.ece.value == pytest.approx(0.4)
    reach = 1.96 * np.sqrt(0.6 * 0.4 / 100)
    assert same.ece.high - same.ece.low == pytest.approx(2 * reach, rel=0.2)


def test_a_step_that_nothing_reaches_or_that_never_speaks():
    """Nothing to believe is no number; graded quality has wide, valid intervals."""
    made = recording([[0.5, 1, 1]] * 3, [1, 2, 3], names=NAMES)
    first, second = told(PLAN, made, Scores({0: [0.9] * 3, 1: [0.9] * 3}), resamples=20)
    assert first.bins[0].observed.low == 0
    assert first.bins[0].observed.value == 0.5
    assert (second.n, second.ece, second.ece_null, second.brier) == (0, None, None, None)
    silent, _ = told(PLAN, made, Scores({0: [np.nan] * 3, 1: [0.9] * 3}), resamples=20)
    assert (silent.n, silent.without_signal, silent.ece, silent.bins) == (0, 3, None, ())


def test_gated_requests_are_judged_where_they_begin():
    """Behind a shut gate a step sees its own requests, with the scores of that way in."""
    made = recording([[1, 1, 1], [0, 1, 1]], [1, 2, 3], names=NAMES)
    plan = Plan(PLAN.steps, Gate("mini", 0.5))
    source = Scores(
        {0: [0.1, 0.1], 1: [0.9, 0.9]}, by_state={((1,), 1): [0.3, 0.3]}, gates={0: [0.9, 0.1]}
    )
    _, mini = told(plan, made, source, resamples=20)
    assert mini.n == 2
    assert sorted((one.low, one.high) for one in mini.bins) == [(0.3, 0.3), (0.9, 0.9)]


def test_measures_that_need_scores_are_missing_without_them():
    """A recording without scorers has no APGR and no pair; all the rest is there."""
    made, _ = dealt(40)
    found = compare(made, resamples=20)
    assert found.metrics["apgr"] is None
    assert found.metrics["cost_at_98"] is not None
    assert any("no scorer was recorded there" in note for note in found.no_pairs)


def test_a_plan_over_an_unpriced_witness_is_named():
    """A searched plan whose cost is not known on this recording is left out with a note."""
    made = recording([[1, 1, 1]] * 3, [1, UNKNOWN, 3], names=["nano", "peer", "top"]).with_tiers(
        ["nano", "top"], ["peer"]
    )
    source = Scores({0: [0.5] * 3}, by_state={((0, 2), 0): [0.9] * 3})
    plan = Plan((Step("nano", threshold=0.9), Step("peer", "nano", 0.5), Step("top")))
    point = PlanPoint(plan, 1.0, 1.0, 1.0, (0.0, 1.0, 0.0), 2.0)
    path = PlanPath((point,), point, (), 1)
    found = compare(made, source, chosen=Plan((Step("nano"),)), path=path, resamples=20)
    assert found.path == ()
    assert "a cost or a quality on its way is not known" in found.notes[0]


def test_numbers_that_are_none_are_null():
    """JSON has no infinity."""
    assert as_data((float("inf"), float("nan"), 1.5, "x")) == [None, None, 1.5, "x"]
