"""What all drivers share: who answers model calls, and the request's deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from cascade.core.escalation import Decision
from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.wishes import ModelCall, Wish
from cascade.wire.chunks import chunk_text, logprob_entries, shows

__all__ = [
    "Arriving",
    "AsyncModels",
    "AsyncStreamed",
    "Decisions",
    "Holdback",
    "Models",
    "Streamed",
    "Timing",
    "as_async",
    "in_order",
    "step",
]

Decisions = Generator[Wish, Any, Decision]


def step(decisions: Decisions, answer: Any = None) -> Wish | Decision:
    """Hand the decision loop what it waits for; gives its next wish, or how it ended.

    Only the loop itself runs in here, so a `StopIteration` that a model client lets slip is never
    taken for the loop's end.
    """
    try:
        return decisions.send(answer)
    except StopIteration as stop:
        decision: Decision = stop.value
        return decision


@dataclass(slots=True)
class Holdback:
    """Keeps the first chunks of an answer back until one shows that there is an answer.

    An answer that turns out empty does not stand; an earlier draft is then shown instead, and no
    chunk of the empty one may have gone out before it.

    Attributes:
        shown: whether anything has gone out.
    """

    shown: bool = False
    _held: list[Mapping[str, Any]] = field(default_factory=list)

    def pass_on(self, chunk: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The chunks that may go out now that this one has come."""
        if self.shown:
            return [chunk]
        self._held.append(chunk)
        if not shows(chunk):
            return []
        self.shown = True
        ready, self._held = self._held, []
        return ready


class Streamed(Protocol):
    """A call whose answer arrives in chunks; `outcome` is set when they are exhausted."""

    outcome: Reply | CallFailure | None

    def __iter__(self) -> Any: ...  # a generator: it is closed when the reader stops


class AsyncStreamed(Protocol):
    """The same, to be iterated asynchronously."""

    outcome: Reply | CallFailure | None

    def __aiter__(self) -> Any: ...


class Models(Protocol):
    """Answers model calls: the OpenAI client, scripted models, a recording.

    Those that answer from a list have a true attribute `in_order`: calls that could be made at once
    are then made one after the other, so that each gets its line.
    """

    def call(self, call: ModelCall) -> Reply | CallFailure:
        """Answer a call, and append every exchange to `call.tries`."""
        ...

    def stream(self, call: ModelCall) -> Streamed:
        """Answer a call in wire chunks."""
        ...


class AsyncModels(Protocol):
    """The same for async drivers."""

    def call(self, call: ModelCall) -> Awaitable[Reply | CallFailure]:
        """Answer a call, and append every exchange to `call.tries`."""
        ...

    def stream(self, call: ModelCall) -> AsyncStreamed:
        """Answer a call in wire chunks."""
        ...


@dataclass(slots=True)
class Timing:
    """A clock and the reading at which the request's time is over."""

    clock: Callable[[], float]
    deadline: float | None = None
    _admitted: ModelCall | None = field(default=None, init=False, repr=False)

    def move(self, deadline: float | None) -> None:
        """Set another deadline, for the call under way as well."""
        self.deadline = deadline
        if self._admitted is not None:
            self._admitted.deadline = deadline

    def left_s(self, most: float | None) -> float | None:
        """Seconds left for something that may take `most`; `None` for no limit."""
        if self.deadline is None:
            return most
        left = max(0.0, self.deadline - self.clock())
        return left if most is None else min(most, left)

    def admit(self, call: ModelCall) -> CallFailure | None:
        """Give a call its deadline, or the failure that says why it is not made."""
        call.deadline = self.deadline
        self._admitted = call
        if self.deadline is not None and self.clock() >= self.deadline:
            return CallFailure("deadline", "the request's deadline has passed")
        return None if call.may_begin() else CallFailure("cancelled", "the request was left")


class _AsyncAdapter:
    """Sync models (scripted ones, recordings) behind the async protocol."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.in_order = in_order(models)

    async def call(self, call: ModelCall) -> Reply | CallFailure:
        return self._models.call(call)

    def stream(self, call: ModelCall) -> AsyncStreamed:
        return _AsyncAdaptedStream(self._models.stream(call))


class _AsyncAdaptedStream:
    def __init__(self, streamed: Streamed) -> None:
        self._streamed = streamed
        self.outcome: Reply | CallFailure | None = None

    async def __aiter__(self) -> Any:
        chunks: Iterable[Mapping[str, Any]] = self._streamed
        iterator = iter(chunks)
        try:
            for chunk in iterator:
                yield chunk
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        self.outcome = self._streamed.outcome


STEP = 1.1
"""How much a draft must grow before it is looked at again: looking at each piece would take a time
that grows with the square of its length."""

FIRST_LOOK = 8
"""Characters of the first look."""


@dataclass(slots=True)
class Arriving:
    """A watched draft while it arrives: looks at it, and says when it is lost."""

    call: ModelCall
    _text: list[str] = field(default_factory=list)
    _entries: list[Any] = field(default_factory=list)
    _size: int = 0
    _look_at: int = FIRST_LOOK

    def lost(self, chunk: Mapping[str, Any]) -> bool:
        """Take in a chunk; whether the answer cannot be accepted any more."""
        piece = chunk_text(chunk)
        self._text.append(piece)
        self._entries += logprob_entries(chunk)
        self._size += len(piece)
        if self.call.watch is None or self._size < self._look_at:
            return False
        self._look_at = int(self._size * STEP) + FIRST_LOOK
        self.call.stopped = self.call.watch("".join(self._text), self._entries)
        return self.call.stopped is not None

    def outcome(self, ended: Reply | CallFailure | None) -> Reply | CallFailure:
        """What came of the call: as it ended, or that it was left."""
        if self.call.stopped is not None or ended is None:
            return CallFailure("stopped", self.call.stopped or "the stream was left")
        return ended


def in_order(models: object) -> bool:
    """Whether calls must be made one after the other; see `Models`."""
    return bool(getattr(models, "in_order", False))


def as_async(models: Models | AsyncModels) -> AsyncModels:
    """Models for an async driver, sync ones adapted."""
    import inspect  # noqa: PLC0415

    if inspect.iscoroutinefunction(models.call):
        return cast("AsyncModels", models)
    return _AsyncAdapter(cast("Models", models))
