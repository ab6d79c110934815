"""The client under the SDK's clients that are made here: httpx2's interface, aiohttp's connections.

The SDK sends through an `httpx2.AsyncClient`. Its own backend costs more the more connections are
open and keeps at most 100 of them; aiohttp's pool and C parser cost less than half. The SDK brings
a backend for aiohttp too, but that one reports a connection dropped after the request was sent as
one that was never made, and what was sent may have been billed.

Needs aiohttp; without it, or behind a proxy, the SDK's own backend serves.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import httpx2
from httpx2 import USE_CLIENT_DEFAULT

from cascade.provider.connections import AiohttpTransport

__all__ = ["IN_HAND", "AiohttpClient"]

USUAL = frozenset({"headers", "content", "timeout"})
"""What the SDK gives with every request."""

IN_HAND: ContextVar[httpx2.Response | Exception | None] = ContextVar("IN_HAND", default=None)
"""What came of a request that was sent already; the next one to be sent gets it."""

_httpx_url = lru_cache(64)(httpx2.URL)


class AiohttpClient(httpx2.AsyncClient):
    """An `httpx2.AsyncClient` on aiohttp that takes the short way for what the SDK sends.

    The SDK gives every header and the whole body, so nothing is left to merge. No cookies are kept:
    the API sets none that it needs back.

    Attributes:
        connections: what it sends over.
    """

    def __init__(self, **settings: Any) -> None:
        self.connections = AiohttpTransport()
        super().__init__(transport=self.connections, follow_redirects=True, **settings)
        self._standing = [
            (name, value)
            for name, value in self.headers.items()
            if name in ("accept-encoding", "connection")
        ]

    def build_request(self, method: str, url: Any, **given: Any) -> httpx2.Request:
        """A request as it is given; anything out of the ordinary goes the long way."""
        headers: Any = given.get("headers")
        timeout: Any = given.get("timeout")
        usual = isinstance(headers, list) and isinstance(timeout, httpx2.Timeout)
        if not usual or any(given[name] for name in given.keys() - USUAL):
            return super().build_request(method, url, **given)
        names = {name.lower() for name, _ in headers}
        return httpx2.Request(
            method,
            _httpx_url(str(url)),
            headers=headers + [item for item in self._standing if item[0] not in names],
            content=given.get("content"),
            extensions={"timeout": timeout.as_dict()},
        )

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = USE_CLIENT_DEFAULT,
        follow_redirects: Any = USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        """Send a request; one with credentials of httpx2's kind, or redirected, the long way."""
        if self.is_closed or auth is not USE_CLIENT_DEFAULT:
            return await super().send(
                request, stream=stream, auth=auth, follow_redirects=follow_redirects
            )
        response = _in_hand(request) or await self.connections.handle_async_request(request)
        if response.has_redirect_location:
            await response.aclose()
            return await super().send(request, stream=stream, follow_redirects=follow_redirects)
        if not stream:
            try:
                await response.aread()
            finally:
                await response.aclose()
        return response


def _in_hand(request: httpx2.Request) -> httpx2.Response | None:
    found = IN_HAND.get()
    if found is None:
        return None
    IN_HAND.set(None)
    if isinstance(found, Exception):
        raise found
    found.request = request
    return found
