"""Money in arrays is exact, and unknown amounts stay unknown."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.calibration.money import (
    PER_USD,
    UNKNOWN,
    in_usd,
    known_usd,
    pico_of,
    total_of,
    usd_of,
)


@given(st.decimals(0, 1000, places=12))
def test_dollars_come_back_exactly(amount):
    """Whatever has 12 decimals at most survives the way through picodollars."""
    assert usd_of(pico_of(amount)) == amount


def test_unknown_is_no_number():
    """An unknown amount is `None` outside, `UNKNOWN` inside, and NaN in statistics."""
    assert pico_of(None) == UNKNOWN
    assert usd_of(np.int64(UNKNOWN)) is None
    assert np.isnan(in_usd(np.array([UNKNOWN]))).all()
    assert in_usd(np.array([2_500_000])).tolist() == [2.5e-6]


@pytest.mark.parametrize(
    ("amount", "words"),
    [("0.0000000000001", "no whole number of picodollars"), ("-0.01", "negative")],
)
def test_nothing_is_rounded_away(amount, words):
    """Amounts that a picodollar cannot hold are refused."""
    with pytest.raises(ValueError, match=words):
        pico_of(Decimal(amount))


def test_sums_are_exact_and_unknown_where_a_part_is():
    """A sum beyond 64 bits stays whole; one unknown amount makes it unknown."""
    large = np.full(3, 2**62, np.int64)
    assert total_of(large) == 3 * 2**62
    assert total_of(np.array([1, UNKNOWN])) == UNKNOWN
    assert known_usd(total_of(np.array([PER_USD, 1]))) == Decimal("1.000000000001")
    with pytest.raises(ValueError, match="unknown amount"):
        known_usd(UNKNOWN)
