"""What the SDK would send, sent without it: two thirds of a call's work is making its request.

The SDK rehearses once for each path: its request is kept and not sent. Later ones differ in their
body and their time limit alone, and go straight to the connections. Whatever comes back other than
an answer is handed to the SDK as if it had sent the request itself, so that errors are its own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import httpx2
from multidict import CIMultiDict, CIMultiDictProxy

from cascade.core.plain_json import strict_json
from cascade.provider.body import connect_timeout_s
from cascade.provider.connections import Line, Response, as_httpx, limits_of, named
from cascade.provider.http_client import IN_HAND, AiohttpClient

__all__ = ["ShortWay"]

READ_TIMEOUT = "x-stainless-read-timeout"

MADE_ANEW = frozenset({"content-length", READ_TIMEOUT})
"""Headers that differ from one request to the next."""

PLAIN_CODINGS = ("", "identity")

log = logging.getLogger("openai")

Send = Callable[[], Awaitable[httpx2.Response]]


class ShortWay:
    """Sends requests over the connections of an `AiohttpClient`.

    Args:
        http: the client under the SDK's.
    """

    def __init__(self, http: AiohttpClient) -> None:
        self._http = http
        self._known: dict[str, Line] = {}

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        timeout_s: float,
        *,
        stream: bool,
        through_sdk: Send,
    ) -> Straight | httpx2.Response:
        """Send a body; gives the response with its own body unread.

        Args:
            path: where the SDK is told to send it.
            body: what is asked.
            timeout_s: how long it may take.
            stream: whether this holds for each piece of the answer; else the caller stops it.
            through_sdk: sends the same through the SDK.

        Raises:
            Exception: whatever the SDK raises for it.
        """
        if self._http.is_closed or log.isEnabledFor(logging.DEBUG):  # its log shows every request
            return await through_sdk()
        line = self._known.get(path) or await self._rehearse(path, through_sdk)
        data = strict_json(body)
        limits = limits_of(connect_timeout_s(timeout_s), timeout_s if stream else None)
        try:
            response = await line.post(data, (READ_TIMEOUT, str(timeout_s)), limits)
        except Exception as error:  # noqa: BLE001  the SDK tells what it means
            return await _with(named(error), through_sdk)
        if _is_answer(response):
            return Straight(response)
        return await _with(as_httpx(response), through_sdk)

    async def _rehearse(self, path: str, through_sdk: Send) -> Line:
        """See where the SDK sends a request, and its headers."""
        sent = (await _with(httpx2.Response(200), through_sdk)).request
        kept = [(name, text) for name, text in sent.headers.multi_items() if name not in MADE_ANEW]
        if path not in self._known:  # else another call was faster
            line = await self._http.connections.line(str(sent.url), CIMultiDict(kept))
            self._known[path] = line
        return self._known[path]


class Straight:
    """An answer, as far as it is looked at.

    Args:
        response: as the line gives it.

    Attributes:
        headers: its headers.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self.headers: CIMultiDictProxy[str] = response.headers

    async def aread(self) -> bytes:
        """The whole body."""
        content = self._response.content
        try:
            return content.read_nowait() if content.is_eof() else await content.read()
        except Exception as error:  # noqa: BLE001  by its other name
            raise named(error)  # noqa: B904  knows its cause

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The pieces of the body as they come."""
        try:
            while data := await self._response.content.readany():
                yield data
        except Exception as error:  # noqa: BLE001  by its other name
            raise named(error)  # noqa: B904  knows its cause

    @property
    def is_closed(self) -> bool:
        """Whether its connection has been given back, as it is at the end of the body."""
        return self._response.closed

    async def aclose(self) -> None:
        """Give the connection back; one whose body was not read to its end is closed."""
        self._response.close()


def _is_answer(response: Response) -> bool:
    """Whether the SDK would pass it on as it is, bytes and headers."""
    headers = response.headers
    return (
        200 <= response.status < 300  # noqa: PLR2004
        and headers.get("content-encoding", "") in PLAIN_CODINGS
        and headers.get("x-request-id", "").isascii()
    )


async def _with(found: httpx2.Response | Exception, through_sdk: Send) -> httpx2.Response:
    """Let the SDK send a request that gets a given response."""
    token = IN_HAND.set(found)
    try:
        return await through_sdk()
    finally:
        IN_HAND.reset(token)
