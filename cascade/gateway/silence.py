"""Streams that have nothing to say yet, and say so: with one timer for all of them.

A stream begins with the first accepted draft, which may take long. Proxies and load balancers end
connections on which nothing has moved for a minute, and some clients wait for headers no longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from cascade.gateway.exchange import Exchange

__all__ = ["Silences"]

COMMENT = b": waiting\n\n"
"""A comment in server-sent events: whoever reads them passes over it."""

LOOKS = 4
"""How often one looks within the time that a stream may be silent: it may be a quarter more."""

Head = Callable[[], Mapping[str, str]]
"""Gives the headers that are known by now."""


class Silences:
    """Looks after streams whose own tasks wait for a model.

    Args:
        limit_s: how long a stream may say nothing; 0 for as long as it likes.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._heads: dict[Exchange, Head] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # in which the timer is set

    def watch(self, exchange: Exchange, head: Head) -> None:
        """Have a stream say that it waits, now and then, until `unwatch`; its head comes first."""
        if not self._limit_s:
            return
        exchange.said_at = time.monotonic()
        self._heads[exchange] = head
        loop = exchange.task.get_loop()
        if self._loop is not loop:
            self._set(loop)

    def unwatch(self, exchange: Exchange) -> None:
        """The stream goes to its end; the timer stays as it is."""
        self._heads.pop(exchange, None)

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.call_later(self._limit_s / LOOKS, self._look)

    def _look(self) -> None:
        now = time.monotonic()
        for exchange, head in self._heads.items():
            if now - exchange.said_at >= self._limit_s:
                exchange.say(COMMENT, head)
        loop, self._loop = self._loop, None
        if self._heads and loop is not None:
            self._set(loop)
