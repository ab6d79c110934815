"""Sending model calls through the OpenAI SDK, sync and async.

Both clients are the same but for the lines that wait. They use the SDK's `post` with the raw
response: the body is sent as it is (unknown keys pass through) and no model is built per token.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from tenacity import AsyncRetrying, Retrying

from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.tier import Endpoint, Tier
from cascade.core.wishes import ModelCall
from cascade.errors import ConfigError
from cascade.provider.downgrades import Downgrades
from cascade.provider.exchange import Exchange
from cascade.provider.retry import retrying

__all__ = ["AsyncOpenAIModels", "OpenAIModels"]

PATH = "/chat/completions"

PLACEHOLDER_KEY = "no-key-needed"
"""Sent to endpoints without `api_key_env`: the SDK insists on a key, local servers do not."""


class _Models:
    """What both clients share: SDK clients, one per endpoint, and the memory of downgrades."""

    sdk_class = "OpenAI"

    def __init__(
        self, client: Any = None, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._default = client
        self._clock = clock
        self._memory = Downgrades()
        self._made: dict[Endpoint | None, Any] = {}
        self._lock = Lock()

    def _client(self, tier: Tier) -> Any:
        """The SDK client for a tier: its own, its endpoint's, or the chain's."""
        place = tier.client if tier.client is not None else self._default
        if place is not None and not isinstance(place, Endpoint):
            return place
        with self._lock:
            if place not in self._made:
                self._made[place] = self._make(place)
            return self._made[place]

    def _make(self, endpoint: Endpoint | None) -> Any:
        import openai  # noqa: PLC0415  takes 0.8 s: with the first call, not with the package

        sdk = getattr(openai, self.sdk_class)
        try:
            if endpoint is None:
                return sdk(max_retries=0)
            return sdk(base_url=endpoint.base_url, api_key=_key(endpoint), max_retries=0)
        except openai.OpenAIError as error:
            raise ConfigError(
                f"the OpenAI client cannot be made: {error} Set OPENAI_API_KEY, pass client=, "
                "or give the tier an Endpoint(...)"
            ) from error

    def _exchange(self, call: ModelCall, client: Any, *, stream: bool = False) -> Exchange:
        server = str(client.base_url)
        return Exchange(call, server, self._memory, self._clock, stream=stream)


def _key(endpoint: Endpoint) -> str:
    if endpoint.api_key_env is None:
        return PLACEHOLDER_KEY
    key = os.environ.get(endpoint.api_key_env)
    if not key:
        raise ConfigError(
            f"endpoint {endpoint.base_url}: environment variable {endpoint.api_key_env} is not set"
        )
    return key


class StreamedCall:
    """A final answer as it arrives: iterate its chunks, then read `outcome`.

    Attributes:
        outcome: the reply or the failure, once the chunks are exhausted.
    """

    def __init__(self) -> None:
        self.outcome: Reply | CallFailure | None = None


class OpenAIModels(_Models):
    """Carries out model calls through `openai.OpenAI`.

    Args:
        client: an `openai.OpenAI` (or `AzureOpenAI`), an `Endpoint`, or `None` for one made from
            the SDK's environment variables on the first call.
        clock: seconds, monotonic.
        sleep: how to wait between tries.
    """

    def __init__(
        self,
        client: Any = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(client, clock=clock)
        self._sleep = sleep

    def call(self, call: ModelCall) -> Reply | CallFailure:
        """Make a call, retries included."""
        client = self._client(call.tier)
        policy = retrying(Retrying, call, self._clock, self._sleep)
        result: Reply | CallFailure = policy(self._once, call, client)
        return result

    def _once(self, call: ModelCall, client: Any) -> Reply | CallFailure:
        while True:
            exchange = self._exchange(call, client)
            with exchange:
                exchange.read(_post(client, exchange))
            if not exchange.may_resend():
                return exchange.settled

    def stream(self, call: ModelCall) -> SyncStream:
        """Make a call whose chunks are passed on as they come."""
        return SyncStream(self, call)

    def open_stream(self, call: ModelCall) -> CallFailure | tuple[Exchange, Any, list[Any]]:
        """Start a stream, retries included, up to the first chunk that carries something."""
        client = self._client(call.tier)
        policy = retrying(Retrying, call, self._clock, self._sleep)
        opened: CallFailure | tuple[Exchange, Any, list[Any]] = policy(
            self._open_once, call, client
        )
        return opened

    def _open_once(self, call: ModelCall, client: Any) -> Any:
        while True:
            exchange = self._exchange(call, client, stream=True)
            first: list[Any] = []
            source: Any = None
            with exchange.opening():
                source = _post_stream(client, exchange)
                for chunk in source:
                    if exchange.feed(chunk) is not None:
                        first.append(chunk)
                        break
            if exchange.result is None:
                return exchange, source, first
            _close(source)
            if not exchange.may_resend():
                return exchange.result


class SyncStream(StreamedCall):
    """The chunks of a streamed call."""

    def __init__(self, models: OpenAIModels, call: ModelCall) -> None:
        super().__init__()
        self._models = models
        self._call = call

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        opened = self._models.open_stream(self._call)
        if isinstance(opened, CallFailure):
            self.outcome = opened
            return
        exchange, source, first = opened
        try:
            with exchange:
                for chunk in first:
                    exchange.shown()
                    yield chunk
                for chunk in source:
                    if exchange.feed(chunk) is not None:
                        yield chunk
                exchange.end_of_stream()
        finally:
            _close(source)
        self.outcome = exchange.result


class AsyncOpenAIModels(_Models):
    """Carries out model calls through `openai.AsyncOpenAI`; arguments as `OpenAIModels`."""

    sdk_class = "AsyncOpenAI"

    def __init__(
        self,
        client: Any = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        super().__init__(client, clock=clock)
        self._sleep = sleep

    async def call(self, call: ModelCall) -> Reply | CallFailure:
        """Make a call, retries included."""
        client = self._client(call.tier)
        policy = retrying(AsyncRetrying, call, self._clock, self._sleep)
        result: Reply | CallFailure = await policy(self._once, call, client)
        return result

    async def _once(self, call: ModelCall, client: Any) -> Reply | CallFailure:
        while True:
            exchange = self._exchange(call, client)
            with exchange:
                async with asyncio.timeout(exchange.timeout_s):
                    response = await _post(client, exchange)
                exchange.read(response)
            if not exchange.may_resend():
                return exchange.settled

    def stream(self, call: ModelCall) -> AsyncStream:
        """Make a call whose chunks are passed on as they come."""
        return AsyncStream(self, call)

    async def open_stream(self, call: ModelCall) -> CallFailure | tuple[Exchange, Any, list[Any]]:
        """Start a stream, retries included, up to the first chunk that carries something."""
        client = self._client(call.tier)
        policy = retrying(AsyncRetrying, call, self._clock, self._sleep)
        opened: CallFailure | tuple[Exchange, Any, list[Any]] = await policy(
            self._open_once, call, client
        )
        return opened

    async def _open_once(self, call: ModelCall, client: Any) -> Any:
        while True:
            exchange = self._exchange(call, client, stream=True)
            first: list[Any] = []
            source: Any = None
            with exchange.opening():
                async with asyncio.timeout(exchange.timeout_s):
                    source = await _post_stream(client, exchange)
                    async for chunk in source:
                        if exchange.feed(chunk) is not None:
                            first.append(chunk)
                            break
            if exchange.result is None:
                return exchange, source, first
            await _aclose(source)
            if not exchange.may_resend():
                return exchange.result


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
        exchange, source, first = opened
        try:
            with exchange:
                for chunk in first:
                    exchange.shown()
                    yield chunk
                async for chunk in source:
                    if exchange.feed(chunk) is not None:
                        yield chunk
                exchange.end_of_stream()
        finally:
            await _aclose(source)
        self.outcome = exchange.result


def _post(client: Any, exchange: Exchange) -> Any:
    """One POST, answered by the raw HTTP response (awaitable on an async client)."""
    import httpx2  # noqa: PLC0415  comes with the SDK

    return client.post(PATH, body=exchange.body, cast_to=httpx2.Response, options=exchange.options)


def _post_stream(client: Any, exchange: Exchange) -> Any:
    """One POST, answered by an iterator of decoded events."""
    import openai  # noqa: PLC0415

    is_async = isinstance(client, openai.AsyncOpenAI)
    return client.post(
        PATH,
        body=exchange.body,
        cast_to=object,
        options=exchange.options,
        stream=True,
        stream_cls=openai.AsyncStream[object] if is_async else openai.Stream[object],
    )


def _close(source: Any) -> None:
    if source is not None:
        with suppress(Exception):  # the connection may be gone already
            source.close()


async def _aclose(source: Any) -> None:
    if source is not None:
        with suppress(Exception):
            await source.close()
