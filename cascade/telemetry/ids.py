"""One id for a request in both worlds: where it begins an OpenTelemetry trace, the trace has ours.

Our ids have 28 hexadecimal digits, OpenTelemetry's 32; four zeros at the end make one of the other,
so that the digits which samplers look at stay the random ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["SharedIds", "otel_trace_id"]

DIGITS = 32
HEX = frozenset("0123456789abcdef")

_next: ContextVar[int | None] = ContextVar("cascade_otel_trace_id", default=None)


def otel_trace_id(trace_id: str) -> int | None:
    """The OpenTelemetry id of a request that begins a trace; `None` where ours is no number."""
    if not 0 < len(trace_id) <= DIGITS or not HEX.issuperset(trace_id):
        return None
    return int(trace_id.ljust(DIGITS, "0"), 16) or None


class SharedIds:
    """Gives a new OpenTelemetry trace the id that is set, and leaves all other ids to another.

    Args:
        rest: the generator whose place it takes in a tracer of our own.
    """

    def __init__(self, rest: Any) -> None:
        self._rest = rest

    @staticmethod
    @contextmanager
    def giving(trace_id: str) -> Iterator[None]:
        """A trace that begins in here has the id of this request."""
        token = _next.set(otel_trace_id(trace_id))
        try:
            yield
        finally:
            _next.reset(token)

    def generate_trace_id(self) -> int:
        """The id that is set, else one of the other generator."""
        given = _next.get()
        return given or int(self._rest.generate_trace_id())

    def generate_span_id(self) -> int:
        """One of the other generator."""
        return int(self._rest.generate_span_id())

    def is_trace_id_random(self) -> bool:
        """Ours end in zeros, so the flag that all of their last digits are random is not set."""
        return False
