"""Patterns that would take all memory are refused before they are compiled."""

import pytest
import regex

from cascade import ConfigError
from scorers.patterns import MAX_PATTERN_SIZE, compile_pattern, unrolled_size


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("abc", 3),
        ("a{3}", 3),
        ("(ab){3}", 6),
        (r"^\d{4}-\d{2}$", 9),
        (r"\({3}", 3),
        ("[a-z{9}]{2,5}", 2),
        ("[]a]{2}", 2),
        ("a{,5}", 1),
        ("(?:(?:a{10}){10}){10}", 1_220),
        ("a)b{2}", 4),
        ("{3}", 0),
    ],
)
def test_the_size_is_that_of_the_repeats_written_out(pattern, size):
    """Lower bounds of repeats multiply; upper bounds, classes and escapes do not."""
    assert unrolled_size(pattern) == size


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?:a{1000}){1000}){1000}",
        "a{99999999999}",
        "(?x)(a{1000}) # and\n {1000}",
        "(a{1000})(?#again){1000}",
    ],
)
def test_a_pattern_that_unrolls_to_too_much_is_refused(pattern):
    """Comments between a group and its repeat hide nothing."""
    assert unrolled_size(pattern) > MAX_PATTERN_SIZE
    with pytest.raises(ConfigError, match=r"Matches: .* repeats itself more than 100,000 times"):
        compile_pattern(pattern, "Matches")


def test_flags_count():
    """Verbose patterns may hold comments without saying so themselves."""
    with pytest.raises(ConfigError, match="repeats itself"):
        compile_pattern("(a{1000}) # and\n {1000}", "Matches", flags=regex.VERBOSE)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$",
        r"^\S{1,64}@\S{1,255}$",
        r".{10}.{20}.{30}.{40}",
        r"[a-z]{0,100000}",
    ],
)
def test_honest_patterns_compile(pattern):
    """Identifiers, addresses, fixed columns and large upper bounds are fine."""
    assert compile_pattern(pattern, "Matches")
