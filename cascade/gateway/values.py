"""How many values a body holds, found before any of it is read.

What is done with a request takes some microseconds for each of its values, and much of that on the
event loop; a body of twenty megabytes has room for half a million messages of one letter.
"""

from __future__ import annotations

__all__ = ["holds_more"]

SLICE_BYTES = 65_536
"""So much is looked at between two moments at which other threads may have their turn."""


def holds_more(data: bytes, most: int) -> bool:
    """Whether JSON holds more than so many values: texts, numbers, lists, objects and the like.

    Each of them follows a comma or the bracket that opens its list or object; an empty one counts
    twice. Whether it is JSON at all does not matter here.
    """
    if len(data) <= most or _openings(data) < most:  # as nearly always, those in texts included
        return False
    found = at = within = 0  # within: 1 in the middle of a text
    while at < len(data) and found < most:
        piece = data[at : at + SLICE_BYTES]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:  # what a backslash stands before is with it
            piece = data[at : at + SLICE_BYTES + 1]
        at += len(piece)
        parts = piece.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        found += _openings(b"".join(parts[within::2]))
        within = (within + len(parts) - 1) % 2
    return found >= most


def _openings(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")
