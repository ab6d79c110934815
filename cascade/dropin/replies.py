"""Replies as the SDK's HTTP client takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx2

from cascade.dropin.traces import keep, note
from cascade.endpoint.answers import body_of, encode
from cascade.endpoint.books import books_of, header_value, headers_of
from cascade.endpoint.calls import Call
from cascade.endpoint.failures import failure_of
from cascade.engine.async_streams import AsyncCompletionStream
from cascade.engine.completion import Completion
from cascade.engine.streams import CompletionStream
from cascade.errors import ConfigError, RequestError, RunError

__all__ = ["answered", "keyless", "opened", "refused", "settle"]

Stream = CompletionStream | AsyncCompletionStream

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}

NO_REPLY: Mapping[str, type[httpx2.TransportError]] = {
    "deadline": httpx2.ReadTimeout,
    "timeout": httpx2.ReadTimeout,
    "connection": httpx2.ReadError,
    "unreachable": httpx2.ConnectError,
}
"""Failures that the SDK knows from its transport: there was no reply, so none is made up."""


def answered(done: Completion, call: Call, request: httpx2.Request) -> httpx2.Response:
    """An answer."""
    note(request, done)
    keep(done.trace, done.reply.wire.get("id"))
    books = books_of(done.trace)
    headers = {**JSON, "x-request-id": done.trace.id, **headers_of(books)}
    return httpx2.Response(200, headers=headers, content=encode(body_of(done, call, books)))


def opened(stream: Stream, chain: str, body: Any, request: httpx2.Request) -> httpx2.Response:
    """A streamed answer whose first frame has come."""
    note(request, stream)
    told = {"x-cascade-trace-id": stream.trace_id, "x-cascade-chain": header_value(chain)}
    if stream.completion is not None:  # a draft that was held back has been accepted: all is known
        told = headers_of(books_of(stream.completion.trace))
    return httpx2.Response(
        200, headers={**EVENTS, "x-request-id": stream.trace_id, **told}, stream=body
    )


def settle(stream: Stream) -> None:
    """Keep the trace of a stream that has ended, in whatever way."""
    if stream.trace is not None:
        done = stream.completion
        keep(stream.trace, done.reply.wire.get("id") if done is not None else None)


def refused(
    error: ConfigError | RequestError | RunError, request: httpx2.Request
) -> httpx2.Response:
    """Why there is no answer.

    Raises:
        httpx2.TransportError: there was no reply; the SDK makes its own errors of that.
    """
    failure = failure_of(error, inside=True)
    note(request, failure)
    headers = {**JSON, **failure.headers}
    if failure.trace is not None:
        keep(failure.trace)
        headers["x-request-id"] = failure.trace.id
    none = NO_REPLY.get(failure.kind or "")
    if none is not None:
        raise none(str(error), request=request) from error
    return httpx2.Response(failure.status, headers=headers, content=encode(failure.body()))


def keyless(request: httpx2.Request, names: Iterable[str]) -> httpx2.Response:
    """What the API would answer to a request without a key, and which chains there are."""
    words = (
        "You didn't provide an API key. This goes to OpenAI itself, because no chain has the name "
        "of the model, or it is another endpoint: pass api_key= or set OPENAI_API_KEY. Chains are "
        f"{', '.join(map(repr, names))}."
    )
    error = {"message": words, "type": "invalid_request_error", "param": None, "code": None}
    return httpx2.Response(401, headers=JSON, content=encode({"error": error}), request=request)
