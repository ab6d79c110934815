"""Bootstrap intervals are paired, grouped and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from cascade.calibration.comparing.bootstrap import Bootstrap, group_codes
from cascade.errors import ConfigError


def groups(n, size=1):
    return np.array([f"g{row // size}" for row in range(n)], object)


def test_the_spread_is_that_of_the_mean():
    """Means of draws scatter as the standard error of the mean says."""
    values = np.random.default_rng(0).random((400, 1))
    means = Bootstrap(groups(400), np.ones(400), resamples=2000).means(values)
    assert means.mean() == pytest.approx(values.mean(), abs=0.002)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.08)


def test_groups_are_drawn_whole():
    """A hundred copies of four answers tell as much as four answers."""
    values = np.repeat([0.0, 0.0, 1.0, 1.0], 100)[:, None]
    alone = Bootstrap(groups(400), np.ones(400)).means(values).std()
    whole = Bootstrap(groups(400, 100), np.ones(400)).means(values).std()
    assert alone == pytest.approx(0.025, rel=0.15)
    assert whole == pytest.approx(0.25, rel=0.15)


def test_columns_are_drawn_together():
    """A constant difference between two columns has no spread at all."""
    values = np.random.default_rng(0).random(50)
    means = Bootstrap(groups(50), np.ones(50)).means(np.column_stack([values, values + 0.25]))
    assert np.allclose(means[:, 1] - means[:, 0], 0.25)


def test_weights_count():
    """A request of weight 3 counts like three requests that are drawn together."""
    values = np.array([[0.0], [1.0]])
    means = Bootstrap(groups(2), np.array([1.0, 3.0]), resamples=400).means(values)
    assert set(np.unique(means).tolist()) == {0.0, 0.75, 1.0}


def test_a_seed_repeats_and_another_does_not():
    """The same seed gives the same draws to the last bit."""
    values = np.random.default_rng(0).random((30, 1))
    first = Bootstrap(groups(30), np.ones(30), seed=1).means(values)
    assert (first == Bootstrap(groups(30), np.ones(30), seed=1).means(values)).all()
    assert (first != Bootstrap(groups(30), np.ones(30), seed=2).means(values)).any()


def test_many_groups_are_drawn_in_blocks_with_the_same_spread():
    """Beyond 4,096 groups, random blocks of them are drawn; the spread stays."""
    values = np.random.default_rng(0).random((60_000, 1))
    means = Bootstrap(groups(60_000), np.ones(60_000), resamples=600).means(values)
    assert means.std() == pytest.approx(values.std() / 60_000**0.5, rel=0.12)
    pairs = Bootstrap(groups(60_000, 2), np.ones(60_000), resamples=600)
    alike = pairs.means(np.repeat(values[::2], 2, axis=0))
    assert alike.std() == pytest.approx(values[::2].std() / 30_000**0.5, rel=0.12)


def test_ids_as_groups_are_told_without_counting():
    """Groups that are the ids are each request alone; others are counted as without ids."""
    own, shared = groups(50), groups(50, 5)
    assert group_codes(own.copy(), own).tolist() == group_codes(own).tolist() == list(range(50))
    assert group_codes(shared, own).tolist() == group_codes(shared).tolist()
    values = np.random.default_rng(0).random((50, 1))
    plain, told = (Bootstrap(own, np.ones(50), ids=ids).means(values) for ids in (None, own))
    assert (plain == told).all()


def test_an_estimate_holds_its_interval():
    """The percentiles of the draws; draws that are no number are left out, and none is no width."""
    boot = Bootstrap(groups(2), np.ones(2), confidence=0.8)
    found = boot.estimate(5.0, np.append(np.arange(11.0), [np.nan, np.inf]))
    assert (found.value, found.low, found.high) == (5, pytest.approx(1), pytest.approx(9))
    alone = boot.estimate(5.0, np.array([np.nan]))
    assert (alone.low, alone.high) == (5, 5)
    assert group_codes(np.array(["b", "a", "b"], object)).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"resamples": 0}, "resamples 0"),
        ({"resamples": 1.5}, "resamples 1.5"),
        ({"confidence": 1.0}, r"confidence 1.0 is outside \(0, 1\)"),
        ({"confidence": float("nan")}, "confidence nan"),
    ],
)
def test_settings_that_cannot_be_meant(given, words):
    """No draws, and a confidence that is none, are refused."""
    with pytest.raises(ConfigError, match=words):
        Bootstrap(groups(2), np.ones(2), **given)


def test_one_group_has_no_interval():
    """Where nothing can be drawn again nothing tells the spread: no interval, not one of width 0."""
    boot = Bootstrap(groups(5, 5), np.ones(5), resamples=20)
    found = boot.estimate(0.4, boot.means(np.arange(5.0)[:, None])[:, 0])
    assert found.interval is None
    assert found.to_dict() == {"value": 0.4, "low": None, "high": None}
    two = Bootstrap(groups(6, 3), np.ones(6), resamples=20)
    assert two.estimate(2.5, two.means(np.arange(6.0)[:, None])[:, 0]).interval is not None
