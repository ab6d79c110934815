"""Streamed answers: chunks to iterate, then the completion that `complete` would have returned."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, Self

from cascade.core.trace import Trace
from cascade.drivers import sync
from cascade.drivers.base import Models
from cascade.engine.completion import Chunk, Completion
from cascade.engine.run import Run
from cascade.wire.chunks import chunk_text
from cascade.wire.feed import Feed

__all__ = ["CompletionStream", "close_unbegun"]


class CompletionStream:
    """A streamed answer: iterate `Chunk`s, then read `completion`.

    Closing it, leaving its `with` block or dropping it closes the trace with everything spent.

    Attributes:
        completion: what `complete` would have returned, once the chunks are exhausted.
    """

    def __init__(self, run: Run, models: Models) -> None:
        self.completion: Completion | None = None
        self._run = run
        self._begun = False
        self._feed = Feed(run.request.api, run.request.payload)
        self._chunks = self._iterate(models)

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
        return self._chunks

    def _iterate(self, models: Models) -> Generator[Mapping[str, Any]]:
        self._begun = True
        with self._run as run:
            live = sync.drive_stream(run.decisions, models, run.timing)
            while True:
                try:
                    chunk = next(live)
                except StopIteration as stop:
                    decision, streamed = stop.value
                    break
                try:
                    yield from self._feed.take(chunk)
                except BaseException:
                    live.close()
                    raise
            self.completion = run.finish(decision)
            reply, usage = self.completion.reply, self.completion.trace.usage
            yield from self._feed.rest(reply, usage, streamed=streamed)

    def __iter__(self) -> CompletionStream:
        return self

    def __next__(self) -> Chunk:
        piece = next(self._chunks)
        return Chunk(chunk_text(piece), piece)

    def close(self) -> None:
        """Stop reading."""
        close_unbegun(self._run, begun=self._begun)
        self._chunks.close()

    def __del__(self) -> None:
        close_unbegun(self._run, begun=self._begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def close_unbegun(run: Run, *, begun: bool) -> None:
    """Close the trace of a stream nobody read: a generator that never ran cannot do it itself."""
    if not begun:
        run.__exit__(None, None, None)
