"""Pricing a recording again: another price list, batch prices, more of the prompt in the cache.

Exact to the picodollar where every exchange was recorded; from token counts per draft otherwise.
What cannot be priced stays unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.charge_prices import price_many
from cascade.calibration.comparing.price_list import PriceList, Prices
from cascade.calibration.money import UNKNOWN, Pico
from cascade.calibration.recording import Recording
from cascade.core.price import Price
from cascade.errors import ConfigError
from cascade.percent import percent

__all__ = ["missing_rates", "reprice", "uncached"]


def reprice(
    recording: Recording,
    *,
    prices: Prices | None = None,
    batch: bool = False,
    cached: float | None = None,
) -> Recording:
    """The same recording at other prices.

    Args:
        recording: what to price.
        prices: a model table, or prices by model (or tier) name; a model that is not in it keeps
            the price it was recorded with. `None` for the recorded prices.
        batch: as if everything went through the Batch API at standard service.
        cached: share of each prompt that is read from the cache, in [0, 1], instead of the share
            that was; nothing is then written to it that is read from it.

    Returns:
        A recording with new costs, of drafts and of scorers. Costs are `UNKNOWN` where tokens or
        price are not known; what was never billed (a refused call) still costs nothing.

    Raises:
        ConfigError: a share outside [0, 1], or prices for models that are not in the recording.
        RecordingError: a price makes amounts finer than a picodollar.
    """
    if cached is not None and not (math.isfinite(cached) and 0 <= cached <= 1):
        raise ConfigError(f"cached {cached!r} is no share of the prompt: expected a number in 0..1")
    listed = PriceList(recording.tiers, prices)
    if prices is None and not batch and cached is None:
        return recording
    charges = recording.charges
    priced = _charges(recording, listed, batch=batch, cached=cached)
    shape = recording.cost_pusd.shape
    is_draft = charges.purpose == "draft"
    has = np.zeros(shape, bool)
    has[charges.request[is_draft], charges.tier[is_draft]] = True
    drafts = np.where(
        has,
        _sums(recording, is_draft, priced),
        _by_tokens(recording, listed, batch=batch, cached=cached),
    )
    scorers = _sums(recording, charges.purpose == "scorer", priced)
    if not len(charges):  # what scorers asked was not recorded: only that they asked nothing
        scorers = np.where(recording.score_cost_pusd == 0, 0, UNKNOWN)
    new_prices = [listed.of_tier(tier) for tier in range(len(recording.tiers))]
    return replace(
        recording,
        tiers=tuple(
            replace(tier, price=None if price is None else price.to_dict())
            for tier, price in zip(recording.tiers, new_prices, strict=True)
        ),
        cost_pusd=drafts,
        score_cost_pusd=scorers,
        charges=replace(charges, cost_pusd=priced),
        about=replace(recording.about, price_table=_words(listed, batch=batch, cached=cached)),
    )


def missing_rates(recording: Recording, *, prices: Prices | None, batch: bool) -> dict[str, str]:
    """Why the prices of some tiers cannot be applied as `reprice` was asked to, by tier name."""
    listed = PriceList(recording.tiers, prices)
    found = {}
    for place, tier in enumerate(recording.tiers):
        price = listed.of_tier(place)
        if batch and price is not None and price.batch is None:
            found[tier.name] = f"the price of model {tier.model!r} has no batch rate"
    return found


def uncached(recording: Recording, *, prices: Prices | None, batch: bool) -> tuple[str, ...]:
    """Tiers that a cached share costs nothing less: their prices have no rate for cached input."""
    listed = PriceList(recording.tiers, prices)
    return tuple(
        tier.name
        for place, tier in enumerate(recording.tiers)
        if not _has_cached_rate(listed.of_tier(place), batch=batch)
    )


def _has_cached_rate(price: Price | None, *, batch: bool) -> bool:
    """Whether cached input has a rate of its own; what is free or unknown lacks none."""
    if price is None or price.is_free:
        return True
    rates = price.batch if batch else price.standard
    return rates is None or rates.cached_input is not None


def _words(listed: PriceList, *, batch: bool, cached: float | None) -> str:
    extra = ", batch" if batch else ""
    prices = map(listed.of_tier, range(len(listed)))
    if cached is not None and any(_has_cached_rate(price, batch=batch) for price in prices):
        extra += f", {percent(cached, 0)} of the prompt cached"
    return f"{listed.words}{extra}"


# Exchange by exchange ----------------------------------------------------------------------------


def _charges(recording: Recording, listed: PriceList, *, batch: bool, cached: float | None) -> Pico:
    """What each exchange costs."""
    charges = recording.charges
    found = np.full(len(charges), UNKNOWN, np.int64)
    tokens = _with_cached(charges.tokens, cached)
    for rows in _groups(
        charges.model,
        charges.tier,
        charges.purpose,
        charges.service_tier,
        charges.batch,
        charges.regional,
    ):
        first = rows[0]
        is_draft = charges.purpose[first] == "draft"
        price = listed.of_call(charges.model[first], int(charges.tier[first]), is_draft=is_draft)
        found[rows] = price_many(
            tokens[rows],
            price,
            service_tier="" if batch else charges.service_tier[first],
            batch=batch or bool(charges.batch[first]),
            regional=bool(charges.regional[first]),
        )
    never_billed = np.isnan(charges.tokens[:, :2]).any(axis=1) & (charges.cost_pusd == 0)
    free = np.array([_was_free(recording, tier) for tier in range(len(recording.tiers))], bool)
    return np.where(never_billed & ~free[charges.tier], 0, found)


def _groups(*columns: NDArray[np.generic]) -> Iterator[NDArray[np.int64]]:
    """Indices of equal rows of some columns, group by group."""
    size = len(columns[0])
    code = np.zeros(size, np.int64)
    for column in columns:
        seen: dict[object, int] = {}
        own = np.fromiter((seen.setdefault(v, len(seen)) for v in column), np.int64, size)
        code = np.unique(code * len(seen) + own, return_inverse=True)[1] if seen else code
    order = np.argsort(code, kind="stable")
    edges = np.flatnonzero(np.diff(code[order])) + 1
    yield from (part for part in np.split(order, edges) if len(part))


def _sums(recording: Recording, mask: NDArray[np.bool_], priced: Pico) -> Pico:
    """Costs of some exchanges per request and tier; `UNKNOWN` where one is."""
    charges = recording.charges
    total = np.zeros(recording.cost_pusd.shape, np.int64)
    place = charges.request[mask], charges.tier[mask]
    cost = priced[mask]
    np.add.at(total, place, np.where(cost == UNKNOWN, 0, cost))
    lost = np.zeros(total.shape, bool)
    np.logical_or.at(lost, place, cost == UNKNOWN)
    return np.where(lost, UNKNOWN, total)


# By tokens ---------------------------------------------------------------------------------------


def _by_tokens(
    recording: Recording, listed: PriceList, *, batch: bool, cached: float | None
) -> Pico:
    """What each draft costs by its token counts, as one call at standard service."""
    found = np.full(recording.cost_pusd.shape, UNKNOWN, np.int64)
    parts = [getattr(recording.tokens, spec.name) for spec in fields(recording.tokens)]
    order = [0, 1, 2, 3, 4]  # input, output, cached, cache-write, reasoning: as in charges
    for tier in range(len(recording.tiers)):
        tokens = np.stack([parts[i][:, tier] for i in order], axis=1)
        price = listed.of_tier(tier)
        found[:, tier] = price_many(_with_cached(tokens, cached), price, batch=batch)
        blank = np.isnan(tokens[:, :2]).any(axis=1)
        if not _was_free(recording, tier):  # nothing was asked, or nothing of it was billed
            found[blank & (recording.cost_pusd[:, tier] == 0), tier] = 0
    return found


def _with_cached(tokens: NDArray[np.float64], cached: float | None) -> NDArray[np.float64]:
    if cached is None:
        return tokens
    made = tokens.copy()
    made[:, 2] = np.floor(made[:, 0] * cached)
    write = np.where(np.isnan(made[:, 3]), 0, made[:, 3])
    made[:, 3] = np.minimum(write, made[:, 0] - made[:, 2])
    return made


def _was_free(recording: Recording, tier: int) -> bool:
    """Whether the recorded price was 0, so that a cost of 0 does not mean "never billed"."""
    price = PriceList(recording.tiers).of_tier(tier)
    return price is not None and price.is_free
