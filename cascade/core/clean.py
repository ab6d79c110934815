"""Foreign text without the characters that act: on a terminal, or on whoever writes it out.

What people wrote and models answered may hold escape sequences, switches of direction, and halves
of surrogate pairs, which no encoding can write.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["harmless", "on_one_line"]

LONGEST = 2_000
"""No more of a text is looked at for one line, which shows a hundred characters."""

SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
"""What makes a terminal change colour, move its cursor or set its title."""

SPACES = "\t\n\r\v\f\x85\u2028\u2029"

JOINERS = "\u200c\u200d"
"""Invisible, but many scripts and emoji need them."""

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")
"""Unicode categories of control characters, direction switches, lone surrogates and the like."""


def on_one_line(text: str | None) -> str:
    """The beginning of a text on one line; a run of spaces and line ends is one space."""
    cut = SEQUENCE.sub("", (text or "")[:LONGEST])
    return " ".join("".join(" " if char in SPACES else _kept(char) for char in cut).split())


def harmless(text: str) -> str:
    """A text of several lines; a lone carriage return, which would overwrite one, is a space."""
    cut = SEQUENCE.sub("", text).replace("\r\n", "\n")
    return "".join(
        char if char in "\n\t" else " " if char in SPACES else _kept(char) for char in cut
    )


def _kept(char: str) -> str:
    return char if char in JOINERS or unicodedata.category(char) not in HIDDEN else ""
