"""Exact intervals say what their counts carry."""

import pytest
from scipy.stats import binomtest

from cascade.calibration.proof.intervals import clopper_pearson, net_harm_bound, net_harm_interval
from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.errors import ConfigError


@pytest.mark.parametrize(("count", "n"), [(0, 30), (30, 30), (1, 7), (12, 400)])
def test_the_interval_of_a_share_is_clopper_and_pearsons(count, n):
    """It is what scipy's exact interval says."""
    expected = binomtest(count, n).proportion_ci(0.95, "exact")
    assert clopper_pearson(count, n) == pytest.approx((expected.low, expected.high))


def test_a_count_beyond_n_is_refused():
    """A share above one is no share."""
    with pytest.raises(ConfigError, match="count within n"):
        clopper_pearson(3, 2)


@pytest.mark.parametrize("counts", [(0, 0, 60), (3, 1, 400), (10, 14, 400), (0, 30, 400)])
def test_a_bound_is_the_least_margin_that_certifies(counts):
    """At the bound the test rejects, a hair below it does not."""
    bound = net_harm_bound(*counts, 0.05)
    assert noninferiority_p(*counts, bound) <= 0.05
    assert noninferiority_p(*counts, bound - 1e-4) > 0.05
    assert bound > (counts[0] - counts[1]) / counts[2]


def test_nothing_but_harm_has_no_bound():
    """Where every label is a harm the bound is the whole."""
    assert net_harm_bound(400, 0, 400, 0.05) == 1.0


def test_an_interval_is_the_same_from_both_sides():
    """Exchanging harm and gain turns the interval round."""
    low, high = net_harm_interval(9, 4, 300)
    assert low < 5 / 300 < high
    assert net_harm_interval(4, 9, 300) == pytest.approx((-high, -low))
