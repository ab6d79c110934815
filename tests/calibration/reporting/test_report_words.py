"""Numbers as the report writes them."""

import math

import pytest

from cascade.calibration.reporting.words import (
    between,
    count,
    money,
    percent,
    points,
    share,
    weighed,
)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "$0"),
        (4.714, "$4.71"),
        (0.01234, "$0.0123"),
        (0.000012345, "$0.0000123"),
        (12.3456, "$12.35"),
        (4210.4, "$4,210"),
        (-0.07123, "-$0.0712"),
        (-4210.4, "-$4,210"),
        (None, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_money(amount, words):
    """Money has three digits or cents, whichever is more; what is not known is never $0."""
    assert money(amount) == words


@pytest.mark.parametrize(
    ("shown", "value", "words"),
    [
        (percent, 0.71349, "71.3 %"),
        (percent, -0.021, "\N{MINUS SIGN}2.1 %"),
        (percent, -0.00001, "0.0 %"),
        (percent, None, "unknown"),
        (percent, math.nan, "unknown"),
        (share, 0.52, "52 %"),
        (share, 0.041, "4.1 %"),
        (share, 0.0996, "10 %"),
        (share, 0.9949, "99 %"),
        (share, 0.995, "99.5 %"),
        (share, 0.9996, "99.96 %"),
        (share, 1.0, "100 %"),
        (share, None, "unknown"),
        (points, 0.02, "2.0 points"),
        (points, -0.0313, "\N{MINUS SIGN}3.1 points"),
        (points, None, "unknown"),
        (weighed, 12.0, "12"),
        (weighed, 5.54, "5.5"),
    ],
)
def test_shares(shown, value, words):
    """Shares are percent, differences are points, and an unknown one is no 0."""
    assert shown(value) == words


def test_counts_and_intervals():
    """Nouns follow their number, and an interval that is not known is not there."""
    assert count(1, "request") == "1 request"
    assert count(1319, "request") == "1,319 requests"
    assert count(2, "witness", "witnesses") == "2 witnesses"
    assert between((0.69, 0.73)) == "69.0 % to 73.0 %"
    assert between((4.5, 4.93), money) == "$4.50 to $4.93"
    assert between(None) == between((math.nan, 1.0)) == ""
