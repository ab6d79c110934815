"""Learning from a recording: what scores may know, what few labels give, and what is served."""

import dataclasses
import json

import numpy as np
import pytest
from learning_help import TIERS, learnable, objects

from cascade import Request
from cascade.calibration import (
    Gate,
    LearnedModel,
    Plan,
    Step,
    learn,
    recalibrated,
    simulate,
)
from cascade.calibration.drafts import Drafts
from cascade.calibration.learning import state_fit
from cascade.calibration.learning.evidence_table import gather
from cascade.calibration.learning.states import State
from cascade.errors import ConfigError, RecordingError

PLAN = Plan((Step("nano"), Step("mini", threshold=0.7), Step("top")), Gate("mini", 0.4))


def auroc(quality, scores):
    right, wrong = scores[quality == 1], scores[quality == 0]
    return float(np.mean((right[:, None] > wrong) + 0.5 * (right[:, None] == wrong)))


# What a score may know ------------------------------------------------------------------------


def test_agreement_already_paid_for_ranks_answers():
    """An upper tier's answers are told right from wrong far better beside a lower tier's."""
    rec = learnable(400)
    source = learn(rec, trees="never").source
    alone, beside = source.scores((1,), 1), source.scores((0, 1), 1)
    assert auroc(rec.quality[:, 1], beside) > auroc(rec.quality[:, 1], alone) + 0.1
    assert auroc(rec.quality[:, 1], beside) > 0.75


@pytest.mark.parametrize(("asked", "returns"), [((0,), 0), ((0, 1), 1), ((0, 1), 0)])
def test_answers_outside_a_state_change_nothing(asked, returns):
    """A score never hangs on what a plan has not bought."""
    rec = learnable(200)
    texts = rec.texts.copy()
    outside = [tier for tier in range(3) if tier not in asked]
    for tier in outside:
        texts[:, tier] = "Something else entirely, 17."
    quality = rec.quality.copy()
    quality[:, outside] = 1 - quality[:, outside]
    other = dataclasses.replace(rec, texts=texts, quality=quality)
    before, after = learn(rec).source, learn(other).source
    assert np.array_equal(before.scores(asked, returns), after.scores(asked, returns))


def test_the_order_of_asking_does_not_matter():
    """What was bought counts, not when."""
    source = learn(learnable(120)).source
    assert np.array_equal(source.scores((0, 1), 1), source.scores((1, 0), 1))


def test_no_request_sees_the_labels_of_its_group():
    """With few labels nothing is chosen, and a score hangs on other groups' labels alone."""
    groups = objects([f"g{row // 4}" for row in range(56)])
    rec = learnable(56, groups=groups)
    quality = rec.quality.copy()
    quality[groups == "g3"] = 1 - quality[groups == "g3"]
    changed = dataclasses.replace(rec, quality=quality)
    mine = groups == "g3"
    for asked, returns in [((0,), 0), ((0, 1), 1)]:
        before = learn(rec).source.scores(asked, returns)
        after = learn(changed).source.scores(asked, returns)
        assert np.array_equal(before[mine], after[mine])
        assert not np.array_equal(before[~mine], after[~mine])


def test_chance_stays_chance():
    """Labels without any relation to the answers give scores that rank at chance, trees or not."""
    rec = learnable(600)
    noise = np.random.default_rng(5).integers(0, 2, rec.quality.shape).astype(float)
    rec = dataclasses.replace(rec, quality=noise)
    scores = learn(rec).source.scores((0, 1), 1)
    assert 0.4 < auroc(noise[:, 1], scores) < 0.6


def test_a_seed_gives_the_same_scores():
    """Nothing random but the seed."""
    rec = learnable(120)
    one, two = learn(rec, seed=3).source, learn(rec, seed=3).source
    assert np.array_equal(one.scores((0, 1), 1), two.scores((0, 1), 1))
    assert not np.array_equal(one.scores((0, 1), 1), learn(rec, seed=4).source.scores((0, 1), 1))


# Odd input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_all_right_or_all_wrong_gives_a_level_and_says_so(level):
    """Without both kinds there is nothing to rank by; scores are near the level."""
    rec = learnable(80, quality=np.full((80, 3), level))
    learning = learn(rec)
    scores = learning.source.scores((0, 1), 1)
    assert np.abs(scores - level).max() < 0.4
    assert np.abs(scores - level).mean() < 0.15
    assert "nothing to rank answers by" in learning.model.states[0].note


def test_without_labels_agreement_speaks_alone():
    """Zero labels: full agreement scores high, none scores low, and the model says what it is."""
    rec = learnable(100, quality=np.full((100, 3), np.nan))
    learning = learn(rec)
    scores = learning.source.scores((0, 1), 1)
    same = learning.table.pair("agreement", 0, 1)[:, 0] == 1
    assert scores[same].min() > 0.6
    assert scores[~same].max() < 0.4
    assert "no labels" in learning.model.states[0].note
    assert np.ptp(learning.source.scores((0,), 0)) == 0


def test_five_labels_are_mostly_prior():
    """Five labels shift a level, and do not overturn agreement."""
    rec = learnable(100)
    quality = rec.quality.copy()
    quality[5:] = np.nan
    learning = learn(dataclasses.replace(rec, quality=quality))
    scores = learning.source.scores((0, 1), 1)
    assert auroc(rec.quality[:, 1], scores) > 0.7
    assert learning.model.states[0].note == "5 labels: mostly prior knowledge"


def test_one_request_one_group():
    """A single request is scored by prior knowledge."""
    scores = learn(learnable(1)).source.scores((0, 1), 1)
    assert scores.shape == (1,)
    assert 0 < scores[0] < 1


def test_answers_that_are_all_alike():
    """Numbers that never change are left out; no warning, no crash."""
    texts = np.full((60, 3), "42", object)
    rec = learnable(60, texts=texts, requests=objects(["Why?"] * 60))
    learning = learn(rec)
    scores = learning.source.scores((0, 1, 2), 2)
    assert np.ptp(scores) < 0.1
    assert learning.model.states[0].blocks == ()


def test_nothing_kept_but_quality():
    """Without texts the level of a tier is all there is, and a gate says nothing."""
    rec = learnable(80, texts=np.full((80, 3), None, object), requests=objects([None] * 80))
    source = learn(rec).source
    assert np.allclose(source.scores((0,), 0), rec.quality[:, 0].mean(), atol=0.1)
    assert np.isnan(source.gate(0)).all()


def test_signals_that_are_minus_infinity_or_missing():
    """-inf is a value far out; NaN is missing, by an indicator of its own."""
    rec = learnable(200, accuracy=(0.5, 0.8))
    rng = np.random.default_rng(0)
    signal = np.where(rec.quality == 1, -0.1, -3.0) + rng.normal(0, 1.0, rec.quality.shape)
    signal[rng.random(signal.shape) < 0.2] = np.nan
    signal[rng.random(signal.shape) < 0.05] = -np.inf
    rec = dataclasses.replace(rec, signals={"logprob": signal})
    learning = learn(rec, evidence=["logprob"])
    scores = learning.source.scores((0,), 0)
    assert np.isfinite(scores).all()
    assert auroc(rec.quality[:, 0], scores) > 0.7
    [block] = learning.fit(State("nano")).model.blocks
    assert block.missing_rows == np.isnan(signal[:, 0]).sum()
    assert np.ptp(scores[np.isnan(signal[:, 0])]) < 0.2  # folds alone differ


def test_what_is_hardly_ever_missing_gives_no_score():
    """Three answers without a signal teach nothing about its absence: they get no score."""
    rec = learnable(100)
    signal = np.random.default_rng(0).random((100, 3))
    signal[:3, 0] = np.nan
    rec = dataclasses.replace(rec, signals={"msp": signal})
    scores = learn(rec).source.scores((0,), 0)
    assert np.isnan(scores[:3]).all()
    assert np.isfinite(scores[3:]).all()


def test_answers_that_are_not_whole():
    """An empty answer has no score; beside one, an answer is judged as if it had not been bought."""
    rec = learnable(200)
    usable = rec.usable.copy()
    usable[:30, 0] = False
    rec = dataclasses.replace(rec, usable=usable)
    learning = learn(rec)
    assert np.isnan(learning.source.scores((0,), 0)[:30]).all()
    both, alone = learning.source.scores((0, 1), 1), learning.source.scores((1,), 1)
    assert np.array_equal(both[:30], alone[:30])
    assert not np.array_equal(both[30:], alone[30:])


def test_graded_quality():
    """Quality between 0 and 1 teaches as well, trees included."""
    rec = learnable(120)
    rec = dataclasses.replace(rec, quality=0.2 + 0.6 * rec.quality)
    for trees in ("never", "always"):
        scores = learn(rec, trees=trees).source.scores((0, 1), 1)
        assert np.corrcoef(scores, rec.quality[:, 1])[0, 1] > 0.3
        assert abs(scores.mean() - rec.quality[:, 1].mean()) < 0.05


def test_slices_get_a_level_of_their_own():
    """A slice in which a tier fails gets lower scores, out of fold as well."""
    rec = learnable(300, slices=("law", "sums"))
    quality = rec.quality.copy()
    quality[rec.slices == "law", 0] = 0
    rec = dataclasses.replace(rec, quality=quality)
    scores = learn(rec).source.scores((0,), 0)
    assert scores[rec.slices == "law"].mean() < 0.2 < scores[rec.slices == "sums"].mean()
    flat = learn(rec, slices="never", evidence=["agreement"]).source.scores((0,), 0)
    assert np.ptp(flat) < 0.2


def test_a_slice_that_nothing_is_known_about():
    """No score for a request of a new slice or of none, unless there were such before."""
    rec = learnable(120, slices=("law", "sums"))
    model = learn(rec).model
    strange = dataclasses.replace(rec, slices=objects(["", "tax"] * 60))
    for one in (rec, strange):
        expected = model.on(one).scores((0,), 0)
        assert np.array_equal(served(model, one, (0,), 0), expected, equal_nan=True)
        assert np.isnan(expected).all() == (one is strange)
    mixed = dataclasses.replace(rec, slices=objects(["law", "sums", "", "few"] * 30))
    few = objects(["law", "sums", "", "law"] * 29 + ["few"] * 4)
    model = learn(dataclasses.replace(mixed, slices=few)).model
    assert np.isfinite(model.on(strange).scores((0,), 0)).all()


def test_a_gate_reads_the_request():
    """Words of the request tell which ones a tier fails on."""
    rec = learnable(500)
    gate = learn(rec).source.gate(0)
    assert auroc(rec.quality[:, 0], gate) > 0.55
    changed = dataclasses.replace(rec, texts=rec.texts[:, ::-1].copy())
    assert np.array_equal(gate, learn(changed).source.gate(0))


def test_arguments_that_cannot_be():
    """Folds below 2, unknown evidence, and a table of another recording are refused."""
    rec = learnable(20)
    with pytest.raises(ConfigError, match="expected 2 or more"):
        learn(rec, folds=1)
    with pytest.raises(ConfigError, match=r"evidence 'grounding' is not registered .* there is"):
        learn(rec, evidence=["grounding"])
    with pytest.raises(ConfigError, match="the table holds 20 requests, the recording 10"):
        learn(rec.rows(np.arange(10)), table=gather(rec))


# Serving --------------------------------------------------------------------------------------


def served(model, rec, asked, returns):
    """What the model says of each request, one by one."""
    drafts, found = Drafts(rec), []
    for row in range(len(rec)):
        draft = drafts.draft(row, asked)
        request = dataclasses.replace(draft.request, metadata={"slice": rec.slices[row]})
        draft = dataclasses.replace(draft, request=request)
        name = rec.names[returns] if returns != asked[-1] else ""
        found.append(model.judge(draft, name).p)
    return np.array(found)


@pytest.mark.parametrize("trees", ["never", "always"])
def test_one_by_one_and_all_at_once_are_the_same(trees, monkeypatch):
    """A request judged alone gets the score it has among all, to the last digit."""
    monkeypatch.setattr(state_fit, "WIN", -1.0)  # trees that lose are taken as well
    rec = learnable(120, slices=("a", "b"))
    learning = learn(rec, trees=trees)
    plans = [PLAN, Plan((Step("nano"), Step("mini", "nano"), Step("top")))]
    model = learning.model_for(plans)
    assert all((one.trees is None) == (trees == "never") for one in model.states)
    fresh = learnable(40, seed=9, slices=("a", "b"))
    source = model.on(fresh)
    for asked, returns in [((0,), 0), ((0, 1), 1), ((0, 1), 0)]:
        assert np.array_equal(
            served(model, fresh, asked, returns), source.scores(asked, returns), equal_nan=True
        )
    requests = [
        Request.build(text, metadata={"slice": s})
        for text, s in zip(fresh.requests, fresh.slices, strict=True)
    ]
    gates = [model.gate(request, "nano").p for request in requests]
    assert np.array_equal(gates, source.gate(0))


def test_a_model_ranks_fresh_requests():
    """What was learned holds on requests that were not there, levels included."""
    model = learn(learnable(600)).model
    fresh = learnable(600, seed=8)
    scores = model.on(fresh).scores((0, 1), 1)
    assert auroc(fresh.quality[:, 1], scores) > 0.75
    assert abs(scores.mean() - fresh.quality[:, 1].mean()) < 0.06


def test_a_state_that_was_not_learned_is_judged_by_the_largest_part():
    """Unknown company is not looked at; an unknown tier gives no signal."""
    rec = learnable(120)
    learning = learn(rec)
    learning.source.scores((1,), 1)
    model = learning.model
    assert [str(one.state) for one in model.states] == ["mini"]
    fresh = model.on(rec)
    assert np.array_equal(fresh.scores((0, 1), 1), fresh.scores((1,), 1))
    assert np.isnan(fresh.scores((0,), 0)).all()
    assert np.isnan(fresh.gate(0)).all()


def test_the_model_for_plans_holds_what_they_need():
    """Each step's state, each answer alone, and the gate of the first step."""
    model = learn(learnable(60)).model_for([PLAN])
    assert {str(one.state) for one in model.states} == {
        "nano", "mini", "mini beside nano", "nano, from the request",
    }  # fmt: skip
    assert model.has_gate("nano")
    assert not model.has_gate("mini")
    assert {str(one.state) for one in model.only("nano").states} == {
        "nano", "nano, from the request",
    }  # fmt: skip


def test_the_ladder_is_learned_where_nothing_was_asked_for():
    """`learning.model` without any use of the source holds the states of climbing all tiers."""
    model = learn(learnable(60)).model
    assert {str(one.state) for one in model.states} == {"nano", "mini beside nano", "mini"}


def test_scores_work_in_a_simulation():
    """A learned source decides recorded requests by a plan."""
    rec = learnable(200)
    found = simulate(PLAN, rec, learn(rec).source)
    assert found.quality.mean() > rec.quality[:, 0].mean()
    assert found.cost_pusd.sum() < 3 * 1000 * 200


def test_scores_where_a_recording_lacks_what_was_learned_from():
    """Answers that were not kept, or signals that are gone, give no score and no crash."""
    rec = learnable(120)
    signal = np.random.default_rng(0).random((120, 3))
    learning = learn(dataclasses.replace(rec, signals={"msp": signal}))
    learning.source.scores((0, 1), 1)
    model = learning.model
    blank = dataclasses.replace(rec, texts=np.full((120, 3), None, object))
    for poorer in (rec, blank):
        assert np.isnan(model.on(poorer).scores((0, 1), 1)).all()
    assert np.isnan(served(model, rec.rows(np.arange(3)), (0, 1), 1)).all()


def test_signals_are_read_from_a_fresh_recording():
    """Their ranks are those of the requests learned from; what lies beyond is at the end."""
    rec = learnable(200)
    signal = np.where(rec.quality == 1, 1.0, 0.0) + np.random.default_rng(0).random((200, 3))
    learning = learn(dataclasses.replace(rec, signals={"msp": signal}), evidence=["msp"])
    learning.source.scores((0,), 0)
    far = np.full((200, 3), np.inf)
    far[:100] = -np.inf
    scores = learning.model.on(dataclasses.replace(rec, signals={"msp": far})).scores((0,), 0)
    assert scores[150] > 0.8
    assert scores[50] < 0.2


def test_a_signal_that_one_tier_lacks():
    """What is missing of all answers of a tier is no part of its states."""
    rec = learnable(60)
    signal = np.random.default_rng(0).random((60, 3))
    signal[:, 0] = np.nan
    learning = learn(dataclasses.replace(rec, signals={"msp": signal}), evidence=["msp"])
    assert np.ptp(learning.source.scores((0,), 0)) < 0.2
    assert learning.fit(State("nano")).model.blocks == ()
    assert [fit.state for fit in learning.fits] == [State("nano")]


def test_a_signal_of_one_value_or_of_infinities_alone():
    """There is nothing to rank by, and nothing breaks."""
    rec = learnable(60)
    for values in ([-np.inf], [0.5], [0.5, np.inf]):
        signal = np.resize(np.array(values), (60, 3))
        rec = dataclasses.replace(rec, signals={"msp": signal})
        assert np.isfinite(learn(rec, evidence=["msp"]).source.scores((0,), 0)).all()


def test_signals_that_are_never_there_together():
    """Where no request has all that hardly any lacks, there is no score at all."""
    rec = learnable(10)
    one, other = np.full((10, 3), 0.5), np.full((10, 3), 0.5)
    one[:5], other[5:] = np.nan, np.nan
    rec = dataclasses.replace(rec, signals={"one": one, "other": other})
    assert np.isnan(learn(rec).source.scores((0,), 0)).all()
    assert learn(rec).model.on(rec).scores((0,), 0).shape == (10,)


def test_a_file_without_its_words():
    """A model edited so that the words are gone gives no score where it needs them."""
    rec = learnable(300)
    model = learn(rec).model_for([PLAN])
    edited = LearnedModel.from_dict({**json.loads(json.dumps(model.to_dict())), "words": {}})
    assert np.isnan(edited.on(rec).scores((0,), 0)).all()
    assert np.isnan(served(edited, rec.rows(np.arange(3)), (0,), 0)).all()
    assert np.isnan(edited.gate(Request.build("?"), "nano").p)
    assert edited.gate(Request.build("?"), "top").reason == "no gate was learned for tier 'top'"


def test_a_state_of_tiers_that_are_not_there():
    """Asked for a state that the recording cannot have, the source says so."""
    model = learn(learnable(60)).model_for([PLAN])
    part = learnable(60, seed=2).with_tiers(["mini", "top"])
    [beside] = [one for one in model.states if one.state.beside]
    with pytest.raises(RecordingError, match="lacks a tier of the state 'mini beside nano'"):
        model.on(part).log_odds(beside)


def test_agreement_of_three_is_served_as_it_was_learned():
    """Votes are counted alike for one request and for many."""
    rec = learnable(200)
    learning = learn(rec)
    learning.source.scores((0, 1, 2), 2)
    model = learning.model
    part = rec.rows(np.arange(40))
    assert np.array_equal(served(model, part, (0, 1, 2), 2), model.on(part).scores((0, 1, 2), 2))


def test_evidence_that_is_nan_for_one_answer(monkeypatch):
    """NaN counts as missing, in a table and in a draft alike."""
    from cascade.calibration.learning import evidence

    def oracle(draft):
        return {"sure": float("nan") if "perhaps" in draft.text else 1.0 + len(draft.text) % 3}

    known = {evidence.OWN_GROUP: {"oracle": oracle}, evidence.PAIR_GROUP: {}}
    monkeypatch.setattr(evidence, "registered_evidence", known.__getitem__)
    rec = learnable(200)
    learning = learn(rec)
    learning.source.scores((0,), 0)
    model = learning.model
    assert model.states[0].blocks[0].missing_rows > 20
    assert np.array_equal(served(model, rec, (0,), 0), model.on(rec).scores((0,), 0))


# Another task ---------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [60, 300])
def test_recalibrating_moves_levels_and_keeps_the_order(labels):
    """On a task where the tiers are worse, a few labels bring the level down."""
    learning = learn(learnable(400))
    learning.source.scores((0, 1), 1)
    model = learning.model
    other = learnable(1000, seed=4, accuracy=(0.3, 0.4, 0.8))
    fresh = other.rows(np.arange(labels, 1000))
    moved = recalibrated(model, other.rows(np.arange(labels)))
    before, after = model.on(fresh).scores((0, 1), 1), moved.on(fresh).scores((0, 1), 1)
    truth = fresh.quality[:, 1].mean()
    assert abs(after.mean() - truth) < 0.5 * abs(before.mean() - truth)
    assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()
    assert "recalibrated on" in moved.about
    assert (
        LearnedModel.from_dict(json.loads(json.dumps(moved.to_dict()))).to_dict() == moved.to_dict()
    )


def test_recalibrating_by_slices_and_gates():
    """A slice that is worse than the others gets a level of its own, served as it was fitted."""
    model = learn(learnable(400), trees="never").model_for([PLAN])
    other = learnable(600, seed=3, slices=("law", "sums"))
    quality = other.quality.copy()
    law = other.slices == "law"
    quality[law, 0] *= np.random.default_rng(0).random(law.sum()) < 0.3
    other = dataclasses.replace(other, quality=quality)
    moved = recalibrated(model, other.rows(np.arange(300)))
    fresh = other.rows(np.arange(300, 600))
    source = moved.on(fresh)
    for scores in (source.scores((0,), 0), source.gate(0)):
        for name in ("law", "sums"):
            mine = fresh.slices == name
            assert abs(scores[mine].mean() - fresh.quality[mine, 0].mean()) < 0.15
    assert np.array_equal(served(moved, fresh, (0,), 0), source.scores((0,), 0))
    assert source.cost_pusd((0,), 0).tolist() == [0] * 300
    assert source.judge(0) == learn(fresh).source.judge(0) == "Learned"


@pytest.mark.parametrize("trees", ["never", "always"])
def test_recalibrating_to_slices_that_were_never_seen(trees, monkeypatch):
    """Requests of a new slice get no score before, and one from the new labels afterwards."""
    monkeypatch.setattr(state_fit, "WIN", -1.0)
    learning = learn(learnable(300, slices=("law", "sums")), trees=trees)
    learning.source.scores((0, 1), 1)
    model = learning.model
    other = learnable(500, seed=3, slices=("tax",))
    fresh = other.rows(np.arange(200, 500))
    assert np.isnan(model.on(fresh).scores((0, 1), 1)).all()
    moved = recalibrated(model, other.rows(np.arange(200)))
    scores = moved.on(fresh).scores((0, 1), 1)
    assert auroc(fresh.quality[:, 1], scores) > 0.7
    assert abs(scores.mean() - fresh.quality[:, 1].mean()) < 0.08
    assert np.array_equal(served(moved, fresh, (0, 1), 1), scores)


def test_recalibrating_without_labels_changes_nothing():
    """States without a label stay as they were."""
    rec = learnable(60)
    model = learn(rec).model
    blank = dataclasses.replace(rec, quality=np.full_like(rec.quality, np.nan))
    assert [one.maps for one in recalibrated(model, blank).states] == [
        one.maps for one in model.states
    ]


def test_tiers_that_a_recording_lacks():
    """A model of three tiers is recalibrated by a recording of two, as far as that goes."""
    model = learn(learnable(60)).model_for([Plan((Step("nano"), Step("mini"), Step("top")))])
    part = learnable(60, seed=2).with_tiers(["mini", "top"])
    moved = {str(one.state): len(one.maps) for one in recalibrated(model, part).states}
    assert moved == {"nano": 1, "mini beside nano": 1, "mini": 2}
    assert TIERS[0] not in part.names


def test_more_agreement_never_lowers_a_score():
    """No weight of agreement has the wrong sign, also where two of its numbers are all but one."""
    rec = learnable(300)
    learning = learn(rec, trees="never")
    for asked, returns in [((0, 1), 0), ((0, 1), 1), ((0, 1, 2), 1)]:
        model = learning.fit(learning.state_of(asked, returns)).model
        weights = {
            f"{part.block.label} {name}": weight
            for part in model.blocks
            if part.block.kind in ("pair", "votes")
            for name, weight in zip(part.block.fields, part.weights, strict=True)
        }
        assert weights
        for name, weight in weights.items():
            assert weight <= 0 if name.endswith("rivals") else weight >= 0 or "pairs" in name
