"""Money in arrays: whole picodollars, so that sums of a million requests are exact.

1 USD is 10**12 picodollars; the finest price of a token (0.02 USD per million, halved, uplifted by
a tenth) is a whole number of them. An unknown amount is `UNKNOWN`, never 0.
"""

from __future__ import annotations

from decimal import Decimal, Inexact
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.core.price import EXACT, tidy

__all__ = ["PER_USD", "UNKNOWN", "Pico", "in_usd", "known_usd", "pico_of", "total_of", "usd_of"]

PER_USD = 10**12
"""Picodollars in a dollar."""

UNKNOWN = -1
"""What stands in an array for an amount that nobody knows."""

Pico = NDArray[np.int64]
"""Amounts in picodollars; `UNKNOWN` where unknown."""


def pico_of(amount: Decimal | None) -> int:
    """An amount of dollars in picodollars, `UNKNOWN` for `None`.

    Raises:
        ValueError: it is negative, or finer than a picodollar: nothing is rounded away.
    """
    if amount is None:
        return UNKNOWN
    try:
        found = EXACT.to_integral_exact(EXACT.multiply(amount, Decimal(PER_USD)))
    except Inexact:
        raise ValueError(f"{amount} USD is no whole number of picodollars") from None
    if found < 0:
        raise ValueError(f"{amount} USD is negative")
    return int(found)


def usd_of(amount: int | np.integer[Any]) -> Decimal | None:
    """Picodollars in dollars, exactly; `None` for `UNKNOWN`."""
    if amount == UNKNOWN:
        return None
    return tidy(EXACT.divide(Decimal(int(amount)), Decimal(PER_USD)))


def known_usd(amount: int) -> Decimal:
    """Picodollars that are known in dollars, exactly.

    Raises:
        ValueError: the amount is `UNKNOWN`.
    """
    found = usd_of(amount)
    if found is None:
        raise ValueError("an unknown amount has no value in dollars")
    return found


def in_usd(amounts: Pico) -> NDArray[np.float64]:
    """Picodollars as floating dollars for statistics; NaN where unknown."""
    return np.where(amounts == UNKNOWN, np.nan, amounts / PER_USD)


def total_of(amounts: Pico) -> int:
    """Their exact sum, however large (64 bits end at 9 million dollars); `UNKNOWN` where one is."""
    if (amounts == UNKNOWN).any():
        return UNKNOWN
    high, low = np.divmod(amounts, PER_USD)
    return int(high.sum()) * PER_USD + int(low.sum())
