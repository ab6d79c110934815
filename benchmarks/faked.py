"""OpenAI's endpoint faked inside the process, below the genuine SDK: for runs that count outcomes.

No socket is opened, so thousands of requests take seconds; everything above the transport is real.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx2
import openai

__all__ = [
    "Asked",
    "async_client",
    "chunks",
    "completion",
    "json_reply",
    "sse_reply",
    "sync_client",
]

USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}

Asked = dict[str, Any]
"""The decoded body of a request."""


def completion(text: str | None, **more: Any) -> dict[str, Any]:
    """A `chat.completion` object; `finish_reason`, `refusal` and `usage` may be given."""
    message = {"role": "assistant", "content": text, "refusal": more.get("refusal")}
    finish = more.get("finish_reason", "stop")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "faked",
        "service_tier": "default",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": more.get("usage", USAGE),
    }


def chunks(text: str, *, finish_reason: str | None = "stop", usage: Any = USAGE) -> Iterator[Any]:
    """The same as the chunks of a stream, one per word; `None` leaves the finish or usage out."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "faked"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for word in text.split(" "):
        yield chunk({"content": f"{word} "})
    if finish_reason is not None:
        yield chunk({}, finish_reason)
    if usage is not None:
        yield {**head, "choices": [], "usage": usage}


def json_reply(body: Any, status: int = 200, **headers: str) -> httpx2.Response:
    """A response with a JSON body."""
    return httpx2.Response(status, json=body, headers={"x-request-id": "req_1", **headers})


def sse_reply(events: Sequence[Any] | Iterator[Any], *, done: bool = True) -> httpx2.Response:
    """A response with events, each a piece of its own as on a network."""
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    pieces += [b"data: [DONE]\n\n"] if done else []
    return httpx2.Response(
        200, stream=Pieces(pieces), headers={"content-type": "text/event-stream"}
    )


class Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that comes in pieces, and may break."""

    def __init__(self, pieces: Sequence[bytes], then: BaseException | None = None) -> None:
        self.pieces = pieces
        self.then = then

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.then is not None:
            raise self.then

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


def sync_client(handler: Callable[[Asked], httpx2.Response]) -> openai.OpenAI:
    """A genuine SDK client whose requests `handler` answers."""
    transport = httpx2.MockTransport(lambda request: handler(json.loads(request.content)))
    return openai.OpenAI(api_key="sk-faked", http_client=httpx2.Client(transport=transport))


def async_client(
    handler: Callable[[Asked], Awaitable[httpx2.Response]],
) -> openai.AsyncOpenAI:
    """The same, asynchronous."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        return await handler(json.loads(request.content))

    transport = httpx2.MockTransport(answer)
    http = httpx2.AsyncClient(transport=transport)
    return openai.AsyncOpenAI(api_key="sk-faked", http_client=http)
