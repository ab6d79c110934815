"""Chains: mistakes surface when they are built, with the way out."""

from __future__ import annotations

import copy
import warnings
from datetime import date
from functools import partial

import pytest

from cascade import (
    Capabilities,
    Chain,
    ConfigError,
    Needs,
    Policy,
    Price,
    RetiringModelWarning,
    Tier,
    UnknownPriceError,
)
from cascade.core.chain_checks import MAX_TIERS
from cascade.core.scoring import merged_needs

PRICE = Price.of("1", "2")
TODAY = date(2026, 11, 22)


class Confidence:
    """A scorer that cannot do without log-probabilities."""

    name = "confidence"
    needs = Needs(logprobs=True, top_logprobs=8)

    def __call__(self, draft):
        return 1.0


class Both:
    """A combinator."""

    def __init__(self, *scorers):
        self.scorers = scorers

    def __call__(self, draft):
        return 1.0


def plain(draft):
    return 1.0


def tier(model="m", **settings):
    return Tier(model, price=PRICE, **settings)


def refused(words, tiers, kind=ConfigError, **settings):
    with pytest.raises(kind) as caught:
        Chain(tiers, **settings)
    for word in words:
        assert word in str(caught.value)


def test_an_empty_chain_is_refused():
    """A chain without tiers says how to give it one."""
    refused(["chain is empty", "at least one Tier(model)"], [])


def test_seventeen_tiers_are_refused():
    """More than 16 tiers are refused, 16 are taken."""
    tiers = [tier(f"m{number}") for number in range(MAX_TIERS + 1)]
    refused(["17 tiers", "at most 16"], tiers)
    assert len(Chain(tiers[:16])) == 16


@pytest.mark.parametrize(
    ("tiers", "words"),
    [
        (5, ["a list of tiers, not int 5"]),
        (["gpt-5.5"], ["'gpt-5.5' is no Tier; write Tier('gpt-5.5')"]),
        ([tier(), tier()], ["two tiers are named 'm'", "name='m-2'"]),
        ([tier(), tier("x", name="m")], ["two tiers are named 'm'", "give one of them a name"]),
    ],
)
def test_what_is_no_chain_is_refused(tiers, words):
    """Wrong types and names that occur twice are named, with the form that works."""
    refused(words, tiers)


def test_an_unknown_model_names_the_nearest():
    """A model without price names the nearest known one and the three ways out."""
    refused(
        ["tier 'gpt-5.4-nanno'", "did you mean 'gpt-5.4-nano'?", "Price.of(", "Price.free()",
         "allow_unknown_prices=True"],
        [Tier("gpt-5.4-nanno")], UnknownPriceError,
    )  # fmt: skip
    refused(["'zzzzzz' has no price in the table of"], [Tier("zzzzzz")], UnknownPriceError)
    chain = Chain([Tier("zzzzzz")], allow_unknown_prices=True)
    assert chain.price(chain.top) is None


def test_the_example_in_the_message_is_a_price():
    """The price that the message suggests can be written as it stands."""
    assert Price.of("0.20", "1.25").standard.output > 0


@pytest.mark.parametrize(
    ("model", "params", "advice"),
    [
        ("gpt-5.5", {}, "set params={'reasoning_effort': 'none'}"),
        ("gpt-5.4", {"reasoning_effort": "high"}, "set params={'reasoning_effort': 'none'}"),
        ("gpt-5-mini", {}, "use another scorer, e.g. JsonSchema or SelfCheck"),
        ("gpt-5-mini", {"reasoning_effort": "minimal"}, "use another scorer"),
    ],
)
@pytest.mark.parametrize("scorer", [Confidence(), Both(plain, Both(Confidence()))])
def test_a_scorer_without_its_logprobs_is_refused(model, params, advice, scorer):
    """A scorer that needs log-probabilities where none come is refused, nested or not."""
    with pytest.raises(ConfigError) as caught:
        Chain([Tier(model, scorer=scorer, params=params), tier()])
    assert "confidence needs log-probabilities" in str(caught.value)
    assert advice in str(caught.value)
    assert f"tier {model!r}" in str(caught.value)
    if not params:
        assert "at reasoning_effort 'medium'" in str(caught.value)


@pytest.mark.parametrize(
    "able",
    [
        Tier("gpt-5.5", scorer=Confidence(), params={"reasoning_effort": "none"}),
        Tier("gpt-5.4-mini", scorer=Confidence()),
        Tier("gpt-6-luna", scorer=Confidence()),
        Tier("own", scorer=Confidence(), price=PRICE),
        Tier("gpt-5.5", scorer=Confidence(), capabilities=Capabilities(logprobs=True)),
    ],
    ids=lambda tier: tier.model,
)
def test_a_scorer_that_may_get_logprobs_is_taken(able):
    """Where log-probabilities come, or nobody has verified that they do not, the chain is built."""
    assert Chain([able, tier()]).tiers[0] is able


def test_logprobs_do_not_matter_on_the_last_tier():
    """The last tier's scorer changes nothing, so it is not refused; capabilities rule otherwise."""
    last = Tier("gpt-5.5", scorer=Confidence())
    assert Chain([tier(), last]).top is last
    never = tier(scorer=Confidence(), capabilities=Capabilities(logprobs=False))
    refused(["tier 'm'", "m gives none; use another scorer"], [never, last])


def test_needs_are_merged_and_limited():
    """A call asks for what all nested scorers need, and no more than its model gives."""
    chain = Chain([tier("own"), Tier("gpt-5.4-mini"), Tier("gpt-5.5")])
    needs = merged_needs(Both(plain, Confidence()))
    assert needs == Needs(logprobs=True, top_logprobs=8)
    assert merged_needs(None) == Needs()
    own, mini, top = chain.tiers
    assert chain.allowed(own, needs) == needs
    assert chain.allowed(mini, needs).top_logprobs == 5
    assert chain.allowed(top, needs) == Needs()
    limited = tier("x", capabilities=Capabilities(max_top_logprobs=3))
    assert chain.allowed(limited, needs).top_logprobs == 3


def test_a_chain_that_was_copied_knows_its_own_tiers():
    """What a chain has looked up belongs to its tiers, and follows them into a copy."""
    chain = Chain([Tier("gpt-5.4-mini", price=PRICE), Tier("gpt-5.5")])
    assert chain.facts(chain.top) is chain.facts(chain.top)
    copied = copy.copy(chain)
    assert copied.facts(copied.top) is copied.facts(copied.top)
    assert copied.facts(copied.top).tier is copied.top
    namesake = Tier("gpt-5.5", price=PRICE)
    assert chain.price(namesake) == PRICE != chain.price(chain.top)


def test_a_model_past_its_end_is_refused():
    """A model that was shut down is refused with the date, from that day on."""
    refused(
        ["tier 'gpt-5-mini'", "was shut down on 2026-12-11", "cascade prices"],
        [Tier("gpt-5-mini")], today=date(2026, 12, 11),
    )  # fmt: skip


def test_a_model_near_its_end_warns():
    """A model with less than half a year to go warns whoever builds the chain."""
    with pytest.warns(RetiringModelWarning, match="'gpt-5-mini'.*2026-12-11.*replacement") as seen:
        Chain([Tier("gpt-5-mini")], today=TODAY)
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("made", "today"),
    [
        (Tier("gpt-5-mini"), None),
        (Tier("gpt-5-mini"), date(2026, 1, 1)),
        (Tier("gpt-5-mini", client=object(), price=PRICE), date(2027, 1, 1)),
        (Tier("gpt-5.5"), TODAY),
        (tier(), TODAY),
    ],
)
def test_other_models_do_not_warn(made, today):
    """No date, a far one, another server or an unknown model: nothing to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Chain([made], today=today).top is made


def test_a_known_model_without_a_price_is_not_its_own_suggestion():
    """What the table knows and has no price for is said so, not called a mistyped name."""
    with pytest.raises(UnknownPriceError, match="knows the model, its price is not") as caught:
        Chain([Tier("gpt-4o-2024-05-13")])
    assert "did you mean" not in str(caught.value)


def test_a_threshold_needs_a_scorer():
    """A stated threshold that nothing is held against is refused, except on the last tier."""
    refused(
        ["tier 'a': threshold 0.9 without a scorer", "give the tier a scorer"],
        [tier("a", threshold=0.9), tier("b")],
    )
    assert Chain([tier("a"), tier("b", threshold=0.9)]).tier("b").threshold == 0.9
    with pytest.raises(ConfigError, match="without a scorer"):
        Chain([tier("a"), tier("b")]).with_thresholds({"a": 0.3})


def test_notes_tell_what_is_allowed_but_odd():
    """A scorer on the last tier and a missing one before it are allowed, and noted."""
    odd = Chain([tier("a"), tier("b", scorer=plain)])
    first, second = odd.notes()
    assert "'a' has no scorer" in first
    assert "'b' is last" in second
    assert "changes nothing" in second
    assert Chain([tier("a", scorer=plain), tier("b")]).notes() == ()


def test_tiers_are_found_by_name_then_by_model():
    """A name wins over a model; what is neither is not found."""
    chain = Chain([tier("x", name="y"), tier("y", name="z")])
    assert chain.find("y").name == "y"
    assert chain.find("x").name == "y"
    assert chain.find("q") is None
    assert chain.tier("z").model == "y"
    with pytest.raises(ConfigError, match="no tier 'q' in chain 'chain'; it has 'y', 'z'"):
        chain.tier("q")


def test_thresholds_are_changed_by_name():
    """Other thresholds make another chain; the first one stays as it was."""
    chain = Chain([tier("a", scorer=plain, threshold=0.2), tier("b")])
    other = chain.with_thresholds({"a": 0.9})
    assert [t.threshold for t in other] == [0.9, 0.5]
    assert [t.threshold for t in chain] == [0.2, 0.5]
    with pytest.raises(ConfigError, match="no tier 'c'"):
        chain.with_thresholds({"c": 0.1})
    with pytest.raises(ConfigError, match="tier 'a': threshold 2 is outside"):
        chain.with_thresholds({"a": 2})


@pytest.mark.parametrize(
    "setting",
    ["on_abstain", "on_scorer_failure", "on_refusal", "on_length", "on_content_filter", "on_empty"],
)
def test_policies_take_two_words(setting):
    """A policy takes "escalate" and "accept", and names what it was given instead."""
    with pytest.raises(ConfigError, match=rf"{setting}='retry'; expected one of \('escalate', "):
        Policy(**{setting: "retry"})
    assert getattr(Policy(**{setting: "accept"}), setting) == "accept"


@pytest.mark.parametrize("setting", ["on_refusal", "on_length", "on_content_filter", "on_empty"])
def test_a_flawed_answer_can_be_left_to_the_scorer(setting):
    """Policies for answers also take "score"; those for missing signals do not."""
    assert getattr(Policy(**{setting: "score"}), setting) == "score"
    with pytest.raises(ConfigError, match="on_abstain='score'"):
        Policy(on_abstain="score")


@pytest.mark.parametrize("setting", ["on_rate_limit", "on_not_found"])
def test_failure_policies_take_two_others(setting):
    """A failure can escalate or fail; it cannot be accepted."""
    with pytest.raises(ConfigError, match=rf"{setting}='accept'.*'fail'"):
        Policy(**{setting: "accept"})
    assert getattr(Policy(**{setting: "fail"}), setting) == "fail"


def test_the_digest_tells_chains_apart():
    """What decides changes the digest; the name and the order of settings do not."""
    base = Chain([tier("a", scorer=Both(plain, Confidence())), tier("b")])
    assert (
        base.digest
        == Chain([tier("a", scorer=Both(plain, Confidence())), tier("b")], name="x").digest
    )
    others = [
        base.with_thresholds({"a": 0.6}),
        Chain([tier("a", scorer=Both(plain)), tier("b")]),
        Chain([tier("a", scorer=partial(plain)), tier("b")]),
        Chain([tier("a"), tier("b")]),
        Chain([tier("a", scorer=Both(plain, Confidence()), params={"seed": 1}), tier("b")]),
        Chain(base.tiers, policy=Policy(on_abstain="accept")),
    ]  # fmt: skip
    assert len({base.digest, *(chain.digest for chain in others)}) == 7


def test_the_digest_reads_settings_of_scorers():
    """Two settings of one scorer class make two digests, whatever type the settings have."""
    from dataclasses import dataclass, field

    @dataclass(frozen=True)
    class Words:
        least: int = 1
        listed: tuple[str, ...] = ()
        made: int = field(init=False, default=3)

        def __call__(self, draft):
            return 1.0

    digests = {
        Chain([tier("a", scorer=scorer), tier("b")]).digest
        for scorer in (Words(), Words(2), Words(1, ("x",)), Words(1, ("y",)))
    }
    assert len(digests) == 4
    assert Chain([tier("a", scorer=Words()), tier("b")]).digest in digests


def test_a_policy_is_a_policy():
    """A policy of another type is refused when the chain is built, not after the first answer."""
    with pytest.raises(ConfigError, match=r"policy is \{.*expected e\.g\. Policy"):
        Chain([Tier("gpt-5.5")], policy={"on_refusal": "accept"})
