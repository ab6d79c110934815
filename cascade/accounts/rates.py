"""What lets a request of a key begin: its rates per minute, and how many others are in flight.

Minutes are those of the clock. Rates are the same for all processes that share a database; requests
in flight are those of this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from math import ceil
from threading import Lock
from time import monotonic
from typing import Literal, NamedTuple

from cascade.accounts.key import Key
from cascade.accounts.lease import NOTHING, Lease
from cascade.accounts.periods import What
from cascade.accounts.purse import fetch
from cascade.accounts.worker import Worker

__all__ = ["Admission", "Gate", "Left", "Rate"]

Rate = Literal["requests", "tokens"]

ONE = Decimal(1)


class Left(NamedTuple):
    """What is left of a rate, as far as this process knows.

    Attributes:
        limit: most in a minute.
        remaining: left of it.
        reset_s: seconds until the minute is over.
    """

    limit: int
    remaining: int
    reset_s: float


@dataclass(slots=True)
class Admission:
    """Whether a request may begin, and what is left of its key's rates.

    Attributes:
        refused: what is used up, a rate or "concurrency"; `None` where it may begin.
        unavailable: why nobody can tell, where that is why it may not.
        left: what is left of each rate that the key has.
    """

    refused: Rate | Literal["concurrency"] | None = None
    unavailable: str | None = None
    left: dict[Rate, Left] = field(default_factory=dict)
    _held: tuple[Lease, Decimal] | None = None
    _inside: Gate | None = None

    def settle(self, tokens: int | None) -> None:
        """The request is over; count the tokens that it really used.

        Unknown ones count as was expected. Only the first time counts.
        """
        held, self._held = self._held, None
        if held is not None:
            lease, amount = held
            lease.settle(amount, None if tokens is None else Decimal(tokens))
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.leave()

    @property
    def retry_after_s(self) -> int:
        """Whole seconds after which it may be tried again."""
        return ceil(self.left[self.refused].reset_s) if self.refused in self.left else 1


class Gate:
    """Lets the requests of one key begin.

    Args:
        lease_of: what this process holds of a rate of the key's.
        worker: fetches more.
    """

    def __init__(self, lease_of: Callable[[Key, What], Lease], worker: Worker) -> None:
        self._lease_of = lease_of
        self._worker = worker
        self._key: Key | None = None
        self._requests: Lease | None = None
        self._tokens: Lease | None = None
        self._lock = Lock()
        self._in_flight = 0

    async def admit(self, key: Key, tokens: int) -> Admission:
        """Count a request; see `Accounts.admit`."""
        if key is not self._key:
            self._follow(key)
        made = Admission()
        if key.concurrency is not None:
            if not self._enter(key.concurrency):
                made.refused = "concurrency"
                return made
            made._inside = self  # noqa: SLF001  its own
        amount = Decimal(tokens)
        if not self._take(amount):
            try:
                made.refused = await self._fetch(amount)
            except BaseException:
                made.settle(0)
                raise
            if made.refused is not None:
                made.settle(0)
                made.unavailable = self._worker.lost
        now = monotonic()
        if self._requests is not None:
            made.left["requests"] = _left(self._requests, key.requests_per_minute, now)
        if self._tokens is not None:
            made.left["tokens"] = _left(self._tokens, key.tokens_per_minute, now)
            if made.refused is None:
                made._held = (self._tokens, amount)  # noqa: SLF001
        return made

    def leave(self) -> None:
        """A request that was counted in flight is over."""
        with self._lock:
            self._in_flight -= 1

    def _enter(self, most: int) -> bool:
        with self._lock:
            if self._in_flight >= most:
                return False
            self._in_flight += 1
            return True

    def _follow(self, key: Key) -> None:
        """The key as it is now: a rate may have come or gone."""
        has_requests, has_tokens = (
            key.requests_per_minute is not None,
            key.tokens_per_minute is not None,
        )
        self._requests = self._lease_of(key, "requests") if has_requests else None
        self._tokens = self._lease_of(key, "tokens") if has_tokens else None
        self._key = key

    def _take(self, amount: Decimal) -> bool:
        """Take a request and its tokens from what is at hand: both, or none of them."""
        if self._tokens is not None and not self._tokens.reserve(amount):
            return False
        if self._requests is None or self._requests.reserve(ONE, for_good=True):
            return True
        if self._tokens is not None:
            self._tokens.settle(amount, NOTHING)
        return False

    async def _fetch(self, amount: Decimal) -> Rate | None:
        """Take them, fetching what is not at hand; the rate that is used up, where one is."""
        taken: list[tuple[Lease, Decimal]] = []
        refused: Rate | None = None
        wanted: list[tuple[Rate, Lease | None, Decimal]] = [
            ("requests", self._requests, ONE),
            ("tokens", self._tokens, amount),
        ]
        try:
            for rate, lease, part in wanted:
                if lease is None:
                    continue
                if not lease.reserve(part) and not await self._fetched(lease, part):
                    refused = rate
                    break
                taken.append((lease, part))
        except BaseException:
            _put_back(taken)
            raise
        if refused is not None:
            _put_back(taken)
        elif self._requests is not None:
            self._requests.settle(ONE, ONE)
        return refused

    async def _fetched(self, lease: Lease, amount: Decimal) -> bool:
        future = fetch(lease, self._worker, amount, 0.0)
        if future is None:
            return False
        try:
            return await asyncio.wrap_future(future)
        except BaseException:  # the request was left: what comes goes back
            if not future.cancel():
                future.add_done_callback(partial(_undo, lease, amount))
            raise


def _undo(lease: Lease, amount: Decimal, done: Future[bool]) -> None:
    if done.result():
        lease.settle(amount, NOTHING)


def _put_back(taken: list[tuple[Lease, Decimal]]) -> None:
    for lease, amount in taken:
        lease.settle(amount, NOTHING)


def _left(lease: Lease, limit: int | None, now: float) -> Left:
    return Left(limit or 0, max(0, int(lease.remaining(now))), max(0.0, lease.ends_at - now))
