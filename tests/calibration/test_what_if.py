"""What a chain would have done on recorded requests, and when a recording refuses to tell."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from cascade import Abstained, Chain, Policy, Price, Score, Tier
from cascade.calibration import (
    Gate,
    Plan,
    RecordedTier,
    Recording,
    Step,
    Tokens,
    compare,
    what_if,
)
from cascade.calibration.fingerprint import scorer_fingerprint, tier_fingerprint
from cascade.calibration.money import PER_USD, UNKNOWN
from cascade.core.price import Rates
from cascade.errors import ConfigError, RecordingError
from tests.calibration.builders import Scores

LOW, TOP = Price.of("1", "2"), Price.of("10", "20")


def sure(draft):
    return Score(0.9)


CHAIN = Chain((Tier("nano", scorer=sure, threshold=0.5, price=LOW), Tier("top", price=TOP)))
PLAN = Plan((Step("nano", threshold=0.5), Step("top")))


def recorded(chain=CHAIN, **given):
    """Four requests; nano is right in 1 and 3, the top in 1, 2 and 3."""
    tiers = [
        RecordedTier(
            tier.name,
            tier.model,
            settings=tier_fingerprint(tier),
            scorer=getattr(tier.scorer, "__name__", ""),
            scorer_settings=scorer_fingerprint(tier.scorer),
            threshold=tier.threshold if tier.scorer else None,
            price=tier.price.to_dict(),
        )
        for tier in chain.tiers
    ]
    columns = {
        "quality": [[1, 1], [0, 1], [1, 1], [1, 0]],
        "cost_pusd": [[PER_USD, 10 * PER_USD]] * 4,
        "score": [[0.9, np.nan], [0.2, np.nan], [0.5, np.nan], [0.6, np.nan]],
        "latency_s": np.array([[1.0, 5.0]] * 4),
        **given,
    }
    return Recording.build(tiers, ["a", "b", "c", "d"], **columns)


def test_a_chain_by_hand():
    """Cost, quality, harm and gain, shares and times of a chain, number by number."""
    found = what_if(CHAIN, recorded(), resamples=50)
    assert found.total_usd == Decimal(14)
    assert (found.cost.value, found.top_cost.value) == (3.5, 10)
    assert found.cost_ratio.value == pytest.approx(0.35)
    assert (found.quality.value, found.top_quality.value) == (1.0, 0.75)
    assert found.quality_difference.value == 0.25
    assert found.retention == pytest.approx(4 / 3)
    assert (found.harm.value, found.gain.value, found.net.value) == (0, 0.25, -0.25)
    assert found.harm.high == pytest.approx(1 - 0.025**0.25)  # Clopper and Pearson: none of four
    assert found.net.low < -0.25 < found.net.high
    assert [(t.name, t.asked, t.returned, t.cost_usd) for t in found.tiers] == [
        ("nano", 1, 0.75, Decimal(4)),
        ("top", 0.25, 0.25, Decimal(10)),
    ]
    assert found.tiers[0].quality == 1
    assert (found.calls, found.scorer_cost_usd) == (1.25, 0)
    assert (found.latency.mean_s, found.latency.p95_s, found.latency.sequential) == (2.25, 6, 0.25)
    assert (found.top, found.chain, found.prices, found.notes) == (
        "top",
        "chain",
        "as recorded",
        (),
    )
    assert str(found.plan) == "nano >= 0.5 → top"


def test_thresholds_change_decisions():
    """Another threshold is another decision; it is given by tier name, for chains and plans."""
    for asked in (CHAIN, list(CHAIN.tiers), PLAN):
        found = what_if(asked, recorded(), thresholds={"nano": 0.55}, resamples=10)
        assert found.total_usd == Decimal(24)
    with pytest.raises(ConfigError, match="no tier 'mini'"):
        what_if(CHAIN, recorded(), thresholds={"mini": 0.5})
    with pytest.raises(ConfigError, match="'mini' is no step of the plan; it asks 'nano', 'top'"):
        what_if(PLAN, recorded(), thresholds={"mini": 0.5})
    with pytest.raises(ConfigError, match=r"'nano': 1.5 is outside \[0, 1\]"):
        what_if(PLAN, recorded(), thresholds={"nano": 1.5})


def test_any_subset_and_order():
    """One tier alone, or the dear one first, are chains like any other."""
    alone = what_if([Tier("top", price=TOP)], recorded(), resamples=10)
    assert (alone.total_usd, alone.cost_ratio.value, alone.net.value) == (40, 1, 0)
    assert alone.notes == ()
    turned = Plan((Step("top", threshold=0.5), Step("nano")))
    found = what_if(turned, recorded(), source=Scores({1: [0.9, 0.9, 0.1, 0.1]}), resamples=10)
    assert found.total_usd == Decimal(42)
    assert found.top == "top"


def test_a_chain_is_compared_with_its_own_last_tier():
    """Whatever else was recorded; plans and single models with the recording's, unless told."""
    dear = Tier("dear", price=Price.of("100", "200"))
    made = recorded(
        Chain((*CHAIN.tiers, dear)),
        quality=[[1, 1, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]],
        cost_pusd=[[PER_USD, 10 * PER_USD, 100 * PER_USD]] * 4,
        score=[[s, np.nan, np.nan] for s in (0.9, 0.2, 0.5, 0.6)],
        latency_s=np.ones((4, 3)),
    )
    found = what_if(CHAIN, made, resamples=10)
    assert (found.top, found.cost_ratio.value) == ("top", pytest.approx(0.35))
    assert (found.harm.value, found.gain.value) == (0, 0.25)
    for asked in (PLAN, CHAIN.tiers[:1]):
        assert what_if(asked, made, resamples=10).top == "dear"
    told = what_if(PLAN, made, against="top", resamples=10)
    assert (told.top, told.gain.value) == ("top", 0.25)
    with pytest.raises(RecordingError, match="no tier 'huge'"):
        what_if(PLAN, made, against="huge")
    beside = compare(made, chosen=CHAIN, resamples=10)
    assert (beside.top, beside.harm_rows, beside.gain_rows) == ("top", (), (3,))
    assert beside.metrics["cost_ratio"] == pytest.approx(0.35)
    assert beside.metrics["pgr"] is None  # nano is as good as top
    at = {one.name: one.what for one in beside.baselines}
    assert at["always top"] == "top alone"
    assert at["always dearest"] == "dear alone, the dearest that was recorded"
    assert compare(made, against="top", resamples=10).top == "top"


def test_what_witnesses_say_stands_for_nothing():
    """A chain that ends with a tier recorded as a witness is compared with the last other tier."""
    turned = Chain((Tier("top", price=TOP), Tier("nano", price=LOW)))
    made = recorded().with_tiers(["top"], witnesses=["nano"])
    assert what_if(turned, made, resamples=10).top == "top"


def test_other_prices_batch_and_cache():
    """Prices reach every number, and batch answers have no time."""
    tokens = Tokens(*(np.full((4, 2), value) for value in (1e6, 0.0, 0.0, 0.0, 0.0)))
    made = recorded(tokens=tokens)
    prices = {"nano": Price.of("2", "2"), "top": Price.of("10", "20", cached_input="1")}
    found = what_if(CHAIN, made, prices=prices, cached=0.5, resamples=10)
    assert found.total_usd == Decimal(8) + Decimal("5.5")
    assert found.prices == "given for nano, top, 50 % of the prompt cached"
    half = Rates(Decimal("0.5"), Decimal(1))
    batch = {
        "nano": Price("n", LOW.standard, batch=half),
        "top": Price("t", TOP.standard, batch=TOP.standard),
    }
    found = what_if(CHAIN, made, prices=batch, batch=True, resamples=10)
    assert found.total_usd == Decimal(2) + Decimal(10)
    assert found.latency is None
    assert "answers come within a day" in found.notes[0]
    with pytest.raises(RecordingError, match="model 'nano' has no batch rate: 4 of 4"):
        what_if(CHAIN, made, batch=True)


def test_scorers_costs_are_counted():
    """A scorer's own calls are part of the cost, the last tier's scorer included."""
    judged = replace(CHAIN.tiers[1], scorer=sure)
    chain = Chain((CHAIN.tiers[0], judged))
    prices = np.array([[PER_USD // 10, PER_USD // 2]] * 4)
    found = what_if(chain, recorded(chain, score_cost_pusd=prices), resamples=10)
    assert found.total_usd == Decimal("14.9")
    assert found.scorer_cost_usd == Decimal("0.9")
    assert [tier.scorer_cost_usd for tier in found.tiers] == [Decimal("0.4"), Decimal("0.5")]
    other = Chain((CHAIN.tiers[0], replace(judged, scorer=lambda draft: 1.0)))
    found = what_if(other, recorded(chain, score_cost_pusd=prices), resamples=10)
    assert found.total_usd == Decimal("14.4")
    assert "changes nothing" in found.notes[-1]
    prices[:, 1] = UNKNOWN
    with pytest.raises(RecordingError, match="what judging 'top' cost: 1 of 4"):
        what_if(chain, recorded(chain, score_cost_pusd=prices))
    prices[:, 0] = UNKNOWN
    with pytest.raises(RecordingError, match="what judging 'nano' cost: 4 of 4"):
        what_if(chain, recorded(chain, score_cost_pusd=prices))


def test_it_is_repeatable_to_the_byte():
    """The same question has the same answer; another threshold has another digest."""
    first, again = (what_if(CHAIN, recorded(), resamples=20) for _ in range(2))
    assert first.digest == again.digest
    assert first.to_dict() == again.to_dict()
    assert first.digest != what_if(CHAIN, recorded(), thresholds={"nano": 1.0}).digest
    assert first.to_dict()["cost"]["value"] == 3.5


# Grades, groups, weights -------------------------------------------------------------------------


def test_graded_quality_and_groups_get_bootstrap_intervals():
    """Where counts do not tell all, harm is a mean loss with a bootstrap interval."""
    graded = what_if(CHAIN, recorded(quality=[[0.5, 1], [0, 1], [1, 1], [1, 0.25]]), resamples=200)
    assert (graded.harm.value, graded.gain.value) == (0.125, 0.1875)
    assert graded.harm.low == 0
    assert graded.graded
    assert graded.to_dict()["graded"]
    groups = np.array(["x", "x", "y", "y"], object)
    grouped = what_if(CHAIN, recorded(groups=groups), resamples=200)
    assert grouped.harm.high == 0  # no draw of whole groups holds a harm


def test_weights_reach_every_mean():
    """A request of weight 3 counts three times in means; totals are of what was recorded."""
    found = what_if(CHAIN, recorded(weights=np.array([1, 3, 1, 1.0])), resamples=10)
    assert found.cost.value == pytest.approx((1 + 3 * 11 + 1 + 1) / 6)
    assert found.total_usd == Decimal(14)
    assert found.tiers[1].returned == pytest.approx(0.5)
    assert found.latency.mean_s == pytest.approx((1 + 3 * 6 + 1 + 1) / 6)


# Where the recording is silent -------------------------------------------------------------------


def test_a_missing_tier_is_named():
    """A tier that was never recorded cannot be asked about."""
    chain = Chain((Tier("mini", price=LOW), CHAIN.tiers[1]))
    with pytest.raises(RecordingError, match="holds no 'mini'; it has 'nano', 'top'"):
        what_if(chain, recorded())


def test_a_tier_that_has_changed_is_refused():
    """Another model, parameter or preamble gives answers that nobody has seen."""
    nano, top = CHAIN.tiers
    other = Chain((replace(nano, model="micro", name="nano"), top))
    with pytest.raises(RecordingError, match="asks model 'micro' and was recorded with 'nano'"):
        what_if(other, recorded())
    warm = Chain((replace(nano, params={"temperature": 1}), top))
    with pytest.raises(RecordingError, match="parameters, preamble or API are not those"):
        what_if(warm, recorded())
    told = Chain((replace(nano, preamble=({"role": "system", "content": "be brief"},)), top))
    with pytest.raises(RecordingError, match="record the chain again"):
        what_if(told, recorded())


def test_unknown_settings_are_noted():
    """A recording that does not hold the parameters is used, and a note says so."""
    made = recorded()
    blank = replace(made, tiers=tuple(replace(tier, settings="") for tier in made.tiers))
    assert "which parameters 'nano', 'top' answered" in what_if(CHAIN, blank).notes[0]


def test_prices_that_changed_since_are_noted_not_applied():
    """The recorded prices count until others are given."""
    dearer = Chain((replace(CHAIN.tiers[0], price=Price.of("3", "2")), CHAIN.tiers[1]))
    found = what_if(dearer, recorded())
    assert found.total_usd == Decimal(14)
    assert "prices of 'nano' are not those of the recording; pass prices=" in found.notes[0]


def test_prices_of_another_name_are_no_other_prices():
    """A price is what it charges: its name and its date say nothing."""
    made = recorded()
    named = replace(made.tiers[0], price={**made.tiers[0].price, "id": "given for nano"})
    assert what_if(CHAIN, replace(made, tiers=(named, made.tiers[1]))).notes == ()


def test_prices_that_the_recording_does_not_hold_are_noted_not_applied():
    """Where costs came without prices, those of the chain change nothing, and a note says so."""
    made = recorded()
    blank = replace(made, tiers=tuple(replace(tier, price=None) for tier in made.tiers))
    found = what_if(CHAIN, blank)
    assert found.total_usd == Decimal(14)
    (note,) = found.notes
    assert "does not say at which prices 'nano' and 'top' answered" in note
    assert "the chain's prices are not applied" in note
    tokens = Tokens(*(np.full((4, 2), value) for value in (1000.0, 0.0, 0.0, 0.0, 0.0)))
    prices = {"nano": LOW, "top": TOP}
    assert what_if(CHAIN, replace(blank, tokens=tokens), prices=prices, resamples=5).notes == ()


def test_a_cached_share_without_a_cached_rate_is_noted():
    """Where no rate for cached input is known, nothing is labelled as cached that is not."""
    tokens = Tokens(*(np.full((4, 2), value) for value in (1000.0, 0.0, 0.0, 0.0, 0.0)))
    found = what_if(CHAIN, recorded(tokens=tokens), cached=0.8, resamples=5)
    assert found.prices == "as recorded"
    (note,) = found.notes
    assert note.startswith("no cached rate is known for 'nano' and 'top': what is read from")
    price = {"nano": Price.of("1", "2", cached_input="0.1")}
    found = what_if(CHAIN, recorded(tokens=tokens), cached=0.8, prices=price, resamples=5)
    assert found.prices == "given for nano, 80 % of the prompt cached"
    assert "no cached rate is known for 'top'" in found.notes[-1]
    free = {"nano": Price.free(), "top": Price.free()}
    found = what_if(CHAIN, recorded(tokens=tokens), cached=0.8, prices=free, resamples=5)
    assert not [note for note in found.notes if "cached" in note]


def test_a_tier_without_a_scorer_has_no_threshold_and_no_value():
    """It accepts every answer: the plan says so, and no scorer is there to be worth anything."""
    chain = Chain((Tier("nano", price=LOW), CHAIN.tiers[1]))
    found = compare(recorded(chain), chosen=chain, resamples=5)
    assert str(found.chosen.plan) == "nano >= 0 → top"
    assert found.chosen.calls == 1
    assert (found.scorers, found.reliability) == ((), ())
    judged = compare(recorded(), chosen=CHAIN, resamples=5)
    assert [len(part) for part in (judged.scorers, judged.reliability)] == [1, 1]


def test_gaps_matter_where_a_plan_goes():
    """A request that a tier was never asked is refused only where the plan sends it there."""
    answered = np.array([[1, 0], [1, 1], [1, 1], [1, 1]], bool)
    quality = [[1, np.nan], [0, 1], [1, 1], [1, 0]]
    cost = [[PER_USD, UNKNOWN], *[[PER_USD, 10 * PER_USD]] * 3]
    made = recorded(answered=answered, quality=quality, cost_pusd=cost)
    found = what_if(CHAIN, made, resamples=10)
    assert found.total_usd == Decimal(14)
    assert (found.top_cost, found.cost_ratio, found.harm) == (None, None, None)
    assert found.quality.value == 1
    assert "what 'top' cost is not known for 1 of 4 requests" in found.notes[0]
    with pytest.raises(RecordingError, match=r"tier 'top' was never asked: 1 of 4 .* e.g. 'a'"):
        what_if(CHAIN, made, thresholds={"nano": 1.0})


def test_without_labels_there_is_a_cost():
    """Quality that nobody knows is none; the cost stands, and a note says what to do."""
    found = what_if(CHAIN, recorded(quality=np.full((4, 2), np.nan)), resamples=10)
    assert found.total_usd == Decimal(14)
    assert (found.quality, found.harm, found.retention) == (None, None, None)
    assert "label them" in found.notes[0]


def test_a_top_tier_that_is_always_wrong_has_no_retention():
    """A share of nothing is none."""
    found = what_if(CHAIN, recorded(quality=[[1, 0], [0, 0], [1, 0], [1, 0]]), resamples=10)
    assert found.retention is None
    assert found.gain.value == 0.75


def test_free_models_have_no_cost_ratio():
    """Nothing divided by nothing is not 1."""
    found = what_if(CHAIN, recorded(cost_pusd=[[0, 0]] * 4), resamples=10)
    assert (found.total_usd, found.cost_ratio) == (0, None)


def test_what_depends_on_drafts_is_refused():
    """Under repair a tier's answer depends on the draft below it, which was not recorded."""
    with pytest.raises(RecordingError, match="hands rejected drafts on"):
        what_if(replace(CHAIN, policy=Policy(repair=True)), recorded())


def test_an_entry_without_a_model_is_refused():
    """Where a function of one's own lets requests begin is not in a recording."""
    with pytest.raises(ConfigError, match="entry"):
        what_if(replace(CHAIN, entry=lambda request: "top"), recorded())
    gated = Plan(PLAN.steps, Gate("top", 0.5))
    with pytest.raises(RecordingError, match="know no gate for tier 'nano'"):
        what_if(gated, recorded())


def test_what_is_no_chain():
    """A name or a number is refused with what is expected."""
    for wrong in ("support.toml", 3, None):
        with pytest.raises(ConfigError, match="takes a Chain, tiers or a Plan"):
            what_if(wrong, recorded())


# Answers without a verdict -----------------------------------------------------------------------


FILTERED = '{"choices": [{"message": {"content": "no"}, "finish_reason": "content_filter"}]}'
CUT = '{"choices": [{"message": {"content": "no"}, "finish_reason": "length"}]}'


def unusable(reply):
    """The second request's answer of nano is one that no scorer saw."""
    usable = np.array([[1, 1], [0, 1], [1, 1], [1, 1]], bool)
    replies = np.full((4, 2), None, object)
    replies[1, 0] = reply
    return recorded(usable=usable, replies=replies)


def test_the_policy_says_what_unusable_answers_do():
    """A filtered answer stands by default, a cut one escalates; each as the policy says."""
    assert what_if(CHAIN, unusable(FILTERED), resamples=10).total_usd == Decimal(4)
    assert what_if(CHAIN, unusable(CUT), resamples=10).total_usd == Decimal(14)
    stands = replace(CHAIN, policy=Policy(on_length="accept", on_content_filter="escalate"))
    assert what_if(stands, unusable(CUT), resamples=10).total_usd == Decimal(4)
    assert what_if(stands, unusable(FILTERED), resamples=10).total_usd == Decimal(14)
    scored = replace(CHAIN, policy=Policy(on_length="score"))
    with pytest.raises(RecordingError, match="on_length='score' hands the answer to request 'b'"):
        what_if(scored, unusable(CUT))


def test_unusable_answers_without_replies_escalate_with_a_note():
    """Why an answer was unusable stands in the reply; without it the note says what was done."""
    found = what_if(CHAIN, unusable(None), resamples=10)
    assert found.total_usd == Decimal(14)
    assert "1 refused or cut answers are taken as escalated" in found.notes[0]
    strict = replace(CHAIN, policy=Policy(on_content_filter="escalate"))
    assert what_if(strict, unusable(None), resamples=10).notes == ()


def silent(draft):
    return Abstained()


def test_a_scorer_that_never_speaks_escalates_everything():
    """All abstentions send all requests up; nothing is accepted and nothing is hidden."""
    chain = Chain((replace(CHAIN.tiers[0], scorer=silent), CHAIN.tiers[1]))
    kinds = np.array([[2, 0]] * 4, np.int8)
    blank = np.full((4, 2), np.nan)
    found = what_if(chain, recorded(chain, score=blank, score_kind=kinds), resamples=10)
    assert found.total_usd == Decimal(44)
    assert found.tiers[0].is_idle


class Elsewhere:
    """An entry with a gate's settings and no model behind them."""

    start_at = "top"
    threshold = 0.5

    def __call__(self, request):
        return None


def test_an_entry_that_only_looks_like_a_gate():
    """Settings without a model cannot say where requests begin."""
    with pytest.raises(RecordingError, match="no learned entry"):
        what_if(replace(CHAIN, entry=Elsewhere()), recorded())


def test_a_list_that_lacks_a_model_keeps_its_recorded_price():
    """A new list without a model is noted; what was recorded for it stands."""
    tokens = Tokens(*(np.full((4, 2), value) for value in (1e6, 0.0, 0.0, 0.0, 0.0)))
    found = what_if(CHAIN, recorded(tokens=tokens), prices={"top": Price.of("20", "20")})
    assert found.total_usd == Decimal(24)
    assert found.notes == ("the prices given hold none for 'nano': as recorded",)
