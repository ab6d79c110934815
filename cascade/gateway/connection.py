"""One connection: uvicorn's, with bounds on heads and times, and refusals in OpenAI's shape.

No request sets a timer: `check_times` looks at every connection once a second instead. What each
request calls is written out here, for what it does; uvicorn's own serves more than one purpose.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from cascade.gateway import refusals
from cascade.gateway.direct import Direct
from cascade.gateway.exchange import DIRECT
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
        answered_at: when the latest answer was complete.
        on_leave: called where the client leaves before its answer is complete.
        is_lost: whether it has left.
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
        self.answered_at: float | None = None
        self.on_leave: Callable[[], None] | None = None
        self.is_lost = False
        self._unended = self._latest = self._most = 0
        self._refused = self._is_deaf = self._has_body_ahead = False
        self._place: tuple[bytes, dict[str, Any]] = (b"", {})
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self.refuse(refusals.overloaded())

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended; whoever works for the client is told."""
        self.is_lost = True
        super().connection_lost(exc)
        if self.on_leave is not None:
            self.on_leave()

    def data_received(self, data: bytes) -> None:
        """More bytes; those of a head count also where it never comes to an end."""
        if self._refused:
            return
        if self._is_idle():
            self.head_since = time.monotonic()
        self._latest = latest = len(data)
        self._unended += latest
        self._most += latest
        self._parse(data)
        if self.head_since is not None and self._unended > self.limits.max_head_bytes:
            self.refuse(refusals.head_too_large())

    def _parse(self, data: bytes) -> None:
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
        self._most = self._latest
        if self.head_since is None:  # pipelined
            self.head_since = time.monotonic()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        if not self._is_deaf:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those after a body are not kept."""
        if self.head_since is None:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A whole head: the request is answered, unless the head was too much."""
        if self._is_deaf:
            return
        is_too_much = self._is_too_much()
        self.head_since, self.body_since, self._unended = None, time.monotonic(), 0
        if is_too_much:
            self.refuse(refusals.head_too_large())
        elif not self._refused:
            hosts = len([name for name, _ in self.headers if name == b"host"])
            if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
                self.refuse(refusals.wrong_hosts(hosts))
            else:
                self._take_on()

    def _take_on(self) -> None:
        """Begin to answer the request, or let it wait until the one before it is answered."""
        parser = self.parser
        version = parser.get_http_version()
        scope: Any = self.scope
        scope["http_version"] = version
        scope["method"] = parser.get_method().decode("ascii")
        if self._place[0] != self.url:
            self._place = self.url, self._place_of(self.url)
        scope.update(self._place[1])
        earlier = self.cycle
        self.cycle = cycle = Direct(self, is_kept=version != "1.0" and parser.should_keep_alive())
        scope["state"][DIRECT] = cycle
        if earlier is None or earlier.response_complete:
            self._answer(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _place_of(self, url: bytes) -> dict[str, Any]:
        """What a scope tells of a URL; most clients ask for the same one again and again."""
        parsed = httptools.parse_url(url)
        path = parsed.path.decode("ascii")
        if "%" in path:
            path = unquote(path)
        return {
            "path": self.root_path + path,
            "raw_path": self.root_path.encode("ascii") + parsed.path,
            "query_string": parsed.query or b"",
        }

    def _answer(self, cycle: RequestResponseCycle) -> None:
        task = self.loop.create_task(cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_body(self, body: bytes) -> None:
        """Part of a body; what comes after the answer is not kept."""
        cycle = self.cycle
        if self._refused or cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """A whole request; where it offers to speak something else, its body is yet to come."""
        if self.parser.should_upgrade() and any(
            name in FRAMING and value != b"0" for name, value in self.headers
        ):
            self._has_body_ahead = True
            return
        self.body_since, self._unended = None, 0
        cycle = self.cycle
        if not self._refused and not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """A whole answer has been written; the next request that is there gets its own."""
        self.answered_at = time.monotonic()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, _ = self.pipeline.pop()
            self._answer(cycle)

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
        elif _is_over(self.answered_at, now, limits.keep_alive_s) and self._is_idle():
            self.transport.close()

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_idle(self) -> bool:
        return self.head_since is None and self._is_between_requests()

    def _is_between_requests(self) -> bool:
        return self.body_since is None and self._is_answered()

    def _is_too_much(self) -> bool:
        """Whether the head that has just ended is beyond its bounds.

        Nearly always everything that has come since it began is within them.
        """
        limits = self.limits
        if len(self.headers) > limits.max_headers:
            return True
        if self._most <= limits.max_head_bytes:
            return False
        size = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.url) + size > limits.max_head_bytes


def _is_over(since: float | None, now: float, limit_s: float) -> bool:
    return since is not None and now - since > limit_s
