import numpy as np
import pytest

from cascade.calibration import Gate, Plan, PlanPoint, Step, search_plans
from cascade.calibration.search.plain import Paid, choices
from tests.calibration.search_help import made_up

PLAIN = Plan((Step("t0", threshold=0.5), Step("t1")))
RICH = Plan(PLAIN.steps, Gate("t1", 0.1))
TOP = Plan((Step("t1"),))


def point(plan, cost, quality):
    return PlanPoint(plan, cost, quality, quality, (1.0,), 1.0)


def paid(less, *, weights=None, groups=None):
    """The rich plan pays so much less than the plain one on each request."""
    n = len(less)
    costs = {PLAIN: np.full(n, 5.0), RICH: 5.0 - np.asarray(less, float), TOP: np.full(n, 9.0)}
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    return Paid(costs, weights, np.arange(n) if groups is None else np.asarray(groups))


def is_cheaper(of):
    cheap, dear = point(RICH, 4.0, 0.9), point(PLAIN, 5.0, 0.9)
    assert not of.is_cheaper(dear, dear)
    assert not of.is_cheaper(dear, cheap)
    return of.is_cheaper(cheap, dear)


# Beyond doubt ------------------------------------------------------------------------------------


def test_a_saving_counts_from_two_standard_errors_on():
    """The same mean saving is beyond doubt where it is steady, and not where it comes by luck."""
    assert is_cheaper(paid([1.0, 0.9, 1.1, 1.0]))
    assert not is_cheaper(paid([4.0, 0.0, 0.0, 0.0]))  # one standard error exactly
    assert is_cheaper(paid([4.0, 0.0, 0.0, 0.0] * 10))  # over six


def test_what_belongs_together_is_one_observation():
    """Copies of a request in one group add nothing to what it shows; one group shows nothing."""
    less, groups = [4.0, 0.0, 0.0, 0.0], [0, 1, 2, 3]
    assert not is_cheaper(paid(less * 10, groups=groups * 10))
    assert not is_cheaper(paid([1.0] * 9, groups=[0] * 9))


def test_a_weight_counts_like_so_many_requests_of_one_group():
    """A request of weight 3 is three requests that belong together."""
    less, weights = np.array([3.0, -1.0, 0.5, 0.8, 1.1]), np.array([1, 3, 2, 1, 3])
    groups = np.repeat(np.arange(5), weights)
    for scale in (1.0, 0.2):
        shift = less * scale + 0.5
        one = is_cheaper(paid(shift, weights=weights))
        assert one == is_cheaper(paid(np.repeat(shift, weights), groups=groups))
        assert one == (scale < 1)


# What is chosen ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("less", "chosen"), [([1.0, 0.9] * 4, RICH), ([8.0] + [0.0] * 7, PLAIN)])
def test_a_rich_plan_is_chosen_only_beyond_doubt(less, chosen):
    """Where a rich and a plain plan are good enough, doubt decides for the plain one."""
    points = [point(RICH, 4.0, 0.9), point(PLAIN, 5.0, 0.9), point(TOP, 9.0, 1.0)]
    found = choices(points, set(points[1:]), paid(less))
    assert [(level, one.plan) for level, one in found] == [(0.9, chosen), (1.0, TOP)]


def test_a_rich_plan_that_alone_is_good_enough_is_chosen():
    """No plain plan stands in for one that promises more than any of them."""
    points = [point(PLAIN, 5.0, 0.9), point(RICH, 8.0, 1.1), point(TOP, 9.0, 1.0)]
    found = choices(points, {points[0], points[2]}, paid([-24.0] + [0.0] * 7))
    assert [one.plan for _, one in found] == [PLAIN, TOP, RICH]


def test_a_surer_rich_plan_is_taken_where_the_cheapest_is_in_doubt():
    """The cheapest rich plan may be luck and the next one beyond doubt."""
    other = Plan(PLAIN.steps, Gate("t1", 0.2))
    points = [point(RICH, 4.0, 0.9), point(other, 4.5, 0.9), point(PLAIN, 5.0, 0.9)]
    of = paid([8.0] + [0.0] * 7)
    of.costs[other] = np.full(8, 4.5)
    assert choices(points, {points[2]}, of)[0][1].plan == other


# In a search -------------------------------------------------------------------------------------


def worthless_gates(seed):
    """Two tiers, and gates that know nothing of the request."""
    recording, source = made_up(300, seed=seed, prices=(1, 25), skill=(0.5, 3.0))
    noise = np.random.default_rng(seed).random((2, 300))
    source.gates = {0: noise[0], 1: noise[1]}
    return recording, source


def test_worthless_gates_are_seldom_chosen():
    """The cheapest plan often has a gate by luck; beside as good a pair it is not chosen."""
    shares = (0.9, 0.95, 0.98)
    cheapest = chosen = 0
    for seed in range(20):
        path = search_plans(*worthless_gates(seed))
        for share in shares:
            floor = share * path.top.quality
            first = next(one for one in path.points if one.expected_quality >= floor)
            cheapest += first.plan.gate is not None
            chosen += path.at(share).plan.gate is not None
    assert cheapest >= 12  # of 60
    assert chosen <= 6


def test_what_is_chosen_stands_on_the_path():
    """Every plan that a path gives is one of its points, from which a model is made."""
    for seed in range(5):
        path = search_plans(*worthless_gates(seed))
        for share in np.linspace(0.5, 1.0, 101):
            found = path.at(share)
            assert found in path.points
            assert found.expected_quality >= share * path.top.quality - 1e-9
            assert path.dropped(found.plan) is not None
        costs = [one.cost_usd for one in path.points]
        assert costs == sorted(costs)
