"""The benchmarks of learned scores, in small: they measure what they say."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import learned, learning
from benchmarks.features import draft
from cascade import Score
from cascade.calibration.learning.evidence_table import gather

sys.path.insert(0, str(Path(__file__).parents[1] / "calibration"))
from learning_help import learnable


def test_what_is_timed_is_a_decision():
    """The scorers that are timed judge the drafts that they get, with all that they claim."""
    one = replace(draft(), tier="mini")
    beside = replace(one, earlier=(replace(draft(), tier="nano"), replace(draft(), tier="peer")))
    surface = [learned.block("own", "surface", "", learned.FIELDS["surface"])]
    pairs = [
        learned.block("pair", "agreement", name, learned.FIELDS["agreement"])
        for name in ("nano", "peer")
    ]
    for scorer, judged in (
        (learned.scorer(surface), one),
        (learned.scorer(surface, words=True), one),
        (learned.scorer([*surface, *pairs], boosted=True), beside),
    ):
        assert isinstance(scorer(judged), Score)


@pytest.fixture(scope="module")
def recorded():
    recording = learnable(500, slices=("a", "b"))
    return recording, gather(recording)


def test_each_part_prints_its_lines(recorded, capsys, monkeypatch):
    """States, pairs, labels and transfer of a small set."""
    monkeypatch.setattr(learning, "NEW_LABELS", 60)
    monkeypatch.setattr(learning, "LABELS", (0, 50))
    for part in learning.PARTS.values():
        part("small", *recorded)
    shown = capsys.readouterr().out
    assert "mini beside nano" in shown
    assert "nano and mini" in shown
    assert "50: 0." in shown
    assert "mean after 60 labels" in shown


def test_perfect_scores_have_an_error_too():
    """The error of calibration is above 0 on few answers, however right the scores are."""
    assert 0.02 < learning.perfect(np.random.default_rng(0).random(200)) < 0.15


def test_only_what_is_asked_for(monkeypatch, capsys, recorded):
    """One part of the benchmark alone."""
    monkeypatch.setattr(learning, "sets", lambda data: [("small", recorded[0])])
    learning.main(["--data", "x", "--only", "pairs"])
    shown = capsys.readouterr().out
    assert "\npairs\n" in shown
    assert "states" not in shown
