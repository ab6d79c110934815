"""Requests and tokens per minute of the clock: the same for all processes that share a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from math import ceil
from time import monotonic
from typing import Literal

from cascade.accounts.key import Key
from cascade.accounts.lease import NOTHING, Lease
from cascade.accounts.periods import What
from cascade.accounts.purse import fetch
from cascade.accounts.worker import Worker

__all__ = ["Admission", "Left", "Rate", "admit"]

Rate = Literal["requests", "tokens"]

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Left:
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
        refused: the rate that is used up; `None` where it may begin.
        unavailable: why nobody can tell, where that is why it may not.
        left: what is left of each rate that the key has.
    """

    refused: Rate | None = None
    unavailable: str | None = None
    left: dict[Rate, Left] = field(default_factory=dict)
    _held: tuple[Lease, Decimal] | None = None

    def settle(self, tokens: int | None) -> None:
        """Count the tokens that the request really used; unknown ones count as was expected.

        Only the first time counts.
        """
        held, self._held = self._held, None
        if held is not None:
            lease, amount = held
            lease.settle(amount, None if tokens is None else Decimal(tokens))

    @property
    def retry_after_s(self) -> int:
        """Whole seconds after which it may be tried again."""
        return ceil(self.left[self.refused].reset_s) if self.refused in self.left else 1


async def admit(
    key: Key, tokens: int, lease_of: Callable[[Key, What], Lease], worker: Worker
) -> Admission:
    """Count a request against its key's rates; see `Accounts.admit`."""
    made = Admission()
    taken: list[tuple[Lease, Decimal]] = []
    wanted: list[tuple[Rate, int | None, Decimal]] = [
        ("requests", key.requests_per_minute, ONE),
        ("tokens", key.tokens_per_minute, Decimal(tokens)),
    ]
    for rate, limit, amount in wanted:
        if limit is None:
            continue
        lease = lease_of(key, rate)
        try:
            has_room = lease.reserve(amount) or await _fetched(lease, worker, amount)
        except BaseException:
            _put_back(taken)
            raise
        made.left[rate] = _left(lease, limit)
        if not has_room:
            _put_back(taken)
            made.refused, made.unavailable = rate, worker.lost
            return made
        taken.append((lease, amount))
    for lease, amount in taken:
        if lease.what == "requests":
            lease.settle(amount, amount)
        else:
            made._held = (lease, amount)  # noqa: SLF001  its own
    return made


async def _fetched(lease: Lease, worker: Worker, amount: Decimal) -> bool:
    future = fetch(lease, worker, amount, 0.0)
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


def _left(lease: Lease, limit: int) -> Left:
    return Left(limit, max(0, int(lease.remaining)), max(0.0, lease.ends_at - monotonic()))
