"""Server-sent events: bytes as they arrive, events as they become complete.

Knows the framing alone, not what an event says. Event names, ids and retry hints are passed over:
Chat Completions carries everything in `data`.
"""

from __future__ import annotations

import re

__all__ = ["EventDecoder"]

LINE_END = re.compile(rb"\r\n|\n|\r")


class EventDecoder:
    """Cuts a byte stream into the data of its events, wherever the network cut it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of the line that has not ended; joined when it does
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take in some bytes.

        Returns:
            The data of every event that they complete.
        """
        self._parts.append(data)
        if b"\n" not in data and b"\r" not in data:
            return []
        text = b"".join(self._parts)
        if text.endswith(b"\n\n") and text.startswith(b"data: ") and not self._data:
            events = text[6:-2].split(b"\n\ndata: ")
            if text.count(b"\n") == 2 * len(events) and b"\r" not in text:  # as nearly always
                self._parts = []
                return events
        if b"\r" in text:
            half = b"\r" if text.endswith(b"\r") else b""  # perhaps the first half of a "\r\n"
            *lines, rest = LINE_END.split(text.removesuffix(half))
            self._parts = [rest + half]
        else:
            *lines, rest = text.split(b"\n")
            self._parts = [rest]
        return self._events_of(lines)

    def end(self) -> list[bytes]:
        """No more bytes will come: an event that lacks its empty line counts all the same."""
        return self.feed(b"\n\n")

    def _events_of(self, lines: list[bytes]) -> list[bytes]:
        """The events that these lines complete; no function is called for each of them."""
        events = []
        for line in lines:
            if line.startswith(b"data: "):
                self._data.append(line[6:])
            elif line.startswith(b"data:"):
                self._data.append(line[5:])
            elif line == b"data":
                self._data.append(b"")
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events
