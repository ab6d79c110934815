"""The OpenAI client, made on the first call: importing the SDK takes most of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from cascade.core.tier import Tier

__all__ = ["LazyAsyncModels", "LazyModels"]


class LazyModels:
    """Stands in for the provider room until the first call."""

    def __init__(self, name: str, client: Any, clock: Callable[[], float]) -> None:
        self._make = (name, client, clock)
        self._made: Any = None
        self._lock = Lock()

    @property
    def made(self) -> Any:
        """The real client."""
        if self._made is not None:
            return self._made
        with self._lock:  # two threads' first calls must not open two sets of connections
            if self._made is None:
                from cascade.provider import client as room  # noqa: PLC0415  see above

                name, client, clock = self._make
                self._made = getattr(room, name)(client, clock=clock)
        return self._made

    def prepare(self, tiers: Iterable[Tier]) -> None:
        """Make the clients that the tiers need; raises `ConfigError` where a key is missing."""
        prepare = getattr(self.made, "prepare", None)
        if prepare is not None:
            prepare(tiers)

    def call(self, call: Any) -> Any:
        """Make a call."""
        return self.made.call(call)

    def stream(self, call: Any) -> Any:
        """Make a call whose chunks are passed on."""
        return self.made.stream(call)

    def close(self) -> Any:
        """Close the connections that were opened."""
        return self._made.close() if self._made is not None else None


class LazyAsyncModels(LazyModels):
    """The same for async drivers."""

    async def close(self) -> None:
        """Close the connections that were opened."""
        if self._made is not None:
            await self._made.close()
