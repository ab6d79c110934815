"""What took long to add up is kept for a while: the longer it took, the longer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Remembered"]

FACTOR = 10.0
"""A sum is kept for so many times what it took: at most a tenth of the time goes into sums."""

QUICK_S = 0.2
"""What takes less is added up each time, so that small stores show every request at once."""

MOST = 50

Value = TypeVar("Value")


class Remembered:
    """Sums by what they are of; safe between threads."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What is remembered under that key, or made now."""
        with self._lock:
            until, found = self._kept.get(key, (0.0, None))
        begun = self._now()
        if begun < until:
            return found  # type: ignore[no-any-return]  # of the same maker
        made = make()
        took = self._now() - begun
        if took > QUICK_S:
            with self._lock:
                self._kept[key] = (self._now() + FACTOR * took, made)
                self._kept.move_to_end(key)
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
        return made
