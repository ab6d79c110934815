"""Measures are what their papers define, and undefined where they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as reference_log_loss

from cascade.calibration.comparing.curves import aiq, area, gap_closed, hull_of
from cascade.calibration.comparing.routing_measures import (
    apgr,
    cpt,
    gap_recovered,
    ibc,
    ibc_lift,
    routerarena_score,
)
from cascade.calibration.comparing.scorer_measures import (
    aurc,
    auroc,
    auroc_within,
    brier,
    ece,
    equal_mass,
    log_loss,
)

LABELLED = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.4, 0.4, 0.9, 1.0]), st.booleans()),
    min_size=2,
    max_size=40,
)


def columns(pairs):
    scores, right = zip(*pairs, strict=True)
    return np.array(scores, float), np.array(right, float)


# Scores ------------------------------------------------------------------------------------------


@given(LABELLED)
def test_auroc_is_scikit_learns(pairs):
    """Ties count half; without both kinds of answers there is none."""
    scores, right = columns(pairs)
    if len(set(right)) == 1:
        assert auroc(scores, right) is None
    else:
        assert auroc(scores, right) == pytest.approx(roc_auc_score(right, scores))


def test_graded_answers_count_in_part():
    """An answer of quality 0.5 weighs as a right one and a wrong one of half weight each."""
    scores, right = np.array([0.9, 0.5, 0.1]), np.array([1.0, 0.5, 0.0])
    twice = auroc(np.array([0.9, 0.9, 0.5, 0.5, 0.1, 0.1]), np.array([1, 1, 1, 0, 0, 0.0]))
    assert auroc(scores, right) == 1.0
    assert twice == pytest.approx((2 * 3 + 2.5) / 9)


def test_a_missing_score_ranks_lowest():
    """What would never be accepted counts as the least sure, even below minus infinity's equals."""
    right = np.array([0.0, 1.0, 1.0])
    assert auroc(np.array([np.nan, 0.0, 0.5]), right) == 1.0
    assert auroc(np.array([0.5, np.nan, 0.9]), right) == 0.5


def test_pooled_auroc_flatters_what_recognises_the_task():
    """A score that only tells slices apart is worth half within them."""
    slices = np.array(["easy"] * 4 + ["hard"] * 4, object)
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0.0])
    scores = np.array([0.9] * 4 + [0.1] * 4)
    assert auroc(scores, right) == 0.75
    assert auroc_within(scores, right, slices) == 0.5
    assert auroc_within(scores, np.ones(8), slices) is None


@given(LABELLED)
def test_brier_and_log_loss_are_scikit_learns(pairs):
    """A missing score is left out."""
    scores, right = columns(pairs)
    held = np.clip(scores, 1e-12, 1 - 1e-12)
    with_gap = np.append(scores, np.nan), np.append(right, 1.0)
    assert brier(*with_gap) == pytest.approx(brier_score_loss(right, scores, pos_label=1))
    expected = reference_log_loss(right, held, labels=[0, 1])
    assert log_loss(*with_gap) == pytest.approx(expected, rel=1e-9)
    assert brier(np.array([np.nan]), np.array([1.0])) is None
    assert log_loss(np.array([np.nan]), np.array([1.0])) is None


def test_aurc_by_hand():
    """The mean of the error rates at every coverage; equal scores count as in random order."""
    right = np.array([1.0, 0.0, 1.0, 0.0])
    assert aurc(np.array([0.9, 0.8, 0.7, 0.6]), right) == pytest.approx(
        (0 + 1 / 2 + 1 / 3 + 1 / 2) / 4
    )
    assert aurc(np.full(4, 0.5), right) == pytest.approx(0.5)
    assert aurc(np.zeros(0), np.zeros(0)) is None


def test_ece_by_hand():
    """Two bins of two answers: distances 0.15 and 0.1 average to 0.125."""
    scores, right = np.array([0.1, 0.2, 0.8, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert ece(scores, right, 2) == pytest.approx((0.15 + 0.1) / 2)
    assert ece(np.array([np.nan]), np.array([1.0])) is None
    assert [rows.tolist() for rows in equal_mass(scores, 2)] == [[0, 1], [2, 3]]


@given(LABELLED, st.randoms(use_true_random=False))
def test_no_measure_depends_on_the_order_of_rows(pairs, chance):
    """Ties are broken by expectation, never by where a row stands."""
    mixed = list(pairs)
    chance.shuffle(mixed)
    for measure in (auroc, aurc, ece):
        one, other = measure(*columns(pairs)), measure(*columns(mixed))
        assert one == other if one is None else one == pytest.approx(other)


def test_times_count_like_repeated_rows():
    """Drawing an answer twice is having it twice."""
    rng = np.random.default_rng(1)
    scores, right = rng.random(50), rng.integers(0, 2, 50).astype(float)
    times = rng.integers(0, 3, 50)
    repeated = np.repeat(scores, times), np.repeat(right, times)
    assert ece(scores, right, 1, times=times.astype(float)) == pytest.approx(ece(*repeated, 1))


# Curves ------------------------------------------------------------------------------------------


def test_a_hull_by_hand():
    """Points below a line between others, and dearer ones that are worse, are no corners."""
    hull = hull_of([1, 2, 3, 4, 2.5], [0.5, 0.6, 0.9, 0.8, 0.6])
    assert hull.corners.tolist() == [0, 2]
    assert hull.cost_at(0.7) == pytest.approx(2.0)
    assert hull.cost_at(0.95) is None
    assert hull.cost_at(0.1) == 1
    assert hull.quality_at(0.5) is None
    assert hull.quality_at(9) == 0.9
    assert hull.mix_at(0.7) == (0, 2, pytest.approx(0.5))
    assert hull.mix_at(0.2) == (0, 0, 0.0)
    assert hull.mix_at(0.91) is None


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=20))
def test_a_hull_is_above_every_point_and_concave(points):
    """Nothing given is better than what the hull reaches at that cost."""
    cost, quality = (np.array(part, float) for part in zip(*points, strict=True))
    hull = hull_of(cost, quality)
    for c, q in points:
        assert hull.quality_at(c) >= q - 1e-9
    slopes = np.diff(hull.quality) / np.diff(hull.cost)
    assert (np.diff(slopes) < 1e-9).all()
    assert (np.diff(hull.quality) > 0).all()


def test_aiq_is_the_area_over_its_range():
    """Level to the right, nothing to the left, and no range no number."""
    hull = hull_of([1, 3], [0.4, 0.8])
    assert aiq(hull, 1, 3) == pytest.approx(0.6)
    assert aiq(hull, 1, 5) == pytest.approx((0.6 * 2 + 0.8 * 2) / 4)
    assert aiq(hull, 0, 3) == pytest.approx(0.6 * 2 / 3)
    assert aiq(hull, 0, 1) == 0
    assert aiq(hull, 2, 2) is None
    assert area(np.array([0.0, 1, 2]), np.array([0.0, 1, 1])) == 1.5


def test_the_gap_between_mixing_and_the_oracle():
    """0 is random mixing, 1 is the oracle; without a gap there is no share of it."""
    assert gap_closed(6, 10, 2) == 0.5
    assert gap_closed(12, 10, 2) == -0.25
    assert gap_closed(1, 2, 2) is None
    assert gap_closed(1, None, 2) is None


# Routers -----------------------------------------------------------------------------------------


def test_pgr_apgr_and_cpt_by_hand():
    """Four requests, two of which only the strong model gets right."""
    weak, strong = np.array([1, 1, 0, 0.0]), np.ones(4)
    perfect, blind = np.array([0.9, 0.8, 0.1, 0.2]), np.full(4, 0.5)
    assert gap_recovered(0.75, 0.5, 1.0) == 0.5
    assert gap_recovered(0.75, 0.5, 0.5) is None
    assert apgr(perfect, weak, strong) == pytest.approx(0.75)
    assert apgr(blind, weak, strong) == pytest.approx(0.5)
    assert cpt(0.5, perfect, weak, strong) == pytest.approx(0.25)
    assert cpt(0.8, blind, weak, strong) == pytest.approx(0.8)
    assert apgr(perfect, weak, weak) is None
    assert cpt(0.5, perfect, weak, weak) is None
    assert cpt(0.0, perfect, weak, strong) == 0
    assert cpt(1.5, perfect, weak, strong) is None


def test_a_strong_model_that_is_worse_has_a_gap_below_zero():
    """The measure is what its formula says: PGR 0, -1, 0, 1, 1 along the calls, by trapezoids."""
    weak, strong = np.array([1, 1, 1, 0.0]), np.array([1, 0, 0, 1.0])
    assert gap_recovered(0.75, 0.75, 0.5) == 0
    assert apgr(np.array([0.9, 0.8, 0.7, 0.1]), weak, strong) == pytest.approx(0.125)


def test_ibc_and_its_lift():
    """Quality per dollar beyond the small model, against the line to the large one."""
    found = ibc(0.8, 3.0, 0.6, 1.0)
    assert found == pytest.approx(0.1)
    assert ibc_lift(found, ibc(0.9, 7.0, 0.6, 1.0)) == pytest.approx(1.0)
    assert ibc(0.8, 1.0, 0.6, 1.0) is None
    assert ibc_lift(None, 0.1) is None
    assert ibc_lift(0.1, 0.0) is None


def test_routerarena_by_hand():
    """Free and right is 1, the dearest is 0, and the ends of the cost range hold."""
    assert routerarena_score(1.0, 0.0044) == pytest.approx(1.0)
    assert routerarena_score(1.0, 0.0) == pytest.approx(1.0)
    assert routerarena_score(1.0, 200) == 0
    assert routerarena_score(0.0, 200) == 0
    assert routerarena_score(0.5, -1) is None
    cheap = math.log2(200 / 1.0) / math.log2(200 / 0.0044)
    assert routerarena_score(0.7, 1.0) == pytest.approx(1.1 * 0.7 * cheap / (0.07 + cheap))
