"""What a call costs when the reply names another model than the one that was asked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cascade import Cascade, Price, Tier
from cascade.testing import ScriptedModels, reply

NANO = Tier("gpt-5.4-nano")


def charge(tier, named):
    answer = reply("Paris", model=named, input_tokens=1_000_000, output_tokens=0)
    models = ScriptedModels({tier.model: answer})
    return Cascade([tier], models=models).complete("?").trace.charges[0]


@pytest.mark.parametrize(
    "named", ["gpt-5.4-nano", "gpt-5.4-nano-2026-03-17", "my-deployment", None]
)
def test_snapshots_and_aliases_are_the_model_itself(named):
    """A dated name of the same model, or a name of the server's own, changes nothing."""
    found = charge(NANO, named)
    assert (found.cost_usd, found.basis) == (Decimal("0.20"), "exact")
    assert not any("answered by" in note for note in found.notes)


def test_another_model_of_the_table_costs_what_it_costs():
    """A gateway's fallback is billed as the model that answered."""
    found = charge(NANO, "gpt-5.4-mini-2026-03-17")
    assert (found.model, found.cost_usd, found.basis) == (
        "gpt-5.4-mini-2026-03-17", Decimal("0.75"), "exact",
    )  # fmt: skip
    assert "answered by gpt-5.4-mini-2026-03-17, and priced as that" in found.notes


def test_a_model_without_a_price_is_an_estimate_at_most():
    """One of OpenAI's names that the table lacks: the price asked for is only a guess."""
    found = charge(NANO, "gpt-4-turbo")
    assert (found.cost_usd, found.basis) == (Decimal("0.20"), "estimated")
    assert any("gpt-4-turbo" in note for note in found.notes)
    assert charge(NANO, "gpt-4o-2024-05-13").cost_usd is None  # known, and its price is not


@pytest.mark.parametrize(
    "tier",
    [
        Tier("gpt-5.4-nano", price=Price.of("1", "2")),
        Tier("my-deployment", base_model="gpt-5.4-mini"),
    ],
)
def test_a_price_of_your_own_and_a_deployment_hold(tier):
    """What the user says a tier costs is not second-guessed; a deployment answers by its model."""
    assert charge(tier, "gpt-5.4-mini").basis == "exact"
