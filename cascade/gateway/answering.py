"""The two endpoints that cost money: a request in, an answer or a stream out, and its books closed.

Plain ASGI, without a framework in between: this is what every request goes through.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from cascade.core.budget import Budget
from cascade.core.trace import Trace
from cascade.endpoint.answers import FrameWriter, body_of, encode
from cascade.endpoint.books import books_of, header_value, headers_of
from cascade.endpoint.calls import Call, Endpoint, read_body, read_call
from cascade.endpoint.failures import Failure, failure_of
from cascade.endpoint.faults import UnknownModel
from cascade.endpoint.frames import async_frames
from cascade.engine.async_streams import AsyncCompletionStream
from cascade.engine.asynchronous import AsyncCascade
from cascade.gateway import refusals
from cascade.gateway.body import ClientGone, Room, Share, read_whole
from cascade.gateway.exchange import EVENTS, Exchange, Presence
from cascade.gateway.guard import Caller, Guard, caller_of, marked
from cascade.gateway.limits import Limits
from cascade.gateway.metrics import NO_CHAIN, Metrics
from cascade.gateway.refusals import Refusal
from cascade.gateway.silence import Silences
from cascade.gateway.turns import Turns
from cascade.gateway.values import holds_more

if TYPE_CHECKING:
    from cascade.telemetry import OpenTelemetry

__all__ = ["Answering"]

GONE = 499
"""What proxies call the status of a request whose client has left; nobody is sent it."""

STREAMED = {"cache-control": "no-cache", "x-accel-buffering": "no"}
"""Proxies are not to collect what is meant to be read as it comes."""

OWN_HEADERS = b"x-cascade-"

LARGE_BYTES = 1_000_000
"""A larger body is read in a thread: reading takes some milliseconds a megabyte, during which no
other request would get on. One after the other: threads that read at the same time would take the
event loop's turns, and gain nothing."""

NOTHING: AbstractContextManager[None] = nullcontext()


@dataclass(slots=True)
class Books:
    """What is known of a request so far.

    Attributes:
        share: of the room for bodies.
        chain: that was asked.
        call: what it was asked.
        rates: headers that say what is left of the caller's rates.
        trace: once it is closed.
        cut_off: whether it was refused because the database is away.
    """

    share: Share
    chain: str = NO_CHAIN
    call: Call | None = None
    rates: Mapping[str, str] = field(default_factory=dict)
    trace: Trace | None = None
    cut_off: bool = False


class Answering:
    """Answers calls by chains.

    Args:
        cascades: by the model name that they answer to.
        guard: knows the callers.
        turns: how many at once.
        limits: of the gateway.
        metrics: counts every answer.
        shows_books: whether bodies hold the `cascade` field.
        plain: names among them that stand for plain models.
        telemetry: makes spans.
        joins_traces: whether they go on with the caller's trace.
    """

    def __init__(
        self,
        cascades: Mapping[str, AsyncCascade],
        guard: Guard,
        turns: Turns,
        limits: Limits,
        metrics: Metrics,
        *,
        shows_books: bool = True,
        plain: frozenset[str] = frozenset(),
        telemetry: OpenTelemetry | None = None,
        joins_traces: bool = True,
    ) -> None:
        self._cascades = cascades
        self._guard = guard
        self._turns = turns
        self._limits = limits
        self._budget = Budget.of(limits.budget_usd)
        self._room = Room(limits)
        self._silences = Silences(limits.silence_s)
        self._metrics = metrics
        self._shows_books = shows_books
        self._plain = plain
        self._telemetry = telemetry
        self._joins_traces = joins_traces
        self._reading_large = asyncio.Lock()

    async def __call__(self, api: Endpoint, exchange: Exchange) -> None:
        """Answer one call, whatever becomes of it."""
        began = time.perf_counter()
        books = Books(Share(self._room))
        try:
            caller = await caller_of(self._guard, exchange.headers)
            await self._turns.enter(exchange.task)
        except Refusal as why:
            books.cut_off = why.cut_off
            await exchange.refuse(why)
        else:
            try:
                await self._in_turn(api, exchange, caller, books)
            finally:
                caller.settle(_tokens_of(books.trace))
                books.share.give_back()
                self._turns.leave(exchange.task)
        seconds = time.perf_counter() - began
        self._metrics.answered(
            exchange.status, seconds, books.chain, books.trace, cut_off=books.cut_off
        )

    async def _in_turn(
        self, api: Endpoint, exchange: Exchange, caller: Caller, books: Books
    ) -> None:
        """Turn whatever goes wrong into what the client is told."""
        try:
            await self._answer(api, exchange, caller, books)
        except ClientGone:
            exchange.status = GONE
        except Refusal as why:
            books.cut_off = why.cut_off
            await exchange.refuse(why)
        except asyncio.CancelledError as error:
            books.trace = books.trace or getattr(error, "trace", None)
            if exchange.gone:
                exchange.status = GONE
            else:
                await self._break_off(exchange, books)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            failure = failure_of(error)
            error.__traceback__ = None  # its frames hold it: a circle, with the body in it
            books.trace = failure.trace or books.trace
            if failure.kind == "budget" and caller.is_cut_off:
                books.cut_off = True
                await self._refuse(exchange, refusals.no_database(), books)
            else:
                await self._fail(exchange, failure, books)

    async def _answer(
        self, api: Endpoint, exchange: Exchange, caller: Caller, books: Books
    ) -> None:
        data = await read_whole(exchange, self._limits, books.share)
        own = _own_headers(exchange.headers)
        if len(data) <= LARGE_BYTES:
            call = self._read(api, data, own)
        else:
            async with self._reading_large:
                call = await asyncio.to_thread(self._read, api, data, own)
        books.call = call
        cascade = self._cascades.get(call.model)
        is_chain = call.model not in self._plain
        if cascade is None or not caller.may_use(call.model, is_chain=is_chain):
            raise UnknownModel(call.model)
        books.chain = cascade.chain.name
        request = marked(call.request, caller, exchange.request_id)
        books.rates = await caller.admit(request)
        keywords = self._keywords(call, caller)
        if call.stream:
            with self._serving(exchange):
                stream = cascade.stream(request, **keywords)
            await self._stream(exchange, call, stream, books)
        else:
            with Presence(exchange), self._serving(exchange):
                completion = await cascade.complete(request, **keywords)
            trace = books.trace = completion.trace
            told = books_of(trace)
            body = encode(body_of(completion, call, told))
            await exchange.answer(200, body, {**headers_of(told), **books.rates})

    def _read(self, api: Endpoint, data: bytes, own: Mapping[str, str]) -> Call:
        """What a body asks for."""
        if holds_more(data, self._limits.max_values):
            raise refusals.too_many_values(self._limits.max_values)
        return read_call(api, read_body(data), own, shows_books=self._shows_books)

    def _serving(self, exchange: Exchange) -> AbstractContextManager[None]:
        """What is begun in here answers the caller, and may go on with the caller's own trace."""
        if self._telemetry is None:
            return NOTHING
        return self._telemetry.serving(as_text(exchange.headers) if self._joins_traces else {})

    def _keywords(self, call: Call, caller: Caller) -> dict[str, Any]:
        """What the call says beside its request, within what this gateway allows."""
        keywords = dict(call.keywords)
        cap, own = self._budget, keywords.get("budget")
        if own is not None and (cap is None or own.limit_usd < cap.limit_usd):
            cap = own
        keywords["budget"] = caller.purse(cap)
        if self._limits.deadline_s is not None:
            keywords["deadline_s"] = min(keywords.get("deadline_s", inf), self._limits.deadline_s)
        if "conversation" in keywords:  # two keys' conversations of one name are two
            keywords["conversation"] = f"{caller.key_id}:{keywords['conversation']}"
        return keywords

    async def _stream(
        self, exchange: Exchange, call: Call, stream: AsyncCompletionStream, books: Books
    ) -> None:
        head = partial(_head_of, stream, books)
        self._silences.watch(exchange, head)
        try:
            with Presence(exchange):
                async with aclosing(async_frames(stream, call)) as frames:
                    async for frame in frames:
                        if not exchange.status:  # what fails before is told by its status
                            await exchange.start(200, head(), EVENTS)
                        await exchange.write(frame)
        finally:
            self._silences.unwatch(exchange)
            books.trace = stream.trace
        await exchange.end()

    async def _fail(self, exchange: Exchange, failure: Failure, books: Books) -> None:
        """Tell why there is no answer: by its status, or within a stream that has begun."""
        if exchange.streams and books.call is not None:
            await exchange.write(FrameWriter(books.call).fail(failure))
            await exchange.end()
        else:
            body = encode(failure.body(shows_books=self._shows_books))
            await exchange.answer(failure.status, body, failure.headers)

    async def _refuse(self, exchange: Exchange, why: Refusal, books: Books) -> None:
        """The same of what the gateway refuses after models were asked."""
        if exchange.streams:
            error = json.loads(why.body)["error"]
            await self._fail(exchange, Failure(why.status, error, trace=books.trace), books)
        else:
            told = {} if books.trace is None else headers_of(books_of(books.trace))
            await exchange.refuse(replace(why, headers={**why.headers, **told}))

    async def _break_off(self, exchange: Exchange, books: Books) -> None:
        """Tell the client that the gateway stops before its answer is complete."""
        exchange.task.uncancel()
        if exchange.streams or not exchange.status:
            await self._refuse(exchange, refusals.stopping(), books)


def _tokens_of(trace: Trace | None) -> int | None:
    """Tokens that a rate counts; `None` where a call has not told its own."""
    if trace is None:
        return 0
    for charge in trace.charges:
        if charge.usage is None:
            return None
    return trace.usage.input_tokens + trace.usage.output_tokens


def _own_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The headers that speak to the cascade itself."""
    if OWN_HEADERS not in b" ".join(headers):  # as nearly always
        return {}
    own = {name: value for name, value in headers.items() if name.startswith(OWN_HEADERS)}
    return as_text(own)


def as_text(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Headers as texts."""
    return {name.decode("latin-1"): text.decode("latin-1") for name, text in headers.items()}


def _head_of(stream: AsyncCompletionStream, books: Books) -> dict[str, str]:
    """What can be told before a streamed answer: all of it where that is complete already."""
    if stream.trace is not None:
        known = headers_of(books_of(stream.trace))
    else:
        chain = header_value(books.chain)
        known = {"x-cascade-trace-id": stream.trace_id, "x-cascade-chain": chain}
    return {**known, **books.rates, **STREAMED}
