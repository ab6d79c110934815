"""From a recording to a chain with a promise."""

from dataclasses import replace

import numpy as np
import pytest

from cascade import Chain, NotCertifiable, Price, RecordingError, Score, Tier
from cascade.calibration import Plan, Step, calibrate, prepare
from cascade.calibration.fingerprint import scorer_fingerprint
from cascade.errors import ConfigError
from tests.calibration.builders import recording

NAMES = ["nano", "mini", "top"]
PICO = [10, 60, 1_000]


def sure(_draft):
    """Stands for the recorded scorer."""
    return Score(0.5)


CHAIN = Chain(
    (
        Tier("m", name="nano", scorer=sure, threshold=0.9, price=Price.of("0.2", "1.25")),
        Tier("m", name="mini", scorer=sure, threshold=0.9, price=Price.of("0.75", "4.5")),
        Tier("m", name="top", price=Price.of("5", "30")),
    )
)


def recorded(n=1_200, *, seed=0, know=0.9, **given):
    """Requests of which nano is right in 65 %, and its scores tell so with `know`."""
    rng = np.random.default_rng(seed)
    quality = (rng.random((n, 3)) < [0.65, 0.8, 0.95]).astype(float)
    told = np.where(rng.random((n, 2)) < know, quality[:, :2], 1 - quality[:, :2])
    score = np.column_stack([0.1 + 0.8 * told + 0.05 * rng.random((n, 2)), np.full(n, np.nan)])
    made = recording(quality, PICO, names=NAMES, score=score, **given)
    judged = [
        replace(t, scorer="sure", scorer_settings=scorer_fingerprint(sure)) for t in made.tiers
    ]
    return replace(made, tiers=(*judged[:2], made.tiers[2]))


def test_a_certificate_holds_the_chain_to_ask():
    """The plan that passed is served by a chain of the same tiers with its thresholds."""
    made = calibrate(CHAIN, recorded(), epsilon=0.04, scores="recorded", created_at="2026-11-22")
    assert made.plan.tiers[0] == "nano"
    assert made.epsilon == 0.04
    assert made.p <= 0.05
    assert [tier.name for tier in made.chain.tiers] == list(made.plan.tiers)
    assert made.chain.tiers[0].threshold == made.plan.steps[0].threshold
    assert made.chain.tiers[0].scorer is sure
    assert made.chain.top.scorer is None
    made.check(made.chain)


def test_what_certifies_was_not_learned_from():
    """Learn, certify and monitor parts are disjoint, and the certificate counts the second."""
    found = prepare(CHAIN, recorded(), scores="recorded")
    learn, certify = set(found.learn_part.ids), set(found.certify_part.ids)
    assert not learn & certify
    assert len(learn) + len(certify) < 1_200
    made = calibrate(CHAIN, recorded(), epsilon=0.04, scores="recorded")
    assert (made.requests, made.learned_on) == (len(certify), len(learn))


def test_the_path_begins_with_the_top_tier():
    """Plans are tested from the most careful on; the certify part does not decide the order."""
    found = prepare(CHAIN, recorded(), scores="recorded")
    plans = found.plans(0.04)
    assert plans[0] == Plan((Step("top"),))
    assert len(set(plans)) == len(plans) > 3
    certify = found.splits.mask("certify")
    quality = found.recording.quality.copy()
    quality[certify] = 1 - quality[certify]
    other = replace(found, recording=replace(found.recording, quality=quality))
    assert other.plans(0.04) == plans


def test_a_target_is_read_off_the_learn_part():
    """98 % of a top tier that is right in 95 % is 1.9 points, whatever certifies."""
    found = prepare(CHAIN, recorded(), scores="recorded")
    assert found.epsilon_of(0.98) == pytest.approx(0.02 * found.learn_part.quality[:, 2].mean())
    with pytest.raises(ConfigError, match=r"target is 98: expected a share in \(0, 1\]"):
        found.epsilon_of(98)


def test_signals_are_learned_from():
    """Without a scorer of its own the chain is judged by what a model learns from signals."""
    made = recorded()
    signal = made.score.copy()
    bare = recording(made.quality, PICO, names=NAMES, signals={"conf": signal})
    found = prepare(CHAIN, bare)
    assert found.scores == "learned"
    assert found.path.at(0.95).cost_usd < 0.7 * found.path.top.cost_usd


def test_auto_takes_the_cheaper_of_two_judges():
    """Recorded scores that know nothing lose against signals that do, and the other way round."""
    blind, seeing = recorded(know=0.5), recorded(know=0.95)
    signals = {"conf": seeing.score.copy()}
    assert prepare(CHAIN, recorded(know=0.5, signals=signals)).scores == "learned"
    noise = {"conf": np.random.default_rng(1).random((1_200, 3))}
    assert prepare(CHAIN, recorded(know=0.98, signals=noise)).scores == "recorded"
    assert len(blind) == 1_200


def test_a_recording_that_came_split_keeps_its_parts():
    """Train is learned from and test certifies, unless a key is given."""
    splits = np.array(["train", "test"] * 600, object)
    found = prepare(CHAIN, recorded(splits=splits), scores="recorded")
    assert set(found.certify_part.splits) == {"test"}
    keyed = prepare(CHAIN, recorded(splits=splits), scores="recorded", key="another")
    assert set(keyed.certify_part.splits) == {"test", "train"}


def test_too_few_labels_say_how_many_would_do():
    """Forty requests certify nothing at two points, and the error says what they need."""
    with pytest.raises(NotCertifiable) as caught:
        calibrate(CHAIN, recorded(40), epsilon=0.02, scores="recorded")
    assert caught.value.labels_needed is None or caught.value.labels_needed > 16


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"target": 0.98, "epsilon": 0.02}, ConfigError, "give one"),
        ({"confidence": 95}, ConfigError, r"confidence is 95: expected a share in \(0, 1\)"),
        ({"scores": "both"}, ConfigError, "scores is 'both'"),
        ({"shares": (1.0, 0.0, 0.0)}, RecordingError, "part to certify"),
    ],
)
def test_settings_that_cannot_work(given, error, words):
    """Each is named before anything is learned."""
    with pytest.raises(error, match=words):
        calibrate(CHAIN, recorded(60), **given)


def test_another_chain_is_refused():
    """A recording of other tiers does not speak of this chain."""
    other = Chain((Tier("m", name="tiny", scorer=sure, price=Price.free()), CHAIN.top))
    with pytest.raises(RecordingError, match="tiny"):
        calibrate(other, recorded(60), epsilon=0.05)


def test_weights_count_up_to_the_heaviest_that_was_learned_from():
    """A heavier request among those that certify counts as that one, and the bound is said."""
    weights = np.random.default_rng(1).choice([1.0, 2.0, 3.0], 1_200)
    made = recorded(weights=weights)
    part = prepare(CHAIN, made, scores="recorded").certify_part
    made.weights[made.ids == part.ids[0]] = 50.0
    found = calibrate(CHAIN, made, epsilon=0.1, scores="recorded")
    assert (found.test, found.heaviest) == ("betting", 3.0)
    assert "by weights of 3 at most" in found.sentence()


def test_copies_are_in_one_part_and_count_once():
    """The same prompt is neither learned from and certified on, nor two labels."""
    asked = np.array([f"question {row % 600}" for row in range(1_200)], object)
    made = recorded(requests=asked)
    found = prepare(CHAIN, made, scores="recorded")
    assert not set(found.learn_part.requests) & set(found.certify_part.requests)
    promised = calibrate(CHAIN, made, epsilon=0.1, scores="recorded")
    assert promised.units == len(set(found.certify_part.requests)) < promised.requests
    assert promised.test == "exact"


def test_the_learn_part_says_whether_quality_is_graded():
    """A grade that only the certify part holds does not choose the test."""
    made = recorded()
    parts = prepare(CHAIN, made, scores="recorded")
    made.quality[made.ids == parts.certify_part.ids[0], 0] = 0.5
    assert calibrate(CHAIN, made, epsilon=0.05, scores="recorded").test == "exact"
    made.quality[made.ids == parts.learn_part.ids[0], 0] = 0.5
    assert calibrate(CHAIN, made, epsilon=0.1, scores="recorded").test == "betting"


@pytest.mark.parametrize("epsilon", [2, 1.0, 5, float("nan"), -1, np.float64(2), "0.02"])
def test_a_margin_that_is_no_share_is_refused_at_once(epsilon):
    """Points given for a share are refused before anything is computed, wherever they are given."""
    words = r"epsilon is ('0.02'|[-\w.]+): expected a share in \[0, 1\), e.g. 0.02 for two points"
    with pytest.raises(ConfigError, match=words):
        calibrate(CHAIN, None, epsilon=epsilon)  # no recording is looked at
    found = prepare(CHAIN, recorded(200), scores="recorded")
    with pytest.raises(ConfigError, match=words):
        found.plans(epsilon)
    with pytest.raises(ConfigError, match=words):
        found.certificate(CHAIN, epsilon=epsilon)


def test_prices_that_changed_since_are_noted():
    """Costs stay those that were recorded, and the certificate says that the chain's differ."""
    made = recorded()
    tiers = tuple(
        replace(t, price=c.price.to_dict()) for t, c in zip(made.tiers, CHAIN.tiers, strict=True)
    )
    made = replace(made, tiers=tiers)
    same = calibrate(CHAIN, made, epsilon=0.04, scores="recorded")
    assert not any("prices" in note for note in same.notes)
    named = [replace(tier, price={**tier.price, "id": "another"}) for tier in made.tiers]
    renamed = calibrate(CHAIN, replace(made, tiers=named), epsilon=0.04, scores="recorded")
    assert not any("prices" in note for note in renamed.notes)
    dearer = replace(CHAIN.tiers[0], price=Price.of("0.4", "2.5"))
    chain = replace(CHAIN, tiers=(dearer, *CHAIN.tiers[1:]))
    other = calibrate(chain, made, epsilon=0.04, scores="recorded")
    (note,) = [note for note in other.notes if "prices" in note]
    assert note.startswith("prices of 'nano' are not those that were recorded")
    assert other.cost == same.cost


def test_a_target_of_a_top_tier_that_is_always_wrong_is_refused():
    """98 % of nothing is nothing: the metric is questioned instead."""
    made = recorded()
    made.quality[:, 2] = 0
    with pytest.raises(RecordingError, match=r"quality 0.*the metric looks wrong"):
        calibrate(CHAIN, made, scores="recorded")


def test_one_group_cannot_be_split():
    """Where all requests are in one group, the error says so."""
    made = recorded(60, groups=np.array(["all"] * 60, object))
    with pytest.raises(RecordingError, match="all 60 requests are in one group only, 'all'"):
        calibrate(CHAIN, made, epsilon=0.04, scores="recorded")


def test_paths_in_place_of_values_are_named():
    """A chain and a recording are expected, not the names of their files."""
    with pytest.raises(ConfigError, match="expected a Chain; `load_chain` reads"):
        calibrate("support.toml", recorded(60), epsilon=0.05)
    with pytest.raises(ConfigError, match="read_recording"):
        calibrate(CHAIN, "support.parquet", epsilon=0.05)


def test_a_certificate_says_why_tiers_were_left_out():
    """Each tier that the certified plan does without is noted with the reason."""
    made = calibrate(CHAIN, recorded(), epsilon=0.35, scores="recorded")
    left_out = {"nano", "mini", "top"} - set(made.plan.tiers)
    assert left_out
    noted = [note for note in made.notes if note.startswith("does without")]
    assert len(noted) == len(left_out)
    assert all(any(f"does without {name}: " in note for note in noted) for name in left_out)


def test_a_safer_variant_has_the_reasons_of_its_plan():
    """Higher thresholds over the same tiers leave the same tiers out, for the same reasons."""
    found = prepare(CHAIN, recorded(), scores="recorded")
    plan = [point.plan for point in found.path.points if len(point.plan.tiers) == 2][-1]
    safer = replace(plan, steps=tuple(replace(step, threshold=0.999) for step in plan.steps))
    assert {one.name for one in found.dropped(plan)} == {"nano", "mini", "top"} - set(plan.tiers)
    assert found.dropped(safer) == found.dropped(plan)
    assert all(one.reason for one in found.dropped(plan))


def test_each_plan_of_a_path_has_reasons_of_its_own():
    """Their numbers are those of that plan, and not of another one over the same tiers."""
    found = prepare(CHAIN, recorded(), scores="recorded")
    plans = [point.plan for point in found.path.points]
    assert len({plan.tiers for plan in plans}) < len(plans)
    assert [found.dropped(plan) for plan in plans] == [found.path.dropped(plan) for plan in plans]
