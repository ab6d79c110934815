"""What is known of a tier before any request: worked out once per chain, read with every call."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cascade.core.pricing import ModelInfo, ModelTable, Price
from cascade.core.scoring import NO_NEEDS, Needs, merged_needs, scorer_name
from cascade.core.tier import Tier
from cascade.forms.api import Api
from cascade.forms.reading import effort_of

__all__ = ["Facts", "facts_of"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds for a tier whatever is asked. `None` means not known.

    Attributes:
        tier: whose facts these are.
        info: what the table knows of its model, or of the one that its model stands for.
        price: its own price, else the table's.
        decisions_price: the same for the Decisions API, which has a price of its own.
        max_input_tokens: the longest prompt it takes.
        max_output_tokens: its longest answer.
        gives_logprobs: whether it returns log-probabilities.
        max_top_logprobs: most alternatives per token that may be asked of it.
        scorer: its scorer's name; empty without one.
        needs: what of its scorer's needs may be asked of it.
    """

    tier: Tier
    info: ModelInfo | None
    price: Price | None
    decisions_price: Price | None
    max_input_tokens: int | None
    max_output_tokens: int | None
    gives_logprobs: bool | None
    max_top_logprobs: int | None
    scorer: str = ""
    needs: Needs = NO_NEEDS

    def price_at(self, api: Api) -> Price | None:
        """What a call to an API is priced with."""
        return self.decisions_price if api == "decisions" else self.price

    def allowed(self, needs: Needs) -> Needs:
        """What of a scorer's needs may be asked of the tier.

        No log-probabilities where there are none, and no more alternatives than the model gives (5
        on GPT-5.x, where asking for 6 is an error).
        """
        if not needs.logprobs or self.gives_logprobs is False:
            return NO_NEEDS
        most = self.max_top_logprobs
        if most is None or needs.top_logprobs <= most:
            return needs
        return replace(needs, top_logprobs=most)


def facts_of(tier: Tier, table: ModelTable) -> Facts:
    """What is known of a tier: what it says itself, else what the table says of its model."""
    info = table.find(tier.base_model or tier.model)
    own = tier.capabilities
    limits = own or info
    price = tier.price or (info.price if info else None)
    gives = info.gives_logprobs(effort_of(tier.params)) if info else None
    facts = Facts(
        tier=tier,
        info=info,
        price=price,
        decisions_price=(info.decisions_price if info else None) or price,
        max_input_tokens=limits.max_input_tokens if limits else None,
        max_output_tokens=limits.max_output_tokens if limits else None,
        gives_logprobs=own.logprobs if own else gives,
        max_top_logprobs=limits.max_top_logprobs if limits else None,
    )
    if tier.scorer is None:
        return facts
    needs = facts.allowed(merged_needs(tier.scorer))
    return replace(facts, scorer=scorer_name(tier.scorer), needs=needs)
