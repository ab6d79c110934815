"""Groups and copies are one observation each, in an order that no file and no key decides."""

import numpy as np
import pytest

from cascade.calibration.proof.copies import copies_in, copies_together
from cascade.calibration.proof.units import units_of
from cascade.errors import ConfigError
from tests.calibration.builders import recording


def texts(*values):
    made = np.empty(len(values), object)
    made[:] = values
    return made


def made(n, **given):
    return recording(np.ones((n, 2)), [1, 2], **given)


def test_every_group_counts_the_same():
    """The promised mean is over groups, however many requests they hold."""
    loss = np.array([[1.0, 1.0, 1.0, 0.0]])
    units = units_of(loss, made(4, groups=texts("a", "a", "a", "b")))
    assert sorted(units.loss[0]) == [0.0, 1.0]
    assert units.weights is None
    assert units.grouped
    assert units.net_harm(0) == 0.5 == pytest.approx(np.average(loss[0], weights=units.share))
    assert units.share == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])


def test_weights_count_within_and_between_groups():
    """A group's loss is the weighted mean of its requests, its weight their mean; none above."""
    loss = np.array([[1.0, 0.0, 1.0]])
    rows = made(3, groups=texts("a", "a", "b"), weights=np.array([1.0, 3.0, 9.0]))
    units = units_of(loss, rows, heaviest=4.0)
    found = dict(zip(units.loss[0], units.weights, strict=True))
    assert found == {0.25: 2.0, 1.0: 4.0}
    assert units.net_harm(0) == pytest.approx(0.75)
    assert np.average(loss[0], weights=units.share) == pytest.approx(0.75)


def test_weights_need_a_bound():
    """The heaviest request that was seen bounds nothing, so a bound is asked for."""
    rows = made(2, weights=np.array([1.0, 2.0]))
    with pytest.raises(ConfigError, match="heaviest="):
        units_of(np.zeros((1, 2)), rows)
    with pytest.raises(ConfigError, match="above 0"):
        units_of(np.zeros((1, 2)), rows, heaviest=0)
    assert units_of(np.zeros((1, 2)), made(2, weights=np.array([5.0, 5.0]))).weights is None


def test_the_order_is_that_of_no_file():
    """The same requests in any order of rows are the same units in the same order."""
    rng = np.random.default_rng(0)
    loss, rows = rng.random((2, 50)), made(50)
    units = units_of(loss, rows)
    turned = rng.permutation(50)
    again = units_of(loss[:, turned], rows.rows(turned))
    assert (units.loss == again.loss).all()
    assert units.seal == again.seal
    assert units.loss[0].tolist() != loss[0].tolist()


def test_the_order_is_another_one_where_anything_is():
    """Row numbers as ids in a sorted file do not decide who comes first: the losses do, hashed."""
    rows, places = made(100), set()
    for harmed in range(20):
        loss = np.zeros((1, 100))
        loss[0, 99 - harmed] = 1.0
        places.add(int(units_of(loss, rows).loss[0].argmax()))
    assert len(places) > 12


@pytest.mark.parametrize(
    "other",
    [
        {"weights": np.array([1.0, 1.0, 1.0, 2.0])},
        {"groups": texts("a", "a", "c", "d")},
        {"groups": texts("q0", "q1", "q2", "other")},
    ],
)
def test_the_seal_covers_all_that_is_tested(other):
    """Another loss, weight or group is another seal."""
    loss = np.array([[0.0, 0.5, 0.0, 0.0]])
    seal = units_of(loss, made(4)).seal
    assert units_of(loss, made(4, **other), heaviest=2).seal != seal
    assert units_of(loss[:, ::-1], made(4)).seal != seal


def test_what_is_partly_harmed_is_harmed():
    """The exact test's counts round a group's mean against the plan."""
    groups = texts("a", "a", "b", "b", "c", "c", "d", "d")
    loss = np.array([[1.0, 0.0, -1.0, 0.0, -1.0, -1.0, 1.0, -1.0]])
    assert units_of(loss, made(8, groups=groups)).counts(0) == (1, 1)


# Copies ------------------------------------------------------------------------------------------


def test_copies_are_one_group():
    """Requests that ask the same join the group of the first; payloads are compared as data."""
    asked = texts("hi", {"a": 1, "b": 2}, "hi", {"b": 2, "a": 1}, "ho", None, None, " ", " ")
    rows = copies_together(made(9, requests=asked))
    assert rows.groups.tolist() == ["q0", "q1", "q0", "q1", "q4", "q5", "q6", "q7", "q8"]
    assert copies_in(rows) == 2
    assert copies_together(rows) is rows


def test_groups_of_their_own_are_kept():
    """A request with a group stays in it, and one without joins a copy that has one."""
    rows = made(3, requests=texts("hi", "hi", "hi"), groups=texts("ann", "bob", "q2"))
    assert copies_together(rows).groups.tolist() == ["ann", "bob", "ann"]
    assert copies_in(copies_together(rows)) == 1


def test_copies_leave_the_exact_test_and_groups_do_not():
    """Units of copies alone count as whole requests; a group of different ones is graded."""
    loss = np.zeros((1, 3))
    copies = copies_together(made(3, requests=texts("hi", "hi", "ho")))
    assert not units_of(loss, copies).grouped
    assert len(units_of(loss, copies)) == 2
    assert units_of(loss, made(3, groups=texts("a", "a", "b"))).grouped
    together = made(3, groups=texts("a", "a", "b"), requests=texts("hi", "ho", "ho"))
    assert units_of(loss, together).grouped
