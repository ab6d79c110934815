"""The chain that records: scorers are run as ever, and nothing is ever accepted."""

import pytest
from recorder_help import BIG, MIDDLE, SMALL, examples

from cascade import (
    Abstained,
    Cascade,
    Chain,
    ConfigError,
    Needs,
    Policy,
    Price,
    Retry,
    Score,
    Tier,
    sample,
)
from cascade.calibration import record
from cascade.calibration.recorder.recorded_chain import Watched, recording_chain
from cascade.testing import ScriptedModels, failure, reply
from scorers import Agreement, AgreesWithEarlier, LogprobConfidence, all_of

CHEAP = Price.of("1", "1")


def chain_of(*scorers, policy=None, **fields):
    names = (SMALL, MIDDLE, BIG)
    tiers = [
        Tier(name, scorer=scorer, price=CHEAP, **fields)
        for name, scorer in zip(names, scorers, strict=False)
    ]
    return Chain(tuple(tiers), policy=policy or Policy())


def recorded(built, script, count=1, **settings):
    return record(built, examples(count, reference="4"), models=ScriptedModels(script), **settings)


def test_who_reads_earlier_answers_is_noticed():
    """A look at the earlier answers is noticed in a combination too; no look is none."""

    def sometimes(draft):
        return bool(draft.earlier) and draft.earlier[0].text == "4"

    def never(draft):
        return 0.5

    built = chain_of(never, all_of(never, sometimes), AgreesWithEarlier())
    found = recorded(built, {SMALL: "4", MIDDLE: "4", BIG: "4"})
    assert [tier.scorer_reads_earlier for tier in found.tiers] == [False, True, True]
    assert found.score[0].tolist() == [0.5, 0.5, 1.0]


def test_the_better_sample_of_a_scorer_is_the_tiers_answer():
    """A better answer that a scorer found is recorded and graded; the top tier's own one stands."""
    built = chain_of(Agreement(k=3), None, Agreement(k=3))
    script = {SMALL: ["5", "4", "4"], MIDDLE: "4", BIG: ["6", "4", "4"]}
    found = recorded(built, script)
    assert found.texts[0].tolist() == ["4", "4", "6"]
    assert found.quality[0].tolist() == [1, 1, 0]
    assert found.score[0, [0, 2]].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert (found.charges.purpose == "scorer").sum() == 4


def test_abstentions_and_failures_stay_what_they_are():
    """The recording tells a scorer without a signal from one that raised."""

    def broken(draft):
        raise ZeroDivisionError

    found = recorded(
        chain_of(lambda _: Abstained("no idea"), broken, None), {SMALL: "1", MIDDLE: "2", BIG: "4"}
    )
    assert found.score_kind[0].tolist() == [2, 3, 0]
    assert found.answered.all()


def test_what_a_scorer_needs_is_asked_for():
    """Log-probabilities are requested for a scorer inside the wrapper as for one outside."""
    asked = ScriptedModels({SMALL: reply("4", probabilities=[0.5]), MIDDLE: "4", BIG: "4"})
    built = chain_of(LogprobConfidence(), None, None)
    found = record(built, examples(1, reference="4"), models=asked)
    assert asked.calls[0].needs == Needs(logprobs=True)
    assert asked.calls[1].needs == Needs()
    assert found.score[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("choice", ["escalate", "score", "accept"])
def test_flawed_answers_go_to_a_scorer_where_the_policy_says_so(choice):
    """A policy that would accept an answer without a scorer does not end the recording."""
    built = chain_of(lambda _: 0.7, None, None, policy=Policy(on_length=choice))
    script = {SMALL: reply("4", finish_reason="length"), MIDDLE: "4", BIG: "4"}
    found = recorded(built, script)
    assert found.answered.all()
    assert found.usable[0, 0] == (choice == "score")
    assert found.score_kind[0, 0] == (1 if choice == "score" else 0)
    assert found.quality[0, 0] == 1  # cut off, and right all the same


def test_refusals_and_empty_answers_are_worth_nothing():
    """A refusal is an answer that is wrong; an empty one is none."""
    script = {SMALL: reply(None, refusal="I must not"), MIDDLE: "", BIG: "4"}
    found = recorded(chain_of(None, None, None), script)
    assert found.quality[0].tolist() == [0, 0, 1]
    assert found.answered[0].tolist() == [True, False, True]
    assert found.usable[0].tolist() == [False, False, True]


def test_a_rate_limit_ends_no_recording():
    """Each tier is asked although one below has had enough, also where the policy would fail."""
    built = chain_of(None, None, None, policy=Policy(on_rate_limit="fail"), retry=once())
    script = {SMALL: failure("rate_limit"), MIDDLE: "4", BIG: "4"}
    with pytest.warns(UserWarning, match="1 of 1 examples"):
        found = recorded(built, script)
    assert found.answered[0].tolist() == [False, True, True]


def once():
    return Retry(max_tries=1)


def test_what_cannot_be_recorded_is_refused():
    """Coroutines, and answers that depend on rejected ones, are refused with the way out."""

    async def slow(draft):
        return 1.0

    with pytest.raises(ConfigError, match="'slow' is a coroutine function"):
        recorded(chain_of(slow, None), {})
    with pytest.raises(ConfigError, match="'all_of' is a coroutine"):
        recorded(chain_of(all_of(slow, lambda _: 1), None), {})
    with pytest.raises(ConfigError, match="repair=False"):
        recorded(chain_of(None, None, policy=Policy(repair=True)), {})


def test_an_entry_and_early_ends_are_left_out():
    """What would pass tiers over, or leave a draft before its end, is no part of a recording."""
    built = Chain(
        chain_of(None, None).tiers, policy=Policy(stop_early=True), entry=lambda _: MIDDLE
    )
    made = recording_chain(built, [], double=False, readers=set())
    assert made.entry is None
    assert not made.policy.stop_early


def test_a_sample_of_the_scorer_goes_to_its_own_tier():
    """`sample` asks the wrapped tier again, under its own name."""

    def twice(draft):
        replies = yield from sample(draft, 1)
        return Score(float(replies[0].text == draft.text))

    asked = ScriptedModels({SMALL: "4", MIDDLE: "4"})
    found = record(chain_of(twice, None), examples(1, reference="4"), models=asked)
    assert [(c.attempt, c.purpose, c.tier.name) for c in asked.calls] == [
        (SMALL, "draft", SMALL), (SMALL, "scorer", SMALL), (MIDDLE, "draft", MIDDLE)
    ]  # fmt: skip
    assert found.score[0, 0] == 1


def test_the_top_tier_may_have_a_scorer_without_a_signal():
    """What a chain allows on its last tier is recorded, also with witnesses behind that tier."""
    tiers = (Tier("gpt-5.4-nano"), Tier("gpt-5.5", scorer=LogprobConfidence()))
    Cascade(tiers)  # allowed
    asked = ScriptedModels({"gpt-5.4-nano": "4", "gpt-5.5": "4", "gpt-5.4-mini": "4"})
    found = record(tiers, examples(1, reference="4"), models=asked, witnesses=["gpt-5.4-mini"])
    assert found.score_kind[0].tolist() == [0, 2, 0]


def test_any_look_at_the_earlier_answers_counts():
    """Counting, indexing, looping and searching are looks; passing them on is none."""
    looks = (len, bool, list, lambda some: some[0], lambda some: 3 in some)
    for look in looks:
        readers = set()
        look(Watched(("draft",), "tier", readers))
        assert readers == {"tier"}
    readers = set()
    passed_on = [Watched(("draft",), "tier", readers)]
    assert passed_on
    assert not readers
