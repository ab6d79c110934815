"""Conversations stay with the tier that answered them, for a while.

A conversation that needed a larger model will probably need it again: asking the small one first
pays for a draft that is thrown away, and loses the larger one's prompt cache.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from cascade.core.tier import is_positive
from cascade.errors import ConfigError

__all__ = ["Sticky"]


class Sticky:
    """Remembers which tier answered a conversation; one may be shared by several cascades.

    The first request of a conversation starts at the chain's first tier. Further ones start at the
    tier that answered, until `ttl_s` after the conversation came to it: then the cheap tiers get
    another chance.

    Args:
        ttl_s: seconds until a conversation starts from the bottom again, above 0.
        max_conversations: how many are remembered at most; the oldest are forgotten first.
        clock: seconds, monotonic.

    Raises:
        ConfigError: a value outside its range.
    """

    def __init__(
        self,
        ttl_s: float = 900.0,
        *,
        max_conversations: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_positive(ttl_s):
            raise ConfigError(f"Sticky: ttl_s {ttl_s!r} is not a number of seconds above 0")
        most: object = max_conversations
        if type(most) is not int or most < 1:
            raise ConfigError(f"Sticky: max_conversations {most!r} is no whole number from 1 up")
        self.ttl_s = ttl_s
        self.max_conversations = max_conversations
        self._clock = clock
        self._tiers: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._lock = Lock()

    def tier(self, conversation: str) -> str | None:
        """Name of the tier that a conversation is with; `None` where it may start anywhere."""
        with self._lock:
            name, since = self._tiers.get(conversation, (None, 0.0))
            if name is not None and self._clock() - since >= self.ttl_s:
                del self._tiers[conversation]
                return None
            return name

    def remember(self, conversation: str, tier: str) -> None:
        """A tier has answered a conversation; the same one again does not start the time anew."""
        with self._lock:
            known = self._tiers.get(conversation)
            if known is not None and known[0] == tier:
                return
            self._tiers.pop(conversation, None)
            self._tiers[conversation] = (tier, self._clock())
            while len(self._tiers) > self.max_conversations:
                self._tiers.popitem(last=False)

    def forget(self, conversation: str) -> None:
        """Let a conversation start from the bottom again."""
        with self._lock:
            self._tiers.pop(conversation, None)

    def __len__(self) -> int:
        return len(self._tiers)

    def __repr__(self) -> str:
        return f"Sticky({self.ttl_s:g}, max_conversations={self.max_conversations})"
