"""What tokens cost: rates per million tokens, for every service tier of a model.

Knows values and their JSON form. Knows no model names, no usage, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import (
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import cached_property
from typing import Any, Literal

from cascade.errors import ConfigError

__all__ = ["EXACT", "Price", "Rates", "ServiceTier", "Tariff", "plain", "tidy"]

ServiceTier = Literal["standard", "batch", "flex", "priority"]

EXACT = Context(
    # The widest honest product: a count below 2**53 (16 digits), a rate below 10**9 with 12
    # decimals (21 digits), a multiplier of the same width: 58 digits. More raises, never rounds.
    prec=60,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)
"""The context of all money: it raises on rounding, on overflow and on floats."""

_RATES = (
    *("standard", "batch", "flex", "priority"),
    *("standard_long", "batch_long", "flex_long", "priority_long"),
)
_LIMIT = Decimal(10**9)  # no model costs 1,000 USD per token; a wider number is a mistake
_FINEST = Decimal("1e-12")
_ONE, _TEN = Decimal(1), Decimal(10)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one service tier, in USD per 1,000,000 tokens.

    `None` means that no such rate is published: cached input and cache writes then count as
    ordinary input.

    Raises:
        ConfigError: a rate is no `Decimal`, is negative, not finite, or no credible price.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input", "cache_write"):
            value = getattr(self, name)
            if name in {"input", "output"} or value is not None:
                _check(value, name)

    def to_dict(self) -> dict[str, str]:
        """The rates as decimal strings; absent rates are left out."""
        return {
            name: plain(value)
            for name in ("input", "output", "cached_input", "cache_write")
            if (value := getattr(self, name)) is not None
        }

    @classmethod
    def from_dict(cls, data: object) -> Rates:
        """Read decimal strings; a rate that is absent or `None` is not published.

        Raises:
            ConfigError: no mapping, an unknown or missing name, or a value that is no price.
        """
        data = _mapping(data, cls)
        return cls(
            **{name: _amount(value, name) for name, value in data.items() if value is not None}
        )


@dataclass(frozen=True, slots=True)
class Tariff:
    """How a call is billed, whatever it used.

    Attributes:
        rates: that apply; `None` where none are published.
        notes: what is assumed, or why there are none.
    """

    rates: Rates | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Price:
    """What a model costs, in every service tier.

    A tier of `None` is not offered (or not known): a call served there has an unknown cost.
    The `*_long` rates apply to the whole request once its input exceeds `long_context_over`.

    Args:
        id: names the price and its date, as in `gpt-5.4-nano@2026-11-22`; stored with each charge
            so that old records can be repriced.
        standard: rates of the default tier.
        batch: rates of the Batch API.
        flex: rates of flex processing.
        priority: rates of priority processing, also called fast.
        standard_long: standard rates of long requests.
        batch_long: batch rates of long requests.
        flex_long: flex rates of long requests.
        priority_long: priority rates of long requests; where a model has none, long requests are
            served and billed as standard.
        long_context_over: input tokens, cached ones included, up to which a request is short.
        regional_multiplier: factor on everything when the request goes to a regional host.

    Raises:
        ConfigError: long rates without a limit, a limit without long rates, or a bad multiplier.
    """

    id: str
    standard: Rates
    batch: Rates | None = None
    flex: Rates | None = None
    priority: Rates | None = None
    standard_long: Rates | None = None
    batch_long: Rates | None = None
    flex_long: Rates | None = None
    priority_long: Rates | None = None
    long_context_over: int | None = None
    regional_multiplier: Decimal | None = None

    def __post_init__(self) -> None:
        others = (self.batch_long, self.flex_long, self.priority_long)
        limit = self.long_context_over
        if limit is None:
            if self.standard_long or any(others):
                raise ConfigError(f"price {self.id!r}: long rates need long_context_over")
        elif type(limit) is not int or limit < 0:
            raise ConfigError(f"price {self.id!r}: long_context_over {limit!r} is no token count")
        elif self.standard_long is None:
            raise ConfigError(f"price {self.id!r}: long_context_over needs standard_long rates")
        if self.regional_multiplier is not None:
            _check(self.regional_multiplier, "regional_multiplier")
            if not self.regional_multiplier:
                raise ConfigError(f"price {self.id!r}: regional_multiplier 0 would hide every cost")

    @classmethod
    def of(
        cls,
        input: str | int | Decimal,  # noqa: A002  the word on every price list
        output: str | int | Decimal,
        *,
        cached_input: str | int | Decimal | None = None,
        cache_write: str | int | Decimal | None = None,
        id: str = "custom",  # noqa: A002  the field's name
    ) -> Price:
        """A flat price for a model that the table does not know, in USD per 1,000,000 tokens.

        It covers the standard tier only. Without a cached rate, cached input costs as much as
        other input; the same holds for cache writes.

        Raises:
            ConfigError: a float (not exact), or no finite number from 0 up.
        """
        rates = Rates(
            _amount(input, "input"),
            _amount(output, "output"),
            None if cached_input is None else _amount(cached_input, "cached_input"),
            None if cache_write is None else _amount(cache_write, "cache_write"),
        )
        return cls(id, rates)

    @classmethod
    def free(cls) -> Price:
        """The price of a server of one's own: 0 in every service tier."""
        nothing = Rates(Decimal(0), Decimal(0))
        return cls("free", nothing, batch=nothing, flex=nothing, priority=nothing)

    @cached_property
    def is_free(self) -> bool:
        """Whether nothing is ever charged, so that the cost is known without any usage."""
        known = (self.standard, self.batch, self.flex, self.priority, self.standard_long)
        return all(
            not (rates.input or rates.output or rates.cached_input or rates.cache_write)
            for rates in known
            if rates is not None
        )

    @cached_property
    def tariffs(self) -> dict[tuple[str | None, bool, bool], Tariff]:
        """How a call is billed for each way of serving it; `cascade.core.pricing` works it out."""
        return {}

    @cached_property
    def ceilings(self) -> dict[tuple[str, bool], tuple[Decimal, Decimal]]:
        """The dearest rates for each way of asking; `cascade.core.budget` works them out."""
        return {}

    @property
    def is_flat(self) -> bool:
        """Whether it is one price for every service tier, as users give it with `Price.of`."""
        return self.batch is self.flex is self.priority is self.standard_long is None

    def rates(self, tier: ServiceTier, *, long: bool) -> Rates | None:
        """The rates of a service tier, or `None` where it has none."""
        found: Rates | None = getattr(self, f"{tier}_long" if long else tier)
        return found

    def to_dict(self) -> dict[str, object]:
        """A JSON-safe form with decimal strings; what is absent is left out."""
        result: dict[str, object] = {"id": self.id}
        for name in _RATES:
            rates: Rates | None = getattr(self, name)
            if rates is not None:
                result[name] = rates.to_dict()
        if self.long_context_over is not None:
            result["long_context_over"] = self.long_context_over
        if self.regional_multiplier is not None:
            result["regional_multiplier"] = plain(self.regional_multiplier)
        return result

    @classmethod
    def from_dict(cls, data: object) -> Price:
        """Read what `to_dict` wrote.

        Raises:
            ConfigError: no mapping, an unknown or missing name, or a value that is no price.
        """
        values = {k: v for k, v in _mapping(data, cls).items() if v is not None}
        for name in _RATES:
            if name in values:
                values[name] = Rates.from_dict(values[name])
        if "regional_multiplier" in values:
            name = "regional_multiplier"
            values[name] = _amount(values[name], name)
        return cls(**values)


def tidy(amount: Decimal) -> Decimal:
    """The same amount without trailing zeros and without a positive exponent.

    `Decimal.normalize` alone turns 100 into `1E+2`; here 100 stays `100`, and zero is `0`.
    """
    short = EXACT.normalize(amount)
    if -_TEN < short < _TEN:  # as nearly all are: too small to have been shortened to 1E+1
        return short
    return EXACT.quantize(amount, _ONE) if short == short.to_integral_value() else short


def plain(amount: Decimal) -> str:
    """The amount in digits for records and display; `str` would write 0.00000002 as `2E-8`."""
    return format(tidy(amount), "f")


def _mapping(data: object, cls: type[Rates | Price]) -> dict[str, Any]:
    """The entries of a dictionary whose names are those of the class, none required missing."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{cls.__name__} is read from a mapping, not from {data!r}")
    names = {field.name for field in fields(cls)}
    if unknown := sorted(str(name) for name in data.keys() - names):
        # A rate of a newer version that this one does not apply would make a wrong bill.
        raise ConfigError(f"{cls.__name__}: unknown {', '.join(unknown)}")
    required = ("id", "standard") if cls is Price else ("input", "output")
    if missing := [name for name in required if data.get(name) is None]:
        raise ConfigError(f"{cls.__name__}: {', '.join(missing)} missing")
    return dict(data)


def _amount(value: object, name: str) -> Decimal:
    """Read a price from a string, whole number or decimal."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ConfigError(
            f'{name} {value!r} is no exact price; pass a string such as "0.20" '
            "(USD per 1,000,000 tokens)"
        )
    try:
        amount = EXACT.create_decimal(value)
    except DecimalException:
        raise ConfigError(
            f'{name} {value!r} is no price; pass a number such as "0.20" (USD per 1,000,000 tokens)'
        ) from None
    _check(amount, name)
    return tidy(amount)


def _check(amount: object, name: str) -> None:
    """Raise unless the amount is a finite decimal from 0 up, below 10**9, with <= 12 decimals."""
    if not isinstance(amount, Decimal):
        raise ConfigError(
            f'{name} {amount!r} is no Decimal; use Price.of with a string like "0.20"'
        )
    if not amount.is_finite() or amount.is_signed() or amount >= _LIMIT:
        raise ConfigError(f"{name} {amount} is no price: expected a number from 0 to below 10**9")
    try:
        EXACT.quantize(amount, _FINEST)
    except DecimalException:
        raise ConfigError(f"{name} {amount} has more than 12 decimals") from None
