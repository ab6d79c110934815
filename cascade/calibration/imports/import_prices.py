"""Prices for models that were recorded under other names, or without any."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cascade.core.price import Price, Rates
from cascade.errors import ConfigError

__all__ = ["GivenPrices", "prices_of"]

GivenPrices = Mapping[str, Price | Mapping[str, Any]]
"""By tier or model: a `Price`, its JSON form, or `{"in": 0.2, "out": 1.25}` in USD per 1,000,000
tokens (also `input`, `output`, `cached_input`, `cache_write`)."""

SHORT = {"in": "input", "out": "output"}


def prices_of(given: GivenPrices | None) -> dict[str, Price]:
    """The prices as values.

    Raises:
        ConfigError: one is none; the message names it.
    """
    return {name: _price(name, value) for name, value in (given or {}).items()}


def _price(name: str, value: Any) -> Price:
    if isinstance(value, Price):
        return value
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"the price of {name!r} is {value!r}; expected a Price, or USD per 1,000,000 tokens "
            "as {'in': 0.2, 'out': 1.25}"
        )
    if "standard" in value:
        return Price.from_dict(value)
    rates = {SHORT.get(key, key): _exact(amount) for key, amount in value.items()}
    try:
        return Price(f"given for {name}", Rates.from_dict(rates))
    except ConfigError as error:
        raise ConfigError(f"the price of {name!r}: {error}") from error


def _exact(amount: Any) -> Any:
    """A number as it was written: 0.1 means a tenth, not the double that is nearest to it."""
    return Decimal(repr(amount)) if isinstance(amount, float) else amount
