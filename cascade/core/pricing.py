"""What a call costs: usage times price, exactly, or an honest "unknown".

Knows how the provider bills (service tiers, long requests, caches, regional hosts). Knows no
clock, no network and no files; prices come in as values. The names of prices and of the model
table are re-exported, so that this module is the one place to import them from.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from cascade.core.model_table import ModelInfo, ModelTable, is_regional
from cascade.core.price import EXACT, Price, Rates, ServiceTier, Tariff, plain, tidy
from cascade.core.quick import quick
from cascade.core.usage import Usage

__all__ = [
    "Basis",
    "Cost",
    "ModelInfo",
    "ModelTable",
    "Price",
    "Rates",
    "cost_of",
    "is_regional",
    "model_table",
    "plain",
    "tariff_of",
    "usd_of",
]

Basis = Literal["exact", "estimated", "unknown"]
Notes = tuple[str, ...]

_TIERS: dict[str, ServiceTier] = {
    "": "standard",
    "auto": "standard",
    "default": "standard",
    "standard": "standard",
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",  # the new name of priority since 2026-07-30; one price
}

_UNPRICED = ("scale", "ultrafast")
"""OpenAI's tiers without published prices: a flat price does not cover them."""


@quick
@dataclass(frozen=True, slots=True)
class Cost:
    """The price of one call.

    Args:
        usd: the amount, without trailing zeros and without a positive exponent (zero is `0`);
            `None` if and only if the basis is unknown. `plain(usd)` writes it in digits.
        basis: `exact` follows from reported tokens and published rates; `estimated` rests on a
            guess that a note names, or on counted tokens; `unknown` is no amount.
        price_id: the price applied, `None` where there was none.
        notes: assumptions made and reasons for an unknown cost, for people.

    Raises:
        ValueError: amount and basis contradict each other, or the amount is no `Decimal`.
    """

    usd: Decimal | None
    basis: Basis
    price_id: str | None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.usd is None) != (self.basis == "unknown"):
            raise ValueError(f"a cost is unknown if and only if it has no amount: {self!r}")
        if self.usd is not None and not isinstance(self.usd, Decimal):
            raise ValueError(f"money is Decimal: {self!r}")


def cost_of(
    usage: Usage | None,
    price: Price | None,
    *,
    service_tier: str | None = None,
    batch: bool = False,
    regional: bool = False,
    estimated: bool = False,
) -> Cost:
    """Price one call from what its reply reported.

    Args:
        usage: the call's token counts, `None` where the reply had none.
        price: the model's price, `None` where it is not known.
        service_tier: the tier named in the reply, not the one asked for: a request can be served
            elsewhere.
        batch: the reply came from the Batch API; such replies say "default" themselves.
        regional: the request went to a regional host (see `is_regional`); replies do not say so.
        estimated: the token counts are an estimate, as after a stream that broke off.

    Returns:
        The exact cost where everything is known; a tier without a published price, missing usage
        or a missing price give an unknown cost, never a guess and never zero.
    """
    if usage is None and price is not None and price.is_free:
        return Cost(Decimal(0), "exact", price.id, ("usage not reported; free all the same",))
    if usage is None or price is None:
        lacking = (("usage not reported", usage), ("price not known", price))
        notes = tuple(note for note, value in lacking if value is None)
        return Cost(None, "unknown", price.id if price else None, notes)
    tariff = tariff_of(price, service_tier, usage.input_tokens, batch=batch)
    if tariff.rates is None:
        return Cost(None, "unknown", price.id, tariff.notes)
    guesses = _guesses(usage, tariff.rates, price.standard)
    basis: Basis = "estimated" if estimated or guesses else "exact"
    usd = usd_of(usage, tariff.rates, price.regional_multiplier if regional else None)
    return Cost(usd, basis, price.id, tariff.notes + guesses)


def tariff_of(
    price: Price, service_tier: str | None, input_tokens: int, *, batch: bool = False
) -> Tariff:
    """How a price bills a call of this size that was served in this tier."""
    limit = price.long_context_over
    # Strictly over: 272,000 is short, 272,001 long.
    key = (service_tier, batch, limit is not None and input_tokens > limit)
    found = price.tariffs.get(key)
    if found is None:
        found = _tariff(price, *key)
        if (service_tier or "") in _TIERS:  # a server may make names up without end
            price.tariffs[key] = found
    return found


def model_table() -> ModelTable:
    """The table of models shipped with Cascade; `cascade.data` reads it once, on first use."""
    from cascade.data import model_table as shipped  # noqa: PLC0415  the one file read stays there

    return shipped()


def _tariff(price: Price, service_tier: str | None, batch: bool, is_long: bool) -> Tariff:
    tier, notes = _served_in(service_tier, batch=batch)
    own = price.is_flat or price.is_free
    if tier is None and own and not batch and service_tier not in _UNPRICED:
        tier, notes = "standard", ()  # another provider's name for its only tier
    if tier is None:
        return Tariff(None, notes)
    rates, more = _rates(price, tier, is_long=is_long)
    return Tariff(rates, notes + more)


def _served_in(service_tier: str | None, *, batch: bool) -> tuple[ServiceTier | None, Notes]:
    """The tier that bills the call, `None` where the reply names one without published prices."""
    tier = _TIERS.get(service_tier or "")
    if tier is None or (batch and tier != "standard"):
        within = " within a batch" if batch else ""
        return None, (f"service tier {service_tier!r}{within} has no published price",)
    if batch:
        return "batch", ()
    if not service_tier:
        return tier, ("service tier not reported: standard assumed",)
    if service_tier == "auto":  # what a request asks for; a reply names the tier that served it
        return tier, ("service tier 'auto' names no tier: standard assumed",)
    return tier, ()


def _rates(price: Price, tier: ServiceTier, *, is_long: bool) -> tuple[Rates | None, Notes]:
    """The rates that bill a whole request in this tier."""
    short = price.rates(tier, long=False)
    if short is None:
        return None, (f"{price.id} has no {tier} price",)
    if not is_long:
        return short, ()
    rates = price.rates(tier, long=True)
    limit = price.long_context_over
    if rates is None and tier == "priority":
        note = f"priority over {limit:,} input tokens is served and billed as standard"
        return price.standard_long, (note,)
    if rates is None:
        return None, (f"{price.id} has no {tier} price over {limit:,} input tokens",)
    return rates, ()


def _guesses(usage: Usage, rates: Rates, standard: Rates) -> Notes:
    """Notes on tokens billed at the input rate although the standard tier has a rate of its own."""
    if not (usage.cached_tokens or usage.cache_write_tokens):
        return ()
    notes = []
    if usage.cached_tokens and rates.cached_input is None and standard.cached_input is not None:
        notes.append("no cached rate published for this tier: cached tokens at the input rate")
    if usage.cache_write_tokens and rates.cache_write is None and standard.cache_write is not None:
        notes.append("no cache-write rate published for this tier: written tokens as input")
    return tuple(notes)


def usd_of(usage: Usage, rates: Rates, multiplier: Decimal | None) -> Decimal:
    """Tokens times rates over disjoint buckets; raises rather than round."""
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    total = EXACT.multiply(usage.input_tokens - cached - written, rates.input)
    total = EXACT.fma(usage.output_tokens, rates.output, total)
    if cached:
        rate = rates.input if rates.cached_input is None else rates.cached_input
        total = EXACT.fma(cached, rate, total)
    if written:
        rate = rates.input if rates.cache_write is None else rates.cache_write
        total = EXACT.fma(written, rate, total)
    if multiplier is not None:
        total = EXACT.multiply(total, multiplier)
    return tidy(EXACT.scaleb(total, -6))  # a shift of the point: exact, unlike a division
