"""The trace of whatever the SDK hands back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol

import httpx2

from cascade.core.trace import Trace
from cascade.endpoint.own_options import FIELD

__all__ = ["keep", "note", "trace_of"]

MOST_KEPT = 1000
"""Traces found by an id; an answer of the SDK holds no more than one."""

LINKS = (
    "request",  # of errors and of raw responses
    "response",  # of errors, of streams, and of the event that ends one
    "http_response",
    "_response",  # of the SDK's stream helpers
    "_raw_stream",
    "chunk",  # of the events that these give
    "_raw_response",  # instructor's
    "last_completion",  # and of its errors
    "response_metadata",  # LangChain's
    "__cause__",
    "__context__",  # LiteLLM raises its errors without a cause
)
"""Where the parts of the SDK, and programs on top of it, hold what was answered."""

IDS = ("id", "request_id", "response_id", "provider_response_id")
"""What they call the id of an answer, or of a request: a trace's own."""

TRACE_HEADER = "x-cascade-trace-id"

DEEPEST = 4


class Source(Protocol):
    """What an answer came from."""

    @property
    def trace(self) -> Trace | None:
        """Its trace, once its books are closed."""
        ...


class Kept:
    """The last traces, by their own ids and by those of the answers."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, Trace | None] = OrderedDict()
        self._lock = Lock()

    def put(self, name: str, trace: Trace) -> None:
        """Keep a trace; a name that two have had is nobody's any more."""
        with self._lock:
            other = self._found.pop(name, trace)
            self._found[name] = trace if other is not None and other.id == trace.id else None
            while len(self._found) > 2 * MOST_KEPT:
                self._found.popitem(last=False)

    def get(self, name: str) -> Trace | None:
        """The trace of that name."""
        return self._found.get(name)


_kept = Kept()


def note(request: httpx2.Request, source: Source) -> None:
    """Let a request of the SDK, which its errors and streams hold, lead to what answers it."""
    request.extensions[FIELD] = source


def keep(trace: Trace, answer_id: object = None) -> None:
    """Keep a trace for objects that hold no more than an id."""
    _kept.put(trace.id, trace)
    if isinstance(answer_id, str) and answer_id:
        _kept.put(answer_id, trace)


def trace_of(answer: object) -> Trace | None:
    """The trace of what a drop-in client returned or raised.

    Args:
        answer: a completion or response (parsed ones too), a raw response, a stream (its last chunk
            or event, too), an exception, or the id of an answer or of a trace. What LangChain,
            LiteLLM, instructor, pydantic-ai and openai-agents make of an answer, where it keeps the
            answer or its id.

    Returns:
        The trace; `None` where no chain answered, while a stream has not ended, and where it is
        known by an id only and a thousand others came later: those are in the `store=`.
    """
    return _look(answer, 0)


def _look(place: object, depth: int) -> Trace | None:
    if place is None or depth > DEEPEST:
        return None
    if isinstance(place, Trace):
        return place
    if isinstance(place, str):
        return _kept.get(place)
    found = _here(place)
    if found is not None:
        return found
    links = () if isinstance(place, Mapping) else LINKS
    parts = (_look(_part(place, name), depth + 1) for name in links)
    return next((found for found in parts if found is not None), None)


def _here(place: Any) -> Trace | None:
    """The trace that a thing holds itself, or names."""
    if isinstance(place, httpx2.Request):
        return getattr(place.extensions.get(FIELD), "trace", None)
    own = _part(place, "trace")
    if isinstance(own, Trace):
        return own
    told = _entry(place, FIELD)
    own_id = told.get("trace_id") if isinstance(told, Mapping) else None
    if isinstance(own_id, str):
        return _kept.get(own_id)
    names = (_entry(place, name) for name in (*IDS, "headers"))
    known = (_named(name) for name in names)
    return next((found for found in known if found is not None), None)


def _named(told: object) -> Trace | None:
    """The trace of an id, or the one that an answer's headers name."""
    if isinstance(told, Mapping):
        told = told.get(TRACE_HEADER)
    return _kept.get(told) if isinstance(told, str) else None


def _entry(place: Any, name: str) -> Any:
    return place.get(name) if isinstance(place, Mapping) else _part(place, name)


def _part(place: Any, name: str) -> Any:
    with suppress(Exception):  # foreign objects: properties that raise have no trace to give
        return getattr(place, name, None)
    return None
