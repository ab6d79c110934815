"""aiohttp's connections: what goes over them for httpx2, and what is posted to one address.

Responses and errors bear httpx2's names, which the SDK knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import Any

import aiohttp
import httpx2
from aiohttp.client_exceptions import InvalidURL, NonHttpUrlClientError
from multidict import CIMultiDict
from yarl import URL

from cascade.provider.prepared import Answer, Header, PreparedPost, is_possible
from cascade.provider.quiet import Quiet, caught_up
from cascade.provider.tls import trusted

__all__ = ["AiohttpTransport", "Line", "Response", "as_httpx", "limits_of", "named"]

MAX_CONNECTIONS = 1000
"""The SDK's own limit."""

LARGE_BYTES = 2**20
"""A body from here on is sent in pieces: as one it would hold the event loop up, says aiohttp."""

AT_ONCE_BYTES = 2**16
"""A body up to this leaves at once; with a larger one a session waits until the server takes it."""

KEEPALIVE_S = 15.0
"""aiohttp's own: how long an unused connection is kept."""

LONGEST_HEADER = 131_072
"""Bytes of one header; gateways send policies and cookies longer than the 8,190 aiohttp allows, and
httpx2 takes them."""

ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (TimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ServerFingerprintMismatch, httpx2.ConnectError),
    (InvalidURL, httpx2.UnsupportedProtocol),
    (NonHttpUrlClientError, httpx2.UnsupportedProtocol),
    (aiohttp.ClientConnectionError, httpx2.RemoteProtocolError),
    (aiohttp.ClientError, httpx2.RemoteProtocolError),
    (OSError, httpx2.ReadError),
    (ValueError, httpx2.LocalProtocolError),
)
"""What aiohttp's exceptions are called by httpx2, in the order they must be tried. Whatever comes
after a request was sent must not look like a connection that was never made."""

Response = aiohttp.ClientResponse | Answer

_yarl_url = lru_cache(64)(lambda url: URL(url, encoded=True))


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Carries httpx2's requests over aiohttp's connections; belongs to one event loop.

    Attributes:
        quiet: since when nothing was asked.
    """

    def __init__(self) -> None:
        self._owner: AsyncGenerator[list[aiohttp.ClientSession]] | None = None
        self._sessions: list[aiohttp.ClientSession] = []
        self.quiet = Quiet()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; gives the response with its body unread."""
        timeout = request.extensions.get("timeout", {})
        session = await self._first()
        try:
            response = await self.send(
                session,
                request.method,
                _yarl_url(str(request.url)),
                data=await request.aread(),
                headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
                limits=limits_of(timeout.get("connect"), timeout.get("read")),
            )
        except Exception as error:  # noqa: BLE001  by its other name
            raise named(error)  # noqa: B904  knows its cause
        return as_httpx(response, request)

    async def line(self, url: str, headers: CIMultiDict[str]) -> Line:
        """A way to one address that holds the headers which all requests have."""
        first = await self._first()
        skipped = [name for name in AUTOMATIC if name not in headers]
        session = _new_session(
            connector=first.connector,
            connector_owner=False,
            headers=headers,
            skip_auto_headers=skipped,
        )
        self._sessions.append(session)
        return Line(self, session, _yarl_url(url), self._prepared(session, _yarl_url(url)))

    def _prepared(self, session: aiohttp.ClientSession, url: URL) -> PreparedPost | None:
        """What posts to an address as a session does, where this aiohttp allows it."""
        if session.connector is None or not is_possible():
            return None
        request = aiohttp.ClientRequest(
            "POST",
            url,
            headers=session.headers,
            skip_auto_headers=session.skip_auto_headers,
            loop=asyncio.get_running_loop(),
            session=session,
        )
        return PreparedPost(session.connector, request, BOUNDS, self.quiet)

    async def _first(self) -> aiohttp.ClientSession:
        """The session that owns the connections."""
        if self._owner is None:
            self._owner = _all_sessions()
            self._sessions = await anext(self._owner)
        return self._sessions[0]

    async def send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        *,
        data: bytes,
        headers: Any,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Send a request over one of the sessions; gives the response with its body unread."""
        if self.quiet.ends():
            await caught_up()
        body = data if len(data) < LARGE_BYTES else BytesIO(data)
        return await session.request(
            method, url, data=body, headers=headers, timeout=limits, allow_redirects=False
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owner is not None:
            await self._owner.aclose()


class Line:
    """Posts to one address. What all requests have in common is merged once, not for each.

    Args:
        transport: whose connections are used.
        session: a session over them with the common headers.
        url: the address.
        prepared: sends what is not large without the session; `None` where that is not possible.
    """

    def __init__(
        self,
        transport: AiohttpTransport,
        session: aiohttp.ClientSession,
        url: URL,
        prepared: PreparedPost | None,
    ) -> None:
        self._transport = transport
        self._session = session
        self._url = url
        self._prepared = prepared

    def post(
        self, data: bytes, header: Header, limits: aiohttp.ClientTimeout
    ) -> Awaitable[Response]:
        """Post a body; gives aiohttp's response, its body unread.

        Raises:
            Exception: what aiohttp raises; see `named`.
        """
        if self._prepared is not None and len(data) <= AT_ONCE_BYTES:
            return self._prepared.send(data, header, limits)
        return self._transport.send(
            self._session, "POST", self._url, data=data, headers=[header], limits=limits
        )


def as_httpx(response: Response, request: httpx2.Request | None = None) -> httpx2.Response:
    """A response of aiohttp's as one of httpx2's."""
    return httpx2.Response(
        response.status,
        headers=response.raw_headers,
        stream=AiohttpStream(response),
        request=request,
        extensions={
            "http_version": b"HTTP/1.1",
            "reason_phrase": (response.reason or "").encode("ascii", "replace"),
        },
    )


class AiohttpStream(httpx2.AsyncByteStream):
    """The body of a response as it comes."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._response.content.iter_any():
                yield data
        except Exception as error:  # noqa: BLE001  by its other name
            raise named(error)  # noqa: B904  knows its cause

    async def aclose(self) -> None:
        """Give the connection back; one whose body was not read to its end is closed."""
        self._response.close()


async def _all_sessions() -> AsyncGenerator[list[aiohttp.ClientSession]]:
    """A session, and those that join it, which close with their event loop if nobody does before.

    An event loop that ends closes the generators that began in it; that keeps a forgotten client
    from leaving sockets open and warnings behind.
    """
    session = _new_session(
        connector=aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=KEEPALIVE_S, ssl=trusted()
        ),
        skip_auto_headers=AUTOMATIC,
    )
    sessions = [session]  # kept by this frame: one that is dropped before the end would complain
    try:
        yield sessions
    finally:
        with suppress(RuntimeError):  # the event loop has closed, and every connection with it
            await session.close()  # and so do those that use its connections


AUTOMATIC = ("accept", "accept-encoding", "user-agent")
"""Headers that aiohttp adds where there are none."""


BOUNDS: dict[str, Any] = {"max_line_size": LONGEST_HEADER, "max_field_size": LONGEST_HEADER}


def _new_session(**more: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # httpx2 does it
        **BOUNDS,
        **more,
    )


@lru_cache(64)
def limits_of(connect_s: float | None, read_s: float | None) -> aiohttp.ClientTimeout:
    """Time limits as aiohttp takes them."""
    return aiohttp.ClientTimeout(sock_connect=connect_s, sock_read=read_s)


def named(error: Exception) -> Exception:
    """An exception of aiohttp's under httpx2's name; any other as it is."""
    for known, name in ERRORS:
        if isinstance(error, known):
            other = name(str(error) or type(error).__name__)
            other.__cause__ = error
            return other
    return error
