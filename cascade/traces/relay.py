"""Writes traces where they belong, or on the spool while that place is away, and from there later.

While traces of this process wait, further ones queue up behind them, so that a trace kept twice
counts as it was kept last. Used on the writer's thread only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from cascade.core.trace import Trace
from cascade.errors import StoreError, TraceError, TraceVersionError
from cascade.traces.schema import Kept, rows_of
from cascade.traces.spool import LOOK_S, Spool

__all__ = ["Relay"]

CHUNK = 500
"""Traces delivered in one transaction."""

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0
"""Waits before a place that was away is tried again, doubled each time."""

Rows = list[Kept]
Errors = list[Exception]

log = logging.getLogger("cascade")


class Relay:
    """The way of traces to their place.

    Args:
        insert: writes rows into the place; raises `StoreError` where the place is in trouble, and
            returns one error for each row that it refuses.
        spool: where traces wait meanwhile.
        name: of the place, for messages.
    """

    def __init__(self, insert: Callable[[Rows], Errors], spool: Spool, *, name: str) -> None:
        self._insert = insert
        self._spool = spool
        self._name = name
        self._away_since: float | None = None
        self._wait_s = FIRST_WAIT_S
        self._try_at = 0.0

    @property
    def is_away(self) -> bool:
        """Whether the place could not be written when it was last tried."""
        return self._away_since is not None

    def write(self, rows: Rows) -> Errors:
        """Write rows, or let them wait; one error for each that could not be kept at all."""
        if not self._spool.is_used and self._may_try():
            errors = self._try(rows)
            if errors is not None:
                return errors + (self._deliver() or [])
        return self._spool.append([kept.json for kept in rows]) + (self._deliver() or [])

    def idle(self) -> tuple[Errors, float]:
        """Deliver some of what waits.

        Returns:
            One error for each trace that cannot be kept, and seconds until there is more to do.
        """
        if self.is_away and not self._spool.count and self._may_try():
            errors = self._try([])
        else:
            errors = self._deliver()
        if errors is not None:
            return errors, 0.0  # there may be more
        return [], max(0.0, self._try_at - time.monotonic()) if self.is_away else LOOK_S

    def left(self, error: StoreError) -> None:
        """The place is away, as an error says; it is tried again after a while."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since, self._wait_s = now, FIRST_WAIT_S
            log.warning(
                "%s cannot be written: %s; traces wait in %s until it can",
                self._name,
                error,
                self._spool.folder,
            )
        self._try_at = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _may_try(self) -> bool:
        return time.monotonic() >= self._try_at

    def _came_back(self) -> None:
        if self._away_since is not None:
            away_s = time.monotonic() - self._away_since
            self._away_since, self._try_at = None, 0.0
            log.warning(
                "%s can be written again after %.0f s; %d traces that waited are being delivered",
                self._name,
                away_s,
                self._spool.count,
            )

    def _try(self, rows: Rows) -> Errors | None:
        """Write rows into the place, which shows whether it is there; `None` where it is not."""
        try:
            errors = self._insert(rows)
        except StoreError as error:
            self.left(error)
            return None
        self._came_back()
        return errors

    def _deliver(self) -> Errors | None:
        """Write the next traces of the spool; `None` where there is none, or no place for them."""
        lines = self._spool.first(CHUNK) if self._may_try() else []
        if not lines:
            return None
        rows: dict[str, Kept] = {}  # by id: the last one counts
        for line in lines:
            try:
                trace = Trace.from_json(line)
            except TraceVersionError:
                self._spool.refuse()
                return []
            except TraceError as error:  # cut off when its process ended: it was never taken on
                log.warning("a line in %s is passed over: %s", self._spool.folder, error)
            else:
                rows[trace.id] = rows_of(trace)
        errors = self._try(list(rows.values()))
        if errors is not None:
            self._spool.passed()
        return errors
