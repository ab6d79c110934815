"""Scorers that can never work are refused when the chain is built, not found out by every answer."""

import pytest

from cascade import Chain, ConfigError, Price, Tier
from scorers import AgreesWithEarlier, Decision, Grounded, Judge, Matches, SelfCheck, any_of

PRICE = Price.of("1", "2")


def chain(scorer, place=0, **settings):
    tiers = [Tier(name, price=PRICE, scorer=None) for name in ("low", "mid", "top")]
    tiers[place] = Tier(tiers[place].model, price=PRICE, scorer=scorer)
    return Chain(tiers, **settings)


def test_agreement_with_earlier_answers_is_not_for_the_first_tier():
    """Alone on the first tier it would abstain for ever; later, last or in company it may stand."""
    with pytest.raises(ConfigError, match=r"tier 'low': .* no earlier answers .* a later one"):
        chain(AgreesWithEarlier())
    assert chain(AgreesWithEarlier(), 1)
    assert chain(any_of(AgreesWithEarlier(), Matches("x")))
    assert Chain([Tier("only", price=PRICE, scorer=AgreesWithEarlier())])


@pytest.mark.parametrize("scorer", [SelfCheck("nope-model"), Judge("nope-model", "Is right.")])
def test_who_is_asked_has_a_price(scorer):
    """A model that no tier uses and the table does not know would make every cost unknown."""
    with pytest.raises(ConfigError, match=r"'nope-model' is no tier of this chain, .* no price"):
        chain(scorer)
    assert chain(scorer, allow_unknown_prices=True)


@pytest.mark.parametrize("model", ["top", "gpt-5.4-mini"])
def test_who_is_asked_may_be_a_tier_or_known(model):
    """A tier of the chain has its price, a model of the table too."""
    assert chain(SelfCheck(model))


def test_a_mistyped_model_names_the_nearest():
    """The name that was probably meant is in the message."""
    with pytest.raises(ConfigError, match="did you mean 'gpt-5\\.4-mini'"):
        chain(SelfCheck("gpt-5.4-minni"))


def test_decisions_are_asked_of_a_model_that_takes_them():
    """A model without a price for the Decisions API does not serve it; one of a server may."""
    with pytest.raises(
        ConfigError, match=r"no price of 'gpt-5' for the Decisions API, which gpt-6"
    ):
        chain(Decision("Is right.", model="gpt-5"))
    assert chain(Decision("Is right."))
    assert chain(Decision("Is right.", model="top"))
    assert chain(Decision("Is right.", model="gpt-5"), allow_unknown_prices=True)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Matches(""), "found in every answer"),
        (lambda: Grounded(distinct="yes"), "distinct is 'yes'"),
        (lambda: Grounded(all_values=1), "all_values is 1"),
    ],
)
def test_settings_that_say_nothing(build, words):
    """A pattern that every answer matches, and a text where yes or no is meant."""
    with pytest.raises(ConfigError, match=words):
        build()
