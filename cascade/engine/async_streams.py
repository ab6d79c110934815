"""Streamed answers, awaited: see `cascade.engine.streams`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Self, cast

from cascade.core.escalation import Decision
from cascade.core.trace import Trace
from cascade.drivers import asynchronous
from cascade.drivers.base import AsyncModels
from cascade.engine.completion import Chunk, Completion
from cascade.engine.run import Run
from cascade.engine.streams import close_unbegun
from cascade.wire.chunks import chunk_text
from cascade.wire.feed import Feed

__all__ = ["AsyncCompletionStream"]


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

    def wire_chunks(self) -> AsyncIterator[Mapping[str, Any]]:
        """The chunks as they stand on the wire, for who passes them on; instead of iterating."""
        return self._chunks

    async def _iterate(self, models: AsyncModels) -> AsyncGenerator[Mapping[str, Any]]:
        self._begun = True
        with self._run as run:
            end = asynchronous.StreamEnd()
            live = asynchronous.drive_stream(run.decisions, models, run.timing, end)
            try:
                async for chunk in live:
                    for piece in self._feed.take(chunk):
                        yield piece
            finally:
                await live.aclose()
            self.completion = run.finish(cast("Decision", end.decision))
            reply, usage = self.completion.reply, self.completion.trace.usage
            for piece in self._feed.rest(reply, usage, streamed=end.streamed):
                yield piece

    def __aiter__(self) -> AsyncCompletionStream:
        return self

    async def __anext__(self) -> Chunk:
        piece = await anext(self._chunks)
        return Chunk(chunk_text(piece), piece)

    async def aclose(self) -> None:
        """Stop reading."""
        close_unbegun(self._run, begun=self._begun)
        await self._chunks.aclose()

    def __del__(self) -> None:
        close_unbegun(self._run, begun=self._begun)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
