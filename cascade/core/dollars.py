"""US dollars for people: the one place that puts the sign, and tells a saving from a loss."""

from __future__ import annotations

from decimal import Decimal

from cascade.core.price import plain

__all__ = ["dollars", "saved_or_lost", "signed"]


def dollars(amount: Decimal | None) -> str:
    """An amount to read: `$0.000123`, no digit rounded away, "unknown" for `None`."""
    return "unknown" if amount is None else signed(plain(amount))


def signed(digits: str) -> str:
    """Digits as dollars, a minus before the sign of the currency: "-0.07" is "-$0.07"."""
    return f"-${digits[1:]}" if digits.startswith("-") else f"${digits}"


def saved_or_lost(saved: Decimal) -> str:
    """The word for an amount that was saved, which is then written without its sign."""
    return "saved" if saved >= 0 else "lost"
