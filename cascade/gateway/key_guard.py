"""Callers with keys: what accounts say of them, in OpenAI's words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cascade.accounts import Accounts, Admission, Key, Purse
from cascade.core.budget import Budget
from cascade.core.request import Request
from cascade.errors import StoreError
from cascade.forms.reading import has_media, output_limit
from cascade.gateway import refusals
from cascade.gateway.guard import Caller
from cascade.gateway.refusals import Refusal

__all__ = ["KeyCaller", "KeyGuard"]

EXPECTED_TOKENS = 256
"""An answer's length, as a rate counts it beforehand, where the request sets no limit."""

MEDIA_TOKENS = 1_000
"""A prompt with pictures or files, whose bytes say nothing of its tokens."""

TOKEN_BYTES = 4

RATE_HEADERS = {
    rate: tuple(f"x-ratelimit-{what}-{rate}" for what in ("limit", "remaining", "reset"))
    for rate in ("requests", "tokens")
}
"""Names of the headers that tell of a rate."""

MS = 1000
MINUTE_MS = 60 * MS


class KeyGuard:
    """Knows callers by their keys.

    Args:
        accounts: the keys, budgets and rates; started and closed with the gateway.
        refuses_without_database: whether budgets are refused while the database is away.
    """

    needs_key = True

    def __init__(self, accounts: Accounts, *, refuses_without_database: bool) -> None:
        self.needs_database = refuses_without_database
        self._accounts = accounts

    @property
    def is_cut_off(self) -> bool:
        """Whether the accounts' last try to write failed; they try again every second."""
        return self._accounts.lost is not None

    async def find(self, secret: str, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Whose secret it is; asks no database but for secrets not seen of late."""
        del headers
        try:
            key = await self._accounts.authenticate(secret)
        except StoreError:
            raise refusals.no_database() from None
        return None if key is None else KeyCaller(self._accounts, key)

    async def start(self) -> None:
        """Nothing: accounts begin when they are made."""

    async def close(self) -> None:
        """Write what was spent and give back what is leased.

        Raises:
            StoreError: something that was spent could not be written.
        """
        await asyncio.to_thread(self._accounts.close)
        if self._accounts.unwritten:
            raise StoreError("what was spent last could not be written")


class KeyCaller:
    """The holder of a key, for one request."""

    __slots__ = ("_accounts", "_admission", "_key", "_purse", "is_admin", "key_id")

    def __init__(self, accounts: Accounts, key: Key) -> None:
        self.key_id: str | None = key.id
        self.is_admin = key.is_admin
        self._accounts = accounts
        self._key = key
        self._admission: Admission | None = None
        self._purse: Purse | None = None

    def may_use(self, model: str, *, is_chain: bool) -> bool:
        """What the key says."""
        return self._key.may_use(model, is_chain=is_chain)

    async def admit(self, request: Request) -> Mapping[str, str]:
        """Count the request, and the tokens that it may take."""
        asked = MEDIA_TOKENS if has_media(request.payload) else request.size_bytes // TOKEN_BYTES
        tokens = asked + (output_limit(request.payload) or EXPECTED_TOKENS)
        self._admission = admission = await self._accounts.admit(self._key, tokens)
        headers = rate_headers(admission)
        if admission.refused is not None:
            raise self._refusal(admission, tokens, headers)
        return headers

    def _refusal(self, admission: Admission, tokens: int, headers: Mapping[str, str]) -> Refusal:
        """Why a request may not begin, in OpenAI's words."""
        if admission.unavailable is not None:
            return refusals.no_database()
        if admission.refused is None or admission.refused == "concurrency":
            return refusals.too_many_at_once(self._key.concurrency or 0, headers)
        limit = admission.left[admission.refused].limit
        if admission.refused == "tokens" and tokens > limit:
            return refusals.too_many_tokens(limit, tokens, headers)
        return refusals.too_fast(admission.refused, limit, admission.retry_after_s, headers)

    def purse(self, own: Budget | None) -> Budget | None:
        """The key's money, and within it the request's own budget."""
        self._purse = self._accounts.purse(self._key)
        return self._purse.within(own)

    @property
    def is_cut_off(self) -> bool:
        """Whether the budget could not be asked, rather than said no."""
        return self._purse is not None and self._purse.unavailable is not None

    def settle(self, tokens: int | None) -> None:
        """Count the tokens that it really took."""
        if self._admission is not None:
            self._admission.settle(tokens)


def rate_headers(admission: Admission) -> dict[str, str]:
    """What is left of the rates, as OpenAI says it."""
    headers: dict[str, str] = {}
    for rate, (limit, remaining, reset_s) in admission.left.items():
        of_limit, of_remaining, of_reset = RATE_HEADERS[rate]
        headers[of_limit] = str(limit)
        headers[of_remaining] = str(remaining)
        headers[of_reset] = duration(reset_s)
    return headers


def duration(seconds: float) -> str:
    """A span as OpenAI writes it, e.g. "20ms", "1.5s", "6m0s"."""
    ms = round(seconds * MS)
    if ms < MS:
        return f"{ms}ms"
    if ms < MINUTE_MS:
        return f"{ms / MS:g}s"
    minutes, rest = divmod(ms, MINUTE_MS)
    return f"{minutes}m{rest / MS:g}s"
