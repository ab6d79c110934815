"""Maps to probabilities: which may enter at how many labels, and what each does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.calibration.learning.calibration_maps import NO_MAP, ScoreMap, best_map, fit_map
from cascade.calibration.learning.logistic import log_loss, sigmoid
from cascade.calibration.learning.pooling import SLICE_FROM, slice_shifts

KINDS = ("shift", "platt", "beta", "isotonic", "mean")


def task(n, slope=1.0, shift=0.0, seed=0):
    """Scores whose true log-odds are slope · z + shift."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, n)
    return z, (rng.random(n) < sigmoid(slope * z + shift)).astype(float), np.ones(n)


def best(z, y, w, **given_):
    return best_map(z, y, w, np.arange(len(z)), seed=0, **given_)


@pytest.mark.parametrize("n", [0, 1, 25, 99])
def test_below_100_labels_only_the_level_moves(n):
    """Few labels shift; they bend nothing."""
    assert best(*task(n, slope=0.3)).kind == "shift"


def test_from_100_labels_a_slope_may_win():
    """Overconfident scores are flattened as soon as the labels say so."""
    found = best(*task(300, slope=0.3), at_home=True)
    assert found.kind in ("platt", "beta")
    assert found(np.array([4.0]))[0] < 2.5


@pytest.mark.parametrize(("n", "kind"), [(99, "shift"), (100, "mean"), (499, "mean")])
def test_on_another_task_too_few_labels_choose_no_family(n, kind):
    """From 100 to 499 labels of another task the mean of three maps is taken, without a contest."""
    assert best(*task(n, slope=0.3)).kind == kind
    assert best(*task(2000, slope=0.3)).kind in ("platt", "beta")


def test_the_mean_of_maps_does_better_than_the_winner_of_a_contest():
    """With 200 labels, over curves that are shifted, stepped and flattened, on fresh answers."""
    curves = (
        lambda z: sigmoid(z - 0.8),
        lambda z: sigmoid(0.6 * z - 0.3),
        lambda z: np.where(z < 0, 0.35, np.where(z < 1.5, 0.7, 0.97)),
    )
    lost = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        z, fresh, w = rng.normal(1, 1.5, 200), rng.normal(1, 1.5, 4000), np.ones(4000)
        for curve in curves:
            y, truth = rng.random(200) < curve(z), (rng.random(4000) < curve(fresh)).astype(float)
            taken = (
                best(z, y.astype(float), w[:200]),
                best(z, y.astype(float), w[:200], at_home=True),
            )
            lost.append([log_loss(found(fresh), truth, w) for found in taken])
    mean, winner = np.mean(lost, axis=0)
    assert mean < winner - 0.001


def test_a_mean_is_of_probabilities():
    """Also where they are so close to 1 that floating shares could not tell them apart."""
    z, y, w = task(200, shift=-1.0)
    found = fit_map("mean", z, y, w)
    grid = np.linspace(-8, 8, 50)
    each = [sigmoid(fit_map(kind, z, y, w)(grid)) for kind in ("shift", "beta", "isotonic")]
    assert sigmoid(found(grid)) == pytest.approx(np.mean(each, axis=0), abs=1e-9)
    assert (np.diff(found(np.linspace(30, 90, 7))) > 0).all()


def test_isotonic_waits_for_500_labels():
    """A step that no line can follow is followed from 500 labels on."""
    rng = np.random.default_rng(0)

    def steps(n):
        z = rng.normal(0, 2, n)
        return z, (rng.random(n) < np.where(z > 0.5, 0.9, 0.1)).astype(float), np.ones(n)

    assert best(*steps(499)).kind != "isotonic"
    assert best(*steps(4000)).kind == "isotonic"


def test_a_score_that_is_right_stays():
    """At home the level is right already, and the simplest map is none."""
    assert best(*task(2000), at_home=True) is NO_MAP
    assert best(*task(50), at_home=True) is NO_MAP
    assert best(*task(2000, slope=0.3), at_home=True) is not NO_MAP


@pytest.mark.parametrize("kind", KINDS)
def test_each_map_lowers_the_loss_of_a_shifted_score(kind):
    """On fresh answers of the task that it was fitted on."""
    z, y, w = task(2000, shift=-1.5)
    fresh, truth, weights = task(2000, shift=-1.5, seed=1)
    found = fit_map(kind, z, y, w)
    assert log_loss(found(fresh), truth, weights) < log_loss(fresh, truth, weights) - 0.05


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 1000),
    n=st.integers(0, 60),
    level=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_map_rises(kind, seed, n, level):
    """More log-odds never become less; all right, all wrong and no labels included."""
    rng = np.random.default_rng(seed)
    z, y = rng.normal(0, 3, n), (rng.random(n) < level).astype(float)
    found = fit_map(kind, z, y, np.ones(n))
    grid = np.linspace(-20, 20, 200)
    assert np.isfinite(found(grid)).all()
    assert (np.diff(found(grid)) >= -1e-9).all()
    assert [found.one(float(at)) for at in grid] == pytest.approx(found(grid).tolist(), abs=1e-12)


def test_an_isotonic_map_makes_no_ties():
    """Plateaus keep a slope, so that thresholds can part all answers."""
    z, y, w = task(800)
    found = fit_map("isotonic", z, y, w)
    assert (np.diff(found(np.sort(np.unique(z)))) > 0).all()


def test_scores_that_run_backwards_are_not_turned_around():
    """A map keeps order: where high scores are worse it says the same of all."""
    z, y, w = task(500, slope=-1.0)
    for kind in ("platt", "beta"):
        assert np.ptp(fit_map(kind, z, y, w)(np.linspace(-3, 3, 10))) < 0.2


def test_an_unknown_kind():
    """The message lists what there is."""
    with pytest.raises(ValueError, match="map 'venn' is unknown; there are shift, platt"):
        fit_map("venn", np.zeros(1), np.zeros(1), np.ones(1))


def test_a_map_as_data():
    """Kind and numbers."""
    assert ScoreMap("platt", (2.0, 1.0)).to_dict() == {"kind": "platt", "numbers": [2.0, 1.0]}


# Slices ---------------------------------------------------------------------------------------


def slices_of(*names):
    return np.concatenate([np.full(n, name, object) for name, n in names])


def test_slices_that_differ_get_a_shift_between_their_own_and_none():
    """Partial pooling: in the right direction, and not all the way."""
    names = slices_of(("a", 200), ("b", 200), ("c", 200))
    rng = np.random.default_rng(0)
    rate = np.where(names == "a", 0.3, np.where(names == "b", 0.5, 0.7))
    y = (rng.random(600) < rate).astype(float)
    found = slice_shifts(np.zeros(600), y, np.ones(600), names)
    own = {name: np.log(y[names == name].mean() / (1 - y[names == name].mean())) for name in "abc"}
    assert found["a"] < -0.3
    assert found["c"] > 0.3
    assert all(abs(found[name]) <= abs(own[name]) + 1e-6 for name in "abc")


def test_slices_that_do_not_differ_get_none():
    """Noise of labels is no difference."""
    names = slices_of(*((f"s{at}", 40) for at in range(10)))
    shifts = [
        slice_shifts(
            np.zeros(400),
            np.random.default_rng(seed).integers(0, 2, 400).astype(float),
            np.ones(400),
            names,
        )
        for seed in range(20)
    ]
    typical = np.median([max(map(abs, found.values()), default=0.0) for found in shifts])
    assert typical < 0.25


def test_a_slice_with_few_labels_uses_the_map_of_all():
    """Below 25 labels a slice has no shift, and "" is no slice."""
    names = slices_of(("a", 100), ("b", 100), ("few", SLICE_FROM - 1), ("", 100))
    y = np.where(names == "a", 1.0, 0.0)
    y[:10] = 0.0
    found = slice_shifts(np.zeros(len(y)), y, np.ones(len(y)), names)
    assert set(found) == {"a", "b"}


def test_one_slice_is_none():
    """There is nothing to differ from."""
    assert slice_shifts(np.zeros(50), np.ones(50), np.ones(50), slices_of(("a", 50))) == {}
