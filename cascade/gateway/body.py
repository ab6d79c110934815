"""Reads a request's body, within its size and its time.

A body that is too large is refused on its declared length, before any of it is read, or else on its
first byte too many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from cascade.gateway import refusals
from cascade.gateway.limits import Limits

__all__ = ["ClientGone", "read_whole", "throw_away"]

LINGER_S = 2.0
"""How long the rest of a refused body is thrown away, so that the client gets to read its answer: a
connection that is closed over unread data is reset, and the answer with it."""

JSON = b"application/json"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):  # noqa: N818  an event
    """The client went away before it had said what it wants."""


async def read_whole(receive: Receive, headers: Mapping[bytes, bytes], limits: Limits) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too large, too slow, or not sent as JSON.
        ClientGone: the connection ended first.
    """
    kind = headers.get(b"content-type", JSON)
    if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
        raise refusals.wrong_type(_shown(kind))
    coding = headers.get(b"content-encoding", b"identity")
    if coding.lower() != b"identity":
        raise refusals.encoded(_shown(coding))
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limits.max_body_bytes:
        raise refusals.too_large(limits.max_body_bytes)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _collected(receive, limits.max_body_bytes)
    except TimeoutError:
        raise refusals.too_slow("body", limits.body_timeout_s) from None


async def throw_away(receive: Receive) -> None:
    """Read on for a moment without keeping anything; see `LINGER_S`."""
    try:
        async with asyncio.timeout(LINGER_S):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return


async def _collected(receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while (message := await receive())["type"] == "http.request":
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise refusals.too_large(limit)
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)
    raise ClientGone


def _shown(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
