"""The benchmark of plans: its readings on a small recording, and its table."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import plans, rivals
from benchmarks.recorded_sets import PRESETS
from tests.calibration.search_help import made_up


def split_of(witnesses=1):
    recording, source = made_up(600, witnesses=witnesses)
    order = np.random.default_rng(0).permutation(600)
    return plans.Split(recording, source, np.sort(order[:300]), np.sort(order[300:]))


def test_always_the_top_tier_costs_everything():
    """A policy that only knows the top tier costs 100 % and keeps 100 %."""
    split = split_of()
    top = plans.Plan((plans.Step("t2"),))
    policy = plans.Policy([top], lambda _share: top, plans.Rows(split.source, split.read))
    found = plans.read(split, policy)
    assert found.hull == pytest.approx(np.ones(4))
    assert found.cost == pytest.approx(np.ones(4))
    assert found.quality == pytest.approx(np.ones(4))


def test_hindsight_is_cheapest_and_mixing_dearest():
    """No policy costs less than the oracle cascade; searching costs less than mixing at random."""
    split = split_of()
    ends = plans.bounds(split)
    for policy in plans.policies(split).values():
        assert (plans.read(split, policy).hull >= ends["oracle cascade"] - 1e-9).all()
    searched = plans.read(split, plans.policies(split)[plans.SEARCH]).hull
    assert searched[1] < ends["random mix of models"][1]


def test_the_table_prints(monkeypatch, capsys):
    """A line for every policy, and the worst beside the best pair."""
    recording, source = made_up(300)
    monkeypatch.setattr(plans, "read_set", lambda _data, _preset: recording)
    monkeypatch.setattr(plans, "learn", lambda _recording: type("L", (), {"source": source}))
    monkeypatch.setattr(sys, "argv", ["plans", "--data", ".", "--sets", "bfcl", "--splits", "2"])
    plans.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("bfcl: 300 requests; t0 ")
    assert len(lines) == 17
    assert any(line.startswith("  plan search, everything ") for line in lines)
    assert lines[-4].startswith("  chosen plan: at most ")


def test_in_doubt_the_cheapest_is_another_plan():
    """Choosing as if nothing were doubted is no dearer on the half that was learned on."""
    pairs = []
    for seed in range(3):
        recording, source = made_up(300, seed=seed)
        rows = np.arange(300)
        for share in (0.9, 0.95, 0.98):
            costs = []
            for cheapest in (True, False):
                split = plans.Split(recording, source, rows, rows, cheapest=cheapest)
                plan = split.policy(witnesses=False, gates=True).at(share)
                costs.append(plans.simulate(plan, recording, source).cost_pusd.mean())
            pairs.append(costs)
    assert all(cheap <= sure for cheap, sure in pairs)
    assert any(cheap < sure for cheap, sure in pairs)


def test_a_pair_that_missed_the_target_is_no_fair_rival():
    """Costs are set beside the cheaper of top tier and pair; where the pair fell short is told."""
    ours, pairs = (
        rivals.Reading(np.full(4, hull), np.tile([[0.0], [2 * cost]], 4).T, np.array(quality))
        for hull, cost, quality in ((0.4, 0.6, [1.0] * 4), (0.5, 0.5, [1.0, 0.97, 1.0, 1.0]))
    )
    lines = rivals.excess([ours] * 2, [pairs] * 2)
    assert lines[0].startswith("held-out hull: at most 80.0 (0 above 101), ")
    assert lines[1].startswith("chosen plan: at most 120.0 (2 above 101), ")
    assert lines[2] == "  above 101 where the better one kept the target: 2 / 0 / 2 / 2 splits"
    assert lines[3].startswith("  not the pair itself in 2 / 2 / 2 / 2 splits; were both ")


def test_presets_have_a_top_tier_that_is_priced_last():
    """Every preset names its tiers by their prices, the dearest last."""
    for preset in PRESETS.values():
        assert next(reversed(list(preset.tiers))) == "top"
