"""Model calls through `openai.OpenAI`, one after the other on the calling thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any, Self, TypeVar

from tenacity import Retrying

from cascade.core.failures import CallFailure
from cascade.core.reply import Reply
from cascade.core.wishes import ModelCall
from cascade.provider.base import ModelsBase, StreamedCall
from cascade.provider.exchange import Exchange
from cascade.provider.retry import retrying, worth_retrying

__all__ = ["OpenAIModels", "SyncStream"]


T = TypeVar("T")


class OpenAIModels(ModelsBase):
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
        client = self._client(call)
        if isinstance(client, CallFailure):
            return client
        return self._retried(self._once, call, client)

    def _retried(self, once: Callable[[ModelCall, Any], T], call: ModelCall, client: Any) -> T:
        """Try, and again as the tier allows; most calls need no second try and no policy."""
        results = [once(call, client)]
        if not worth_retrying(results[0]):
            return results[0]
        policy = retrying(Retrying, call, self._clock, self._sleep)
        last: T = policy(lambda: results.pop() if results else once(call, client))
        return last

    def _once(self, call: ModelCall, client: Any) -> Reply | CallFailure:
        while True:
            exchange = self._exchange(call, client)
            with exchange, Body() as body:
                for data in body.of(exchange):
                    exchange.take(data)
                exchange.settle()
            if not exchange.may_resend():
                return exchange.settled

    def stream(self, call: ModelCall) -> SyncStream:
        """Make a call whose chunks are passed on as they come."""
        return SyncStream(self, call)

    def open_stream(self, call: ModelCall) -> CallFailure | Opened:
        """Start a stream, retries included, up to the first chunk that carries something."""
        client = self._client(call)
        return self._retried(self._open_once, call, client)

    def _open_once(self, call: ModelCall, client: Any) -> CallFailure | Opened:
        while True:
            exchange = self._exchange(call, client, stream=True)
            first: list[Mapping[str, Any]] = []
            with ExitStack() as stack:
                body = stack.enter_context(Body())
                with exchange.opening():
                    for data in body.of(exchange):
                        exchange.take(data)
                        first += exchange.incoming.first_chunks()
                        if exchange.incoming.opened:
                            break
                if exchange.result is None:
                    stack.pop_all()  # open from here on; the stream closes it
                    return exchange, body, first
            if not exchange.may_resend():
                return exchange.refusal

    def close(self) -> None:
        """Close the connections of the clients made here; yours stay open."""
        for client in self._forget():
            client.close()


class Body:
    """The body of a response, closed whatever happens.

    Attributes:
        rest: the pieces that have not been read yet.
    """

    def __init__(self) -> None:
        self._response: Any = None
        self.rest: Iterator[bytes] = iter(())

    def of(self, exchange: Exchange) -> Iterator[bytes]:
        """Send an exchange and give the pieces of its body as they come."""
        self._response = exchange.send()
        exchange.begin(self._response)
        self.rest = self._response.iter_bytes()
        return self.rest

    def close(self) -> None:
        """Give the connection back."""
        if self._response is not None:
            with suppress(Exception):  # the connection may be gone already
                self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


Opened = tuple[Exchange, Body, list[Mapping[str, Any]]]


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
        exchange, body, first = opened
        incoming = exchange.incoming
        with body, exchange:
            if incoming.begun:
                exchange.shown()
                yield from first
            yield from incoming.chunks()
            while not incoming.done and (data := next(body.rest, None)) is not None:
                exchange.take(data)
                yield from incoming.chunks()
            incoming.end()
            yield from incoming.chunks()
            exchange.settle()
        self.outcome = exchange.result
