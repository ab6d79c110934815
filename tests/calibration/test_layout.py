import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.calibration import RecordedTier, Recording, simulate
from cascade.calibration.search.descent import totals
from cascade.calibration.search.layout import Seen, endings_of
from cascade.calibration.search.shapes import Shape, ladders, with_gates, with_witnesses
from cascade.calibration.search.thresholds import candidates, scores_of, tabulate
from cascade.errors import RecordingError
from tests.calibration.search_help import Arrays, made_up


def all_shapes(recording, max_steps=3):
    """Every ladder, with up to two witnesses, each with and without a gate."""
    found = list(ladders(recording.ladder, max_steps))
    for _ in range(2):
        longer = [w for s in found for w in with_witnesses(s, recording.witnesses, max_steps)]
        found = list(dict.fromkeys([*found, *longer]))
    return found + [gated for shape in found for gated in with_gates(shape)]


@st.composite
def recordings(draw):
    """Two or three tiers and a witness, with gaps, refusals, ties, NaN, weights and paid scores."""
    n, k = draw(st.integers(1, 8)), draw(st.integers(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (n, k + 1)
    answered = rng.random(shape) < 0.8
    tiers = [RecordedTier(f"t{at}", "m") for at in range(k)]
    recording = Recording.build(
        [*tiers, RecordedTier("w", "m", role="witness")],
        [str(at) for at in range(n)],
        quality=np.where(answered, rng.integers(0, 3, shape) / 2, 0.0),
        cost_pusd=rng.integers(0, 10, shape),
        answered=answered,
        usable=answered & (rng.random(shape) < 0.8),
        weights=rng.integers(1, 4, n).astype(float),
    )
    levels = np.array([np.nan, 0.0, 0.25, 0.5, 0.5, 1.0])
    everything = [
        (s.asked[: at + 1], r) for s in all_shapes(recording) for at, (_, r) in enumerate(s.steps)
    ]
    everything += [(a[1:], r) for a, r in everything if len(a) > 1]
    everything += [(a[2:], r) for a, r in everything if len(a) > 2]
    states = {key: rng.choice(levels, n) for key in everything}
    costs = {key: rng.integers(0, 3, n) for key in everything}
    gates = {at: rng.choice(levels, n) for at in range(k)}
    return recording, Arrays(np.zeros(shape), states, gates, costs)


@settings(max_examples=60, deadline=None)
@given(recordings(), st.integers(0, 10**6))
def test_every_cell_is_what_simulating_the_plan_gives(made, pick):
    """Quality and cost of a table's cell are exactly those of deciding by the plan it stands for."""
    recording, source = made
    rows = np.arange(len(recording))
    seen = Seen(recording, source, rows)
    shapes = all_shapes(recording)
    shape = shapes[pick % len(shapes)]
    endings = endings_of(shape, seen)
    axes = [candidates(scores_of(endings, axis), never=False) for axis in range(shape.axes)]
    table = tabulate(endings, axes)
    for cell in range(table.value.size):
        thresholds = table.at(cell)
        plan = shape.plan(recording.names, thresholds)
        if plan is None:
            continue
        found = simulate(plan, recording, source)
        expected = recording.weights @ found.quality, recording.weights @ found.cost_pusd
        assert (table.value.ravel()[cell], table.cost.ravel()[cell]) == expected
        assert totals(endings, thresholds) == expected


def test_a_score_uses_what_the_plan_has_bought_and_no_more():
    """A step asks for scores of exactly the tiers asked so far, along each way into it."""
    recording, source = made_up(50, witnesses=1)
    shape = Shape(((0, 0), (3, 0), (1, 1), (2, 2)), start_at=2)
    endings_of(shape, Seen(recording, source, np.arange(50)))
    assert source.asked_for == [((0,), 0), ((0, 3), 0), ((0, 3, 1), 1), ((1,), 1)]


def test_an_unknown_price_of_a_score_is_refused():
    """A score whose own cost is unknown cannot be part of a plan."""
    recording, source = made_up(20)
    source.costs[(0,), 0] = np.full(20, -1)
    shape = Shape(((0, 0), (2, 2)))
    with pytest.raises(RecordingError, match="what it costs to score 't0' is unknown on 20"):
        endings_of(shape, Seen(recording, source, np.arange(20)))


def test_shapes_keep_the_order_of_tiers_and_end_at_any():
    """Ladders are the subsets of the tiers in their order, each of them a possible end."""
    found = [shape.asked for shape in ladders((0, 1, 2), 3)]
    assert found == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    assert all(len(shape.steps) <= 2 for shape in ladders((0, 1, 2, 3, 4), 1))


def test_a_witness_is_bought_behind_the_answer_that_it_judges():
    """Witnesses are added on every answer but the last tier's, behind those already there."""
    shape = Shape(((0, 0), (1, 1)))
    one = [made.steps for made in with_witnesses(shape, (2, 3), 3)]
    assert one == [((0, 0), (2, 0), (1, 1)), ((0, 0), (3, 0), (1, 1))]
    two = [made.steps for made in with_witnesses(Shape(one[0]), (2, 3), 3)]
    assert two == [((0, 0), (2, 0), (3, 0), (1, 1))]
    assert list(with_witnesses(Shape(two[0]), (2, 3, 4), 3)) == []


def test_a_gate_begins_at_a_tier():
    """A gate skips to a later tier, never to a witness."""
    shape = Shape(((0, 0), (3, 0), (1, 1), (2, 2)))
    assert [made.start_at for made in with_gates(shape)] == [2, 3]
