"""Promises are kept in simulated deployments, and the count that says so can fail.

`python -m benchmarks.guarantee` is the same at full size, on recorded models.
"""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.deployments import deployments, learn_path, population_of, populations, rule_names
from benchmarks.guarantee import SETS, Rows, tolerated
from cascade.calibration.proof.caution import cautious_order
from cascade.calibration.proof.certified_path import certify_path
from cascade.errors import NotCertifiable
from tests.calibration.builders import Scores, recording

DELTA = 0.05
TRIALS = 100
DATA = Path(__file__).parents[3] / "shared" / "data"
VALID = ("exact", "betting", "Clopper-Pearson")


def population(n, seed, **given):
    """Two tiers: the cheap one right in about 80 % of cases and sure of it, the top one in 93 %."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(1.6, 1.5, n)
    right = rng.random(n) < 1 / (1 + np.exp(-ability))
    top = rng.random(n) < 0.93
    scores = 1 / (1 + np.exp(-(ability + rng.normal(0, 1, n))))
    quality = np.column_stack([right, top]).astype(float)
    return recording(quality, [50, 1_000], names=["cheap", "top"], **given), scores


def counted(made, source_of, *, trials, sizes, margins, seed=0):
    """How many deployments broke their promise and how many certified, by rule, margin and n."""
    broken, certified = Counter(), Counter()
    rng = np.random.default_rng(seed)
    for one in islice(populations(made, source_of, seed), trials):
        for found in deployments(
            one, rng, sizes=sizes, margins=margins, delta=DELTA, rules=rule_names()
        ):
            key = found.rule, found.epsilon, found.n
            broken[key] += found.broken
            certified[key] += found.chosen > 0
    return broken, certified


@pytest.fixture(scope="module")
def simulated():
    made, scores = population(2_000, 1)
    return counted(
        made,
        lambda rows: Scores({0: scores[rows]}),
        trials=TRIALS,
        sizes=(100, 400),
        margins=(0.05, 0.02),
    )


@pytest.mark.parametrize("rule", VALID)
def test_promises_are_kept(simulated, rule):
    """In each cell a valid rule breaks no more promises than 5 % allow, by a binomial bound."""
    broken, _ = simulated
    most = binom.isf(1e-4, TRIALS, DELTA)
    assert all(broken[key] <= most for key in broken if key[0] == rule)


def test_choosing_without_a_test_fails_the_same_count(simulated):
    """Tuning on the labels that it is judged by breaks far more promises than 5 % allow."""
    broken, _ = simulated
    shares = [broken[key] / TRIALS for key in broken if key[0] == "no test"]
    assert min(shares) > tolerated(TRIALS)
    assert max(shares) > 0.3


def test_the_exact_test_certifies_most(simulated):
    """With 400 labels for 2 points it certifies a cheaper plan in most deployments."""
    _, certified = simulated
    shares = {rule: certified[rule, 0.02, 400] / TRIALS for rule in VALID}
    assert shares["exact"] > 0.8
    assert shares["exact"] >= max(shares.values())


def test_the_whole_way_keeps_its_promise():
    """`certify_path` on fresh recordings of a known population breaks at most 5 % of promises."""
    learn, learn_scores = population(600, 2)
    source = Scores({0: learn_scores})
    path = cautious_order(learn_path(learn, source), learn, source)
    big, big_scores = population(200_000, 3)
    truth = population_of(path, big, Scores({0: big_scores})).true_loss
    broken = certified = 0
    trials, epsilon = 100, 0.03
    for seed in range(trials):
        made, scores = population(150, 1_000 + seed)
        try:
            point = certify_path(path, made, Scores({0: scores}), epsilon=epsilon, delta=DELTA)
        except NotCertifiable:
            continue
        certified += 1
        broken += truth[path.index(point.plan)] > epsilon
    assert broken <= binom.isf(1e-4, trials, DELTA)
    assert certified > trials / 2


@pytest.mark.data
@pytest.mark.parametrize("name", ["bfcl"])
def test_promises_are_kept_on_recorded_models(name):
    """The same on recorded answers of real models, where choosing without a test fails again."""
    pytest.importorskip("sklearn")
    if not DATA.exists():
        pytest.skip(f"no recorded runs at {DATA}")
    from cascade.calibration.learning.learn import learn

    made = SETS[name](DATA)
    source = learn(made, seed=0).source
    trials = 25
    broken, certified = counted(
        made, lambda rows: Rows(source, rows), trials=trials, sizes=(200, 400), margins=(0.02,)
    )
    most = binom.isf(1e-4, trials, DELTA)
    for rule in VALID:
        assert all(broken[key] <= most for key in broken if key[0] == rule)
    assert max(broken[key] for key in broken if key[0] == "no test") > most
    assert certified["exact", 0.02, 400] >= 0.84 * trials
