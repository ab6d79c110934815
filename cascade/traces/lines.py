"""Foreign text made safe for a terminal, and the numbers of traces made short."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from rich.text import Text

from cascade.core.trace_text import dollars

__all__ = ["cost_text", "harmless", "line", "seconds", "short_dollars"]

LONGEST = 2_000
"""No more of a text is looked at: a line shows a hundred characters."""

SMALLEST = Decimal("0.000000001")
"""A billionth of a dollar: one token at the lowest cached rate costs twenty of them."""

SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
"""What makes a terminal change colour, move its cursor or set its title."""

SPACES = "\t\n\r\v\f\x85\u2028\u2029"

JOINERS = "\u200c\u200d"
"""Invisible, but many scripts and emoji need them."""

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Unicode categories of control characters, direction switches, lone surrogates and the like."""


def line(text: str | None, style: str = "") -> Text:
    """Foreign text on one line: markup in it has no effect, characters that act are taken out."""
    cut = SEQUENCE.sub("", (text or "")[:LONGEST])
    shown = "".join(" " if char in SPACES else char for char in cut if not _is_hidden(char))
    return Text(" ".join(shown.split()), style=style, no_wrap=True, overflow="ellipsis")


def harmless(text: str) -> str:
    """Foreign text of several lines without the characters that act on a terminal."""
    kept = SEQUENCE.sub("", text)
    return "".join(char for char in kept if char in "\n\t" or not _is_hidden(char))


def cost_text(amount: Decimal | None, basis: str, *, style: str = "") -> Text:
    """An amount in at most nine digits after the point; "~" marks an estimate."""
    if amount is None:
        return Text("unknown", style="yellow")
    return Text(f"{'~' if basis == 'estimated' else ''}{short_dollars(amount)}", style=style)


def short_dollars(amount: Decimal | None) -> str:
    """Nine digits after the point; an amount too small for them is not shown as nothing."""
    if amount is None:
        return "unknown"
    if amount and abs(amount) < SMALLEST:
        return "<$0.000000001" if amount > 0 else "-<$0.000000001"
    return dollars(amount.quantize(SMALLEST) if amount else Decimal(0))


def seconds(value: float) -> str:
    """Seconds in about three digits."""
    return f"{value:.2f}s" if value < 100 else f"{value:.0f}s"  # noqa: PLR2004  three digits do


def _is_hidden(char: str) -> bool:
    if char in SPACES or char in JOINERS:
        return False
    return unicodedata.category(char) in HIDDEN
