"""One connection: uvicorn's, with bounds on heads and times, and refusals in OpenAI's shape.

No request sets a timer: `check_times` looks at every connection once a second instead.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cascade.gateway import refusals
from cascade.gateway.limits import Limits
from cascade.gateway.refusals import Refusal
from cascade.gateway.request_ids import new_request_id

__all__ = ["Connection"]

FRAMING = (b"content-length", b"transfer-encoding")


class Connection(HttpToolsProtocol):
    """A connection that takes a head of a certain size, within a certain time.

    Attributes:
        limits: of the class, because uvicorn makes the instances; see `bounded`.
        head_since: since when a head is waited for; `None` in between.
        body_since: since when a body is waited for.
        stuck_since: since when the client does not read.
    """

    limits: ClassVar[Limits] = Limits()

    @classmethod
    def bounded(cls, limits: Limits) -> type[Connection]:
        """The class with these limits."""
        return type("Connection", (cls,), {"limits": limits})

    def connection_made(self, transport: Any) -> None:
        """A client has connected; one too many is sent away."""
        self.head_since: float | None = time.monotonic()
        self.body_since: float | None = None
        self.stuck_since: float | None = None
        self._size = self._count = self._unended = 0
        self._refused = self._is_deaf = self._has_body_ahead = False
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self.refuse(refusals.overloaded())

    def data_received(self, data: bytes) -> None:
        """More bytes; those of a head count also where it never comes to an end."""
        if self._refused:
            return
        if self.head_since is None and self._is_between_requests():
            self.head_since = time.monotonic()
        self._unended += len(data)
        self._parse(data)
        if self.head_since is not None and self._unended > self.limits.max_head_bytes:
            self.refuse(refusals.head_too_large())

    def _parse(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                if self._has_body_ahead:
                    self._pass_over_offer()
            except httptools.HttpParserError:
                self.refuse(refusals.not_http())
                return
            else:
                return

    def _pass_over_offer(self) -> None:
        """Read the body of a request that offered to speak something else, as if it had not.

        The parser takes what follows for the other protocol, but Java's HTTP client offers HTTP/2
        with every request, bodies included. A fresh parser is told how the body is framed.
        """
        self._has_body_ahead = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        framed = b"".join(b"%s: %s\r\n" % item for item in self.headers if item[0] in FRAMING)
        self._is_deaf = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framed + b"\r\n")
        except httptools.HttpParserError:  # a framing that only another protocol knows
            self.refuse(refusals.not_http())
        self._is_deaf = False

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._is_deaf:
            return
        self._size = self._count = 0
        if self.head_since is None:  # pipelined
            self.head_since = time.monotonic()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        if self._is_deaf:
            return
        self._size += len(url)
        if self._size <= self.limits.max_head_bytes:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; beyond the bounds, or after a body, it is not kept."""
        if self.head_since is None:
            return
        self._size += len(name) + len(value)
        self._count += 1
        if not self._is_too_much():
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A whole head: the request is answered, unless the head was too much."""
        if self._is_deaf:
            return
        self.head_since, self.body_since, self._unended = None, time.monotonic(), 0
        if self._is_too_much():
            self.refuse(refusals.head_too_large())
        elif not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Part of a body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A whole request; where it offers to speak something else, its body is yet to come."""
        if self.parser.should_upgrade() and any(
            name in FRAMING and value != b"0" for name, value in self.headers
        ):
            self._has_body_ahead = True
            return
        self.body_since, self._unended = None, 0
        if not self._refused:
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not read, and the buffers are full."""
        self.stuck_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self.stuck_since = None
        super().resume_writing()

    def refuse(self, why: Refusal) -> None:
        """Answer without the app, and close."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.cycle is not None and self.cycle.response_started and not self._is_answered():
            self.transport.abort()  # in the middle of another answer there is no place for this one
            return
        head = (
            b"content-type: application/json\r\nconnection: close\r\n"
            b"x-request-id: %s\r\ncontent-length: %d\r\n\r\n"
        )
        head %= (new_request_id().encode(), len(why.body))
        self.transport.write(STATUS_LINE[why.status] + head + why.body)
        self.transport.close()

    def check_times(self, now: float) -> None:
        """End the connection of a client that is too slow."""
        limits = self.limits
        if _is_over(self.stuck_since, now, limits.write_timeout_s):
            self.transport.abort()  # closing would wait until the client reads
        elif _is_over(self.head_since, now, limits.head_timeout_s):
            if self._unended:
                self.refuse(refusals.too_slow("head", limits.head_timeout_s))
            self.transport.close()
        elif _is_over(self.body_since, now, limits.body_timeout_s) and self._is_answered():
            self.transport.close()  # it goes on with a body that nobody reads any more

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_between_requests(self) -> bool:
        return self.body_since is None and self._is_answered()

    def _is_too_much(self) -> bool:
        return self._size > self.limits.max_head_bytes or self._count > self.limits.max_headers


def _is_over(since: float | None, now: float, limit_s: float) -> bool:
    return since is not None and now - since > limit_s
