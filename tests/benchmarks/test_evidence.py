"""What evidence is worth: the arithmetic of it, and both tables in small."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from benchmarks import evidence, features
from cascade import Draft, Reply, Request, ask
from scorers import Grounded


def test_auroc_counts_pairs():
    """The share of pairs in order; ties count half."""
    right = [True, True, False, False]
    assert evidence.auroc([3, 2, 1, 0], right)[0] == 1.0
    assert evidence.auroc([0, 1, 2, 3], right)[0] == 0.0
    assert evidence.auroc([1, 1, 1, 1], right)[0] == 0.5
    assert evidence.auroc([2, 0, 1, 1], right)[0] == 0.5
    assert evidence.auroc([2, 1, 1, 0], right)[0] == 0.875
    with pytest.raises(ValueError, match="both kinds"):
        evidence.auroc([1, 2], [True, True])


def test_a_paid_scorer_is_not_compared():
    """Only free scorers have a value here; an abstention ranks below any score."""

    def paid(draft):
        return (yield from ask("m", "right?"))

    draft = Draft(Request.build("x"), Reply("no numbers"))
    assert evidence.value_of(Grounded(), draft) == -1.0
    paid.inline = True
    with pytest.raises(TypeError, match="only free scorers"):
        evidence.value_of(paid, draft)


def test_learned_scores_come_from_other_answers():
    """A feature that tells is found; one that is noise is not believed."""
    right = [place % 3 == 0 for place in range(90)]
    tells = [[float(label), math.sin(place)] for place, label in enumerate(right)]
    noise = [[math.sin(place * 7.3)] for place in range(90)]
    assert evidence.auroc(evidence.out_of_fold(tells, right), right)[0] == 1.0
    assert evidence.auroc(evidence.out_of_fold(noise, right), right)[0] < 0.75


def test_the_table_of_records(tmp_path):
    """Recorded lines become a table; an ungrounded record ranks below a grounded one."""
    path = tmp_path / "orders.jsonl"
    lines = []
    for place, (text, truth) in enumerate(evidence.orders(40, seed=3)):
        said = truth if place % 2 else {**truth, "city": "Nowhere"}
        answer = json.dumps(said)
        tokens = [{"token": answer, "logprob": -0.1 - place / 100}]
        lines.append({"request": text, "truth": truth, "answer": answer, "logprobs": tokens})
    path.write_text("\n".join(map(json.dumps, lines)))
    table = list(evidence.compare_records(path))
    assert table[0] == "40 JSON records, 50.0% right in every field"
    assert any(row.startswith("Grounded, share of values") and " 1.000" in row for row in table)


def test_orders_hold_what_they_say():
    """Every value of an order is in its text, so the truth is grounded."""
    for text, truth in evidence.orders(60, seed=4):
        draft = Draft(Request.build(text), Reply(json.dumps(truth)))
        assert Grounded(fields=evidence.FIELDS)(draft).value == 1.0, (text, truth)


@pytest.mark.data
def test_the_tables_of_recorded_calls():
    """Where the recordings are (CASCADE_DATA), grounding beats validity for every setting."""
    folder = Path(os.environ.get("CASCADE_DATA", ""), "bfcl-2024-08")
    if not (folder / "responses.parquet").is_file():
        pytest.skip("CASCADE_DATA names no folder with recorded runs")
    pytest.importorskip("pyarrow")
    table = "\n".join(evidence.compare_calls(folder))
    for block in table.split("AUROC within categories")[1:]:
        areas = {
            row[:42].strip(): float(row[42:48])
            for row in block.splitlines()
            if row.startswith("  ")
        }
        assert areas["Grounded"] > areas["ToolCalls"]


def test_the_features_are_timed(capsys, monkeypatch):
    """The script prints a median for each."""
    monkeypatch.setattr("sys.argv", ["features", "--rounds", "10"])
    features.main()
    assert capsys.readouterr().out.count("p50") == 4
