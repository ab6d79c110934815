"""A chain of tiers and the policy for what is neither accepted nor rejected.

`cascade.core.chain_checks` checks a chain when it is built, whether it was written in Python or in
TOML: mistakes surface before money flows.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from cascade.core.chain_checks import MAX_TIERS, check_chain, tier_tuple
from cascade.core.facts import Facts, facts_of
from cascade.core.policy import Policy
from cascade.core.pricing import ModelInfo, ModelTable, Price, model_table
from cascade.core.route import Entry, Leg
from cascade.core.scoring import Needs, parts_of, scorer_name
from cascade.core.tier import Tier
from cascade.errors import ConfigError
from cascade.forms.api import Api

__all__ = ["MAX_TIERS", "Chain", "RetiringModelWarning", "settings_of_scorer"]


class RetiringModelWarning(UserWarning):
    """A chain names a model that its provider is about to shut down."""


@dataclass(frozen=True)
class Chain:
    """Tiers in the order they are asked; the last one's answer stands.

    Attributes:
        tiers: 1 to 16 tiers. The order is yours: "sorted by price" is not "sorted by ability".
        policy: what to do with answers that carry no verdict.
        name: for traces and logs.
        allow_unknown_prices: build even where a model has no price; its cost is then `None`.
        table: prices and limits of known models.
        entry: chooses the tier that a request begins with, from the request alone; `None` for the
            first. A request that was told where to begin, or whose conversation is with a tier,
            is not put to it.
        today: the date that shutdown dates are compared with; `None` skips the check.

    Raises:
        ConfigError: the chain cannot work; the message names the tier.
        UnknownPriceError: a model without a price.
    """

    tiers: tuple[Tier, ...]
    policy: Policy = field(default_factory=Policy)
    name: str = "chain"
    allow_unknown_prices: bool = False
    table: ModelTable = field(default_factory=model_table, repr=False)
    today: date | None = None
    entry: Entry | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", tier_tuple(self.tiers))
        for warning in check_chain(self):
            warnings.warn(warning, RetiringModelWarning, stacklevel=3)  # whoever built the chain

    # Looking things up ---------------------------------------------------------------------------

    def __iter__(self) -> Any:
        return iter(self.tiers)

    def __len__(self) -> int:
        return len(self.tiers)

    @property
    def top(self) -> Tier:
        """The last tier: its answer stands, and savings are measured against it."""
        return self.tiers[-1]

    def tier(self, name: str) -> Tier:
        """The tier of that name.

        Raises:
            ConfigError: there is none.
        """
        for tier in self.tiers:
            if tier.name == name:
                return tier
        names = ", ".join(repr(tier.name) for tier in self.tiers)
        raise ConfigError(f"no tier {name!r} in chain {self.name!r}; it has {names}")

    def find(self, model: str) -> Tier | None:
        """The tier of that name, else the first that uses this model."""
        by_name = (tier for tier in self.tiers if tier.name == model)
        by_model = (tier for tier in self.tiers if tier.model == model)
        return next(by_name, None) or next(by_model, None)

    def facts(self, tier: Tier) -> Facts:
        """What holds for a tier, of this chain or of another, whatever is asked of it."""
        found = self._facts.get(tier.name)
        return found if found is not None and found.tier is tier else facts_of(tier, self.table)

    @cached_property
    def _facts(self) -> dict[str, Facts]:
        return {tier.name: facts_of(tier, self.table) for tier in self.tiers}

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        """The way of a request that may use the whole chain and fits every tier."""
        return (*map(Leg, self.tiers[:-1]), Leg(self.top, final=True))

    @cached_property
    def least_window(self) -> float:
        """The longest prompt, in tokens, that certainly fits every tier before the last."""
        windows = [self.facts(tier).max_input_tokens for tier in self.tiers[:-1]]
        return min((window for window in windows if window is not None), default=math.inf)

    @cached_property
    def largest_window(self) -> float:
        """A longer prompt, in tokens, fits no tier whose window is known."""
        windows = [self.facts(tier).max_input_tokens for tier in self.tiers]
        return max((window for window in windows if window is not None), default=math.inf)

    @cached_property
    def doubtful(self) -> dict[tuple[Api, bool], tuple[Tier, ...]]:
        """Tiers that may not take every request, by its API and whether it has tools.

        `cascade.core.payloads` works it out.
        """
        return {}

    @cached_property
    def price_table(self) -> str:
        """The date and the digest of its table, as traces name them."""
        return f"{self.table.as_of}/{self.table.digest}"

    def info(self, tier: Tier) -> ModelInfo | None:
        """What the table knows of a tier's model, or of the one that its model stands for."""
        return self.facts(tier).info

    def price(self, tier: Tier, api: Api = "chat") -> Price | None:
        """A tier's own price, else the table's; decisions have a price of their own."""
        return self.facts(tier).price_at(api)

    def gives_logprobs(self, tier: Tier) -> bool | None:
        """Whether the tier returns log-probabilities; `None` where nobody has verified it."""
        return self.facts(tier).gives_logprobs

    def allowed(self, tier: Tier, needs: Needs) -> Needs:
        """What of a scorer's needs may be asked of a tier; see `Facts.allowed`."""
        return self.facts(tier).allowed(needs)

    def notes(self) -> tuple[str, ...]:
        """What is allowed but worth knowing about this chain."""
        found = [
            f"tier {tier.name!r} has no scorer: every usable answer is accepted, "
            "later tiers serve its failures only"
            for tier in self.tiers[:-1]
            if tier.scorer is None
        ]
        if self.top.scorer is not None:
            found.append(
                f"tier {self.top.name!r} is last: its scorer is recorded and changes nothing"
            )
        return tuple(found)

    # Making new ones -----------------------------------------------------------------------------

    def with_thresholds(self, thresholds: Mapping[str, float]) -> Chain:
        """The same chain with other thresholds, by tier name.

        Raises:
            ConfigError: a name that is no tier, or a threshold outside [0, 1].
        """
        for name in thresholds:
            self.tier(name)
        return replace(
            self,
            tiers=tuple(
                replace(tier, threshold=thresholds.get(tier.name, tier.threshold))
                for tier in self.tiers
            ),
        )

    @cached_property
    def digest(self) -> str:
        """A short hash of what decides: models, params, scorers, thresholds, policy."""
        decisive = [
            [
                tier.name,
                tier.model,
                settings_of_scorer(tier.scorer),
                tier.threshold,
                dict(tier.params),
                tier.preamble,
                tier.api,
                tier.base_model,
            ]
            for tier in self.tiers
        ]
        whole: list[object] = [decisive, repr(self.policy)]
        if self.entry is not None:
            whole.append(settings_of_scorer(self.entry))
        text = json.dumps(whole, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_of_scorer(scorer: object) -> object:
    """A scorer as data that is the same in every process: its name, its settings, its parts."""
    if scorer is None:
        return None
    fields = getattr(scorer, "__dataclass_fields__", {})
    settings = {
        name: getattr(scorer, name) for name, spec in fields.items() if spec.init and spec.compare
    }
    settings.pop("scorers", None)
    plain = json.dumps(settings, sort_keys=True, default=lambda part: type(part).__name__)
    return [scorer_name(scorer), plain, [settings_of_scorer(part) for part in parts_of(scorer)]]
