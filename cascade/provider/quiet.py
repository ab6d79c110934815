"""Connections that a server has closed while nothing was asked.

A request over one of them fails as one that may have been billed. Many servers close unused ones
after 5 s, and an event loop that was busy or stood still has not read it.
"""

from __future__ import annotations

import asyncio
from time import monotonic

__all__ = ["Quiet", "caught_up"]

QUIET_S = 1.0
"""After this long without a request it is looked whether connections were closed meanwhile."""


class Quiet:
    """Since when nothing was asked over some connections."""

    def __init__(self) -> None:
        self._asked = 0.0

    def ends(self) -> bool:
        """Whether nothing was asked for a while; something is now."""
        now, before = monotonic(), self._asked
        self._asked = now
        return now - before > QUIET_S


async def caught_up() -> None:
    """Let the event loop see which connections were closed."""
    await asyncio.sleep(0)  # the sockets are polled,
    await asyncio.sleep(0)  # and what they hold is read
