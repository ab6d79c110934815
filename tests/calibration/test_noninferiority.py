"""The exact non-inferiority test against a plain enumeration of all outcomes."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, multinomial

from cascade.calibration.proof.noninferiority import GAMMA, noninferiority_p, tango_score
from cascade.errors import ConfigError

MARGINS = (0.005, 0.01, 0.02, 0.05)


def enumerated(harm, gain, n, epsilon, gains):
    """P(score at most the observed one) for each share of gain, over all outcomes one by one."""
    outcomes = [(h, g) for h in range(n + 1) for g in range(n + 1 - h)]
    seen = tango_score(harm, gain, n, epsilon)
    extreme = np.array(
        [(h, g) for h, g in outcomes if tango_score(h, g, n, epsilon) <= seen + 1e-9]
    )
    columns = np.column_stack([extreme, n - extreme.sum(1)])
    return [
        multinomial.pmf(columns, n, [share + epsilon, share, 1 - 2 * share - epsilon]).sum()
        for share in gains
    ]


@st.composite
def counts(draw, most=40):
    n = draw(st.integers(1, most))
    harm = draw(st.integers(0, n))
    return harm, draw(st.integers(0, n - harm)), n


@settings(max_examples=40, deadline=None)
@given(counts(), st.sampled_from([0.01, 0.02, 0.05, 0.2]))
def test_a_p_value_is_the_worst_chance_over_all_outcomes(case, epsilon):
    """It is gamma plus the largest enumerated chance over the interval of gain's share."""
    harm, gain, n = case
    low = beta.ppf(GAMMA / 2, gain, n - gain + 1) if gain else 0.0
    high = beta.ppf(1 - GAMMA / 2, gain + 1, n - gain) if gain < n else 1.0
    most = (1 - epsilon) / 2 - 1e-12
    grid = np.linspace(min(low, most), min(high, most), 65)
    expected = min(1.0, GAMMA + max(enumerated(harm, gain, n, epsilon, grid)))
    assert noninferiority_p(harm, gain, n, epsilon) == pytest.approx(expected, rel=2e-3)


@settings(max_examples=200, deadline=None)
@given(counts(2_000), st.sampled_from(MARGINS))
def test_more_harm_and_less_gain_never_look_better(case, epsilon):
    """The score grows with harm and falls with gain, without which the test would not be valid."""
    harm, gain, n = case
    here = tango_score(harm, gain, n, epsilon)
    if harm + gain < n:
        assert tango_score(harm + 1, gain, n, epsilon) >= here - 1e-9
        assert tango_score(harm, gain + 1, n, epsilon) <= here + 1e-9
    if harm:
        assert tango_score(harm - 1, gain, n, epsilon) <= here + 1e-9


@settings(max_examples=60, deadline=None)
@given(counts(1_500), st.sampled_from(MARGINS))
def test_p_grows_with_harm(case, epsilon):
    """One harm more is never better evidence."""
    harm, gain, n = case
    if harm + gain < n:
        more = noninferiority_p(harm + 1, gain, n, epsilon)
        assert more >= noninferiority_p(harm, gain, n, epsilon) - 1e-6


@pytest.mark.parametrize(
    ("epsilon", "n"), [(0.05, 60), (0.03, 100), (0.02, 151), (0.01, 303), (0.005, 606)]
)
def test_labels_without_harm_that_certify(epsilon, n):
    """Sixty labels without a harm carry 5 points, 151 carry 2 and 303 carry 1; not one fewer."""
    assert noninferiority_p(0, 0, n, epsilon) <= 0.05
    assert noninferiority_p(0, 0, n - 1, epsilon) > 0.05


def test_all_right_or_all_wrong():
    """Nothing but harm certifies nothing; nothing but gain certifies any margin."""
    assert noninferiority_p(400, 0, 400, 0.02) == pytest.approx(1.0)
    assert noninferiority_p(0, 400, 400, 0.02) == pytest.approx(GAMMA, abs=1e-6)
    assert noninferiority_p(0, 0, 1, 0.02) > 0.9


def test_large_counts_stay_probabilities():
    """At 10,000 requests with hundreds of harms and gains nothing overflows or cancels."""
    for harm, gain in [(300, 200), (2_000, 1_900), (0, 0), (9_999, 1), (5_000, 5_000)]:
        assert GAMMA <= noninferiority_p(harm, gain, 10_000, 0.02) <= 1


def test_a_margin_below_zero_asks_for_more():
    """With 0 < epsilon the same counts are weaker evidence than they are with a wider margin."""
    ps = [noninferiority_p(2, 12, 300, epsilon) for epsilon in (-0.02, -0.01, 0.0, 0.01, 0.02)]
    assert ps == sorted(ps, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((3, 4, 6, 0.02), "counts within n"),
        ((-1, 0, 6, 0.02), "counts within n"),
        ((0, 0, 0, 0.02), "counts within n"),
        ((0, 0, 6, 2.0), "share in"),
        ((0, 0, 6, float("nan")), "share in"),
    ],
)
def test_impossible_counts_are_refused(arguments, word):
    """Counts beyond n and margins given in points are refused by name."""
    with pytest.raises(ConfigError, match=word):
        noninferiority_p(*arguments)


def test_gamma_must_be_a_share():
    """A gamma that spends nothing or everything is refused."""
    with pytest.raises(ConfigError, match="gamma"):
        noninferiority_p(0, 0, 10, 0.02, gamma=0.0)


def test_it_is_not_slow():
    """A p-value at 2,000 requests takes a fraction of what a person notices, even on a busy day."""
    start = time.process_time()
    noninferiority_p(60, 40, 2_000, 0.02)
    assert time.process_time() - start < 0.2
