"""Logistic regression with priors: exact where it can be checked, finite where it could run away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cascade.calibration.learning.logistic import fit_logistic, log_loss, logit, sigmoid


def fitted(x, y, spread=10.0, mean=0.0, **given_):
    d = x.shape[1]
    weights = given_.pop("weights", np.ones(len(x)))
    return fit_logistic(x, y, weights, mean=np.full(d, mean), spread=np.full(d, spread), **given_)


def test_the_intercept_of_a_share():
    """With a wide prior the intercept is the log-odds of the share."""
    y = np.repeat([1.0, 0.0], [30, 70])
    [found] = fitted(np.ones((100, 1)), y, spread=1e3)
    assert found == pytest.approx(np.log(3 / 7), abs=1e-4)


def test_it_is_scikit_learns_maximum():
    """The same optimum as another implementation of the same penalty."""
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    y = (x[:, 0] - x[:, 2] + rng.normal(size=200) > 0).astype(float)
    theirs = linear.LogisticRegression(C=0.25, fit_intercept=False, tol=1e-10).fit(x, y).coef_[0]
    assert fitted(x, y, spread=0.5) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_labels_leave_the_prior(n):
    """Without labels the weights are the prior's mean; a few move them little."""
    x, y = np.ones((n, 2)), np.ones(n)
    found = fit_logistic(x, y, np.ones(n), mean=np.array([2.0, -1.0]), spread=np.full(2, 0.1))
    assert found == pytest.approx([2.0, -1.0], abs=0.05)


def test_separable_answers_stay_finite():
    """Perfect separation has no maximum likelihood; the prior gives one."""
    x = np.linspace(-1, 1, 40)[:, None] * 1e3
    found = fitted(x, (x[:, 0] > 0).astype(float), spread=5.0)
    assert np.isfinite(found).all()
    assert found[0] > 0


def test_weights_count_like_copies():
    """An answer of weight 2 is the same answer twice."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 2)), rng.integers(0, 2, 30).astype(float)
    weights = rng.integers(1, 4, 30)
    copies = np.repeat(np.arange(30), weights)
    assert fitted(x, y, weights=weights.astype(float)) == pytest.approx(
        fitted(x[copies], y[copies]), abs=1e-6
    )


@settings(max_examples=50, deadline=None)
@given(
    x=arrays.arrays(float, (12, 3), elements=st.floats(-5, 5)),
    y=arrays.arrays(float, 12, elements=st.floats(0, 1)),
)
def test_the_slope_is_zero_at_the_optimum(x, y):
    """Whatever the data, no weight can be improved."""
    found = fitted(x, y, spread=1.0)
    slope = x.T @ (y - sigmoid(x @ found)) - found
    assert np.abs(slope).max() < 1e-3


def test_log_odds_and_back():
    """Log-odds are probabilities in another scale, certain ones included."""
    p = np.array([0.0, 1e-9, 0.3, 0.5, 1.0])
    assert sigmoid(logit(p)) == pytest.approx(p, abs=1e-9)
    assert sigmoid(np.array([-1e9, 1e9])) == pytest.approx([0, 1])


def test_log_loss():
    """Half the time wrong at even odds costs ln 2; nothing at all is unknown."""
    assert log_loss(np.zeros(4), np.array([0, 1, 0, 1.0]), np.ones(4)) == pytest.approx(np.log(2))
    assert np.isnan(log_loss(np.zeros(0), np.zeros(0), np.zeros(0)))
