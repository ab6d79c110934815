"""Pricing many exchanges at once, exactly as `cost_of` prices one.

Every rate is read off `cost_of` itself, which stays the one place that knows how providers bill;
what is vectorised is tokens times rates, in whole numbers.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.money import PER_USD, UNKNOWN, Pico
from cascade.core.price import EXACT, Price
from cascade.core.pricing import cost_of
from cascade.core.usage import Usage
from cascade.errors import RecordingError

__all__ = ["price_many"]

SAFE = 2**62
"""Totals below it fit into 64 bits; larger ones are computed with Python's own integers."""

MOST = 2**63 - 1
"""Picodollars that 64 bits hold."""


def price_many(
    tokens: NDArray[np.float64],
    price: Price | None,
    *,
    service_tier: str = "",
    batch: bool = False,
    regional: bool = False,
) -> Pico:
    """What exchanges of one kind cost, in picodollars.

    Args:
        tokens: input, output, cached, cache-write and reasoning tokens, shape (m, 5); NaN where
            unknown. Unknown parts of a known total count as none, as in a reply that omits them.
        price: their price, `None` where it is not known.
        service_tier: as the replies said, "" where they did not.
        batch: made through the Batch API.
        regional: went to a regional host.

    Returns:
        Shape (m,); `UNKNOWN` where tokens or price are, or the tokens contradict themselves.

    Raises:
        RecordingError: an amount is finer than a picodollar, or above nine million dollars.
    """
    found = np.full(len(tokens), UNKNOWN, np.int64)
    if price is None:
        return found
    known = ~np.isnan(tokens[:, :2]).any(axis=1)
    if price.is_free:
        found[~known] = 0
    counts = np.where(np.isnan(tokens[:, :4]), 0, tokens[:, :4])
    fits = known & (counts >= 0).all(axis=1) & (counts[:, 2] + counts[:, 3] <= counts[:, 0])
    limit = price.long_context_over
    is_long = np.zeros(len(tokens), bool) if limit is None else counts[:, 0] > limit
    for long in (False, True):
        rows = np.flatnonzero(fits & (is_long == long))
        if len(rows):
            begin = int(limit) + 1 if long and limit is not None else 0
            terms = {"service_tier": service_tier, "batch": batch, "regional": regional}
            rates = _rates(price, begin, terms)
            if rates is not None:
                found[rows] = _times(counts[rows].astype(np.int64), rates, price)
    return found


def _rates(price: Price, begin: int, terms: dict[str, Any]) -> tuple[Decimal, ...] | None:
    """USD per uncached, output, cached and cache-write token of requests from `begin` tokens on.

    `None` where `cost_of` knows none. Differences between two usages, so that no rule is repeated.
    """
    usages = (
        Usage(begin, 0),
        Usage(begin + 1, 0),
        Usage(begin, 1),
        Usage(begin + 1, 0, cached_tokens=1),
        Usage(begin + 1, 0, cache_write_tokens=1),
    )
    base, *others = (cost_of(usage, price, **terms).usd for usage in usages)
    if base is None:
        return None
    return tuple(EXACT.subtract(other or Decimal(0), base) for other in others)


def _times(
    counts: NDArray[np.int64], rates: tuple[Decimal, ...], price: Price
) -> NDArray[np.int64]:
    """Disjoint buckets times rates, exact."""
    plain = counts[:, 0] - counts[:, 2] - counts[:, 3]
    buckets = [plain, counts[:, 1], counts[:, 2], counts[:, 3]]
    picos = [EXACT.multiply(rate, Decimal(PER_USD)) for rate in rates]
    digits = max(max(0, -int(pico.as_tuple().exponent)) for pico in picos)
    units = [int(EXACT.scaleb(pico, digits)) for pico in picos]
    most = sum(int(bucket.max()) * unit for bucket, unit in zip(buckets, units, strict=True))
    kind: Any = np.int64 if most < SAFE else object
    total = np.zeros(len(counts), kind)
    for bucket, unit in zip(buckets, units, strict=True):
        total = total + bucket.astype(kind) * unit
    whole, rest = total // 10**digits, total % 10**digits
    if (rest != 0).any():
        raise RecordingError(
            f"price {price.id!r} makes amounts finer than a picodollar (10**-12 USD), which a "
            "recording cannot hold: use rates with at most 6 decimals per 1,000,000 tokens"
        )
    if whole.max() > MOST:
        raise RecordingError(
            f"at price {price.id!r} one exchange would cost ${int(whole.max()) // PER_USD:,}, more "
            f"than the ${MOST // PER_USD:,} that a recording can hold: check its tokens"
        )
    made: NDArray[np.int64] = whole.astype(np.int64)
    return made
