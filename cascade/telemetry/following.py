"""Following a request while it runs: each of its steps is made inside the spans that are open.

Every driver steps the same decision loop and carries out what it yields, so this one wrapper around
the loop serves them all: sync, async, streams, many at once and rounds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from functools import partial
from typing import Any

from opentelemetry.context import Context, attach, detach

from cascade.core.escalation import Decision
from cascade.core.wishes import Await, ModelCall, Run, Together, Wish
from cascade.drivers.base import Decisions, step
from cascade.telemetry.spans import RequestSpans

__all__ = ["follow"]


def follow(
    decisions: Decisions, spans: RequestSpans, clock: Callable[[], float], origin: float
) -> Generator[Wish, Any, Decision]:
    """The same decision loop, its steps and its scorers inside the spans.

    Nothing stays attached while the loop waits: the caller of a stream goes on in its own context.

    Args:
        decisions: the loop.
        spans: of its request.
        clock: seconds, as the request is measured.
        origin: its reading when the request began.
    """
    answer: Any = None
    try:
        while True:
            wish = _inside(spans.context, partial(step, decisions, answer))
            if isinstance(wish, Decision):
                return wish
            for call in _calls(wish):
                spans.asks(call, clock() - origin)
            if isinstance(wish, Run | Await):
                spans.scores(origin, clock() - origin)
            answer = yield _carried_inside(wish, spans.context)
    finally:
        decisions.close()


def _calls(wish: Wish) -> tuple[ModelCall, ...]:
    if isinstance(wish, ModelCall):
        return (wish,)
    return wish.calls if isinstance(wish, Together) else ()


def _carried_inside(wish: Wish, context: Context) -> Wish:
    """The wish, so that a scorer's own code runs inside the spans wherever it runs."""
    if isinstance(wish, Run):
        return replace(wish, function=partial(_inside, context, wish.function))
    if isinstance(wish, Await):
        return replace(wish, awaitable=_Inside(context, wish.awaitable))
    return wish


def _inside(context: Context, function: Callable[[], Any]) -> Any:
    token = attach(context)
    try:
        return function()
    finally:
        detach(token)


class _Inside:
    """An awaitable that runs inside a context; it can be dropped unawaited, as a coroutine can."""

    def __init__(self, context: Context, awaitable: Awaitable[Any]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, Any]:
        token = attach(self._context)
        try:
            return (yield from self._awaitable.__await__())
        finally:
            detach(token)

    def close(self) -> None:
        """Drop it."""
        close = getattr(self._awaitable, "close", None)
        if close is not None:
            close()
