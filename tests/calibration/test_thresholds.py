import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.calibration.search.descent import Aim, descend, totals
from cascade.calibration.search.exact import exact_pair
from cascade.calibration.search.refine import cheapest
from cascade.calibration.search.thresholds import (
    NEVER,
    Ending,
    candidates,
    endings_of_chain,
    pareto,
    tabulate,
)

SCORES = st.sampled_from([np.nan, -np.inf, 0.0, 0.1, 0.25, 0.5, 0.5, 0.75, 1.0])


@st.composite
def chains(draw, most=4, least=2):
    """Scores with ties, NaN and -inf; whole qualities, rising costs and weights."""
    k, n = draw(st.integers(least, most)), draw(st.integers(1, 12))
    numbers = st.integers(0, 5)

    def columns(width, of):
        row = st.lists(of, min_size=width, max_size=width)
        return np.array(draw(st.lists(row, min_size=n, max_size=n)), float).reshape(n, width)

    scores = columns(k - 1, SCORES)
    return (
        scores,
        columns(k, numbers),
        np.cumsum(columns(k, numbers), 1),
        columns(1, st.integers(1, 3))[:, 0],
    )


def one_by_one(thresholds, scores, values, costs, weights):
    """Total value and cost, decided request by request."""
    value = cost = 0.0
    for row in range(len(values)):
        step = 0
        while step < len(thresholds) and not scores[row, step] >= thresholds[step]:
            step += 1
        value += weights[row] * values[row, step]
        cost += weights[row] * costs[row, step]
    return value, cost


def some_chain(n, seed=0, steps=3):
    rng = np.random.default_rng(seed)
    hard = rng.random(n)
    lift = np.array([1.0, 2.0, 2.6, 3.2])[-steps:]
    right = rng.random((n, steps)) < 1 / (1 + np.exp(4 * hard[:, None] - lift))
    scores = 1 / (1 + np.exp(4 * hard[:, None] - lift[:-1] + rng.normal(size=(n, steps - 1))))
    price = np.array([1, 4, 12, 25])[-steps:]
    costs = np.cumsum(price * rng.integers(50, 200, (n, 1)) * 10**6, 1)
    return scores, right.astype(float), costs.astype(float)


# The table ---------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(chains())
def test_every_cell_is_what_deciding_one_by_one_gives(chain):
    """Each cell of the table is exactly the total of deciding request by request, ties or not."""
    scores, values, costs, weights = chain
    table = tabulate(
        endings_of_chain(scores, values, costs, weights), [candidates(s) for s in scores.T]
    )
    for cell in range(table.value.size):
        expected = one_by_one(table.at(cell), scores, values, costs, weights)
        assert (table.value.ravel()[cell], table.cost.ravel()[cell]) == expected


@settings(max_examples=100, deadline=None)
@given(chains(), chains(), st.lists(SCORES, min_size=12, max_size=12))
def test_an_axis_may_choose_between_two_chains(lower, upper, gate):
    """A gate's axis sends a request into one chain or the other, whose scores share thresholds."""
    n, axes = min(len(lower[1]), len(upper[1])), max(lower[0].shape[1], upper[0].shape[1])
    gate = np.array(gate)[:n]
    endings = []
    for (scores, values, costs, _), side in ((lower, "above"), (upper, "below")):
        for one in endings_of_chain(scores[:n], values[:n], costs[:n]):
            moved = {"above": {a + 1: s for a, s in one.above.items()}}
            moved["below"] = {a + 1: s for a, s in one.below.items()}
            moved[side] = {0: gate, **moved[side]}
            endings.append(Ending(one.value, one.cost, **moved))
    axis = np.array([0.1, 0.5, NEVER])
    table = tabulate(endings, [axis] * (axes + 1))
    for cell in range(table.value.size):
        thresholds = table.at(cell)
        is_open = gate >= thresholds[0]
        expected = np.zeros(2)
        for (scores, values, costs, weights), rows in ((lower, is_open), (upper, ~is_open)):
            part = (array[:n][rows] for array in (scores, values, costs, np.ones_like(weights)))
            expected += one_by_one(thresholds[1 : 1 + scores.shape[1]], *part)
        assert (table.value.ravel()[cell], table.cost.ravel()[cell]) == tuple(expected)
        assert totals(endings, thresholds) == tuple(expected)


@settings(max_examples=200, deadline=None)
@given(chains())
def test_the_path_holds_every_point_that_nothing_beats(chain):
    """A point of the table is on the path, or a point of the path is as good and no dearer."""
    scores, values, costs, weights = chain
    table = tabulate(
        endings_of_chain(scores, values, costs, weights), [candidates(s, 5) for s in scores.T]
    )
    path = table.path()
    on_path = list(zip(table.cost.ravel()[path], table.value.ravel()[path], strict=True))
    assert on_path == sorted(set(on_path))
    assert [value for _, value in on_path] == sorted({value for _, value in on_path})
    for cost, value in zip(table.cost.ravel(), table.value.ravel(), strict=True):
        assert any(c <= cost and v >= value for c, v in on_path)


def test_no_points_make_no_path():
    """The path of nothing is empty."""
    assert len(pareto(np.zeros(0), np.zeros(0))) == 0


# Candidates --------------------------------------------------------------------------------------


def test_few_distinct_scores_are_all_candidates():
    """Thousands of ties leave as many candidates as there are scores, and one that accepts none."""
    scores = np.repeat([0.2, 0.9, np.nan, -np.inf], 5_000)
    assert candidates(scores).tolist() == [0.2, 0.9, NEVER]
    assert candidates(scores, never=False).tolist() == [0.2, 0.9]


def test_many_scores_give_even_quantiles_that_occur():
    """Candidates are scores that occur, evenly spread, from the lowest to none at all."""
    scores = np.random.default_rng(0).random(10_001)
    found = candidates(scores, 65)
    assert len(found) == 65
    assert found[0] == scores.min()
    assert found[-1] == NEVER
    assert np.isin(found[:-1], scores).all()
    shares = [(scores < one).mean() for one in found[:-1]]
    assert np.diff(shares) == pytest.approx(1 / 63, abs=2e-4)


def test_no_score_leaves_nothing_to_accept():
    """Where a step has no score at all, its only threshold accepts nothing."""
    assert candidates(np.full(3, np.nan), never=False).tolist() == [NEVER]


# Closer still ------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(chains(least=3, most=3), st.floats(0, 1))
def test_the_exact_pair_is_the_cheapest_that_keeps_the_floor(chain, share):
    """No two thresholds keep the floor for less than the exact pair."""
    scores, values, costs, weights = chain
    floor = share * values.max(1).sum()
    table = tabulate(
        endings_of_chain(scores, values, costs, np.ones_like(weights)),
        [candidates(s) for s in scores.T],
    )
    keeps = table.value >= floor
    found = exact_pair(scores, values, costs, floor)
    if found is None:
        assert not keeps.any()
        return
    value, cost = one_by_one(found, scores, values, costs, np.ones_like(weights))
    assert value >= floor - 1e-12
    assert cost == table.cost[keeps].min()


def test_the_exact_pair_wants_costs_that_grow():
    """What a request has paid cannot shrink as it climbs."""
    with pytest.raises(ValueError, match="costs fall along a row"):
        exact_pair(np.zeros((1, 2)), np.ones((1, 3)), np.array([[2.0, 1.0, 3.0]]), 0.0)


@settings(max_examples=100, deadline=None)
@given(chains(), st.floats(0, 2))
def test_descent_ends_where_no_single_threshold_improves(chain, price):
    """Where descent by a price ends, no other place of one threshold is better."""
    scores, values, costs, weights = chain
    endings = endings_of_chain(scores, values, costs, weights)
    axes = [candidates(s) for s in scores.T]
    found = descend(endings, [NEVER] * len(axes), Aim(price=price))
    value, cost = totals(endings, found)
    for axis, places in enumerate(axes):
        for place in places:
            other = totals(endings, (*found[:axis], place, *found[axis + 1 :]))
            assert other[0] - price * other[1] <= value - price * cost + 1e-9


def test_a_start_below_the_floor_is_lifted_above_it():
    """Descent looks for the floor first where the start misses it, and then for less cost."""
    scores, values, costs = some_chain(500)
    endings = endings_of_chain(scores, values, costs)
    floor = 0.98 * values[:, 2].sum()
    found = descend(endings, [0.0, 0.0], Aim(floor=floor))
    assert totals(endings, found)[0] >= floor
    assert totals(endings, found)[1] < totals(endings, [NEVER, NEVER])[1]


@pytest.mark.parametrize("seed", range(3))
def test_the_quick_way_is_close_to_the_optimum(seed):
    """Tables and descent end within 1 % of the exact optimum's cost, and keep the floor."""
    scores, values, costs = some_chain(4_000, seed)
    floor = 0.98 * values[:, 2].sum()
    endings = endings_of_chain(scores, values, costs)
    best = exact_pair(scores, values, costs, floor)
    found = cheapest(endings, 2, floor)
    assert best is not None
    assert found is not None
    assert totals(endings, found)[0] >= floor
    assert totals(endings, found)[1] <= 1.01 * totals(endings, best)[1]


def test_a_floor_out_of_reach_has_no_thresholds():
    """Where no combination is worth the floor, none is made up."""
    scores, values, costs = some_chain(50)
    floor = 51.0
    assert cheapest(endings_of_chain(scores, values, costs), 2, floor) is None
    assert exact_pair(scores, values, costs, floor) is None
