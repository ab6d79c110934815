"""A path is tested from its safe end, and not past the first failure."""

import time

import pytest

from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.calibration.proof.sequence import fixed_sequence, p_along


@pytest.mark.parametrize(
    ("p_values", "certified", "read"),
    [
        ([0.01, 0.04, 0.2, 0.001], 1, 3),
        ([0.2, 0.001], -1, 1),
        ([0.01, 0.05], 1, 2),
        ([], -1, 0),
        ([float("nan"), 0.01], -1, 1),
    ],
)
def test_the_last_before_the_first_failure_is_certified(p_values, certified, read):
    """Later successes do not count, a p-value that is none is a failure, 0.05 itself passes."""
    found = fixed_sequence(iter(p_values), 0.05)
    assert found.certified == certified
    assert len(found.p_values) == read


def test_nothing_past_the_failure_is_computed():
    """The path is read no further than needed."""
    later = iter([0.01, 0.9, 0.01])
    fixed_sequence(later, 0.05)
    assert next(later) == 0.01


def test_p_values_along_a_path_are_those_of_the_test():
    """Sharing work changes no value."""
    counts = [(0, 0), (1, 0), (1, 0), (3, 2), (9, 4)]
    expected = [noninferiority_p(h, g, 400, 0.02) for h, g in counts]
    assert list(p_along(counts, 400, 0.02)) == expected


def test_a_path_of_200_policies_is_a_matter_of_moments():
    """200 policies at 2,000 requests, all of them tested, take no more than a few tenths."""
    counts = [(place // 3, place // 4) for place in range(200)]
    start = time.process_time()
    assert len(list(p_along(counts, 2_000, 0.02))) == 200
    assert time.process_time() - start < 3  # a loose bound: benchmarks measure
