import numpy as np
import pytest

from cascade.calibration.search.fitted import Spot, fit, front
from cascade.calibration.search.layout import Seen, endings_of
from cascade.calibration.search.optimism import Optimism
from cascade.calibration.search.shapes import Shape
from cascade.calibration.search.tried import Tried
from tests.calibration.search_help import Arrays, made_up

CHAIN = Shape(((0, 0), (1, 1), (2, 2)))


def noise(n, seed):
    """Tiers of equal cost and quality, and scores that say nothing: all that is found is luck."""
    recording, _ = made_up(n, seed=seed, skill=(0.0, 0.0, 0.0), prices=(1, 2, 3))
    return recording, Arrays(np.random.default_rng(seed).random((n, 3)))


def test_luck_is_taken_off_again():
    """Where scores say nothing, sober thresholds promise about what no threshold would give."""
    gained, sober = [], []
    for seed in range(20):
        recording, source = noise(300, seed)
        seen = Seen(recording, source, np.arange(300))
        one = fit(CHAIN, seen, 65, trust=0.0)
        spots = one.spots()
        plain = recording.quality[:, 2].sum()
        best = Optimism(seen, 5, 0).sober(one, spots)
        gained.append(max(spot.value for spot in spots) - plain)
        sober.append(max(spot.value for spot in best) - plain)
    assert np.mean(gained) > 10
    assert abs(np.mean(sober)) < 0.5 * np.mean(gained)


def test_a_model_alone_flatters_by_nothing():
    """A constant model chooses nothing; its quality stands as it was measured."""
    recording, source = made_up(100)
    seen = Seen(recording, source, np.arange(100))
    one = fit(Shape(((1, 1),)), seen, 65)
    assert Optimism(seen, 5, 0).sober(one, one.spots()) == one.spots()
    assert one.spots()[0].value == recording.quality[:, 1].sum()


def test_one_group_cannot_be_left_out():
    """Requests that all belong together leave nothing to read on, and nothing is taken off."""
    recording, source = made_up(50, groups=np.full(50, "all", object))
    seen = Seen(recording, source, np.arange(50))
    one = fit(CHAIN, seen, 65)
    assert Optimism(seen, 5, 0).sober(one, one.spots()) == one.spots()


def test_trust_moves_no_mean():
    """What scores say is worth as much in all as what answers were worth, whatever they say."""
    recording, source = made_up(400)
    source.alone = source.alone**3  # far too low
    seen = Seen(recording, source, np.arange(400))
    for trust in (0.5, 1.0):
        first = endings_of(CHAIN, seen, trust=trust)[0]
        assert first.value.sum() == pytest.approx(recording.quality[:, 0].sum())
        assert first.value.std() < recording.quality[:, 0].std()


def test_trust_is_steadier_than_luck():
    """With few requests thresholds that trust scores are worth more on fresh ones."""
    worth = {0.0: [], 0.5: []}
    for seed in range(30):
        recording, source = made_up(1_100, seed=seed)
        learn, fresh = np.arange(100), np.arange(100, 1_100)
        on_fresh = endings_of(CHAIN, Seen(recording, source, fresh))
        price = 0.3 * 1_000 / recording.cost_pusd[fresh, 2].sum()
        for trust, found in worth.items():
            spots = fit(CHAIN, Seen(recording, source, learn), 65, trust).spots()
            best = max(spots, key=lambda spot: spot.value - price * spot.cost)
            kept = [ending.holds(best.thresholds) for ending in on_fresh]
            pairs = list(zip(on_fresh, kept, strict=True))
            value = sum(ending.value[rows].sum() for ending, rows in pairs)
            found.append(value - price * sum(ending.cost[rows].sum() for ending, rows in pairs))
    assert np.mean(worth[0.5]) > np.mean(worth[0.0])


def test_a_step_must_save_what_it_adds():
    """Of two plans that are as good, the simpler one wins unless the other saves enough."""
    alone, longer = Shape(((1, 1),)), Shape(((0, 0), (1, 1)))
    assert front([Spot(alone, (), 100.0, 5.0), Spot(longer, (0.5,), 99.0, 5.0)])[0].shape == alone
    assert front([Spot(alone, (), 100.0, 5.0), Spot(longer, (0.5,), 97.0, 5.0)])[0].shape == longer


def test_what_is_chosen_has_been_measured_soberly():
    """No spot of the front stands there at its word."""
    recording, source = noise(300, 3)
    seen = Seen(recording, source, np.arange(300))
    tried = Tried(seen, Optimism(seen, 5, 0), 65)
    for shape in (Shape(((0, 0),)), Shape(((2, 2),)), CHAIN):
        tried.add(shape)
    assert len(tried) == 3
    word = {spot.thresholds: spot.value for spot in tried.raw_front()}
    for spot in tried.front():
        if spot.shape == CHAIN:
            assert spot.value < word.get(spot.thresholds, np.inf)
    found, most = tried.cheapest_with(2, 0.0)
    assert found is not None
    assert most >= found.value
    assert tried.cheapest_with(9, 0.0) == (None, 0.0)
