"""The least that a gateway in Python does: an ASGI app that passes bytes on.

No keys, no accounts, no trace, no look into what it carries. `python -m benchmarks.naive_gateway
UPSTREAM PORT h11|httptools` serves it; "h11" is uvicorn as it is installed alone, "httptools" with
the parser and the event loop in C that its extra `standard` brings.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

PASSED = frozenset({"content-type", "authorization"})
HELD_BACK = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})
"""What the server on this side of the gateway writes itself."""

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class PassThrough:
    """Passes each request on to one upstream, and its answer back as it comes.

    Args:
        upstream: the other server, without a path.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the life of the server is not looked at."""
        if scope["type"] != "http":
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
            )
        headers = {
            name.decode(): value.decode()
            for name, value in scope["headers"]
            if name.decode() in PASSED
        }
        async with self._session.request(
            scope["method"],
            self._upstream + scope["path"],
            data=await _body(receive),
            headers=headers,
        ) as answer:
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": [
                        item
                        for item in answer.raw_headers
                        if item[0].decode().lower() not in HELD_BACK
                    ],
                }
            )
            if "content-length" in answer.headers:
                await send({"type": "http.response.body", "body": await answer.read()})
                return
            async for data in answer.content.iter_any():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body"})


async def _body(receive: Receive) -> bytes:
    pieces = []
    more = True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def main(upstream: str, port: int, kind: str) -> None:
    """Serve until stopped."""
    import uvicorn  # noqa: PLC0415  of the extra `gateway`

    loop, http = ("asyncio", "h11") if kind == "h11" else ("uvloop", "httptools")
    uvicorn.run(
        PassThrough(upstream),
        port=port,
        http=http,
        loop=loop,
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
