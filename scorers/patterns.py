"""Regular expressions that end.

Answers are untrusted text, and Python's `re` cannot be interrupted: one unlucky pattern on one
unlucky answer would hold a worker for years. Patterns here run in the `regex` package, under a time
allowance. Knows nothing of drafts or scores.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import regex

from cascade import ConfigError

__all__ = ["PATTERN_SECONDS", "PatternTimeout", "PatternTimer", "compile_pattern"]

PATTERN_SECONDS = 0.25
"""Time for all patterns on one draft. An honest match takes microseconds."""


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
        ConfigError: it is no text or no regular expression.
    """
    if not isinstance(pattern, str):
        raise ConfigError(f"{owner}: pattern {pattern!r} is no text; pass a regular expression")
    try:
        return regex.compile(pattern, flags, cache_pattern=False)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise ConfigError(
            f"{owner}: {pattern[:80]!r} is no regular expression ({error}); "
            "escape special characters with a backslash"
        ) from error
