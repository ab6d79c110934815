"""Regular expressions that end.

Answers are untrusted text, and Python's `re` cannot be interrupted: one unlucky pattern on one
unlucky answer would hold a worker for years. Patterns here run in the `regex` package, under a time
allowance. Knows nothing of drafts or scores.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import regex

from cascade import ConfigError

__all__ = ["PATTERN_SECONDS", "PatternTimeout", "PatternTimer", "compile_pattern"]

PATTERN_SECONDS = 0.25
"""Time for all patterns on one draft. An honest match takes microseconds."""

MAX_PATTERN_SIZE = 100_000
"""Most single steps a pattern may unroll to. Compiled repeats are copies of about 270 bytes each:
`((a{1000}){1000}){1000}` would take all memory there is, before any text is seen."""

_COMMENTED = re.compile(r"\(\?(?:#|[a-zA-Z0-9-]*x)")
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]|\{(\d*)(?:,\d*)?\}|.", re.DOTALL)


class PatternTimeout(Exception):  # noqa: N818  an outcome, which its scorer puts into words
    """The patterns on a draft took longer than their allowance."""


@dataclass(slots=True)
class PatternTimer:
    """The time that is left for matching on one draft.

    Attributes:
        left_s: seconds left, over all patterns.
    """

    left_s: float = PATTERN_SECONDS

    def search(self, pattern: regex.Pattern[str], text: str, *, full: bool = False) -> bool:
        """Whether the pattern occurs in the text (`full`: covers all of it).

        Raises:
            PatternTimeout: the allowance is used up.
        """
        if self.left_s <= 0:
            raise PatternTimeout
        started = time.perf_counter()
        find = pattern.fullmatch if full else pattern.search
        try:
            return find(text, timeout=self.left_s) is not None
        except TimeoutError:
            raise PatternTimeout from None
        finally:
            self.left_s -= time.perf_counter() - started


def compile_pattern(pattern: object, owner: str, *, flags: int = 0) -> regex.Pattern[str]:
    """Compile a pattern once, when its scorer is made.

    Args:
        pattern: a regular expression in Python's syntax, with the extensions of `regex`.
        owner: what the pattern belongs to, for the message.
        flags: flags of the `regex` package.

    Raises:
        ConfigError: it is no text, no regular expression, or one that unrolls to too much.
    """
    if not isinstance(pattern, str):
        raise ConfigError(f"{owner}: pattern {pattern!r} is no text; pass a regular expression")
    if unrolled_size(pattern, verbose=bool(flags & regex.VERBOSE)) > MAX_PATTERN_SIZE:
        raise ConfigError(
            f"{owner}: {pattern[:80]!r} repeats itself more than {MAX_PATTERN_SIZE:,} times, which "
            "takes too much memory; ask for fewer repeats"
        )
    try:
        return regex.compile(pattern, flags, cache_pattern=False)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise ConfigError(
            f"{owner}: {pattern[:80]!r} is no regular expression ({error}); "
            "escape special characters with a backslash"
        ) from error


def unrolled_size(pattern: str, *, verbose: bool = False) -> int:
    """About how many single steps a pattern becomes when its counted repeats are written out.

    Where comments may stand between a piece and its repeat (`verbose`, or switched on inside the
    pattern), a repeat is taken to cover its whole group: too much rather than too little.
    """
    whole_group = verbose or _COMMENTED.search(pattern) is not None
    sizes, last = [0], 0  # of the open groups, innermost last; of the piece before
    for found in _PIECE.finditer(pattern):
        piece = found[0]
        if found[1] is not None:
            covered = sizes[-1] if whole_group else last
            sizes[-1] += covered * (_least(found[1]) - 1)
            last *= _least(found[1])
        elif piece == "(":
            sizes.append(0)
        else:
            last = sizes.pop() if piece == ")" and len(sizes) > 1 else 1
            sizes[-1] += last
    return sum(sizes)


def _least(digits: str) -> int:
    """The lower bound of a repeat, at least 1; its upper bound takes no memory."""
    return max(1, min(int(digits[:9] or 1), MAX_PATTERN_SIZE + 1))
