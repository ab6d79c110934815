"""Transports of httpx2 that hand a request to a chain, or to the real API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import suppress
from weakref import WeakSet

import httpx2

from cascade.dropin.replies import (
    answered,
    keyless,
    opened,
    refused,
    settle,
)
from cascade.dropin.rule import Asked, asked, endpoint_of, lacks_key
from cascade.endpoint.chains import Chains
from cascade.endpoint.frames import async_frames, frames
from cascade.engine.async_streams import AsyncCompletionStream
from cascade.engine.asynchronous import AsyncCascade
from cascade.engine.streams import CompletionStream
from cascade.engine.synchronous import Cascade
from cascade.errors import ConfigError, RequestError, RunError

__all__ = ["AsyncCascadeTransport", "CascadeTransport"]

ANSWERED = (ConfigError, RequestError, RunError)
"""What the SDK is told as the API would tell it; anything else is a bug, and is raised."""


class CascadeTransport(httpx2.BaseTransport):
    """Answers by chains, in the caller's thread.

    Args:
        chains: by model name.
        onward: carries what goes to the real API; closed with the transport.
    """

    def __init__(self, chains: Chains[Cascade], onward: httpx2.Client) -> None:
        self._chains = chains
        self._onward = onward
        self._under_way: WeakSet[Frames] = WeakSet()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        api = endpoint_of(request)
        if api is not None:
            request.read()
            try:
                found = asked(self._chains, request, api)
                if found is not None:
                    return self._answer(found, request)
            except ANSWERED as error:
                return refused(error, request)
        if lacks_key(request):
            return keyless(request, self._chains.names)
        return self._onward.send(request, stream=True, follow_redirects=True)

    def _answer(self, found: Asked[Cascade], request: httpx2.Request) -> httpx2.Response:
        call = found.call
        if not call.stream:
            done = found.engine.complete(call.request, **call.keywords)
            return answered(done, call, request)
        stream = found.engine.stream(call.request, **call.keywords)
        written = frames(stream, call, inside=True)
        first = next(written)
        stream.allow(found.whole_s)
        body = Frames(first, written, stream)
        self._under_way.add(body)
        return opened(stream, found.engine.chain.name, body, request)

    def close(self) -> None:
        """Leave streams that are not read to their end; close what was made, and the way on."""
        for body in tuple(self._under_way):
            with suppress(ValueError):  # another thread is reading it, and will see its end
                body.close()
        for made in self._chains.close_made():
            made.close()
        self._chains.close_store()
        self._onward.close()


class AsyncCascadeTransport(httpx2.AsyncBaseTransport):
    """The same, awaited."""

    def __init__(self, chains: Chains[AsyncCascade], onward: httpx2.AsyncClient) -> None:
        self._chains = chains
        self._onward = onward
        self._under_way: WeakSet[AsyncFrames] = WeakSet()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        api = endpoint_of(request)
        if api is not None:
            await request.aread()
            try:
                found = asked(self._chains, request, api)
                if found is not None:
                    return await self._answer(found, request)
            except ANSWERED as error:
                return refused(error, request)
        if lacks_key(request):
            return keyless(request, self._chains.names)
        return await self._onward.send(request, stream=True, follow_redirects=True)

    async def _answer(self, found: Asked[AsyncCascade], request: httpx2.Request) -> httpx2.Response:
        call = found.call
        if not call.stream:
            done = await found.engine.complete(call.request, **call.keywords)
            return answered(done, call, request)
        stream = found.engine.stream(call.request, **call.keywords)
        written = async_frames(stream, call, inside=True)
        first = await anext(written)
        stream.allow(found.whole_s)
        body = AsyncFrames(first, written, stream)
        self._under_way.add(body)
        return opened(stream, found.engine.chain.name, body, request)

    async def aclose(self) -> None:
        """Leave streams that are not read to their end; close what was made, and the way on."""
        for body in tuple(self._under_way):
            with suppress(RuntimeError):  # another task is reading it
                await body.aclose()
        for made in self._chains.close_made():
            await made.close()
        self._chains.close_store()
        await self._onward.aclose()


class Frames(httpx2.SyncByteStream):
    """The frames of an answer; closing them leaves it, with what it has cost booked."""

    def __init__(self, first: bytes, rest: Generator[bytes], stream: CompletionStream) -> None:
        self._first = first
        self._rest = rest
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._rest
        settle(self._stream)

    def close(self) -> None:
        """Stop reading."""
        self._rest.close()
        settle(self._stream)


class AsyncFrames(httpx2.AsyncByteStream):
    """The same, awaited."""

    def __init__(
        self, first: bytes, rest: AsyncGenerator[bytes], stream: AsyncCompletionStream
    ) -> None:
        self._first = first
        self._rest = rest
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._first
        async for frame in self._rest:
            yield frame
        settle(self._stream)

    async def aclose(self) -> None:
        """Stop reading."""
        await self._rest.aclose()
        settle(self._stream)
