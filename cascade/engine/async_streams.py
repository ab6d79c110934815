"""Streamed answers, awaited: see `cascade.engine.streams`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from cascade.core.escalation import Decision
from cascade.core.trace import Trace
from cascade.drivers import asynchronous
from cascade.drivers.base import AsyncModels
from cascade.engine.completion import Chunk, Completion
from cascade.engine.run import Host, Run
from cascade.engine.streams import UNDER_WAY, Progress, close_unbegun, end_with_program
from cascade.wire.chunks import chunk_text
from cascade.wire.feed import Feed
from cascade.wire.usage import usage_in

__all__ = ["AsyncCompletionStream", "leave_all"]


class AsyncCompletionStream:
    """The same as `CompletionStream`, to be iterated with `async for`.

    Use it in an `async with` block where you may stop early: one that is dropped is closed only
    when the event loop gets to it, and at the end of the program, where no loop runs, the cost of
    the call under way is unknown.
    """

    def __init__(self, run: Run, models: AsyncModels) -> None:
        self._run = run
        self._progress = Progress()
        self._chunks = _pieces(run, models, self._progress)
        end_with_program(run)  # not the stream: a loop that stands still keeps its generator alone

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

    def wire_chunks(self) -> AsyncIterator[Mapping[str, Any]]:
        """The chunks as they stand on the wire, for who passes them on; instead of iterating."""
        return _WireChunks(self, self._chunks)

    def __aiter__(self) -> AsyncCompletionStream:
        return self

    async def __anext__(self) -> Chunk:
        piece = await anext(self._chunks)
        return Chunk(chunk_text(piece), piece)

    async def aclose(self) -> None:
        """Stop reading."""
        close_unbegun(self._run, begun=self._progress.begun)
        await self._chunks.aclose()

    def __del__(self) -> None:
        close_unbegun(self._run, begun=self._progress.begun)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


@dataclass(frozen=True, slots=True)
class _WireChunks:
    """Chunks that hold their stream, which is not dropped while they are read."""

    stream: AsyncCompletionStream
    chunks: AsyncGenerator[Mapping[str, Any]]

    def __aiter__(self) -> _WireChunks:
        return self

    def __anext__(self) -> Awaitable[Mapping[str, Any]]:
        return self.chunks.__anext__()


async def _pieces(
    run: Run, models: AsyncModels, progress: Progress
) -> AsyncGenerator[Mapping[str, Any]]:
    """The chunks as they stand on the wire."""
    progress.begun = True
    feed = Feed(run.request.api, run.request.payload)
    with run:
        end = asynchronous.StreamEnd()
        live = asynchronous.drive_stream(run.decisions, models, run.timing, end)
        try:
            async for chunk in live:
                for piece in feed.take(chunk):
                    yield piece
        finally:
            await live.aclose()
        progress.completion = done = run.finish(cast("Decision", end.decision))
        usage = usage_in(done.trace, run.request.api)
        for piece in feed.rest(done.reply, usage, streamed=end.streamed):
            yield piece


def leave_all(host: Host) -> None:
    """Close the books of a cascade's streams as they stand, before its store closes.

    The event loop may not have got to those that were dropped.
    """
    for held in tuple(UNDER_WAY):
        if isinstance(held, Run) and held.host is host:
            held.leave("the cascade was closed")
