"""Recording runs: every tier and scorer is asked once, and every cent is in the recording."""

from collections import Counter
from decimal import Decimal

import numpy as np
import pytest
from recorder_help import (
    BIG,
    JUDGE,
    MIDDLE,
    SMALL,
    WITNESS,
    as_parallel,
    chain,
    draft,
    examples,
    labelled,
    made,
    models,
)

from cascade import Price, Retry, Tier
from cascade.calibration import Recorder, read_recording, record, reprice
from cascade.calibration.money import pico_of
from cascade.core.chain import Chain
from cascade.core.usage import Usage
from cascade.testing import failure, reply

SECOND = Tier(WITNESS, price=Price.of("1", "2"))


def paid(asked):
    """Exact picodollars of all calls that scripted models have answered."""
    total = Decimal(0)
    prices = {SMALL: ("0.20", "1.25"), MIDDLE: ("0.75", "4.50"), BIG: ("5", "30"), WITNESS: (1, 2)}
    for call in asked.calls:
        rates = prices.get(call.tier.model, ("0.75", "4.50"))
        for entry in call.tries:
            usage = entry.usage or Usage(0, 0)
            cost = usage.input_tokens * Decimal(rates[0]) + usage.output_tokens * Decimal(rates[1])
            total += cost / 1_000_000
    return pico_of(total)


def test_every_tier_answers_every_request_and_is_graded():
    """No draft is accepted, so the recording holds all answers, scores and grades."""
    asked = models()
    found = record(chain(), labelled(6), models=asked)
    assert found.names == (SMALL, MIDDLE, BIG)
    assert found.answered.all()
    right = [[i % 2 == 0, i < 5, True] for i in range(6)]
    assert found.quality.tolist() == np.array(right, float).tolist()
    assert found.score[:, 0].tolist() == [0.9, 0.1] * 3
    assert found.score[:, 1].tolist() == [1, 0, 1, 0, 1, 1]
    assert (found.score_kind[:, 2] == 0).all()
    assert found.about.quality == "normalised"
    assert found.references.tolist() == [str(i) for i in range(6)]
    assert max(Counter(map(made, asked.calls)).values()) == 1


def test_tiers_are_remembered_as_they_were():
    """Thresholds and scorers are the chain's own, and who reads earlier answers is noticed."""
    found = record(chain(), labelled(3), models=models(), witnesses=[SECOND])
    small, middle, big, witness = found.tiers
    assert (small.scorer, small.threshold, small.scorer_reads_earlier) == ("asks", 0.5, False)
    assert (middle.scorer, middle.scorer_reads_earlier) == ("agrees", True)
    assert (big.scorer, big.threshold) == ("", None)
    assert (witness.role, witness.model) == ("witness", WITNESS)
    assert found.about.chain == "support"
    assert found.about.chain_digest == chain().digest


@pytest.mark.parametrize("metric", ["normalised", f"judge:{JUDGE}:Says {{reference}}."])
@pytest.mark.parametrize("labels", [True, False])
def test_every_cent_is_in_the_charges(metric, labels):
    """Drafts, retries, scorers, judges and second answers sum to what the models were paid."""
    flaky = {MIDDLE: [item for i in range(5) for item in (failure("server"), reply(str(i)))]}
    asked = models(**flaky)
    tiers = chain().tiers
    patient = Tier(
        MIDDLE,
        scorer=tiers[1].scorer,
        price=tiers[1].price,
        retry=Retry(max_tries=2, initial_s=0, max_wait_s=0),
    )
    built = Chain((tiers[0], patient, tiers[2]), name="support")
    listed = labelled(5) if labels else examples(5)
    if not labels and metric != "normalised":
        metric = f"judge:{JUDGE}:Is polite."
    found = record(built, listed, models=asked, metric=metric, witnesses=[SECOND])
    charges = found.charges
    unknown = charges.cost_pusd == -1  # a server's error: nobody knows whether it was billed
    assert unknown.sum() == 5
    assert charges.cost_pusd[~unknown].sum() == paid(asked)
    assert len(charges) == sum(len(call.tries) for call in asked.calls)
    draft_part = charges.purpose == "draft"
    known = found.cost_pusd != -1
    assert found.cost_pusd[known].sum() == charges.cost_pusd[draft_part & (charges.tier != 1)].sum()
    assert found.score_cost_pusd.sum() == charges.cost_pusd[charges.purpose == "scorer"].sum()
    extra = charges.purpose == "quality"
    assert bool(extra.any()) == (metric != "normalised" or not labels)


def test_without_references_the_top_tier_is_the_measure():
    """Quality is agreement with its answers; how often it disagrees with itself is measured."""
    seen = Counter()

    def moody(call):
        """Answers number 3 differently the second time."""
        seen[number := call.payload["messages"][-1]["content"]] += 1
        return "x" if "3" in number and seen[number] > 1 else draft(call)

    found = record(chain(), examples(6), models=models(**{BIG: moody}), metric=None)
    assert found.about.quality == "top tier"
    assert (found.quality[:, 2] == 1).all()
    assert found.quality[:, 0].tolist() == [1, 0, 1, 0, 1, 0]
    assert found.about.self_disagreement == pytest.approx(1 / 6)
    assert found.about.self_disagreement_calls == 6
    second = found.charges.purpose == "quality"
    assert found.charges.tier[second].tolist() == [2] * 6
    assert found.charges.request[second].tolist() == [0, 1, 2, 3, 4, 5]


def test_as_many_second_answers_as_wanted():
    """`double_calls` says how many; none of them leaves d0 unknown."""
    found = record(chain(), examples(8), models=models(), double_calls=3)
    assert found.about.self_disagreement_calls == 3
    none = record(chain(), examples(3), models=models(), double_calls=0)
    assert none.about.self_disagreement is None
    assert none.about.quality == "top tier"


def test_another_metric_may_compare_with_the_top_tier():
    """A metric that needs a reference takes the top tier's answer where there is none."""
    found = record(chain(), examples(4), models=models(), metric="numeric")
    assert found.about.quality == "top tier"
    assert found.quality[:, 0].tolist() == [1, 0, 1, 0]


def test_many_threads_record_the_same():
    """Concurrency changes nothing but the time it takes."""
    both = []
    for kind, concurrency in ((models, 1), (as_parallel, 7)):
        found = record(chain(), labelled(20), models=kind(), concurrency=concurrency)
        both.append(found)
    one, other = both
    assert one.ids.tolist() == other.ids.tolist()
    assert np.array_equal(one.quality, other.quality)
    assert np.array_equal(one.score, other.score, equal_nan=True)
    assert np.array_equal(one.cost_pusd, other.cost_pusd)
    assert one.charges.cost_pusd.sum() == other.charges.cost_pusd.sum()


def test_a_recording_reads_back_from_its_file(tmp_path):
    """What is written is what is returned; the journal is gone when nothing is missing."""
    path = tmp_path / "support.parquet"
    told = []
    found = record(
        chain(), labelled(4), models=models(), output=path, metric=f"judge:{JUDGE}:Is polite.",
        progress=told.append,
    )  # fmt: skip
    back = read_recording(path)
    assert np.array_equal(back.quality, found.quality)
    assert back.about == found.about
    assert sorted(back.charges.purpose) == sorted(found.charges.purpose)
    assert back.charges.cost_pusd.sum() == found.charges.cost_pusd.sum()
    assert [one.done for one in told] == [1, 2, 3, 4]
    assert pico_of(told[-1].spent_usd) == found.charges.cost_pusd.sum()
    assert [item.name for item in tmp_path.iterdir()] == ["support.parquet"]


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_texts_are_kept_as_the_policy_says(content, tmp_path):
    """Under a stricter policy neither recording nor journal ever holds what was said."""
    path = tmp_path / "support.parquet"
    secret = {BIG: "the password is swordfish"}
    recorder = Recorder(chain(), labelled(2), models=models(**secret), output=path, content=content)
    recorder.run()
    journal = (tmp_path / "support.parquet.journal").read_bytes()
    found = recorder.finish()
    recorder.close()
    assert b"swordfish" not in journal
    assert b"swordfish" not in path.read_bytes()
    assert found.quality[:, 2].tolist() == [0, 0]
    assert found.about.content == content
    assert not [text for text in found.texts.flat if text and "swordfish" in text]


def test_a_tier_of_the_chain_may_be_a_witness():
    """A tier named as a witness leaves the ladder, with its settings; others are models."""
    asked = models(**{"gpt-5.4-nano": "1"})
    found = record(chain(), labelled(2), models=asked, witnesses=[MIDDLE, "gpt-5.4-nano"])
    assert found.names == (SMALL, BIG, MIDDLE, "gpt-5.4-nano")
    assert [tier.role for tier in found.tiers] == ["tier", "tier", "witness", "witness"]
    assert found.tiers[2].scorer == ""


def test_what_only_the_recording_paid_is_in_no_tiers_cost():
    """A price list over a recording changes what serving costs, and not by what grading cost."""
    found = record(chain(), examples(3), models=models())
    again = reprice(found, prices={SMALL: chain().tiers[0].price, BIG: chain().tiers[2].price})
    assert np.array_equal(again.cost_pusd[:, [0, 2]], found.cost_pusd[:, [0, 2]])
    assert np.array_equal(again.score_cost_pusd, found.score_cost_pusd)
    assert (found.charges.purpose == "quality").sum() == 3
