"""The recorded runs beside the project are read in one call each, and come back from a file."""

from pathlib import Path

import numpy as np
import pytest

from cascade.calibration import import_long_form, import_wide, read_recording, write_recording
from cascade.calibration.money import in_usd
from tests.calibration.recordings import assert_same

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded runs at {DATA}"),
]


@pytest.mark.parametrize(
    ("read", "place", "shape", "top"),
    [
        (import_long_form, "bfcl-2024-08", (850, 71), "claude-3-5-sonnet-20240620"),
        (import_long_form, "gsm8k-verifier", (1319, 4), "175b_verification"),
        (import_long_form, "msp-qa", (8590, 14), "gpt-4-turbo"),
        (import_long_form, "rational-cascades", (3416, 9), "gpt-4o"),
        (import_long_form, "zeroeval", (1319, 19), "claude-3-opus-20240229"),
        (import_long_form, "routellm/mt_bench.parquet", (160, 2), "gpt4_1106"),
        (import_wide, "routellm/gsm8k.parquet", (1319, 2), "gpt4_1106"),
    ],
)
def test_one_call(tmp_path, read, place, shape, top):
    """Every set gives a whole recording with sensible defaults, and survives a file."""
    found = read(DATA / place)
    assert found.quality.shape == shape
    assert found.names[found.top] == top
    assert not np.isnan(found.quality).any()
    assert len(set(found.slices)) >= 1
    write_recording(found, tmp_path / "x.parquet")
    assert_same(read_recording(tmp_path / "x.parquet"), found)


def test_signals_and_splits():
    """Log-probabilities keep their -inf, and the published split is there."""
    found = import_long_form(DATA / "rational-cascades")
    signal = found.signals["conf_logprob"]
    assert np.isneginf(signal).sum() == 43
    assert set(found.splits) == {"train", "test"}
    assert set(found.slices) == {"mmlu", "triviaqa", "gsm8k"}


def test_costs_are_those_that_were_published():
    """Prices and tokens give the same amounts as the table's single-precision costs."""
    prices = {"gpt-4o-mini-2024-07-18": {"in": 0.15, "out": 0.6}}
    model = ["gpt-4o-mini-2024-07-18"]
    given = import_long_form(DATA / "zeroeval", tiers=model, prices=prices)
    table = import_long_form(DATA / "zeroeval", tiers=model)
    assert (given.cost_pusd == table.cost_pusd).all()
    assert 0 < in_usd(table.cost_pusd).mean() < 0.001
