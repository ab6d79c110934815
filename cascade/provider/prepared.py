"""Posts to one address past aiohttp's requests: what all of them have in common is made once.

`ClientSession.request` makes each request anew: it merges headers, looks for cookies and proxies,
and starts a task that writes. For JSON that is posted to one address there is nothing to find out,
so the head stands ready as bytes. Pool, sockets, TLS and parser stay aiohttp's, and so does what an
error is called.
"""

from __future__ import annotations

from functools import cache
from inspect import signature
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDictProxy

from cascade.provider.quiet import Quiet, caught_up

__all__ = ["Answer", "Header", "PreparedPost", "is_possible"]

INTERIM = range(100, 200)
SWITCHED = 101
"""An interim status is followed by the answer's own, unless it changes the protocol."""

ENDS_LINE = frozenset("\r\n\0")

Header = tuple[str, str]
"""Name and value."""

USED: dict[Any, set[str]] = {
    aiohttp.BaseConnector.connect: {"req", "traces", "timeout"},
    ResponseHandler.set_response_params: {
        "auto_decompress",
        "max_field_size",
        "max_line_size",
        "read_timeout",
        "read_until_eof",
    },
    ResponseHandler.start_timeout: set(),
    ResponseHandler.read: set(),
}
"""What is used of aiohttp that it does not document."""


@cache
def is_possible() -> bool:
    """Whether this aiohttp has what is used of it; another one's session does the same."""
    return all(names <= signature(method).parameters.keys() for method, names in USED.items())


class PreparedPost:
    """Posts JSON to one address.

    Args:
        connector: whose connections are used.
        request: a request to the address as a session makes it; tells its head, and is not sent.
        bounds: of lines of an answer's head, as aiohttp's parser takes them.
        quiet: since when nothing was asked over these connections.
    """

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        request: ClientRequest,
        bounds: dict[str, int],
        quiet: Quiet,
    ) -> None:
        self._connector = connector
        self._request = request
        self._bounds = bounds
        self._quiet = quiet
        self._head = b""

    async def send(self, data: bytes, header: Header, limits: aiohttp.ClientTimeout) -> Answer:
        """Send a body, with a header of its own; gives the answer, its own body unread.

        Raises:
            Exception: what a session of aiohttp's raises.
        """
        if self._connector.closed:
            raise RuntimeError("Session is closed")
        if self._quiet.ends():
            await caught_up()
        head = self._head or self._common_head()
        try:
            connection = await self._connector.connect(self._request, [], limits)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(
                f"Connection timeout to host {self._request.url}"
            ) from error
        try:
            protocol: Any = connection.protocol
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                read_timeout=limits.sock_read,
                **self._bounds,
            )
            told = (head, _line(*header).encode(), len(data), data)
            protocol.transport.write(b"%b%bContent-Length: %d\r\n\r\n%b" % told)
            protocol.start_timeout()
            message, content = await protocol.read()
            while message.code in INTERIM and message.code != SWITCHED:
                message, content = await protocol.read()
            return Answer(connection, message, content)
        except BaseException as error:
            connection.close()
            if isinstance(error, HttpProcessingError):
                raise self._no_http(error) from error
            raise

    def _no_http(self, error: HttpProcessingError) -> aiohttp.ClientResponseError:
        return aiohttp.ClientResponseError(
            self._request.request_info,
            (),
            status=error.code,
            message=error.message,
            headers=error.headers,
        )

    def _common_head(self) -> bytes:
        """The lines that all requests begin with."""
        lines = [f"POST {self._request.url.raw_path_qs} HTTP/1.1\r\n"]
        for name, text in self._request.headers.items():
            if name.lower() != "content-length":
                lines.append(_line(name, text))
        self._head = "".join(lines).encode()
        return self._head


class Answer:
    """An answer whose head has come; so much of `aiohttp.ClientResponse` as is looked at.

    Args:
        connection: that it comes by.
        message: its head.
        content: its body, while it comes.
    """

    def __init__(
        self, connection: aiohttp.connector.Connection, message: Any, content: aiohttp.StreamReader
    ) -> None:
        self.status: int = message.code
        self.reason: str = message.reason
        self.headers: CIMultiDictProxy[str] = message.headers
        self.raw_headers: tuple[tuple[bytes, bytes], ...] = message.raw_headers
        self.content = content
        self._connection: aiohttp.connector.Connection | None = connection
        content.on_eof(self._is_read)

    @property
    def closed(self) -> bool:
        """Whether its connection is not needed any more."""
        return self._connection is None

    def close(self) -> None:
        """Close the connection of an answer that was not read to its end."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _is_read(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()


def _line(name: str, text: str) -> str:
    if not ENDS_LINE.isdisjoint(name + text):
        raise ValueError("a header holds a line break, which would begin another header")
    return f"{name}: {text}\r\n"
