"""What the SDK would send, sent without it: two thirds of a call's work is making its request.

The SDK rehearses once for each path: its request is kept and not sent. Later ones differ in their
body and their time limit alone, and go straight to the connections. Whatever comes back other than
an answer is handed to the SDK as if it had sent the request itself, so that errors are its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import httpx2
from multidict import CIMultiDict, CIMultiDictProxy

from cascade.provider.connections import IN_HAND, AiohttpClient, as_httpx, limits_of, renamed

__all__ = ["ShortWay"]

READ_TIMEOUT = "x-stainless-read-timeout"

MADE_ANEW = frozenset({"content-length", READ_TIMEOUT})
"""Headers that differ from one request to the next."""

PLAIN_CODINGS = ("", "identity")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
"""As the SDK encodes a body; a request holds nothing but plain JSON."""

log = logging.getLogger("openai")

Send = Callable[[], Awaitable[httpx2.Response]]


class ShortWay:
    """Sends requests over the connections of an `AiohttpClient`.

    Args:
        http: the client under the SDK's.
    """

    def __init__(self, http: AiohttpClient) -> None:
        self._http = http
        self._known: dict[str, tuple[str, CIMultiDict[str]]] = {}

    async def post(
        self, path: str, body: Mapping[str, Any], limit: httpx2.Timeout, through_sdk: Send
    ) -> Straight | httpx2.Response:
        """Send a body; gives the response with its own body unread.

        Args:
            path: where the SDK is told to send it.
            body: what is asked.
            limit: how long it may take.
            through_sdk: sends the same through the SDK.

        Raises:
            Exception: whatever the SDK raises for it.
        """
        if self._http.is_closed or log.isEnabledFor(logging.DEBUG):  # its log shows every request
            return await through_sdk()
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = await _rehearsed(through_sdk)
        data = _encode(body).encode()
        url, headers = known[0], known[1].copy()
        if limit.read is not None:
            headers[READ_TIMEOUT] = str(limit.read)
        limits = limits_of(limit.connect, limit.read)
        try:
            response = await self._http.connections.request("POST", url, headers, data, limits)
        except Exception as error:  # noqa: BLE001  the SDK tells what it means
            return await _with(error, through_sdk)
        if _is_answer(response):
            return Straight(response)
        return await _with(as_httpx(response), through_sdk)


class Straight:
    """An answer, as far as it is looked at.

    Args:
        response: aiohttp's.

    Attributes:
        headers: its headers.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.headers: CIMultiDictProxy[str] = response.headers

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The pieces of the body as they come."""
        with renamed:
            async for data in self._response.content.iter_any():
                yield data

    async def aclose(self) -> None:
        """Give the connection back; one whose body was not read to its end is closed."""
        self._response.close()


def _is_answer(response: aiohttp.ClientResponse) -> bool:
    """Whether the SDK would pass it on as it is, bytes and headers."""
    headers = response.headers
    return (
        httpx2.codes.is_success(response.status)
        and headers.get("content-encoding", "") in PLAIN_CODINGS
        and headers.get("x-request-id", "").isascii()
    )


async def _rehearsed(through_sdk: Send) -> tuple[str, CIMultiDict[str]]:
    """Where the SDK sends a request, and its headers."""
    sent = (await _with(httpx2.Response(200), through_sdk)).request
    kept = [(name, text) for name, text in sent.headers.multi_items() if name not in MADE_ANEW]
    return str(sent.url), CIMultiDict(kept)


async def _with(found: httpx2.Response | Exception, through_sdk: Send) -> httpx2.Response:
    """Let the SDK send a request that gets a given response."""
    token = IN_HAND.set(found)
    try:
        return await through_sdk()
    finally:
        IN_HAND.reset(token)
