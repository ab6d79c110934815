"""Model calls through `openai.AsyncOpenAI`; the same steps as in `synchronous`, awaited.

What differs is time: a task can be stopped while it waits, so a deadline ends a silent stream too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Literal, Self, TypeVar
from urllib.request import getproxies

from tenacity import AsyncRetrying

from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.wishes import ModelCall
from cascade.provider.base import ClientSettings, ModelsBase, Place, StreamedCall
from cascade.provider.exchange import Exchange, Way
from cascade.provider.retry import retrying, worth_retrying
from cascade.provider.time_limits import TimeLimits

__all__ = ["AsyncOpenAIModels", "AsyncStream"]


PROXIED = frozenset({"http", "https", "all"})
"""Kinds of proxy that the environment may name; `no_proxy` alone is none."""

T = TypeVar("T")
Connections = Literal["aiohttp", "httpx2"]


class AsyncOpenAIModels(ModelsBase):
    """Carries out model calls through `openai.AsyncOpenAI`; arguments as `OpenAIModels`.

    Args:
        connections: what clients made here connect with. "httpx2" is the SDK's own, and serves
            also where aiohttp is not installed or the environment names a proxy.
    """

    sdk_class = "AsyncOpenAI"

    def __init__(
        self,
        client: Any = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Any] = asyncio.sleep,
        connections: Connections = "aiohttp",
    ) -> None:
        super().__init__(client, clock=clock)
        self._sleep = sleep
        self._connections = connections
        self._latest_limits: TimeLimits | None = None

    def _limits(self) -> TimeLimits:
        """Time limits in the event loop that runs."""
        limits, home = self._latest_limits, self._home()
        if limits is None or limits.loop is not home:
            limits = self._latest_limits = TimeLimits(home)
        return limits

    def _home(self) -> Any:
        return asyncio.get_running_loop()

    def _make(self, place: Place) -> Any:
        varies = isinstance(place, ClientSettings) and not place.are_steady
        if varies or self._connections == "httpx2" or not PROXIED.isdisjoint(getproxies()):
            return super()._make(place)
        try:
            from cascade.provider.http_client import AiohttpClient  # noqa: PLC0415  loads aiohttp
            from cascade.provider.short_way import ShortWay  # noqa: PLC0415
        except ImportError:
            return super()._make(place)
        http = AiohttpClient()
        client = self._sdk_client(place, http)
        self._ways[client] = Way.of(client, ShortWay(http))
        return client

    async def _bury(self) -> None:
        """Close clients whose event loop has ended; their connections died with it."""
        for loop in [loop for loop in tuple(self._made) if loop.is_closed()]:
            for client in self._made.pop(loop, {}).values():
                with suppress(Exception):
                    await client.close()

    async def call(self, call: ModelCall) -> Reply | CallFailure:
        """Make a call, retries included."""
        if len(self._made) > 1:  # this loop's and others'
            await self._bury()
        client = self._client(call)
        if isinstance(client, CallFailure):
            return client
        result = await self._once(call, client)
        if worth_retrying(result):
            return await self._again(self._once, call, client, result)
        return result

    async def _again(
        self, once: Callable[[ModelCall, Any], Awaitable[T]], call: ModelCall, client: Any, first: T
    ) -> T:
        """Try again after a first try, as the tier allows."""
        results = [first]

        async def attempt() -> T:
            return results.pop() if results else await once(call, client)

        last: T = await retrying(AsyncRetrying, call, self._clock, self._sleep)(attempt)
        return last

    async def _once(self, call: ModelCall, client: Any) -> Reply | CallFailure:
        while True:
            exchange = self._exchange(call, client)
            with exchange:
                with self._limits().within(exchange.timeout_s):
                    exchange.take(await _whole(exchange))
                exchange.settle()
            if not exchange.may_resend():
                return exchange.settled

    def stream(self, call: ModelCall) -> AsyncStream:
        """Make a call whose chunks are passed on as they come."""
        return AsyncStream(self, call)

    async def open_stream(self, call: ModelCall) -> CallFailure | Opened:
        """Start a stream, retries included, up to the first chunk that carries something."""
        if len(self._made) > 1:  # this loop's and others'
            await self._bury()
        client = self._client(call)
        opened = await self._open_once(call, client)
        if worth_retrying(opened):
            return await self._again(self._open_once, call, client, opened)
        return opened

    async def _open_once(self, call: ModelCall, client: Any) -> CallFailure | Opened:
        while True:
            exchange = self._exchange(call, client, stream=True)
            first: list[Mapping[str, Any]] = []
            async with AsyncExitStack() as stack:
                body = await stack.enter_async_context(AsyncBody())
                with exchange.opening(), self._limits().within(exchange.timeout_s):
                    async for data in await body.of(exchange):
                        exchange.take(data)
                        first += exchange.incoming.first_chunks()
                        if exchange.incoming.opened:
                            break
                if exchange.result is None:
                    stack.pop_all()  # open from here on; the stream closes it
                    return exchange, body, first
            if not exchange.may_resend():
                return exchange.refusal

    async def close(self) -> None:
        """Close the connections of the clients made for this event loop; yours stay open."""
        for client in self._forget():
            await client.close()


async def _whole(exchange: Exchange) -> bytes:
    """Send an exchange and give its body, once all of it has come."""
    response = await exchange.send()
    try:
        exchange.begin(response)
        body: bytes = await response.aread()
        return body
    finally:
        if not response.is_closed:
            await _closed(response)


async def _closed(response: Any) -> None:
    with suppress(Exception):  # the connection may be gone already
        await response.aclose()


class AsyncBody:
    """The body of a response, closed whatever happens.

    Attributes:
        rest: the pieces that have not been read yet.
    """

    def __init__(self) -> None:
        self._response: Any = None
        self.rest: AsyncIterator[bytes]

    async def of(self, exchange: Exchange) -> AsyncIterator[bytes]:
        """Send an exchange and give the pieces of its body as they come."""
        self._response = await exchange.send()
        exchange.begin(self._response)
        self.rest = self._response.aiter_bytes()
        return self.rest

    async def next(self, limit_s: float | None) -> bytes | None:
        """The next piece, `None` after the last.

        Raises:
            TimeoutError: it did not come in time.
        """
        if limit_s is None:  # the connection has a limit of its own for each piece
            return await anext(self.rest, None)
        async with asyncio.timeout(limit_s):
            return await anext(self.rest, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._response is not None:
            await _closed(self._response)


Opened = tuple[Exchange, AsyncBody, list[Mapping[str, Any]]]


class AsyncStream(StreamedCall):
    """The chunks of a streamed call."""

    def __init__(self, models: AsyncOpenAIModels, call: ModelCall) -> None:
        super().__init__()
        self._models = models
        self._call = call

    async def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]:
        opened = await self._models.open_stream(self._call)
        if isinstance(opened, CallFailure):
            self.outcome = opened
            return
        exchange, body, first = opened
        incoming = exchange.incoming
        async with body:
            with exchange:
                if incoming.begun:
                    exchange.shown()
                    for chunk in first:
                        yield chunk
                for chunk in incoming.chunks():
                    yield chunk
                while not incoming.done and (data := await body.next(exchange.left_s)) is not None:
                    exchange.take(data)
                    for chunk in incoming.chunks():
                        yield chunk
                incoming.end()
                for chunk in incoming.chunks():
                    yield chunk
                exchange.settle()
        self.outcome = exchange.result
