"""Says what was expected where a path, an id or a store stands in place of traces."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from cascade.core.trace import Trace

__all__ = ["a_trace", "some_traces"]


def a_trace(value: Any, function: str) -> Trace:
    """The value, which must be a trace.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, Trace):
        return value
    raise TypeError(
        f"{function}() expected a Trace, not {_named(value)}; get one from a store with "
        "TraceStore(...).get(id), or from a file with Trace.from_json(text)"
    )


def some_traces(value: Any, function: str) -> Iterable[Trace]:
    """The value, which must be traces.

    Raises:
        TypeError: it is a path, a store, one trace or something else.
    """
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | os.PathLike):
        return value
    raise TypeError(
        f"{function}() expected traces, not {_named(value)}; open a store and give "
        "TraceStore(...).iter_traces(), or a list of Trace"
    )


def _named(value: object) -> str:
    is_short = isinstance(value, str | os.PathLike)
    return repr(value)[:80] if is_short else f"a {type(value).__name__}"
