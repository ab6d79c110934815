"""Tiers whose answers may be as long as the model's longest, where a key's budget meets them.

Such a call reserves dollars where it costs a fraction of a cent, and keeps them where its cost
stays unknown: one failure of the provider may use up a day's budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_UP, Decimal

from cascade.accounts.key import Key
from cascade.core.budget import bound_usd
from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.core.few import few
from cascade.core.tier import Tier
from cascade.forms.reading import output_limit

__all__ = ["uncapped"]

CENT = Decimal("0.01")


def uncapped(
    chains: Mapping[str, Chain], models: Mapping[str, Chain], keys: Sequence[Key]
) -> str | None:
    """A warning that names the smallest budget, the dearest tiers, and the worst case of a call.

    Args:
        chains: by the name that callers use.
        models: chains of one tier, for plain models.
        keys: those that work.
    """
    met: list[Key] = []
    found: list[tuple[Decimal, str]] = []
    for name, chain in (*chains.items(), *models.items()):
        users = [
            key for key in keys if key.has_budget and key.may_use(name, is_chain=name in chains)
        ]
        cases = [(usd, _place(name, tier)) for tier, usd in _worst_cases(chain)] if users else []
        found += cases
        met += users if cases else []
    if not found:
        return None
    found.sort(key=lambda one: (-one[0], one[1]))
    named = few([f"{place} {dollars(_cents(usd))}" for usd, place in found])
    return (
        f"{_budget(met)}, and nothing caps the answers of {named}: so much a call "
        "reserves, and more for its prompt, and keeps where its cost stays unknown. Give those "
        "tiers max_completion_tokens in params (max_output_tokens where they are asked through "
        "Responses); `cascade keys release` gives back what was kept"
    )


def _worst_cases(chain: Chain) -> Iterator[tuple[Tier, Decimal]]:
    """Tiers without a cap that cost something, and the most that a call of a short prompt may."""
    for tier in chain.tiers:
        if output_limit(tier.params) is None:
            payload = {"messages": [], **tier.params}
            usd = bound_usd(chain.facts(tier), payload, tier.api or "chat")
            if usd:
                yield tier, usd


def _place(name: str, tier: Tier) -> str:
    return name if name == tier.name else f"{name}/{tier.name}"


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(CENT, ROUND_UP)


def _budget(keys: Sequence[Key]) -> str:
    """The smallest budget of them: such a call uses it up first."""
    budgets = [
        (usd, each, key.name)
        for key in keys
        for usd, each in ((key.budget_day_usd, "day"), (key.budget_month_usd, "month"))
        if usd is not None
    ]
    usd, each, name = min(budgets)
    return f"key {name!r} may spend {dollars(usd)} a {each}"
