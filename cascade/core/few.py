"""Names in a sentence: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["few"]

SHOWN = 3
"""Names that are written out: more make no sentence that anybody reads."""


def few(names: Sequence[str]) -> str:
    """E.g. "a, b, c and 15 more"; one more is written out instead of counted.

    Args:
        names: one at least.
    """
    if len(names) > SHOWN + 1:
        return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
