import numpy as np
import pytest

from cascade.calibration import RecordedTier, Recording, search_plans, simulate
from cascade.calibration.search.fitted import fit
from cascade.calibration.search.layout import Seen
from cascade.calibration.search.shapes import Shape
from cascade.calibration.search.thresholds import pareto
from cascade.errors import ConfigError, RecordingError
from tests.calibration.search_help import Arrays, made_up


def read_on(point, recording, source):
    """Mean quality and cost of a point's plan on other requests."""
    found = simulate(point.plan, recording, source)
    return found.quality.mean(), found.cost_pusd.mean() / 1e12


# What is found -----------------------------------------------------------------------------------


def test_points_are_what_their_plans_do_and_rise_in_cost_and_quality():
    """Every point is exactly its plan's simulation, and nothing on the path beats another."""
    recording, source = made_up(witnesses=1)
    path = search_plans(recording, source)
    assert len(path.points) > 10
    for point in path.points:
        quality, cost = read_on(point, recording, source)
        assert (point.quality, point.cost_usd) == pytest.approx((quality, cost))
        assert sum(point.shares) == pytest.approx(1)
        assert point.expected_quality == pytest.approx(quality, abs=0.05)
    names = ("cost_usd", "expected_quality")
    costs, qualities = ([getattr(p, name) for p in path.points] for name in names)
    assert pareto(np.array(costs), np.array(qualities)).tolist() == list(range(len(costs)))


def test_a_plan_is_cheaper_than_the_top_tier_at_nearly_its_quality():
    """On fresh requests a plan keeps about the quality it is expected to, for much less."""
    recording, source = made_up(3_000, witnesses=2)
    learn, fresh = np.arange(1_500), np.arange(1_500, 3_000)
    halves = [_half(source, rows) for rows in (learn, fresh)]
    point = search_plans(recording.rows(learn), halves[0]).at(0.98)
    quality, cost = read_on(point, recording.rows(fresh), halves[1])
    assert quality == pytest.approx(point.expected_quality, abs=0.03)
    assert cost < 0.6 * recording.cost_pusd[:, 2].mean() / 1e12


def _half(source, rows):
    class Half:
        def scores(self, asked, returns):
            return source.scores(asked, returns)[rows]

        def cost_pusd(self, asked, returns):
            return source.cost_pusd(asked, returns)[rows]

        def gate(self, tier):
            return source.gate(tier)[rows]

    return Half()


def test_witnesses_are_bought_where_they_pay():
    """A cheap witness that knows something is part of the plan; a dear one is not."""
    recording, source = made_up(2_000, witnesses=1)
    assert "w0" in search_plans(recording, source).at(0.98).plan.tiers
    dear = recording.cost_pusd.copy()
    dear[:, 3] *= 40
    other = Recording.build(
        recording.tiers, list(recording.ids), quality=recording.quality, cost_pusd=dear
    )
    path = search_plans(other, source)
    plan = path.at(0.98).plan
    assert "w0" not in plan.tiers
    assert {one.name: one.why for one in path.dropped(plan)}["w0"] in ("break-even", "no gain")


def test_a_tier_below_break_even_is_dropped_with_the_numbers():
    """A tier nearly as dear as the next one is dropped for keeping less than it costs."""
    recording, source = made_up(2_000, prices=(1, 20, 25))
    path = search_plans(recording, source, gates=False)
    plan = path.at(0.98).plan
    assert plan.tiers == ("t0", "t2")
    (dropped,) = path.dropped(plan)
    assert dropped.name == "t1"
    assert dropped.why == "break-even"
    assert dropped.price > 0.7
    assert dropped.keeps < dropped.price
    assert f"{100 * dropped.price:.1f} % of what comes after it" in dropped.reason


def test_a_constant_model_that_wins_is_recommended_as_such():
    """Where a cheap tier is as good as the top one, asking it alone is the recommendation."""
    recording, source = made_up(1_000, skill=(3.5, 2.0, 3.0))
    path = search_plans(recording, source)
    assert path.constant(1.0) == "t0"
    assert path.at(1.0).plan.is_constant
    reasons = {one.name: one for one in path.dropped(path.at(1.0).plan)}
    assert set(reasons) == {"t1", "t2"}


def test_a_top_tier_that_is_worse_is_left_out():
    """A plan does without a top tier that a cheaper one beats, and says so; the top is known."""
    recording, source = made_up(1_000, skill=(0.5, 3.0, 1.0))
    path = search_plans(recording, source)
    assert path.top.plan.tiers == ("t2",)
    assert path.top not in path.points
    plan = path.at(1.0).plan
    assert "t2" not in plan.tiers
    (dropped,) = (one for one in path.dropped(plan) if one.name == "t2")
    assert dropped.why == "dominated"
    assert "'t1' is no worse" in dropped.reason


def test_search_is_repeatable():
    """The same recording and scores give the same path."""
    recording, source = made_up(400, witnesses=1)
    assert search_plans(recording, source).points == search_plans(recording, source).points


def test_weights_count():
    """A request of weight 3 counts like three requests."""
    recording, source = made_up(150)
    weights = np.random.default_rng(0).integers(1, 4, 150)
    weighted = Recording.build(
        recording.tiers,
        list(recording.ids),
        quality=recording.quality,
        cost_pusd=recording.cost_pusd,
        weights=weights.astype(float),
    )
    rows = np.repeat(np.arange(150), weights)
    repeated = Recording.build(
        recording.tiers,
        [str(at) for at in range(len(rows))],
        quality=recording.quality[rows],
        cost_pusd=recording.cost_pusd[rows],
    )
    shape = Shape(((0, 0), (1, 1), (2, 2)))
    one = fit(shape, Seen(weighted, source, np.arange(150)), bins=200)
    other = fit(shape, Seen(repeated, _half(source, rows), np.arange(len(rows))), bins=200)
    assert one.table.value == pytest.approx(other.table.value)
    assert one.table.cost == pytest.approx(other.table.cost)


def test_the_path_is_thinned_evenly():
    """Fewer points than were found keep the ends of the path and lie along it."""
    recording, source = made_up(2_000)
    full = search_plans(recording, source)
    thin = search_plans(recording, source, max_points=10)
    assert sum(len(point.plan.tiers) > 2 for point in thin.points) <= 10
    assert len(thin.points) <= 20  # a few plain ones stand beside them
    assert thin.points[0] == full.points[0]
    assert thin.points[-1].plan == full.points[-1].plan


def test_progress_tells_how_many_shapes_were_tried():
    """Progress counts every shape once."""
    recording, source = made_up(100)
    told = []
    path = search_plans(recording, source, progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert len(told) >= path.searched


# Bad input ---------------------------------------------------------------------------------------


def test_one_tier_has_a_path_of_one_point():
    """A recording of one tier has one plan: to ask it."""
    recording, source = made_up(50, prices=(1,), skill=(1.0,))
    path = search_plans(recording, source)
    assert [point.plan.tiers for point in path.points] == [("t0",)]
    assert path.constant(0.5) == "t0"


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_all_right_or_all_wrong_is_the_cheapest_model(right):
    """Where all answers are equally good, the cheapest model is the plan."""
    recording, source = made_up(60)
    same = Recording.build(
        recording.tiers,
        list(recording.ids),
        quality=np.full((60, 3), right),
        cost_pusd=recording.cost_pusd,
    )
    path = search_plans(same, source)
    assert [point.plan.tiers for point in path.points] == [("t0",)]
    assert path.constant(1.0) == "t0"


def test_five_requests_are_enough_to_search():
    """Five labels give a path; that it promises nothing is the certificate's business."""
    recording, source = made_up(5)
    assert search_plans(recording, source).points


def test_scores_of_nan_and_ties_leave_what_can_be_told():
    """A step without any score is left out and said so; thousands of ties are one threshold."""
    recording, source = made_up(3_000)
    source.alone[:, 0] = np.nan
    source.alone[:, 1] = np.where(source.alone[:, 1] > 0.5, 1.0, 0.0)
    path = search_plans(recording, source, gates=False)
    assert all(p.plan.tiers[0] != "t0" or p.plan.is_constant for p in path.points)
    assert any("no score on any request" in note for note in path.notes)
    thresholds = {s.threshold for p in path.points for s in p.plan.steps[:-1]}
    assert thresholds <= {0.0, 1.0}


def test_a_source_that_cannot_tell_is_named():
    """Scores that a source refuses are noted with its reason, and the rest is searched."""
    recording, source = made_up(200, witnesses=1)
    source.gates = {}
    path = search_plans(recording, source)
    assert any("no gate was learned" in note for note in path.notes)
    assert path.points


def test_requests_of_unknown_quality_are_left_out_and_counted():
    """Only requests whose quality is known for every tier are searched on."""
    recording, source = made_up(300)
    quality = recording.quality.copy()
    quality[:40, 2] = np.nan
    known = Recording.build(
        recording.tiers, list(recording.ids), quality=quality, cost_pusd=recording.cost_pusd
    )
    assert search_plans(known, source).left_out == 40
    quality[40:, 1] = np.nan
    none = Recording.build(
        recording.tiers, list(recording.ids), quality=quality, cost_pusd=recording.cost_pusd
    )
    with pytest.raises(RecordingError, match="no request has a known quality for every tier"):
        search_plans(none, source)


def test_an_unknown_cost_drops_a_tier_and_refuses_the_top():
    """A tier that cost nobody knows is dropped by name; without the top's there is no search."""
    recording, source = made_up(300)
    for tier, expected in ((1, None), (2, "top tier 't2': its cost is unknown on 7 of 300")):
        cost = recording.cost_pusd.copy()
        cost[:7, tier] = -1
        part = Recording.build(
            recording.tiers, list(recording.ids), quality=recording.quality, cost_pusd=cost
        )
        if expected:
            with pytest.raises(RecordingError, match=expected):
                search_plans(part, source)
            continue
        path = search_plans(part, source)
        plan = path.at(0.98).plan
        reasons = {one.name: one for one in path.dropped(plan)}
        assert reasons["t1"].why == "refused"
        assert "unknown on 7 of 300" in str(reasons["t1"])


def test_settings_that_cannot_work_are_refused():
    """Settings out of range are named."""
    recording, source = made_up(20)
    with pytest.raises(ConfigError, match="bins=1"):
        search_plans(recording, source, bins=1)
    with pytest.raises(ConfigError, match="retention=0"):
        search_plans(recording, source).at(0)
    foreign = search_plans(made_up(20, prices=(1, 2), skill=(1.0, 2.0))[0], source).points[0].plan
    with pytest.raises(RecordingError, match="not on this path"):
        search_plans(recording, source, gates=False).dropped(
            type(foreign)((type(foreign.steps[0])("other"),))
        )


def test_ties_are_never_told_apart():
    """Requests with equal scores share their fate, on the path too."""
    n = 400
    rng = np.random.default_rng(0)
    quality = (rng.random((n, 2)) < (0.5, 0.9)).astype(float)
    recording = Recording.build(
        [RecordedTier("a", "a"), RecordedTier("b", "b")],
        [str(at) for at in range(n)],
        quality=quality,
        cost_pusd=np.tile([1_000, 20_000], (n, 1)),
    )
    source = Arrays(np.tile([0.5, 0.5], (n, 1)))
    path = search_plans(recording, source, gates=False)
    assert [point.plan.tiers for point in path.points] == [("a",), ("b",)]


def test_it_keeps_to_one_thread():
    """Many small fits are no work for threads, which would spin between them."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    recording, source = made_up(200)
    seen = set()

    class Watching:
        def scores(self, asked, returns):
            seen.update(pool["num_threads"] for pool in threadpoolctl.threadpool_info())
            return source.scores(asked, returns)

        def __getattr__(self, name):
            return getattr(source, name)

    search_plans(recording, Watching())
    assert seen == {1}
