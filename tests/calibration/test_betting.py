"""The betting test is valid for graded, weighted and grouped losses."""

import numpy as np
import pytest
from scipy.stats import binom

from cascade.calibration.proof.betting import betting_bound, betting_p
from cascade.errors import ConfigError

DELTA = 0.05
RUNS = 500

ON_MARGIN = {
    "rare harm": lambda rng, n, eps: (rng.random(n) < eps).astype(float),
    "harm and gain": lambda rng, n, eps: rng.choice(
        [-1.0, 0.0, 1.0], n, p=[0.1, 0.8 - eps, 0.1 + eps]
    ),
    "graded": lambda rng, n, eps: rng.beta(1, 1 / eps - 1, n),
}


@pytest.mark.parametrize("epsilon", [0.02, 0.1])
@pytest.mark.parametrize("draw", ON_MARGIN.values(), ids=ON_MARGIN)
def test_a_policy_on_the_margin_is_certified_in_5_percent_at_most(draw, epsilon):
    """With a true loss of exactly epsilon, looking after every request, few runs certify."""
    rng = np.random.default_rng(0)
    certified = sum(betting_p(draw(rng, 300, epsilon), epsilon) <= DELTA for _ in range(RUNS))
    assert certified <= binom.isf(1e-4, RUNS, DELTA)


def test_weights_that_go_with_harm_are_heard():
    """Where heavy requests are the harmful ones, the weighted promise is broken and not certified.

    Unweighted, one request in a hundred is harmed; each weighs four times the others, so that the
    weighted loss is 4 %.
    """
    rng = np.random.default_rng(1)
    certified = plain = 0
    for _ in range(200):
        loss = (rng.random(800) < 0.01).astype(float)
        weights = np.where(loss > 0, 4.0, 0.96)
        certified += betting_p(loss, 0.0388, weights=weights, heaviest=4.0) <= DELTA
        plain += betting_p(loss, 0.0388) <= DELTA
    assert certified <= binom.isf(1e-4, 200, DELTA)
    assert plain > 150


def test_losses_well_below_the_margin_are_certified():
    """A graded loss of 1 % certifies 5 % from a few hundred labels on."""
    loss = np.random.default_rng(2).beta(1, 99, 400)
    assert betting_p(loss, 0.05) < 0.01


def test_a_gain_all_along_certifies_a_margin_below_zero():
    """A policy that is better on every graded label is certified to be better."""
    assert betting_p(np.full(200, -0.2), -0.1) < 0.05


def test_nothing_is_learnt_from_nothing():
    """Without labels the p-value is 1."""
    assert betting_p(np.zeros(0), 0.02) == 1.0


def test_an_early_win_counts():
    """What was certified on the way stays certified, unless all in all the promise looks broken."""
    early, late = np.zeros(400), np.ones(5)
    assert betting_p(np.concatenate([early, late]), 0.02) == betting_p(early, 0.02) < 0.05
    assert betting_p(np.concatenate([early, np.ones(9)]), 0.02) == 1.0


@pytest.mark.parametrize("loss", [[0.0, 1.2], [0.0, np.nan], [-1.01]])
def test_losses_that_are_none_are_refused(loss):
    """A loss beyond 1, or not known, is refused."""
    with pytest.raises(ConfigError, match="outside"):
        betting_p(np.array(loss), 0.02)


def test_bad_weights_and_margins_are_refused():
    """Weights of nothing, weights without a bound, and margins in points are refused."""
    loss = np.zeros(3)
    with pytest.raises(ConfigError, match="above 0"):
        betting_p(loss, 0.02, weights=np.array([1.0, 0.0, 1.0]), heaviest=1)
    with pytest.raises(ConfigError, match="heaviest"):
        betting_p(loss, 0.02, weights=np.array([1.0, 2.0, 1.0]))
    with pytest.raises(ConfigError, match="share"):
        betting_p(loss, 2.0)


def test_a_rare_heavy_loss_that_was_not_seen_is_allowed_for():
    """With the bound chosen beforehand, a sample without heavy losses does not certify too often.

    One loss in 500 weighs 200 times the others, so that its weighted mean is above 11 %.
    """
    rng = np.random.default_rng(4)
    certified = 0
    for _ in range(200):
        heavy = rng.random(400) < 0.002
        weights, loss = np.where(heavy, 200.0, 1.0), np.where(heavy, 0.4, 0.0)
        certified += betting_p(loss, 0.05, weights=weights, heaviest=200) <= DELTA
    assert certified <= binom.isf(1e-4, 200, DELTA)


def test_weights_above_the_bound_count_as_the_bound():
    """The promise is on the mean with weights cut off there."""
    loss = np.random.default_rng(5).beta(1, 99, 300)
    weights = np.where(np.arange(300) % 2, 1.0, 9.0)
    cut = np.minimum(weights, 3)
    found = betting_p(loss, 0.05, weights=weights, heaviest=3)
    assert found == betting_p(loss, 0.05, weights=cut, heaviest=3)


def test_the_bound_is_where_the_test_turns():
    """The bound certifies, a hair below it does not."""
    loss = np.random.default_rng(3).beta(1, 99, 500)
    bound = betting_bound(loss, DELTA)
    assert betting_p(loss, bound) <= DELTA < betting_p(loss, bound - 1e-4)
    assert bound > loss.mean()
