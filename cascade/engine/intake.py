"""Requests for an async run, one at a time, from an iterable or an async iterable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Intake"]

Item = TypeVar("Item")


class Intake(Generic[Item]):
    """Takes an item only when one is wanted.

    An async iterable is read by a single task, so that what it holds open (a time limit, a
    connection) stays within one.

    Args:
        items: where they come from.
        arrived: called when an item, the end or an error has come.
    """

    def __init__(
        self, items: Iterable[Item] | AsyncIterable[Item], arrived: Callable[[], None]
    ) -> None:
        self._items = items
        self._plain: Iterator[Item] | None = None
        self._arrived = arrived
        self._wanted = asyncio.Event()
        self._come: list[Item] = []
        self._reader: asyncio.Task[None] | None = None

    def take(self) -> tuple[Item] | None:
        """An item; `None` where it has yet to come, and `arrived` will say so.

        Raises:
            StopAsyncIteration: there are no more; or whatever the iterable raises.
        """
        if not isinstance(self._items, AsyncIterable):
            return self._take_plain(self._items)
        if self._come:
            return (self._come.pop(),)
        if self._reader is None:
            self._reader = asyncio.ensure_future(self._read(self._items))
            self._reader.add_done_callback(lambda _: self._arrived())
        elif self._reader.done():
            self._reader.result()
            raise StopAsyncIteration
        self._wanted.set()
        return None

    async def aclose(self) -> None:
        """Read no further."""
        self._items, self._plain = (), None
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def abandon(self) -> None:
        """Read no further; from any thread, nobody waits for it."""
        if self._reader is not None and not self._reader.done():
            with suppress(RuntimeError):  # the loop has closed: nothing runs any more
                self._reader.get_loop().call_soon_threadsafe(self._reader.cancel)

    def _take_plain(self, items: Iterable[Item]) -> tuple[Item]:
        if self._plain is None:
            self._plain = iter(items)
        for item in self._plain:
            return (item,)
        raise StopAsyncIteration

    async def _read(self, items: AsyncIterable[Item]) -> None:
        await self._wanted.wait()
        self._wanted.clear()
        async for item in items:
            self._come.append(item)
            self._arrived()
            await self._wanted.wait()
            self._wanted.clear()
