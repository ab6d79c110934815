"""A certificate says what was promised, survives a file, and speaks of one chain only."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from cascade import Chain, Policy, Price, Tier
from cascade.calibration import (
    About,
    Certificate,
    Estimate,
    Plan,
    Step,
    certificate_of,
    certify,
)
from cascade.calibration.fingerprint import fingerprint
from cascade.calibration.imports.recorded_tiers import recorded_tier
from cascade.calibration.proof.attempts import read_attempts
from cascade.calibration.proof.certificate_json import certificate_from_dict
from cascade.calibration.proof.certified_path import certify_path
from cascade.calibration.proof.certifying import Expiry
from cascade.calibration.proof.splits import keyed_splits
from cascade.errors import CertificateVoid, ConfigError, RecordingError
from tests.calibration.builders import Scores, recording

N = 400
AT = "2026-11-27T10:00:00Z"


def long_enough(draft):
    return len(draft.text) > 3


def said(text):
    return [{"role": "system", "content": text}]


def chain(**given):
    """Two tiers; what is given changes the first."""
    cheap = {
        "model": "gpt-5.4-mini",
        "name": "mini",
        "scorer": long_enough,
        "threshold": 0.25,
        "params": {"reasoning_effort": "none", "response_format": {"type": "json_object"}},
        "preamble": said("Answer in one word."),
        **given,
    }
    return Chain((Tier(**cheap), Tier("gpt-5.5", name="top")), name="support")


PLAN = Plan((Step("mini", threshold=0.25), Step("top")))
TOP = Plan((Step("top"),))


def recorded(**given):
    """400 requests: 300 kept, of which one is harmed and two gain; costs 1 to 20."""
    quality = np.ones((N, 2))
    quality[299, 0] = 0
    quality[:2, 1] = 0
    made = recording(quality, [10**9, 20 * 10**9], names=["mini", "top"], **given)
    return replace(made, tiers=tuple(recorded_tier(chain(), tier) for tier in chain().tiers))


SCORES = Scores({0: np.linspace(1, 0, N)})


def certificate(**given):
    about = About(source="support.parquet", quality="exact", price_table="2026-11-01/abc")
    made = recorded(about=about)
    return certify(
        [TOP, PLAN], made, SCORES, epsilon=0.02, created_at=AT, **{"chain": chain(), **given}
    )


# What it says ------------------------------------------------------------------------------------


def test_the_sentence_is_for_whoever_decides():
    """One sentence says on what, how sure, how much below whom, and what it costs."""
    assert certificate().sentence() == (
        "On 400 requests like yours, as the only attempt on them, with 95 % confidence the quality of "
        "the chain is at most 2.0 points below top (1 answered worse, 2 better); it costs 30 % "
        "[26, 34] of always asking top."
    )


def test_a_number_lies_in_the_interval_beside_it():
    """Both are rounded alike, whatever the last digits of their floats."""
    cost = Estimate(0.8250000000005708, 0.8249999999999, 0.825)
    made = replace(certificate(), cost=cost)
    assert "it costs 82 % [82, 82] of always asking top" in made.sentence()
    assert ("cost", "82 % [82, 82] of always asking top") in made.lines()


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Estimate(0.3, 0.26, 0.34), "30 % [26, 34]"),
        (Estimate(0.05, 0.0491, 0.0509), "5.0 % [4.9, 5.1]"),
        (Estimate(0.0049, 0.004, 0.006), "0.49 % [0.40, 0.60]"),
        (Estimate(0.0, 0.0, 0.0), "0 % [0, 0]"),
    ],
)
def test_what_costs_little_is_not_said_to_be_free(cost, words):
    """Two digits of a small share of the top tier's cost are shown, in the sentence and below."""
    made = replace(certificate(), cost=cost)
    assert f"it costs {words} of always asking top" in made.sentence()
    assert ("cost", f"{words} of always asking top") in made.lines()


def test_attempts_that_are_counted_are_not_the_only_one(tmp_path):
    """With a ledger the sentence needs no condition, and the certificate names its line."""
    found = certificate(attempts=tmp_path / "a")
    (attempt,) = read_attempts(tmp_path / "a")
    assert found.sentence().startswith("On 400 requests like yours, with 95 %")
    assert found.ledger == attempt.line
    assert attempt.line in str(found)


def test_unknown_quality_is_said():
    """Answers that were not graded are in the sentence: as harm, or as left out."""
    made = recorded()
    made.quality[:3, 0] = np.nan
    found = certify([TOP, PLAN], made, SCORES, epsilon=0.04)
    assert (found.unknown, found.dropped, found.harm.count) == (
        1,
        0,
        2,
    )  # two others cannot be worse
    assert "(2 answered worse, 1 of them not graded, 0 better)" in found.sentence()
    assert "could not be compared" in str(found)
    left = certify([TOP, PLAN], made, SCORES, epsilon=0.04, missing="drop")
    assert (left.unknown, left.dropped, left.harm.count) == (0, 3, 1)
    assert "3 not graded were left out, as if they were like these" in left.sentence()


def test_what_the_mean_is_over_is_said():
    """Requests, groups, or weights up to a bound: the certificate names it."""
    assert ("mean over", "requests, each counting the same") in certificate().lines()
    found = certify([TOP, PLAN], recorded(weights=np.linspace(1, 3, N)), SCORES,
                    epsilon=0.05, heaviest=2.0)  # fmt: skip
    assert "by weights of 2 at most" in found.sentence()
    assert "weights above 2 count as 2" in str(found)
    assert found.net_harm == pytest.approx(found.top_quality.value - found.quality.value)


def test_copies_are_noted():
    """Requests that ask the same are one group, and the certificate says how many there were."""
    made = recorded()
    made.requests[:] = [f"question {row // 2}" for row in range(N)]
    found = certify([TOP, PLAN], made, SCORES, epsilon=0.05)
    assert (found.test, found.units) == ("exact", 200)
    assert any("200 requests ask exactly what another" in note for note in found.notes)


def test_the_figures_are_those_of_the_requests():
    """Counts, intervals, costs and hashes are in it."""
    found = certificate()
    assert (found.harm.count, found.gain.count, found.requests, found.dropped) == (1, 2, 400, 0)
    assert found.net_harm == pytest.approx(-1 / 400)
    assert found.harm.low < 1 / 400 < found.harm.high
    assert found.cost.value == pytest.approx((300 * 1 + 100 * 21) / (400 * 20))
    assert found.cost.low < found.cost.value < found.cost.high
    assert found.cost_usd.value == pytest.approx(6e-3)
    assert found.top_cost_usd.value == pytest.approx(2e-2)
    assert found.quality.value == pytest.approx(399 / 400)
    assert found.top_quality.value == pytest.approx(398 / 400)
    assert found.thresholds == {"mini": 0.25}
    assert found.plan_digest == PLAN.digest
    assert found.p <= 0.05 == found.spent
    assert (found.tested, found.path, found.attempt) == (2, 2, 0)
    assert sum(found.histograms[0].counts) == 400


def test_all_of_it_is_in_words():
    """The long form names models, hashes, the test, the expiry and the margin in points."""
    text = str(certificate(notes=["made for a test"]))
    for word in ("gpt-5.4-mini", PLAN.digest, 'reasoning_effort="none"', "2.0 points", "Tango",
                 "90 days", "2026-11-01/abc", "support.parquet", "made for a test",
                 "only attempt"):  # fmt: skip
        assert word in text


def test_a_constant_model_is_named():
    """Where the cheap model alone is certified, the sentence says so."""
    made = recorded()
    made.quality[:] = 1
    alone = replace(chain(), tiers=(replace(chain().tiers[0], scorer=None, threshold=0.5),))
    found = certify(
        [TOP, Plan((Step("mini"),))], made, SCORES, epsilon=0.02, chain=alone, created_at=AT
    )
    assert "the quality of mini is at most 2.0 points below top" in found.sentence()
    assert found.cost.value == pytest.approx(0.05)
    assert found.histograms == ()
    assert found.check(alone) == ()


def test_unknown_costs_are_no_costs():
    """Where no cost is known none is said; where some are, the rest is counted."""
    made = recorded()
    made.cost_pusd[:10] = -1
    found = certify([TOP, PLAN], made, SCORES, epsilon=0.02)
    assert any("10 of 400" in note for note in found.notes)
    made.cost_pusd[:] = -1
    unknown = certify([TOP, PLAN], made, SCORES, epsilon=0.02)
    assert (unknown.cost, unknown.cost_usd) == (None, None)
    assert "not known" in unknown.sentence()


def test_groups_are_said():
    """The sentence counts groups where requests belong together."""
    groups = np.array([f"user-{row // 2}" for row in range(N)], object)
    made = recorded(groups=groups)
    found = certify([TOP, PLAN], made, SCORES, epsilon=0.05)
    assert found.test == "betting"
    assert "400 requests in 200 groups like yours" in found.sentence()
    assert "of the chain in the mean over groups is" in found.sentence()
    assert found.harm.low <= found.harm.share <= found.harm.high


def test_the_key_of_the_split_is_not_in_it():
    """Only the key's fingerprint is kept."""
    made = recorded()
    splits = keyed_splits(made.groups, "a very secret key")
    found = certify([TOP, PLAN], made, SCORES, epsilon=0.02, splits=splits)
    assert found.key == splits.key
    assert "secret" not in json.dumps(found.to_dict())
    assert found.learned_on == splits.size("learn")


def test_everything_that_can_be_said_is_said(tmp_path):
    """Attempts, slices, groups, dropped labels, d0 and the split are lines of the long form."""
    about = About(quality="top tier", self_disagreement=0.004, self_disagreement_calls=250)
    groups = np.array([f"user-{row // 4}" for row in range(N)], object)
    made = recorded(about=about, groups=groups, slices=np.array(["en", "de"] * 200, object))
    made.quality[:20] = np.nan
    found = certify(
        [TOP, PLAN],
        made,
        SCORES,
        epsilon=0.08,
        slices=True,
        missing="drop",
        attempts=tmp_path / "attempts",
        splits=keyed_splits(groups, "key"),
    )
    text = str(found)
    for words in ("1, as the ledger counts", "slice de", "380 in 190 groups; 20 more left out", "betting",
                  "0.4 % differ (d0)", "learn/certify/monitor 50/40/10 %"):  # fmt: skip
        assert words in text, text
    assert [one.name for one in found.slices] == ["de", "en"]


def test_no_loss_at_all_is_said_so():
    """A margin of nothing reads as a promise, not as a zero."""
    assert "is not below (0 points) top" in replace(certificate(), epsilon=0.0).sentence()


def test_a_free_top_tier_leaves_no_share_of_its_cost():
    """Where always asking the top tier costs nothing, no share of that is said."""
    made = recorded()
    point = certify_path([TOP, PLAN], made, SCORES, epsilon=0.02)
    made.cost_pusd[:, 1] = 0  # at other prices: at these nothing would have been certified
    found = certificate_of(point, made, SCORES)
    assert found.cost is None
    assert found.top_cost_usd.value == 0


def test_quality_that_is_known_only_where_it_matters():
    """Requests sent to the top tier need no label, and then no mean quality is said of them."""
    made = recorded()
    made.quality[300:] = np.nan
    found = certify([TOP, PLAN], made, SCORES, epsilon=0.02)
    assert (found.requests, found.dropped) == (400, 0)
    assert found.quality.value == pytest.approx(299 / 300)


def test_agreement_without_d0_is_noted():
    """Where quality is agreement and d0 was not measured, the certificate says what that means."""
    made = recorded(about=About(quality="top tier"))
    assert any(
        "not" in note and "measured" in note
        for note in certify([TOP, PLAN], made, SCORES, epsilon=0.02).notes
    )


# Files -------------------------------------------------------------------------------------------


def test_a_certificate_survives_its_file(tmp_path):
    """What is loaded equals what was saved, all but the chain itself."""
    made = certificate(splits=keyed_splits(recorded().groups, "key"))
    made.save(tmp_path / "certificate.json")
    loaded = Certificate.load(tmp_path / "certificate.json")
    assert loaded == made
    assert (loaded.chain, made.chain) == (None, chain())
    assert str(loaded) == str(made)
    assert loaded.check(chain()) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["certificate.json"]


def test_a_changed_file_is_void(tmp_path):
    """A number that was improved by hand is noticed."""
    path = tmp_path / "certificate.json"
    certificate().save(path)
    path.write_text(path.read_text().replace('"epsilon": 0.02', '"epsilon": 0.01'))
    with pytest.raises(CertificateVoid, match="changed since it was written"):
        Certificate.load(path)


@pytest.mark.parametrize(
    ("text", "word"),
    [("{", "no JSON"), ("[]", "no certificate"), ('{"format": "cascade.trace"}', "no certificate"),
     ('{"format": "cascade.certificate", "version": 9}', "version 9")],
)  # fmt: skip
def test_files_that_are_none_are_refused(tmp_path, text, word):
    """What is no certificate is refused in words."""
    path = tmp_path / "certificate.json"
    path.write_text(text)
    with pytest.raises(RecordingError, match=word):
        Certificate.load(path)


def test_a_certificate_that_lacks_a_part_is_refused():
    """A whole hash over half a certificate is still half a certificate."""
    data = certificate().to_dict()
    del data["digest"], data["harm"]
    with pytest.raises(RecordingError, match="lacks"):
        certificate_from_dict({**data, "digest": fingerprint(data)})


def test_a_file_that_is_not_there_is_named(tmp_path):
    """A path without a file, and one that cannot be written, are named."""
    with pytest.raises(RecordingError, match=r"none\.json"):
        Certificate.load(tmp_path / "none.json")
    with pytest.raises(RecordingError, match="certificate"):
        certificate().save(tmp_path / "no" / "such" / "folder.json")


# Does it still hold? -----------------------------------------------------------------------------


def other_scorer(draft):
    return True


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "gpt-5.4-nano"}, "model is 'gpt-5.4-nano'; certified was 'gpt-5.4-mini'"),
        ({"preamble": said("Be brief.")}, "preamble"),
        ({"params": {"reasoning_effort": "low", "response_format": {"type": "json_object"}}},
         'parameter reasoning_effort is "low"; certified was "none"'),
        ({"params": {"reasoning_effort": "none"}}, "parameter response_format is not given"),
        ({"scorer": other_scorer}, "scorer is 'other_scorer'; certified was 'long_enough'"),
        ({"threshold": 0.3}, "threshold is 0.3; certified was 0.25"),
        ({"api": "responses"}, "API"),
    ],
)  # fmt: skip
def test_a_changed_tier_voids_it(changed, words):
    """Model, prompt, parameter, scorer, threshold, API: each voids it and is named."""
    with pytest.raises(CertificateVoid, match="'mini'") as caught:
        certificate().check(chain(**changed))
    assert words in str(caught.value)


def test_a_changed_plan_or_policy_voids_it():
    """Tiers left out or added, another policy, another entry: each is named."""
    made = certificate()
    longer = replace(chain(), tiers=(Tier("gpt-5.4-nano", scorer=long_enough), *chain().tiers))
    for changed, words in [
        (longer, "the plan asks gpt-5.4-nano → mini → top; certified was mini → top"),
        (replace(chain(), policy=Policy(repair=True)), "policy"),
        (replace(chain(), entry=lambda request: None), "entry"),
    ]:
        with pytest.raises(CertificateVoid, match=words):
            made.check(changed)


def test_every_change_is_named():
    """Two changes are both in the message."""
    with pytest.raises(CertificateVoid, match=r"preamble(.|\n)*threshold"):
        certificate().check(chain(preamble=said("Hm."), threshold=0.9))


def test_a_price_only_asks_for_a_new_search():
    """Prices move the best plan and not its quality: a note, no more."""
    dearer = chain(price=Price.of(input="9", output="9"))
    (note,) = certificate().check(dearer)
    assert "'mini'" in note
    assert "search again" in note


def test_without_a_chain_the_recorded_settings_are_compared():
    """A certificate of a recording alone notices another prompt as well, if less precisely."""
    found = certificate(chain=None)
    with pytest.raises(CertificateVoid, match="parameters, preamble or API"):
        found.check(chain(preamble=said("Be brief.")))
    assert found.check(chain(threshold=0.25)) == ()


def test_an_old_certificate_is_void():
    """After its days it must be made again; without a date given nothing is compared."""
    found = certificate(expiry=Expiry(days=30))
    assert found.check(chain(), today=date(2026, 12, 27)) == ()
    with pytest.raises(CertificateVoid, match="31 days ago"):
        found.check(chain(), today=date(2026, 12, 28))
    assert certificate(expiry=Expiry(days=None)).check(chain(), today=date(2030, 1, 1)) == ()


def test_scores_that_have_moved_are_noticed():
    """The same scores have not moved, lower ones have, and a step it has not is an error."""
    found = certificate()
    same = np.linspace(1, 0, N)
    assert found.drift("mini", same) == pytest.approx(0)
    assert found.drift("mini", same**3) > found.expiry.drift
    assert found.drift("mini", np.full(N, np.nan)) > found.expiry.drift
    with pytest.raises(CertificateVoid, match="'mini'"):
        found.drift("top", same)


# Whom it is made for -----------------------------------------------------------------------------


def test_a_chain_that_was_not_recorded_gets_none():
    """Answers of another prompt say nothing about this one."""
    with pytest.raises(RecordingError, match="tier 'mini' is not the one that was recorded"):
        certificate(chain=chain(preamble=said("Be brief.")))


def test_a_chain_that_decides_otherwise_gets_none():
    """The chain must serve the plan that was tested."""
    point = certify_path([TOP, PLAN], recorded(), SCORES, epsilon=0.02)
    with pytest.raises(ConfigError, match="decides by"):
        certificate_of(point, recorded(), SCORES, chain=chain(threshold=0.3))


# What looks wrong, and what differs ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        (slice(None), 0, "every answer of every tier that was graded has quality 0"),
        (slice(None), 1, "every answer of every tier that was graded has quality 1"),
        (1, 0, "every answer of the top tier 'top' that was graded has quality 0"),
    ],
)
def test_quality_that_looks_wrong_is_noted(column, value, words):
    """A metric that tells nothing apart, or finds the top tier always wrong, is questioned."""
    made = recorded()
    made.quality[:, column] = value
    (note,) = certify([TOP, PLAN], made, SCORES, epsilon=0.02).notes
    assert note.startswith(words)
    assert certificate().notes == ()


def test_agreement_is_said_in_the_sentence():
    """Where quality is agreement with the top tier, the sentence says that it is no more."""
    about = About(quality="top tier", self_disagreement=0.004, self_disagreement_calls=250)
    made = certify([TOP, PLAN], recorded(about=about), SCORES, epsilon=0.02)
    assert (
        "quality is agreement with the last tier recorded, not with what is right"
        in made.sentence()
    )
    assert "agreement" not in certificate().sentence()


def test_each_change_has_a_line_of_its_own():
    """Of several changes each is on its line, and of the policy only what changed is said."""
    changed = replace(
        chain(threshold=0.5), policy=Policy(repair=True, on_abstain="accept"), name="other"
    )
    with pytest.raises(CertificateVoid) as caught:
        certificate().check(changed)
    assert str(caught.value).splitlines() == [
        "the certificate does not speak of chain 'other':",
        "  tier 'mini': threshold is 0.5; certified was 0.25;",
        "  policy: on_abstain is 'accept'; certified was 'escalate';",
        "  policy: repair is True; certified was False;",
        "record and certify it as it is now",
    ]


def test_a_file_that_is_no_certificate_is_named(tmp_path):
    """The message names the file, not only what it holds."""
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(RecordingError, match=r"other.json': '{}' is no certificate"):
        Certificate.load(path)
