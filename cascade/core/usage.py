"""Token counts of one model call, as disjoint buckets.

Knows the two spellings of usage on the wire (Chat Completions and Responses). Knows no prices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cascade.core.quick import quick

__all__ = ["MAX_COUNT", "Usage", "audio_tokens"]

MAX_COUNT = 2**53 - 1
# The largest whole number that every JSON reader keeps exactly. A larger count on the wire is an
# error of the server and read as no count.

WHOLE = {int}


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call.

    `input_tokens` and `output_tokens` are totals as the API reports them; cached and cache-write
    tokens are part of the input, reasoning tokens part of the output.

    Raises:
        ValueError: a count is no `int` or is negative, or a part exceeds its total.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        counts = (
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        )
        if set(map(type, counts)) != WHOLE:  # a float would reach the bill
            raise ValueError(f"token counts are whole numbers: {self!r}")
        if min(counts) < 0:
            raise ValueError(f"token counts cannot be negative: {self!r}")
        if self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError(f"cached and cache-write tokens exceed the input: {self!r}")
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError(f"reasoning tokens exceed the output: {self!r}")

    @property
    def uncached_tokens(self) -> int:
        """Input tokens neither read from nor written to the prompt cache."""
        return self.input_tokens - self.cached_tokens - self.cache_write_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )

    @classmethod
    def from_wire(cls, usage: object) -> Usage | None:
        """Read the `usage` object of a Chat Completions or Responses reply.

        Returns:
            The counts, or `None` where the object is absent, has no totals, holds values that are
            no counts, or contradicts itself: an unreadable usage is an unknown cost, never zero.
        """
        if not isinstance(usage, (dict, Mapping)):  # the abstract class takes ten times as long
            return None
        names = CHAT_NAMES if "prompt_tokens" in usage else RESPONSES_NAMES
        found: Iterator[Any] = map(usage.get, names)
        total_in, total_out, read, written = found  # checked where they become counts
        try:
            counts = cls(
                total_in,
                total_out,
                _part(read, "cached_tokens"),
                _part(read, "cache_write_tokens"),
                _part(written, "reasoning_tokens"),
            )
        except ValueError:
            return None
        return counts if max(counts.input_tokens, counts.output_tokens) <= MAX_COUNT else None


CHAT_NAMES = (
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
)

RESPONSES_NAMES = ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")


def audio_tokens(usage: object) -> int:
    """How many tokens of a `usage` object were audio; 0 where it tells none."""
    if not isinstance(usage, (dict, Mapping)):
        return 0
    names = CHAT_NAMES if "prompt_tokens" in usage else RESPONSES_NAMES
    counts = (_part(usage.get(name), "audio_tokens") for name in names[2:])
    return sum(count for count in counts if type(count) is int and count > 0)


def _part(details: object, name: str) -> Any:
    """A detail's count; absent details count 0 (compatible servers omit them at every level)."""
    if details is None:
        return 0
    if not isinstance(details, (dict, Mapping)):
        return None  # no count
    value = details.get(name)
    return 0 if value is None else value
