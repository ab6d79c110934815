"""One request and its answer, over plain ASGI: headers in, headers and bytes out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cascade.gateway.body import throw_away
from cascade.gateway.refusals import Refusal
from cascade.gateway.request_ids import names_of, new_request_id

if TYPE_CHECKING:
    from cascade.gateway.direct import Direct

__all__ = ["EVENTS", "Exchange", "Presence", "Receive", "Send", "current_task", "named"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DIRECT = "cascade.direct"
"""Where in a scope's state a `Connection` leaves its `Direct`; other servers have none."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

EVENTS = "text/event-stream; charset=utf-8"

SMALL = 65_536
"""A body of at most so many bytes is read to its end even where the request is refused, so that the
connection can go on being used."""


class Exchange:
    """One request, and what is sent for it.

    Attributes:
        headers: of the request, by name in small letters; of several the last counts.
        request_id: of the answer.
        status: of the answer, once it has begun; 0 before.
        streams: whether it is one in pieces, and has begun.
        gone: whether the client has left.
        task: the one that answers.
        direct: the server's own way past ASGI's messages; see `direct_of`.
        said_at: when the latest piece of a stream was sent, in seconds of the monotonic clock.
    """

    __slots__ = (
        "_aside", "_read", "_receive", "_sending", "_sends", "direct", "gone", "headers",
        "request_id", "said_at", "status", "streams", "task",
    )  # fmt: skip

    def __init__(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        direct: Direct | None = None,
    ) -> None:
        self.direct = direct
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = new_request_id()
        self.status = 0
        self.streams = self.gone = False
        self.task = current_task()
        self._read = False
        self._receive = receive
        self._sends = send
        self._sending = False
        self._aside: asyncio.Task[None] | None = None

    def body(self) -> bytes | None:
        """The request's body, where all of it is there; else `receive` gives its pieces."""
        body = None if self.direct is None else self.direct.whole_body()
        self._read = body is not None
        return body

    async def receive(self) -> Message:
        """The next piece of the request's body."""
        message = await self._receive()
        self._read = not message.get("more_body")
        return message

    async def answer(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] = NOTHING,
        kind: str = "application/json",
    ) -> None:
        """Send a whole answer."""
        told = self._told(headers, kind)
        self.status = status
        direct = self._direct_for(told)
        if direct is None or not direct.answer(status, lines(told), body):
            await self._start(told, len(body))
            await self._send({"type": "http.response.body", "body": body})

    async def start(
        self, status: int, headers: Mapping[str, str], kind: str, length: int | None = None
    ) -> None:
        """Send status and headers."""
        self.status = status
        self.streams = length is None
        await self._start(self._told(headers, kind), length)

    def _told(self, headers: Mapping[str, str], kind: str) -> dict[str, str]:
        """All headers of an answer but those that frame it."""
        told = {"content-type": kind, **names_of(self.request_id, self.headers), **headers}
        if is_clean("".join(told.values())):
            return told
        return {name: clean(value) for name, value in told.items()}

    def _direct_for(self, told: Mapping[str, str]) -> Direct | None:
        return None if "connection" in told else self.direct

    async def _start(self, told: Mapping[str, str], length: int | None) -> None:
        direct = self._direct_for(told)
        if direct is not None:
            direct.start(self.status, lines(told), length)
            return
        await self._send(start_of(self.status, told, length))

    async def write(self, data: bytes) -> None:
        """Send a piece of a streamed answer; waits while the client does not read."""
        self.said_at = time.monotonic()
        if self.direct is None:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        elif not self.direct.write(data):
            await self.direct.writable()

    async def end(self) -> None:
        """Send the end of a streamed answer."""
        rest = b"" if self.direct is None else self.direct.unsent()
        await self._send({"type": "http.response.body", "body": rest})

    def say(self, data: bytes, head: Callable[[], Mapping[str, str]]) -> None:
        """Send a piece of a streamed answer while its task waits for something else.

        Where the answer has not begun it begins with that. Nothing is sent while something is on
        its way: by ASGI one message follows the other.
        """
        if self._sending or (self._aside is not None and not self._aside.done()):
            return
        told = None if self.status else self._told(head(), EVENTS)
        self.status, self.streams, self.said_at = self.status or 200, True, time.monotonic()
        if self.direct is None:
            self._aside = self.task.get_loop().create_task(self._say(data, told))
            return
        if told is not None:
            self.direct.start(self.status, lines(told), None)
        self.direct.write(data)

    async def _say(self, data: bytes, told: Mapping[str, str] | None) -> None:
        with suppress(OSError):  # the client has left: the request's own task is told
            if told is not None:
                await self._sends(start_of(self.status, told))
            await self._sends({"type": "http.response.body", "body": data, "more_body": True})

    async def _send(self, message: Message) -> None:
        """Send a message of ASGI's, after what was said meanwhile."""
        if self._aside is not None:
            await asyncio.wait({self._aside})
        self._sending = True
        try:
            await self._sends(message)
        finally:
            self._sending = False

    async def refuse(self, why: Refusal) -> None:
        """Send a refusal; what is left of the request's body is read away first, within bounds."""
        is_small = self._read or (
            b"transfer-encoding" not in self.headers
            and int(self.headers.get(b"content-length", b"0")) <= SMALL
        )
        closing = {"connection": "close"} if why.closes or not is_small else NOTHING
        headers = {**why.headers, **closing}
        if self._read:
            await self.answer(why.status, why.body, headers)
            return
        await self.start(why.status, headers, "application/json", len(why.body))
        await self._send({"type": "http.response.body", "body": why.body, "more_body": True})
        await throw_away(self._receive)
        await self._send({"type": "http.response.body"})

    def leave(self) -> None:
        """The client has gone: the work for it is cancelled."""
        self.gone = True
        self.task.cancel()


class Presence:
    """Watches that the client is still there; where it leaves, the work for it is cancelled.

    To be left before the last piece of the answer is sent: servers report the end of an answer as
    the client's leaving.
    """

    __slots__ = ("_exchange", "_watcher")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        exchange = self._exchange
        if exchange.direct is not None:
            exchange.direct.watch(exchange.leave)
        else:
            self._watcher = asyncio.get_running_loop().create_task(_watch(exchange))

    def __exit__(self, *exc: object) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        elif self._exchange.direct is not None:
            self._exchange.direct.unwatch()


async def _watch(exchange: Exchange) -> None:
    # Knows nothing of who watches: an exception that knows its own task is freed by a search alone.
    while (await exchange.receive())["type"] != "http.disconnect":
        pass  # more of a body that is complete: nothing does that
    exchange.leave()


def direct_of(scope: Mapping[str, Any], send: Send) -> Direct | None:
    """The server's own way past ASGI's messages, where nobody stands between it and the app.

    It is taken out of the scope, which it knows: both would be freed by a search alone.
    """
    direct: Direct | None = scope.get("state", {}).pop(DIRECT, None)
    return direct if direct is not None and direct.sends_by(send) else None


def named(scope: Mapping[str, Any], send: Send) -> Send:
    """The same `send`, whose answers carry the request's names."""
    names = names_of(new_request_id(), dict(scope["headers"]))
    sent = [(name.encode(), value.encode()) for name, value in names.items()]

    async def sends(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *sent]
        await send(message)

    return sends


def start_of(status: int, told: Mapping[str, str], length: int | None = None) -> Message:
    """ASGI's message of status and headers; `length` is the body's, if known."""
    sent = [(name.encode(), value.encode()) for name, value in told.items()]
    if length is not None:
        sent.append((b"content-length", b"%d" % length))
    return {"type": "http.response.start", "status": status, "headers": sent}


def lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they are sent, but for the end of the last line."""
    return "\r\n".join(map(": ".join, headers.items())).encode()


def is_clean(text: str) -> bool:
    """Whether nothing in a header's value can be taken for anything else."""
    return text.isascii() and text.isprintable()


def clean(value: str) -> str:
    """A header's value that cannot be taken for anything else."""
    if is_clean(value):
        return value
    return value.encode("unicode_escape").decode().replace("\r", "").replace("\n", "")


def current_task() -> asyncio.Task[Any]:
    """The task that runs; there is one wherever an app is called."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a gateway is called by tasks of an event loop")
    return task
