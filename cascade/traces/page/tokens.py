"""Tokens of a request as its page writes them: what nobody reported is unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.core.trace import Charge, Trace

__all__ = ["Count", "Tokens", "tokens"]


@dataclass(frozen=True, slots=True)
class Count:
    """A number of tokens to read: "1,250", "≥ 1,250" or "unknown"."""

    words: str
    is_lower_bound: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of all calls together, by kind."""

    input: Count
    cached: Count
    cache_write: Count
    output: Count
    reasoning: Count


def tokens(trace: Trace) -> Tokens:
    """Add up what the calls reported."""
    usage = trace.usage
    lacks = any(_is_unknown(charge) for charge in trace.charges)

    def count(number: int) -> Count:
        if not lacks:
            return Count(f"{number:,}", is_lower_bound=False)
        return Count(f"≥ {number:,}" if number else "unknown", is_lower_bound=True)

    return Tokens(
        input=count(usage.input_tokens),
        cached=count(usage.cached_tokens),
        cache_write=count(usage.cache_write_tokens),
        output=count(usage.output_tokens),
        reasoning=count(usage.reasoning_tokens),
    )


def _is_unknown(charge: Charge) -> bool:
    """Whether a call may have used tokens that nobody counted; one that costs nothing did not."""
    return charge.usage is None and charge.cost_usd != 0
