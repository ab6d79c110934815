"""Arithmetic in an answer, worked out again."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import draft_of

from scorers.sums import NO_SUMS, sum_features


def sums(text):
    return sum_features(draft_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "3 + 4 = 7", "3 * 4 = 12", "10 - 2 - 3 = 5", "2 + 3 * 4 = 14", "100 / 8 = 12.5", "7 x 6 = 42",
        "3 \\times 4 = 12", "$1,360 - $142 = $1,218", "50% * 80 = 40", "5 / 20 * 100 = 25%",
        "5/20*100=<<5/20*100=25>>25", "20 eggs * 3 = 60", "10 / 3 = 3.33", "6 ÷ 2 = 3", "4 × 5 = 20",  # noqa: RUF001
        "12 cups - 5 cups = 7", "3 - 5 = -2",
    ],
)  # fmt: skip
def test_right_equations(text):
    """All usual ways of writing them, rounding forgiven."""
    found = sums(text)
    assert found.log_sums > 0
    assert found.wrong == 0
    assert found.right_share == 1


@pytest.mark.parametrize(
    "text",
    ["3 + 4 = 8", "3 * 4 = 11", "100 / 8 = 12", "$10 * 150% = $16", "20-4 = <<20-4=15>>15", "2 + 3 * 4 = 20"],
)  # fmt: skip
def test_wrong_equations(text):
    """Found and counted."""
    found = sums(text)
    assert found.wrong == 1
    assert found.off > 0.006


@pytest.mark.parametrize(
    "text",
    [
        "", "no numbers", "x = 5", "2x + 30 = 110", "5x - 5 = 33", "3(4 + 2) = 18", "a = b",
        "1 - 3/4 = 1/4", "3 * 15 - 5 = 45 - 5", "4S + 16 = 2S", "10 / 0 = 3",
        "price = 12", "= 3", "3 =", "2^3 + 1 = 9",
    ],
)  # fmt: skip
def test_what_cannot_be_worked_out_is_passed_over(text):
    """Variables, brackets, and results that are expressions themselves."""
    assert sums(text) == NO_SUMS


def test_the_last_equation_and_the_last_line():
    """Whether the answer is what was worked out last."""
    found = sums("3 * 4 = 12\nThen 12 + 5 = 17.\nSo she has 17 apples.")
    assert (found.last_right, found.last_is_answer) == (1, 1)
    assert sums("3 * 4 = 12\nSo she has 13 apples.").last_is_answer == 0
    assert sums("1 + 1 = 3\nand 2 + 2 = 4").last_right == 1
    assert sums("2 + 2 = 4\nand 1 + 1 = 3").last_right == 0


@given(st.integers(0, 9999), st.integers(1, 9999))
def test_sums_of_whole_numbers(one, two):
    """Right ones are right, and off by a tenth they are not."""
    assert sums(f"{one} + {two} = {one + two}").wrong == 0
    assert sums(f"{one} * {two} = {one * two}").wrong == 0
    assert sums(f"{one} + {two} = {(one + two) * 1.1 + 1:.2f}").wrong == 1


@pytest.mark.parametrize(
    "text", ["1 + " * 5000 + "= 3", "= " * 9000, "1=1" * 6000, "9" * 20_000 + " = 3"]
)
def test_texts_made_to_be_slow(text):
    """Bounded reach, bounded count."""
    begun = time.perf_counter()
    sums(text)
    assert time.perf_counter() - begun < 0.5
