"""Streamed answers: chunks to iterate, then the completion that `complete` would have returned."""

from __future__ import annotations

import atexit
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Self
from weakref import WeakSet

from cascade.core.trace import Trace
from cascade.drivers import sync
from cascade.drivers.base import Models
from cascade.engine.completion import Chunk, Completion
from cascade.engine.run import Run
from cascade.wire.chunks import chunk_text
from cascade.wire.feed import Feed
from cascade.wire.usage import usage_in

__all__ = ["UNDER_WAY", "CompletionStream", "Progress", "close_unbegun", "end_with_program"]


@dataclass(slots=True)
class Progress:
    """How far a stream has come.

    Its generator knows this and not the stream, which holds the generator: a stream that is dropped
    ends at once.
    """

    begun: bool = False
    completion: Completion | None = None


class CompletionStream:
    """A streamed answer: iterate `Chunk`s, then read `completion`.

    Closing it, leaving its `with` block or dropping it closes the trace with everything spent, and
    so does the end of the program.
    """

    def __init__(self, run: Run, models: Models) -> None:
        self._run = run
        self._progress = Progress()
        self._chunks = _pieces(run, models, self._progress)
        end_with_program(self)

    @property
    def completion(self) -> Completion | None:
        """What `complete` would have returned, once the chunks are exhausted."""
        return self._progress.completion

    @property
    def trace_id(self) -> str:
        """The id that the trace will have."""
        return self._run.id

    def allow(self, deadline_s: float | None) -> None:
        """Give it another time in all, in seconds from its start; `None` for no limit."""
        self._run.allow(deadline_s)

    @property
    def trace(self) -> Trace | None:
        """The trace, once the stream has ended, in whatever way."""
        return self._run.trace

    def wire_chunks(self) -> Iterator[Mapping[str, Any]]:
        """The chunks as they stand on the wire, for who passes them on; instead of iterating."""
        yield from self._chunks  # of its own, so that it holds this stream, which would else end

    def __iter__(self) -> CompletionStream:
        return self

    def __next__(self) -> Chunk:
        piece = next(self._chunks)
        return Chunk(chunk_text(piece), piece)

    def close(self) -> None:
        """Stop reading."""
        close_unbegun(self._run, begun=self._progress.begun)
        self._chunks.close()

    def __del__(self) -> None:
        close_unbegun(self._run, begun=self._progress.begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _pieces(run: Run, models: Models, progress: Progress) -> Generator[Mapping[str, Any]]:
    """The chunks as they stand on the wire."""
    progress.begun = True
    feed = Feed(run.request.api, run.request.payload)
    with run:
        live = sync.drive_stream(run.decisions, models, run.timing)
        while True:
            try:
                chunk = next(live)
            except StopIteration as stop:
                decision, streamed = stop.value
                break
            try:
                yield from feed.take(chunk)
            except BaseException:
                live.close()
                raise
        progress.completion = done = run.finish(decision)
        yield from feed.rest(done.reply, usage_in(done.trace, run.request.api), streamed=streamed)


UNDER_WAY: WeakSet[AbstractContextManager[object]] = WeakSet()
"""Streams of this process that somebody holds; of asynchronous ones their runs."""

if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=UNDER_WAY.clear)


def end_with_program(held: AbstractContextManager[object]) -> None:
    """Have a stream, or a run, closed at exit: before any store that was there when it began."""
    UNDER_WAY.add(held)
    atexit.unregister(_close_all)
    atexit.register(_close_all)


def _close_all() -> None:
    for held in tuple(UNDER_WAY):
        with suppress(ValueError):  # another thread is reading it
            held.__exit__(None, None, None)


def close_unbegun(run: Run, *, begun: bool) -> None:
    """Close the trace of a stream nobody read: a generator that never ran cannot do it itself."""
    if not begun:
        run.__exit__(None, None, None)
