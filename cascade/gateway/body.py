"""Reads a request's body, within its size and its time.

A body that is too large is refused on its declared length, before any of it is read, or else on its
first byte too many. So is one for which the bodies of other requests leave no room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from cascade.gateway import refusals
from cascade.gateway.limits import Limits

if TYPE_CHECKING:
    from cascade.gateway.exchange import Exchange

__all__ = ["ClientGone", "Room", "Share", "read_whole", "throw_away"]

LINGER_S = 2.0
"""How long the rest of a refused body is thrown away, so that the client gets to read its answer: a
connection that is closed over unread data is reset, and the answer with it."""

JSON = b"application/json"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):  # noqa: N818  an event
    """The client went away before it had said what it wants."""


class Room:
    """Room for the bodies of all requests under way.

    Attributes:
        left: bytes that are free.
    """

    def __init__(self, limits: Limits) -> None:
        self.left = max(limits.max_held_bytes, limits.max_body_bytes)


class Share:
    """What one request takes of the room; to be given back at its end."""

    __slots__ = ("_room", "_size")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._size = 0

    def take(self, size: int) -> None:
        """Make it so large, where it is smaller.

        Raises:
            Refusal: there is no room.
        """
        more = size - self._size
        if more > self._room.left:
            raise refusals.overloaded()
        if more > 0:
            self._room.left -= more
            self._size = size

    def give_back(self) -> None:
        """The request is over."""
        self._room.left += self._size
        self._size = 0


async def read_whole(exchange: Exchange, limits: Limits, share: Share) -> bytes:
    """The whole body.

    Raises:
        Refusal: it is too large, too slow, not sent as JSON, or there is no room for it.
        ClientGone: the connection ended first.
    """
    headers = exchange.headers
    kind = headers.get(b"content-type", JSON)
    if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
        raise refusals.wrong_type(_shown(kind))
    coding = headers.get(b"content-encoding", b"identity")
    if coding.lower() != b"identity":
        raise refusals.encoded(_shown(coding))
    length = int(headers.get(b"content-length", b"0"))  # the parser has seen that it is a number
    if length > limits.max_body_bytes:
        raise refusals.too_large(limits.max_body_bytes)
    share.take(length)
    data = exchange.body()
    if data is None:
        try:
            async with asyncio.timeout(limits.body_timeout_s):
                return await _collected(exchange.receive, limits.max_body_bytes, share)
        except TimeoutError:
            raise refusals.too_slow("body", limits.body_timeout_s) from None
    if len(data) > length:  # which nobody had declared
        if len(data) > limits.max_body_bytes:
            raise refusals.too_large(limits.max_body_bytes)
        share.take(len(data))
    return data


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


async def _collected(receive: Receive, limit: int, share: Share) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while (message := await receive())["type"] == "http.request":
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise refusals.too_large(limit)
        share.take(size)
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)
    raise ClientGone


def _shown(value: bytes) -> str:
    return value[:100].decode("ascii", "replace")
