"""Where the budget of a key meets answers without a cap, whoever starts a gateway is warned."""

from datetime import UTC, datetime

import pytest

from cascade import Capabilities, Price, Tier
from cascade.accounts.key import Key
from cascade.core.chain import Chain
from cascade.gateway.uncapped import uncapped

DEAR = Price.of("1", "30")
LONG = Capabilities(max_output_tokens=128_000)


def tier(name="big", price=DEAR, **params):
    return Tier(name, price=price, capabilities=LONG, params=params)


def key(name="team", **settings):
    made = datetime(2026, 11, 27, tzinfo=UTC)
    return Key(id=name, name=name, prefix="ck-x", created_at=made, **settings)


def test_what_is_named():
    """The smallest budget, and tiers without a cap, the dearest first, by what a call may cost."""
    chain = Chain((tier("small", Price.of("1", "2")), tier("capped", max_tokens=10), tier("big")))
    keys = [key("a", budget_day_usd="20"), key("b", budget_month_usd="5"), key("c")]
    words = uncapped({"support": chain}, {"plain": Chain((tier("plain"),))}, keys)
    assert words.startswith("key 'b' may spend $5 a month, and nothing caps the answers of ")
    assert "support/big $3.85 and support/small $0.26:" in words
    assert "plain" not in words  # none of these keys may use it


def test_many_tiers():
    """Three are named, and how many more there are."""
    models = {name: Chain((tier(name),)) for name in "abcdef"}
    words = uncapped({}, models, [key(models=["*"], budget_day_usd="20")])
    assert "a $3.85, b $3.85, c $3.85 and 3 more:" in words


@pytest.mark.parametrize(
    ("one", "who"),
    [
        (tier(), key()),
        (tier(), key(chains=["sales"], budget_day_usd="20")),
        (tier(max_completion_tokens=1000), key(budget_day_usd="20")),
        (tier(max_output_tokens=1000), key(budget_day_usd="20")),
        (tier(price=Price.free()), key(budget_day_usd="20")),
        (Tier("big", price=DEAR), key(budget_day_usd="20")),
    ],
    ids=["no budget", "another chain", "capped", "capped for Responses", "free", "no bound"],
)
def test_nothing_to_warn_of(one, who):
    """Nothing is said where no call may use up a budget."""
    assert uncapped({"support": Chain((one,))}, {}, [who]) is None
