"""Power and size of the exact test, by enumeration."""

import numpy as np
import pytest

from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.calibration.proof.power import chance_to_certify, critical_harm, power


def test_critical_counts_are_where_the_test_turns():
    """The critical count certifies and one harm more does not, for each count of gain."""
    gains = range(3, 9)
    for gain, harm in zip(gains, critical_harm(300, 0.02, 0.05, gains), strict=True):
        assert noninferiority_p(int(harm), gain, 300, 0.02) <= 0.05
        assert noninferiority_p(int(harm) + 1, gain, 300, 0.02) > 0.05


def test_too_few_labels_have_no_critical_count():
    """With 10 labels not even none of harm is enough."""
    assert critical_harm(10, 0.02, 0.05, range(1)).tolist() == [-1]


def test_all_gain_leaves_no_room_for_harm():
    """At the edge, where every request is a gain, the critical count is what is left."""
    assert critical_harm(60, 0.05, 0.05, range(60, 61)).tolist() == [0]


@pytest.mark.parametrize(
    ("epsilon", "harm", "gain", "n"),
    [(0.05, 0.0125, 0, 155), (0.05, 0.05, 0.025, 788), (0.02, 0.01, 0.005, 597),
     (0.01, 0.0025, 0, 783)],
)  # fmt: skip
def test_power_is_what_was_planned(epsilon, harm, gain, n):
    """The planned numbers of labels have a power of 0.8, within the steps that counts make."""
    assert power(n, epsilon, harm, gain) == pytest.approx(0.8, abs=0.08)


def test_power_is_the_share_of_simulated_tests_that_certify():
    """Ten thousand drawn outcomes certify as often as the power says."""
    n, epsilon, harm, gain = 400, 0.02, 0.01, 0.005
    drawn = np.random.default_rng(0).multinomial(n, [harm, gain, 1 - harm - gain], size=10_000)
    outcomes, times = np.unique(drawn[:, :2], axis=0, return_counts=True)
    certified = sum(
        count
        for (h, g), count in zip(outcomes, times, strict=True)
        if noninferiority_p(int(h), int(g), n, epsilon) <= 0.05
    )
    assert certified / 10_000 == pytest.approx(power(n, epsilon, harm, gain), abs=0.015)


@pytest.mark.parametrize("epsilon", [0.005, 0.01, 0.02, 0.05])
@pytest.mark.parametrize("n", [17, 60, 151, 240])
def test_the_size_is_at_most_delta(epsilon, n):
    """However large gain's share is, a policy on or past the margin certifies in at most 5 %."""
    gains = range(n + 1)
    critical = critical_harm(n, epsilon, 0.05, gains)
    most = (1 - epsilon) / 2
    share = most * np.linspace(0, 1, 400) ** 2
    for beyond in (0.0, 0.001, 0.02):
        harm = np.minimum(share + epsilon + beyond, 1 - share)
        assert chance_to_certify(critical, gains, n, harm, share).max() <= 0.05
