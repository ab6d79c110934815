"""Streamed answers: chunks to iterate, then the completion that `complete` would have returned."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Self, cast

from cascade.core.escalation import Decision
from cascade.core.trace import Trace
from cascade.drivers import asynchronous, sync
from cascade.drivers.base import AsyncModels, Models
from cascade.engine.completion import Chunk, Completion
from cascade.engine.run import Run
from cascade.wire.chunks import chunk_text
from cascade.wire.feed import Feed

__all__ = ["AsyncCompletionStream", "CompletionStream"]


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
    def trace(self) -> Trace | None:
        """The trace, once the stream has ended, in whatever way."""
        return self._run.trace

    def _iterate(self, models: Models) -> Generator[Chunk]:
        with self._run as run:
            live = sync.drive_stream(run.decisions, models, run.timing)
            while True:
                try:
                    chunk = next(live)
                except StopIteration as stop:
                    decision, streamed = stop.value
                    break
                try:
                    for piece in self._feed.take(chunk):
                        yield Chunk(chunk_text(piece), piece)
                except BaseException:
                    live.close()
                    raise
            self.completion = run.finish(decision)
            yield from _rest(self._feed, self.completion, streamed=streamed)

    def __iter__(self) -> CompletionStream:
        return self

    def __next__(self) -> Chunk:
        self._begun = True
        return next(self._chunks)

    def close(self) -> None:
        """Stop reading."""
        _close_unbegun(self)
        self._chunks.close()

    def __del__(self) -> None:
        _close_unbegun(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncCompletionStream:
    """The same as `CompletionStream`, to be iterated with `async for`.

    Use it in an `async with` block where you may stop early: an abandoned async generator is closed
    only when the event loop gets to it.
    """

    def __init__(self, run: Run, models: AsyncModels) -> None:
        self.completion: Completion | None = None
        self._run = run
        self._begun = False
        self._feed = Feed(run.request.api, run.request.payload)
        self._chunks = self._iterate(models)

    @property
    def trace(self) -> Trace | None:
        """The trace, once the stream has ended, in whatever way."""
        return self._run.trace

    async def _iterate(self, models: AsyncModels) -> AsyncGenerator[Chunk]:
        with self._run as run:
            end = asynchronous.StreamEnd()
            live = asynchronous.drive_stream(run.decisions, models, run.timing, end)
            try:
                async for chunk in live:
                    for piece in self._feed.take(chunk):
                        yield Chunk(chunk_text(piece), piece)
            finally:
                await live.aclose()
            self.completion = run.finish(cast("Decision", end.decision))
            for rest in _rest(self._feed, self.completion, streamed=end.streamed):
                yield rest

    def __aiter__(self) -> AsyncCompletionStream:
        return self

    async def __anext__(self) -> Chunk:
        self._begun = True
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Stop reading."""
        _close_unbegun(self)
        await self._chunks.aclose()

    def __del__(self) -> None:
        _close_unbegun(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


def _close_unbegun(stream: CompletionStream | AsyncCompletionStream) -> None:
    """Close the trace of a stream nobody read: a generator that never ran cannot do it itself."""
    if not stream._begun:  # noqa: SLF001  one idea in two classes
        stream._run.__exit__(None, None, None)  # noqa: SLF001


def _rest(feed: Feed, completion: Completion, *, streamed: bool) -> Iterator[Chunk]:
    """What is still to be shown of an answer, then the usage of every attempt together."""
    for piece in feed.rest(completion.reply, completion.trace.usage, streamed=streamed):
        yield Chunk(chunk_text(piece), piece)
