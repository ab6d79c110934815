"""Money for people: the minus stands before the sign of the currency, wherever it is written."""

import decimal
from decimal import Decimal

import pytest

from cascade.core.budget import Budget
from cascade.core.dollars import dollars, saved_or_lost, signed


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Decimal("0.0001234500"), "$0.00012345"),
        (Decimal("-0.0000073"), "-$0.0000073"),
        (Decimal(-100), "-$100"),
        (Decimal(0), "$0"),
        (None, "unknown"),
    ],
)
def test_dollars(amount, words):
    """No digit is lost, whatever the caller's decimal context; unknown is never $0."""
    with decimal.localcontext(prec=2):
        assert dollars(amount) == words


def test_signed():
    """Digits that another place has rounded get their sign as all others do."""
    assert (signed("-0.07"), signed("4,210")) == ("-$0.07", "$4,210")


def test_saved_or_lost():
    """An amount below zero was lost; none was saved."""
    words = [saved_or_lost(Decimal(amount)) for amount in ("0.1", "0", "-0.1")]
    assert words == ["saved", "saved", "lost"]


def test_an_overspent_budget():
    """A call that cost more than was known beforehand leaves less than nothing."""
    budget = Budget("1")
    assert budget.reserve(Decimal(1))
    budget.settle(Decimal(1), Decimal("1.07"))
    assert budget.room() == "-$0.07 of $1 is left"
