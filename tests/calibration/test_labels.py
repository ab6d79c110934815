"""Plans for labels agree with the test they plan for."""

import numpy as np
import pytest

from cascade.calibration.proof.labels import labels_by_formula, labels_without_harm, plan_labels
from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.calibration.proof.power import power
from cascade.errors import ConfigError, NotCertifiable


@pytest.mark.parametrize(
    ("epsilon", "n"), [(0.05, 60), (0.03, 100), (0.02, 151), (0.01, 303), (0.005, 606)]
)
def test_labels_where_no_harm_is_seen(epsilon, n):
    """The fewest labels without harm are those that the exact test needs."""
    assert labels_without_harm(epsilon) == n
    assert plan_labels(epsilon).requests == n


@pytest.mark.parametrize("delta", [0.03, 0.0076, 0.0019])
def test_a_smaller_error_needs_more_labels_and_never_none_at_all(delta):
    """Later attempts, whose error is below the usual gamma, can still be planned for."""
    n = labels_without_harm(0.02, delta)
    assert noninferiority_p(0, 0, n, 0.02, gamma=delta / 25) <= delta
    assert n > labels_without_harm(0.02)


@pytest.mark.parametrize(
    ("epsilon", "harm", "gain", "about"),
    [
        (0.05, 0.0125, 0, 155), (0.05, 0.025, 0.0125, 225), (0.02, 0.005, 0, 389), (0.02, 0.01, 0.005, 597), (0.01, 0.0025, 0, 783),
        (0.01, 0.005, 0.0025, 1153),
    ],
)  # fmt: skip
def test_plans_have_the_power_they_promise(epsilon, harm, gain, about):
    """The plan is near the known numbers, its power is reached, and one label fewer has less."""
    found = plan_labels(epsilon, harm, gain)
    assert found.requests == pytest.approx(about, rel=0.03)
    assert found.power_reached == pytest.approx(power(found.requests, epsilon, harm, gain))
    assert found.power_reached >= 0.8 > power(found.requests - 1, epsilon, harm, gain)
    assert labels_by_formula(epsilon, harm, gain) == pytest.approx(found.requests, rel=0.08)


def test_only_accepted_requests_need_a_label():
    """With 60 % kept below the top tier, 60 % of the requests need a label."""
    found = plan_labels(0.02, acceptance=0.6)
    assert (found.requests, found.labels) == (151, 91)


def test_large_plans_use_the_formula():
    """Where enumeration would take long the formula answers, and says so."""
    found = plan_labels(0.005, 0.0045, 0.002)
    assert found.power_reached is None
    assert found.requests == labels_by_formula(0.005, 0.0045, 0.002)


def test_what_no_number_of_labels_certifies_is_said():
    """Harm that exceeds gain by the margin or more is refused with the reason."""
    with pytest.raises(NotCertifiable, match="no number of labels") as caught:
        plan_labels(0.02, 0.03, 0.005)
    assert caught.value.labels_needed is None


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"epsilon": 2}, "epsilon"), ({"epsilon": 0.0}, "epsilon"), ({"delta": 1.0}, "delta"),
        ({"power": 80}, "power"), ({"harm": -0.1}, "harm"), ({"gain": float("nan")}, "gain"),
        ({"harm": 0.6, "gain": 0.6}, "together"), ({"acceptance": 0.0}, "acceptance"),
    ],
)  # fmt: skip
def test_numbers_that_are_no_shares_are_refused(arguments, name):
    """Points and percentages where a share is meant are refused by name."""
    with pytest.raises(ConfigError, match=name):
        plan_labels(**{"epsilon": 0.02, **arguments})


def test_planned_labels_certify_as_often_as_planned():
    """Drawn labels of the planned number certify in about four of five draws."""
    found = plan_labels(0.05, 0.02, 0.01)
    drawn = np.random.default_rng(5).multinomial(found.requests, [0.02, 0.01, 0.97], size=2_000)
    known = {
        (h, g): noninferiority_p(h, g, found.requests, 0.05) <= 0.05
        for h, g in {(int(h), int(g)) for h, g, _ in drawn}
    }
    assert np.mean([known[int(h), int(g)] for h, g, _ in drawn]) == pytest.approx(0.8, abs=0.05)
