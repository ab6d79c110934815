"""Percent are written in one way, in one place."""

import re
from pathlib import Path

import pytest

import cascade
from cascade.calibration.reporting.words import MINUS
from cascade.calibration.reporting.words import percent as reported
from cascade.percent import percent

WRITES = re.compile(r":[+.0-9]*%\}|\}\s?%(?=[\s\"'),.])")
"""A number put before a per cent sign by a format."""

ELSEWHERE = {
    "cascade/calibration/comparing/measures.py": "names of measures in data: cost_at_98",
    "cascade/calibration/proof/certificate_text.py": "three in a row: 50/40/10 %",
    "cascade/cli/shares.py": "what a person typed, as it was typed",
}


@pytest.mark.parametrize(
    ("share", "digits", "words"),
    [
        (0.548, 1, "54.8 %"),
        (0.548, 0, "55 %"),
        (0.95, None, "95 %"),
        (0.999, None, "99.9 %"),
        (-0.1234, 1, "-12.3 %"),
        (-0.0001, 1, "0.0 %"),
        (0.0, None, "0 %"),
        (12.0, 0, "1200 %"),
    ],
)
def test_a_share_as_percent(share, digits, words):
    """A space stands before the sign, and nothing is below 0 that is written as 0."""
    assert percent(share, digits) == words


def test_reports_write_the_same():
    """The report's are the same but for a minus as long as it is printed."""
    assert reported(0.548) == "54.8 %"
    assert reported(-0.1234) == f"{MINUS}12.3 %"
    assert reported(-0.0001) == "0.0 %"


def test_nothing_else_writes_percent():
    """Commands, reports and pages leave it to the one place."""
    root = Path(cascade.__file__).parent
    found = {
        f"cascade/{path.relative_to(root)}"
        for room in ("cli", "calibration", "dashboard", "demo", "gateway")
        for path in (root / room).rglob("*.py")
        if WRITES.search(path.read_text())
    }
    assert found == set(ELSEWHERE)
