"""The benchmark of thresholds: all ways answer the same question, and the table prints."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import thresholds
from cascade.calibration.search.descent import totals


@pytest.mark.parametrize("tiers", [3, 4])
def test_every_way_keeps_the_floor(tiers):
    """Whatever finds thresholds, they keep the quality that was asked for."""
    case = thresholds.Case.of(tiers, 600)
    ways = [thresholds.near, lambda c: thresholds.descent(c, 33), lambda c: thresholds.brute(c, 10)]
    for way in ways:
        found = way(case)
        assert found is not None
        assert totals(case.endings, found)[0] >= case.floor


def test_the_brute_grid_is_what_it_claims():
    """The grid's best is no better than the exact optimum, and each combination of it is tried once."""
    case = thresholds.Case.of(3, 400)
    exact, brute = (totals(case.endings, way(case)) for way in (thresholds.exact, _brute))
    assert brute[1] >= exact[1]
    tried = list(thresholds._grid(case, np.arange(400), (), 10))
    assert (
        sum(len(value) for _, value, _ in tried) == 90
    )  # where the first step accepts all, nothing is left to try


def _brute(case):
    return thresholds.brute(case, 40)


def test_both_tables_print(monkeypatch, capsys):
    """The command prints a line for each way and size."""
    monkeypatch.setattr(sys, "argv", ["thresholds", "--small"])
    thresholds.main()
    lines = capsys.readouterr().out.splitlines()
    assert sum(" ms" in line for line in lines) == 19
