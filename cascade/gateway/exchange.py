"""One request and its answer, over plain ASGI: headers in, headers and bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Self

from cascade.gateway.body import throw_away
from cascade.gateway.refusals import Refusal
from cascade.gateway.request_ids import names_of, new_request_id

__all__ = ["Exchange", "Presence", "Receive", "Send", "current_task", "named"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL = 65_536
"""A body of at most so many bytes is read to its end even where the request is refused, so that the
connection can go on being used."""


class Exchange:
    """One request, and what is sent for it.

    Attributes:
        headers: of the request, by name in small letters; of several the last counts.
        request_id: of the answer.
        status: of the answer, once it has begun; 0 before.
        gone: whether the client has left.
        task: the one that answers.
    """

    __slots__ = (
        "_read", "_receive", "_send", "gone", "headers", "request_id", "scope", "status", "task",
    )  # fmt: skip

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = new_request_id()
        self.status = 0
        self.gone = False
        self.task = current_task()
        self._read = False
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """The next piece of the request's body."""
        message = await self._receive()
        self._read = not message.get("more_body")
        return message

    async def answer(
        self,
        status: int,
        body: bytes,
        headers: Iterable[tuple[str, str]] = (),
        kind: bytes = b"application/json",
    ) -> None:
        """Send a whole answer."""
        await self.start(status, headers, kind, len(body))
        await self._send({"type": "http.response.body", "body": body})

    async def start(
        self,
        status: int,
        headers: Iterable[tuple[str, str]],
        kind: bytes,
        length: int | None = None,
    ) -> None:
        """Send status and headers."""
        sent = [(b"content-type", kind), *names_of(self.request_id, self.headers)]
        if length is not None:
            sent.append((b"content-length", b"%d" % length))
        sent += [(name.encode(), clean(value)) for name, value in headers]
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": sent})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Send a piece of a streamed answer; waits while the client does not read."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, why: Refusal) -> None:
        """Send a refusal; what is left of the request's body is read away first, within bounds."""
        if self._read:
            closing = [("connection", "close")] if why.closes else []
            await self.answer(why.status, why.body, [*why.headers.items(), *closing])
            return
        length = self.headers.get(b"content-length", b"0")
        is_small = b"transfer-encoding" not in self.headers and int(length) <= SMALL
        closing = [("connection", "close")] if why.closes or not is_small else []
        await self.start(
            why.status,
            [*why.headers.items(), *closing],
            b"application/json",
            len(why.body),
        )
        await self.write(why.body)
        await throw_away(self._receive)
        await self.write(b"", more=False)


class Presence:
    """Watches that the client is still there; where it leaves, the work for it is cancelled.

    To be left before the last piece of the answer is sent: servers report the end of an answer as
    the client's leaving.
    """

    __slots__ = ("_watcher",)

    def __init__(self, exchange: Exchange) -> None:
        self._watcher = asyncio.get_running_loop().create_task(_watch(exchange))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._watcher.cancel()


async def _watch(exchange: Exchange) -> None:
    # Knows nothing of who watches: an exception that knows its own task is freed by a search alone.
    while (await exchange.receive())["type"] != "http.disconnect":
        pass  # more of a body that is complete: nothing does that
    exchange.gone = True
    exchange.task.cancel()


def named(scope: Mapping[str, Any], send: Send) -> Send:
    """The same `send`, whose answers carry the request's names."""
    names = names_of(new_request_id(), dict(scope["headers"]))

    async def sends(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *names]
        await send(message)

    return sends


def clean(value: str) -> bytes:
    """A header's value that cannot be taken for anything else."""
    if value.isascii() and value.isprintable():
        return value.encode()
    return value.encode("unicode_escape").replace(b"\r", b"").replace(b"\n", b"")


def current_task() -> asyncio.Task[Any]:
    """The task that runs; there is one wherever an app is called."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a gateway is called by tasks of an event loop")
    return task
