"""A cascade whose requests under way can be left: their books are closed as they stand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cascade.core.request import Asked
from cascade.core.trace import Trace
from cascade.engine import Cascade, Completion
from cascade.engine.run import Run

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["LeavingCascade", "Seat"]

WHY = "cancelled: left under way by a second interrupt"


@dataclass(slots=True)
class Seat:
    """Holds the books of one request while it is under way."""

    run: Run | None = None


class LeavingCascade(Cascade):
    """Answers as `Cascade`; what a thread is still asking can be left from another one.

    A thread that waits for a model cannot be stopped. Its books are closed with what it has paid
    until then, the call that it waits for as unknown, and go to the observers.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._local = threading.local()
        self._left = False

    def keep_in(self, store: TraceStore) -> None:
        """Give a store every trace from now on."""
        self._observers = (*self._observers, store)

    def complete_in(self, seat: Seat, asked: Asked) -> Completion:
        """Answer a request whose books the seat then holds; raises as `complete`."""
        self._local.seat = seat
        return self.complete(asked)

    def leave(self, seats: list[Seat]) -> list[Trace | None]:
        """Close the books of requests under way, and observe nothing from then on.

        Returns:
            The trace of each, `None` where it had not begun to ask.
        """
        traces = [_closed(seat.run) for seat in seats]
        self._left = True
        return traces

    def observe(self, trace: Trace) -> None:
        """Show a trace to the observers, unless everything was left: a store may be closed."""
        if not self._left:
            super().observe(trace)

    def _begin(self, *args: Any) -> Run:
        run = super()._begin(*args)
        seat: Seat | None = getattr(self._local, "seat", None)
        if seat is not None:
            seat.run = run
        return run


def _closed(run: Run | None) -> Trace | None:
    return None if run is None else run.trace or run.close("cancelled", WHY, None)
