"""Keys, and what they may spend: what a gateway asks with every request."""

from __future__ import annotations

import asyncio
import atexit
import os
import secrets
import socket
from math import inf
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import Connection

from cascade.accounts.books import Owner
from cascade.accounts.key import Key, Secret, digest_of, looks_like_a_secret
from cascade.accounts.keyring import Keyring
from cascade.accounts.lease import Lease
from cascade.accounts.periods import What, moment_of
from cascade.accounts.purse import Purse
from cascade.accounts.rates import Admission, Gate
from cascade.accounts.rows import key_of, keys_by
from cascade.accounts.worker import OnLoss, Worker
from cascade.database.forks import watch_forks
from cascade.errors import ConfigError, StoreError

__all__ = ["Accounts"]

LEASE_S = 60.0
CACHE_S = 5.0

UNKNOWN_KEPT = 10_000
"""Secrets that nobody has, remembered so that guessing asks the database less often."""


class Found(NamedTuple):
    """A key that works.

    Attributes:
        key: the key.
        until: by this process's `monotonic`, until when it need not be looked up again.
        expires: and from when on it does not work.
    """

    key: Key
    until: float
    expires: float


class Accounts(Keyring):
    """Keys, and budgets and rates that hold for all processes sharing a database.

        accounts = Accounts("postgresql://...")
        key = await accounts.authenticate(secret)
        admission = await accounts.admit(key, tokens=2000)
        done = await llm.complete(request, budget=accounts.purse(key))
        admission.settle(tokens=1800)

    Safe to share between threads. `authenticate` and `admit` keep the event loop free; methods that
    are no coroutines wait for the database, but for `purse`.

    Args:
        where: as in `Keyring`.
        on_database_loss: what happens while the database is away, once what a process has leased is
            used up: "closed" refuses, "open" answers and books afterwards, whatever the limits.
        lease_s: after so long without a sign of life, what a process had leased goes back.
        cache_s: so long a revoked or changed key may still be taken for what it was.

    Raises:
        StoreError: the place cannot be used.
        ConfigError: a setting that cannot be.
    """

    def __init__(
        self,
        where: str | os.PathLike[str] | None = None,
        *,
        on_database_loss: OnLoss = "closed",
        lease_s: float = LEASE_S,
        cache_s: float = CACHE_S,
    ) -> None:
        if on_database_loss not in ("closed", "open"):
            raise ConfigError(
                f"on_database_loss is {on_database_loss!r}; expected 'closed' or 'open'"
            )
        if not lease_s > 0 or not cache_s >= 0:
            raise ConfigError(
                f"lease_s={lease_s!r}, cache_s={cache_s!r}: expected seconds, lease_s above 0"
            )
        super().__init__(where)
        self._lease_s = lease_s
        self._cache_s = cache_s
        self._leases: dict[tuple[str, What], Lease] = {}
        self._purses: dict[str, tuple[Key, Purse]] = {}
        self._gates: dict[str, Gate] = {}
        self._known: dict[str, Found] = {}
        self._unknown: dict[str, float] = {}
        self._worker = Worker(
            self._line, _new_owner(lease_s), self._leases, _look_up, on_database_loss
        )
        self._worker.wake()  # what dead processes had leased is released now
        watch_forks(self)
        atexit.register(self.close)

    # Keys ----------------------------------------------------------------------------------------

    async def authenticate(self, secret: Secret) -> Key | None:
        """Whose secret it is; `None` where it is nobody's, or the key was revoked or has expired.

        Raises:
            StoreError: the database is away, and the key was not seen before.
        """
        known = self._remembered(secret)
        if not isinstance(known, str):
            return known
        asked = self._worker.look_up(known)
        try:
            return self._learn(known, await asyncio.wrap_future(asked))
        except StoreError:
            return self._without_database(known)

    def find(self, secret: Secret) -> Key | None:
        """`authenticate`, for programs without an event loop."""
        known = self._remembered(secret)
        if not isinstance(known, str):
            return known
        try:
            return self._learn(known, self._worker.look_up(known).result())
        except StoreError:
            return self._without_database(known)

    def _remembered(self, secret: Secret) -> Key | str | None:
        """Whose secret it is; its digest where that must be looked up."""
        digest = digest_of(secret)
        now = monotonic()
        found = self._known.get(digest)
        if found is not None and now < found.until:
            return found.key
        if not looks_like_a_secret(secret):
            return None
        return None if self._unknown.get(digest, 0.0) > now else digest

    def _learn(self, digest: str, found: tuple[Key, float] | None) -> Key | None:
        """Remember what the database says: the key, and how many seconds it has left."""
        now = monotonic()
        if found is None:
            self._known.pop(digest, None)
            if len(self._unknown) >= UNKNOWN_KEPT:
                self._unknown.clear()
            self._unknown[digest] = now + self._cache_s
            return None
        key, lasts_s = found
        expires = now + lasts_s
        self._known[digest] = Found(key, min(now + self._cache_s, expires), expires)
        return key

    def _without_database(self, digest: str) -> Key | None:
        """A key that was seen before works on while nobody can revoke it.

        Raises:
            StoreError: it was not seen before.
        """
        found = self._known.get(digest)
        if found is None:
            raise StoreError(f"keys cannot be looked up: {self._worker.lost or 'closed'}") from None
        return found.key if monotonic() < found.expires else None

    # Budgets and rates ---------------------------------------------------------------------------

    def purse(self, key: Key) -> Purse:
        """The key's money, to be given to a cascade as its budget; asks no database."""
        seen = self._purses.get(key.id)
        if seen is None or seen[0] is not key:  # its limits may have changed
            purse = Purse(self._lease(key, "usd"), self._worker, key.name)
            seen = self._purses[key.id] = (key, purse)
        return seen[1]

    async def admit(self, key: Key, tokens: int = 0) -> Admission:
        """Count a request against its key's rates and concurrency, before it is made.

        Args:
            key: whose.
            tokens: how many it may use; `Admission.settle` tells how many it was.

        Returns:
            Whether it may begin; to be settled once it is over, whatever became of it.
        """
        gate = self._gates.get(key.id)
        if gate is None:
            gate = self._gates.setdefault(key.id, Gate(self._lease, self._worker))
        return await gate.admit(key, tokens)

    @property
    def lost(self) -> str | None:
        """Why the database cannot be used at the moment; `None` where it can."""
        return self._worker.lost

    @property
    def unwritten(self) -> bool:
        """Whether something that was spent could not be written by `close`: no budget knows it."""
        return self._worker.unwritten

    def close(self) -> None:
        """Write what was spent, give back what is leased, and stop; a second call does nothing.

        Where the database is away, what was spent last is lost to the budgets: the log says so, and
        `unwritten`.
        """
        atexit.unregister(self.close)
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lease(self, key: Key, what: What) -> Lease:
        place = (key.id, what)
        lease = self._leases.get(place)
        if lease is None:
            made = Lease(key.id, what, self._worker.wake)
            made.limited = False
            lease = self._leases.setdefault(place, made)
        if what != "usd" or key.has_budget:  # rates are asked for where there is a limit
            lease.limited = True
        return lease

    # Forks; see `cascade.database.forks` ---------------------------------------------------------

    def before_fork(self) -> None:
        """The line is taken care of."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Begin with nothing: what the parent holds and has spent is the parent's to write."""
        for lease in self._leases.values():
            lease.forget()
        self._gates.clear()
        self._worker.renew(_new_owner(self._lease_s))


def _new_owner(lease_s: float) -> Owner:
    return Owner(f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}", lease_s)


def _look_up(connection: Connection, digests: list[str]) -> dict[str, tuple[Key, float]]:
    """Keys that work, by their digests, and how many seconds each has left."""
    found = {}
    for row in keys_by(connection, "digest", digests):
        key, now = key_of(row), moment_of(row.now)
        if key.works_at(now):
            left = (key.expires_at - now).total_seconds() if key.expires_at else inf
            found[row.digest] = (key, left)
    return found
