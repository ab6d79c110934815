"""The benchmarks that count outcomes, in small: what they print must be able to go wrong."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import faults, retraction
from benchmarks.faked import async_client, sync_client
from cascade import AsyncCascade, Cascade


def test_no_stream_takes_a_character_back():
    """A few hundred streams of the 10,000, sync and async."""
    count = retraction.Count()
    asked = retraction.prompts(120, seed=7)
    settings = retraction.settings()
    retraction.run_sync(Cascade(**settings, client=sync_client(retraction.reply_to)), asked, count)
    llm = AsyncCascade(**settings, client=async_client(retraction.answer))
    asyncio.run(retraction.run_async(llm, asked, count))
    assert (count.streams, count.retracted) == (240, 0)
    assert count.rejected > 100
    assert {"accepted", "unaccepted", "interrupted"} <= set(count.ends)


@pytest.mark.parametrize(
    ("shown", "answer", "retracted"),
    [("abc", "abcd", 0), ("abX", "abcd", 1), ("draft", "answer", 5), ("abcd", "ab", 2)],
)
def test_a_character_that_does_not_stand_counts(shown, answer, retracted):
    """From the first difference on, what was shown has to be taken back."""

    class Nothing:
        attempts = ()
        status = "accepted"

    count = retraction.Count()
    count.add(shown, answer, Nothing)
    assert count.retracted == retracted


@pytest.mark.parametrize("site", faults.SITES)
@pytest.mark.parametrize(
    "fault", ["500", "no usage", "reset within the answer", "the caller leaves"]
)
def test_a_fault_leaves_every_call_in_the_trace(fault, site):
    """Some cells of the matrix, in all modes."""
    text, bad = faults.cell(fault, site)
    assert bad == 0, text


def test_a_call_that_is_missing_or_free_is_seen():
    """The matrix marks a trace with too few calls, and a fault that wrongly costs nothing."""
    trace, seen = faults.run("first draft", faults.FAULTS["429 rate limit"], "sync")
    assert not faults.wrong("429 rate limit", trace, seen)
    assert faults.wrong("429 rate limit", trace, seen + 1)
    assert faults.wrong("silence", trace, seen)
