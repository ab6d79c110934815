"""The rational-cascades benchmark: its curves, its plain grid, and one chain end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import rational

DATA = Path(__file__).parents[3] / "shared" / "data" / "rational-cascades"
PUBLISHED = DATA / "published_llama_chain_results.csv"
here = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded runs in {DATA}")


def test_mean_error_is_the_area_between_straight_lines():
    """Error is averaged over the interval, in straight lines, and stays beyond the last point."""
    cost, quality = np.array([3.0, 1.0]), np.array([0.9, 0.5])
    assert rational.mean_error(cost, quality, 1.0, 3.0) == pytest.approx(0.3)
    assert rational.mean_error(cost, quality, 2.0, 3.0) == pytest.approx(0.2)
    assert rational.mean_error(cost, quality, 3.0, 5.0) == pytest.approx(0.1)


def test_the_logistic_curve_finds_the_weights():
    """A logistic regression on many labels finds the curve they were drawn from."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=20_000)
    right = (rng.random(20_000) < 1 / (1 + np.exp(-0.5 - 2 * x))).astype(float)
    found = rational.Logistic(x, right)
    assert found.p(np.array([0.0, 1.0])) == pytest.approx(1 / (1 + np.exp([-0.5, -2.5])), abs=0.02)


@pytest.mark.parametrize("chain", [rational.MODELS[:2], rational.MODELS[1:4]])
@pytest.mark.data
@here
def test_the_plain_grid_gives_the_published_numbers(chain):
    """The protocol is read as its publishers read it: the grid search gives their areas."""
    known = {one.chain: one for one in rational.published(PUBLISHED, "mmlu")}[tuple(chain)]
    (half,) = rational.halves(DATA, "mmlu", known.low)
    found = rational.mean_error(*rational.grid_curve(half, chain), known.low, known.high)
    assert found == pytest.approx(known.error["gridsearch"], abs=2e-4)


@pytest.mark.data
@here
def test_gsm8k_is_read_on_parts_left_out():
    """Without a test split every request is read once, by what was learned on others."""
    parts = rational.halves(DATA, "gsm8k", 50.0)
    assert sorted(one for half in parts for one in half.read.ids) == sorted(
        {*parts[0].learn.ids, *parts[0].read.ids}
    )
    for half in parts:
        assert not {*half.learn.ids} & {*half.read.ids}
        assert half.read.cost_pusd[0, 0] == pytest.approx(50e6)


@pytest.mark.data
@here
def test_searched_plans_err_less_than_the_published_searches():
    """Plans within one chain lie below both published areas on its interval."""
    chain = rational.MODELS[1:3]
    known = {one.chain: one for one in rational.published(PUBLISHED, "mmlu")}[chain]
    (half,) = rational.halves(DATA, "mmlu", known.low)
    (curve,) = rational.plan_curves(half, [chain])
    assert rational.mean_error(*curve, known.low, known.high) < min(known.error.values())
