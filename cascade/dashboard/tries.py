"""How often somebody may try to log in.

Keys are random and long; nobody guesses one. The limit tells a script to stop. A right key is never
kept waiting: behind a proxy all visitors have one address, and one could lock all others out.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Tries"]

MOST = 10
"""Failed tries of one address in `WINDOW_S`."""

WINDOW_S = 60.0

ADDRESSES = 10_000
"""Addresses remembered; the oldest go first."""


class Tries:
    """Counts failed logins by address, for a while; safe between threads."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until that address may try again; 0 for now."""
        with self._lock:
            recent = self._recent(address)
            return max(0.0, recent[0] + WINDOW_S - self._now()) if len(recent) >= MOST else 0.0

    def failed(self, address: str) -> None:
        """Count one."""
        with self._lock:
            self._failed[address] = [*self._recent(address), self._now()][-MOST:]
            self._failed.move_to_end(address)
            while len(self._failed) > ADDRESSES:
                self._failed.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._now() - WINDOW_S
        return [moment for moment in self._failed.get(address, ()) if moment > since]
