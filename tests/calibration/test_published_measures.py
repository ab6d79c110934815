"""Measures of the recorded runs beside the project are those that were measured on them before."""

from pathlib import Path

import numpy as np
import pytest

from cascade.calibration import import_long_form, import_wide, learn
from cascade.calibration.comparing.baselines import Simpler
from cascade.calibration.comparing.routing_measures import apgr, cpt
from cascade.calibration.comparing.scorer_measures import auroc, auroc_within
from scorers import canonical_number

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded runs at {DATA}"),
]


@pytest.fixture(scope="module")
def gsm8k():
    return import_wide(DATA / "routellm" / "gsm8k.parquet")


def test_agreement_of_final_numbers(gsm8k):
    """Where Mixtral's last number equals GPT-4's it is right in 97.1 %; that is how often they do."""
    weak, strong = ([canonical_number(text) for text in gsm8k.texts[:, at]] for at in (0, 1))
    same = np.array(
        [one is not None and one == other for one, other in zip(weak, strong, strict=True)]
    )
    right = gsm8k.quality[:, 0]
    assert right[same].mean() == pytest.approx(0.971, abs=0.004)
    # 20.3 % was measured with a reader that breaks "1,200" apart; this one does not.
    assert right[~same].mean() == pytest.approx(0.133, abs=0.01)
    assert auroc(same.astype(float), right) > 0.9


def test_routers_on_gsm8k(gsm8k):
    """The answer says more than the question, and both more than chance: APGR beside 0.5."""
    learning = learn(gsm8k.rows(np.arange(700)), trees="never")
    weak, strong = learning.recording.quality.T
    scores = learning.source.scores((0,), 0)
    answer, question = apgr(scores, weak, strong), apgr(learning.source.gate(0), weak, strong)
    rng = np.random.default_rng(0)
    chance = np.mean([apgr(rng.random(len(weak)), weak, strong) for _ in range(40)])
    assert 0.6 < answer < 0.8  # 0.695 was measured before on all of it
    assert 0.5 < question < answer  # 0.536
    assert chance == pytest.approx(0.5, abs=0.02)
    assert cpt(0.5, scores, weak, strong) < 0.35  # 0.2


def test_pooled_auroc_is_above_that_within_tasks():
    """The log-probability's AUROC over three tasks is flattered by telling them apart."""
    made = import_long_form(DATA / "rational-cascades")
    at = made.index("llama3.1-8b")
    scores, right = made.signals["conf_logprob"][:, at], made.quality[:, at]
    pooled, within = auroc(scores, right), auroc_within(scores, right, made.slices)
    assert 0.7 < within < pooled < 0.9


def test_oracles_and_mixing_frame_everything():
    """An oracle needs a fraction of what mixing needs, and the cascade's pays for its climb."""
    made = import_long_form(DATA / "rational-cascades").with_tiers(
        ["llama3.2-3b", "llama3.1-8b", "llama3.1-70b", "llama3.1-405b"]
    )
    simpler = Simpler(made, None)
    quality = 0.98 * simpler.mean_quality[-1]
    router, cascade = simpler.router.cost_at(quality), simpler.cascade.cost_at(quality)
    mixing = simpler.mixing.cost_at(quality)
    assert router < cascade < mixing / 5
    assert simpler.router.quality[-1] == pytest.approx(made.quality.max(axis=1).mean())
