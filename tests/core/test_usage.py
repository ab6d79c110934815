"""Token counts: the two spellings of the wire, and the sums that must hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade.core.usage import Usage

COUNTS = st.integers(0, 10**9)


@st.composite
def usages(draw):
    uncached, cached, written, visible, reasoning = (draw(COUNTS) for _ in range(5))
    return Usage(uncached + cached + written, visible + reasoning, cached, written, reasoning)


def chat(usage):
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def responses(usage):
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


@given(usages())
def test_both_spellings_read_the_same(usage):
    """Chat Completions and Responses usage give the same counts, each in its place."""
    assert Usage.from_wire(chat(usage)) == usage
    assert Usage.from_wire(responses(usage)) == usage


@given(usages())
def test_buckets_are_disjoint_and_whole(usage):
    """Uncached, cached and written tokens add up to the input, none counted twice."""
    parts = usage.uncached_tokens, usage.cached_tokens, usage.cache_write_tokens
    assert min(parts) >= 0
    assert sum(parts) == usage.input_tokens


@given(usages(), usages())
def test_sums_keep_every_count(one, other):
    """Adding two calls adds every count, in either order."""
    both = one + other
    assert both == other + one
    assert both.uncached_tokens == one.uncached_tokens + other.uncached_tokens
    assert both.reasoning_tokens == one.reasoning_tokens + other.reasoning_tokens


@pytest.mark.parametrize(
    "details",
    [{}, {"prompt_tokens_details": None}, {"prompt_tokens_details": {}, "extra": 1}],
    ids=["absent", "null", "empty"],
)
def test_missing_details_count_zero(details):
    """Servers that leave details out at any level are read as reporting none."""
    wire = {"prompt_tokens": 10, "completion_tokens": 2, **details}
    assert Usage.from_wire(wire) == Usage(10, 2)


@pytest.mark.parametrize(
    "wire",
    [
        None,
        [],
        "usage",
        {},
        {"prompt_tokens": 1},
        {"completion_tokens": 1},
        {"prompt_tokens": None, "completion_tokens": 1},
        {"prompt_tokens": 1, "output_tokens": 1},
        {"prompt_tokens": 1.0, "completion_tokens": 1},
        {"prompt_tokens": "1", "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 2**53, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": []},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
        {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 2}},
        {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": "1"}},
    ],
    ids=str,
)
def test_unreadable_usage_is_unknown(wire):
    """Usage that is absent, partial, mistyped, incredible or contradictory is `None`, never zero."""
    assert Usage.from_wire(wire) is None


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ((-1, 0), "negative"),
        ((1, -1), "negative"),
        ((5, 0, 3, 3), "exceed the input"),
        ((5, 1, 0, 0, 2), "exceed the output"),
        ((1.0, 0), "whole numbers"),
        ((True, 0), "whole numbers"),
    ],
)
def test_impossible_counts_cannot_be_built(counts, complaint):
    """A usage that contradicts itself, or that holds a float, never comes to exist."""
    with pytest.raises(ValueError, match=complaint):
        Usage(*counts)
