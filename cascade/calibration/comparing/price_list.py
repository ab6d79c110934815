"""Which price applies to what a recording holds: a new list's, or the one it was recorded with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cascade.calibration.recording import RecordedTier
from cascade.core.model_table import ModelTable
from cascade.core.price import Price
from cascade.errors import ConfigError

__all__ = ["PRICES", "PriceList", "Prices"]

PRICES = "on the command line --prices FILE of `recording import` or `what-if`, in Python prices="
"""Where prices are given that a recording lacks: a report takes none of its own."""

Prices = ModelTable | Mapping[str, Price]
"""A whole price list, or prices by model or tier name."""

_DATED = re.compile(r"(.+)-[0-9]{4}-[0-9]{2}-[0-9]{2}")


class PriceList:
    """Prices by model, with the recorded prices behind them.

    Args:
        tiers: the recorded tiers.
        prices: the new list; `None` for the recorded prices.

    Raises:
        ConfigError: no price in the list is one of a recorded model or tier, or it is no price.
    """

    def __init__(self, tiers: Sequence[RecordedTier], prices: Prices | None = None) -> None:
        self._tiers = tuple(tiers)
        self._prices = prices
        if isinstance(prices, Mapping):
            _check(prices, self._tiers)

    def __len__(self) -> int:
        return len(self._tiers)

    @property
    def words(self) -> str:
        """Which list this is."""
        if self._prices is None:
            return "as recorded"
        if isinstance(self._prices, ModelTable):
            return f"{self._prices.as_of}/{self._prices.digest}"
        return f"given for {', '.join(sorted(self._prices))}"

    def of_tier(self, tier: int) -> Price | None:
        """The price of a tier's own calls."""
        recorded = self._tiers[tier]
        return self.of_call(recorded.model, tier, is_draft=True)

    def of_call(self, model: str, tier: int, *, is_draft: bool) -> Price | None:
        """The price of a call.

        Args:
            model: the model that answered, as its reply said.
            tier: whose turn paid.
            is_draft: whether it was the tier's own draft, and not a question of its scorer.
        """
        recorded = self._tiers[tier]
        names = [model, recorded.model, recorded.name] if is_draft else [model]
        for name in names:
            if (found := self._listed(name)) is not None:
                return found
        if is_draft:
            return _recorded(recorded)
        same = (t for t in self._tiers if model in (t.model, t.name) or _base(model) == t.model)
        return next((_recorded(t) for t in same), None)

    @property
    def kept(self) -> tuple[str, ...]:
        """Tiers whose model the new list does not hold: they keep the price recorded for them."""
        return tuple(
            tier.name
            for tier in self._tiers
            if self._listed(tier.model) is None and self._listed(tier.name) is None
        )

    def _listed(self, name: str) -> Price | None:
        if isinstance(self._prices, ModelTable):
            info = self._prices.find(name)
            return info.price if info is not None else None
        if self._prices is None:
            return None
        return self._prices.get(name) or self._prices.get(_base(name))


def _recorded(tier: RecordedTier) -> Price | None:
    return None if tier.price is None else Price.from_dict(dict(tier.price))


def _base(model: str) -> str:
    """A model's name without its date."""
    dated = _DATED.fullmatch(model)
    return dated[1] if dated else model


def _check(prices: Mapping[str, Price], tiers: Sequence[RecordedTier]) -> None:
    for name, price in prices.items():
        if not isinstance(price, Price):
            raise ConfigError(
                f"prices[{name!r}] is {price!r}: expected a Price, e.g. Price.of('0.20', '1.25')"
            )
    known = {name for tier in tiers for name in (tier.model, tier.name, _base(tier.model))}
    if prices and not known & prices.keys():
        raise ConfigError(
            f"prices are given for {', '.join(map(repr, sorted(prices)))}, and the recording's "
            f"models are {', '.join(sorted({repr(tier.model) for tier in tiers}))}"
        )
