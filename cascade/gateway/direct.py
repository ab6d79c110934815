"""A request's way past ASGI's messages, for an app that knows its server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from cascade.gateway.connection import Connection

__all__ = ["Direct"]

CHUNKED = b"transfer-encoding: chunked\r\n"


class Direct(RequestResponseCycle):
    """Uvicorn's state of one request, and what an app may do with it past ASGI's messages.

    Uvicorn checks each header of each answer, and tells that a client has left only to whoever
    waits for it in a task.

    Args:
        connection: that the request came by.
        is_kept: whether the connection goes on after the answer.
    """

    def __init__(self, connection: Connection, *, is_kept: bool) -> None:
        super().__init__(
            scope=connection.scope,
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=connection.access_log,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=connection.expect_100_continue,
            keep_alive=is_kept,
            on_response=connection.on_response_complete,
        )
        self._connection = connection
        self._pieces: list[bytes] = []
        self._is_old = connection.scope["http_version"] == "1.0"
        self._is_bare = False  # the body is not framed: it ends with the connection

    async def send(self, message: Any) -> None:
        """Send a message of ASGI's; a body of unknown length as HTTP 1.0 reads it, not in chunks.

        What follows a head without a length is then bounded by the end of the connection alone.
        """
        if self._is_old:
            if message["type"] == "http.response.start":
                names = (name.lower() for name, _ in message.get("headers", ()))
                self._is_bare = b"content-length" not in names
                self.chunked_encoding = False if self._is_bare else None
            elif self._is_bare:
                self.expected_content_length = len(message.get("body", b""))
        await super().send(message)

    def sends_by(self, send: object) -> bool:
        """Whether this is what sends the server's own messages, rather than what wraps it."""
        return send == self.send

    def whole_body(self) -> bytes | None:
        """The request's body, where all of it has come; `None` where it is to be awaited."""
        if self.more_body or self.disconnected:
            return None
        body = bytes(self.body)
        self.body = bytearray()
        return body

    def watch(self, on_leave: Callable[[], None]) -> None:
        """Have it called once the client leaves, which is now where it has left."""
        self.flow.resume_reading()  # what is not read does not end
        if self._connection.is_lost:
            on_leave()
        else:
            self._connection.on_leave = on_leave

    def unwatch(self) -> None:
        """Nobody works for the client any more."""
        self._connection.on_leave = None

    def answer(self, status: int, head: bytes, body: bytes) -> bool:
        """Send a whole answer, whose headers are lines already; False where that has to wait."""
        if self.flow.write_paused:
            return False
        if self._begin():
            self.response_complete = True
            length = b"content-length: %d\r\n" % len(body)
            self.transport.write(self._head(status, head, length) + body)
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
        return True

    def start(self, status: int, head: bytes, length: int | None) -> None:
        """Send status and headers, which are lines already; `length` is the body's, if known.

        What follows are ASGI's messages for the body; pieces of one may also be told to `write`.
        """
        if self._begin():
            self._is_bare = self._is_old and length is None
            self.chunked_encoding = length is None and not self._is_bare
            self.expected_content_length = length or 0
            framed = b"content-length: %d\r\n" % length if length is not None else CHUNKED
            self.transport.write(self._head(status, head, b"" if self._is_bare else framed))

    def write(self, data: bytes) -> bool:
        """Send a piece of a streamed body; False where the client does not keep up.

        Pieces that come without anybody waiting in between go out as one.
        """
        if not self._pieces:
            self._connection.loop.call_soon(self._send)
        self._pieces.append(data)
        return not self.flow.write_paused

    async def writable(self) -> None:
        """Wait until the client has read."""
        await self.flow.drain()

    def unsent(self) -> bytes:
        """Pieces that have not gone out yet; they will not."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def _begin(self) -> bool:
        """Begin to answer; False where nobody is there for it."""
        if self._connection.is_lost:
            self.disconnected = True  # uvicorn says so to the latest request of a connection alone
            return False
        self.response_started = True
        self.waiting_for_100_continue = False
        return True

    def _head(self, status: int, head: bytes, framed: bytes) -> bytes:
        own = [b"%b: %b\r\n" % header for header in self.default_headers]  # the date
        if not self.keep_alive:
            own.append(b"connection: close\r\n")
        return b"%b%b\r\n%b%b\r\n" % (STATUS_LINE[status], head, framed, b"".join(own))

    def _send(self) -> None:
        data = self.unsent()
        if data and not self._connection.is_lost:
            framed = data if self._is_bare else b"%x\r\n%b\r\n" % (len(data), data)
            self.transport.write(framed)
