"""Everything simpler that a plan is compared with, by hand and against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade import Chain, Tier
from cascade.calibration import Gate, Plan, RecordedScores, Step, simulate
from cascade.calibration.comparing.baselines import Simpler, baselines
from cascade.calibration.comparing.bootstrap import Bootstrap
from cascade.calibration.comparing.oracles import oracle_cascade, oracle_router
from cascade.calibration.comparing.pairs import pairs_of
from cascade.calibration.money import PER_USD, UNKNOWN, in_usd
from cascade.errors import RecordingError
from tests.calibration.builders import Scores, recording

NAMES = ["nano", "mini", "top"]
QUALITY = [[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0, 0, 0]]


def usd(*dollars):
    return [int(amount * PER_USD) for amount in dollars]


def made(**given):
    """Five requests: nano is right twice, mini twice, the top four times."""
    given.setdefault("quality", QUALITY)
    quality = given.pop("quality")
    cost = given.pop("cost", usd(1, 4, 20))
    return recording(quality, cost, names=NAMES, **given)


SCORES = Scores({0: [0.9, 0.2, 0.4, 0.8, 0.1], 1: [0.9, 0.8, 0.3, 0.2, 0.1]})


def table(chosen_cost, chosen_quality, recorded=None, source=SCORES):
    recorded = recorded or made()
    boot = Bootstrap(recorded.groups, recorded.weights, resamples=50)
    simpler = Simpler(recorded, source)
    found = baselines(simpler, cost=chosen_cost, quality=chosen_quality, boot=boot)
    return {one.name: one for one in found}


def test_all_baselines_by_hand():
    """Each stands at the cost and quality that its definition gives."""
    found = table(13.0, 0.8)
    at = {
        n: b.cost and (round(b.cost.value, 6), round(b.quality.value, 6)) for n, b in found.items()
    }
    assert at == {
        "always cheapest": (1, 0.4),
        "always top": (20, 0.8),
        "best single at equal cost": (1, 0.4),
        "best single at equal quality": (20, 0.8),
        "random mixing at equal cost": (13, round(0.4 + 0.4 * 12 / 19, 6)),
        "random mixing at equal quality": (20, 0.8),
        "best pair at equal cost": (13, 0.8),
        "best pair at equal quality": (13, 0.8),
        "oracle router": (pytest.approx((1 + 4 + 20 + 1 + 1) / 5), 0.8),
        "oracle cascade": (pytest.approx((1 + 5 + 25 + 1 + 1) / 5), 0.8),
    }
    assert str(found["best pair at equal quality"].plan) == "nano >= 0.8 → top"
    for one in found.values():
        assert one.cost.low <= one.cost.value <= one.cost.high
        assert one.quality.low <= one.quality.value <= one.quality.high


def test_what_does_not_exist_says_why():
    """Below the cheapest model's cost and above the best quality there is nothing simpler."""
    found = table(0.5, 0.95)
    assert found["best single at equal cost"].reason == "every single model costs more"
    assert found["best single at equal quality"].reason == "no single model is so good"
    assert found["best pair at equal quality"].reason == "no pair is so good"
    assert found["random mixing at equal cost"].cost is None


def test_one_tier_has_no_pair():
    """With a single tier the pair is missing and the rest is that tier."""
    one = recording([[1], [0]], usd(1), names=["nano"])
    found = table(1.0, 0.5, one, Scores({0: [0.5, 0.5]}))
    assert found["best pair at equal cost"].reason == "there is one tier only"
    assert found["always cheapest"].cost.value == found["always top"].cost.value == 1
    assert found["oracle router"].quality.value == 0.5


def test_without_scores_a_pair_says_what_is_missing():
    """A recording without scorers cannot tell a cascade's quality, and says so."""
    found = table(13.0, 0.8, source=RecordedScores(made()))
    assert "no scorer was recorded there" in found["best pair at equal cost"].reason


def test_a_plan_that_is_a_pair_is_among_the_pairs():
    """With its own threshold, which no score may equal, and though its first tier costs more."""
    made_ = made(cost=usd(8, 4, 20))
    source = Scores({0: [0.3] * 5, 1: [0.3] * 5})
    plan = Plan((Step("nano", threshold=0.5), Step("mini")))
    assert pairs_of(made_, source).names == (("nano", "top"), ("mini", "nano"), ("mini", "top"))
    found = pairs_of(made_, source, plan=plan)
    place = found.names.index(("nano", "mini")) + 1
    assert (found.names[place], found.threshold[place]) == (("nano", "mini"), 0.5)
    assert (found.cost[place], found.quality[place]) == pytest.approx((12, 0.4))
    longer = Plan((Step("nano", threshold=0.5), Step("mini", threshold=0.5), Step("top")))
    gated = Plan(plan.steps, Gate("mini", 0.5))
    for other in (longer, gated, Plan((Step("nano"),))):
        assert ("nano", "mini") not in pairs_of(made_, source, plan=other).names


def test_pairs_keep_to_the_policy_of_the_chain():
    """An answer that ends a request by the policy ends it in a pair as well."""
    usable = np.array([[1, 1, 1]] * 4 + [[0, 1, 1]], bool)
    recorded = made(usable=usable)
    stands = np.zeros((5, 3), bool)
    stands[4, 0] = True
    found = pairs_of(recorded, SCORES, stands=stands)
    for place, (first, second) in enumerate(found.names):
        plan = Plan((Step(first, threshold=float(found.threshold[place])), Step(second)))
        told = simulate(plan, recorded, SCORES, stands=stands)
        assert in_usd(told.cost_pusd).mean() == pytest.approx(found.cost[place])
        assert told.quality.mean() == pytest.approx(found.quality[place])


def test_tiers_without_scores_are_told_in_one_line():
    """One line for all tiers that begin no pair for the same reason, and it says what helps."""
    many = recording(np.ones((3, 8)), [1] * 8)
    (reason,) = pairs_of(many, RecordedScores(many)).reasons
    assert reason == (
        "no pair begins with 't0', 't1', 't2' and 5 more: no scorer was recorded there; pass the "
        "chain, so that its scorer can run again"
    )
    tiers = [Tier(f"model-{name}", name=name) for name in ("t0", "t7")]
    chain = Chain(tiers, allow_unknown_prices=True)
    (reason,) = pairs_of(many, RecordedScores(many, chain)).reasons
    assert reason.startswith("no pair begins with 't1', 't2', 't3' and 3 more: no scorer")
    assert reason.endswith("the chain has no such tier, whose scorer could run again")


def test_a_tier_that_accepts_everything_begins_no_pair():
    """It is that tier alone, whatever would come after it."""
    found = pairs_of(made(), SCORES, unjudged=["nano", "top"])
    assert set(found.names) == {("mini", "top")}
    assert found.reasons == ()
    (reason,) = pairs_of(made(), SCORES, unjudged=NAMES).reasons
    assert reason.endswith("the chain accepts every answer")


def test_a_top_tier_that_is_worse_than_a_cheap_one():
    """The better cheap model is the best single at any quality, and the hull ends with it."""
    quality = [[1, 1, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1], [1, 1, 1]]
    simpler = Simpler(made(quality=quality), SCORES)
    assert simpler.mixing.corners.tolist() == [0]
    assert simpler.names[simpler.single_at(quality=0.7)] == "nano"
    found = table(20.0, 0.6, made(quality=quality))
    assert found["best single at equal quality"].what == "nano alone"
    assert found["random mixing at equal quality"].cost.value == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"cost": np.array([usd(1, 4, 20)] * 4 + [[1, 4, UNKNOWN]])},
            "nobody knows what 'top' cost in 1 of 5",
        ),
        ({"quality": [*QUALITY[:4], [0, np.nan, 0]]}, "quality of 1 of 5 answers of 'mini'"),
        (
            {
                "quality": [*QUALITY[:4], [0, np.nan, 0]],
                "answered": np.array([[1, 1, 1]] * 4 + [[1, 0, 1]], bool),
            },
            "'mini' was not asked 1 of 5 requests",
        ),
    ],
)
def test_what_is_not_known_is_named(changed, words):
    """A comparison needs every tier's answer, cost and quality for every request."""
    with pytest.raises(RecordingError, match=words):
        Simpler(made(**changed), SCORES)


# Against brute force -----------------------------------------------------------------------------


@st.composite
def small(draw):
    n, k = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    grid = st.lists(st.lists(st.integers(0, 4), min_size=k, max_size=k), min_size=n, max_size=n)
    costs = np.array(draw(grid), float) + 1
    quality = np.array(draw(grid), float) / 4
    return costs, quality


@settings(max_examples=60)
@given(small())
def test_oracles_are_optimal(world):
    """No choice of one option per request is cheaper than the oracle's curve at its quality."""
    costs, quality = world
    n, k = costs.shape
    for oracle, options in (
        (oracle_router(costs, quality, np.ones(n)), costs),
        (oracle_cascade(costs, quality, np.ones(n)), costs.cumsum(axis=1)),
    ):
        rows = np.arange(n)
        for choice in itertools.product(range(k), repeat=n):
            cost, right = options[rows, choice].mean(), quality[rows, choice].mean()
            assert oracle.cost_at(right) <= cost + 1e-9
        assert oracle.best_quality.tolist() == quality.max(axis=1).tolist()
        assert oracle.cost[-1] == pytest.approx(oracle.best_cost.mean())
        assert (np.diff(oracle.cost) >= 0).all()


@settings(max_examples=40)
@given(small(), st.integers(0, 2**16))
def test_pairs_cost_what_their_plans_do(world, seed):
    """Cost and quality of every pair and threshold are those of simulating it."""
    costs, quality = world
    n, k = costs.shape
    rng = np.random.default_rng(seed)
    can = rng.random((n, k)) < 0.8
    answered = can | (rng.random((n, k)) < 0.5)
    names = [f"t{place}" for place in range(k)]
    recorded = recording(
        quality * answered, (costs * PER_USD).astype(np.int64), names=names, usable=can,
        answered=answered,
    )  # fmt: skip
    score = {at: rng.choice([0.0, 0.5, 0.5, 0.7, np.nan], n) for at in range(k)}
    source = Scores(score, costs={((0,), 0): PER_USD})
    found = pairs_of(recorded, source)
    for place, (first, second) in enumerate(found.names):
        plan = Plan((Step(first, threshold=float(found.threshold[place])), Step(second)))
        told = simulate(plan, recorded, source)
        assert in_usd(told.cost_pusd).mean() == pytest.approx(found.cost[place])
        assert told.quality.mean() == pytest.approx(found.quality[place])


def test_an_oracle_reaches_no_more_than_there_is():
    """Above the best of all answers there is no cost."""
    oracle = oracle_router(np.ones((2, 1)), np.array([[1.0], [0.0]]), np.ones(2))
    assert oracle.cost_at(0.6) is None


def test_thousands_of_thresholds_are_thinned():
    """Of very many distinct scores some two thousand are tried, the ends among them."""
    n = 5000
    scores = np.linspace(0, 1, n)
    recorded = recording(np.ones((n, 2)), [1, 2], names=["a", "b"])
    found = pairs_of(recorded, Scores({0: scores}))
    assert len(found.threshold) == 2000
    assert (found.threshold[0], found.threshold[-1]) == (1, 0)


def test_the_oracle_cascade_climbs_from_the_cheapest():
    """Whatever order the tiers were recorded in, it asks the cheapest first."""
    ladder = made()
    turned = ladder.with_tiers(["top", "mini", "nano"])
    boot = Bootstrap(ladder.groups, ladder.weights, resamples=50)
    found = [
        baselines(Simpler(one, SCORES, top="top"), cost=13.0, quality=0.8, boot=boot)[-1]
        for one in (ladder, turned)
    ]
    assert [one.name for one in found] == ["oracle cascade"] * 2
    assert found[0].cost.value == found[1].cost.value == pytest.approx((1 + 5 + 25 + 1 + 1) / 5)


def test_every_tier_with_gaps_is_named():
    """Whoever must record what is missing learns of all of it at once."""
    quality = np.array(QUALITY, float)
    quality[:2, 0], quality[0, 1] = np.nan, np.nan
    lacking = made(quality=quality, answered=~np.isnan(quality))
    with pytest.raises(
        RecordingError, match=r"'nano' was not asked 2 of 5 requests.*, nor 'mini' 1:"
    ):
        Simpler(lacking, SCORES)
