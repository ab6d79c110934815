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

__all__ = ["KeyCaller", "KeyGuard"]

EXPECTED_TOKENS = 256
"""An answer's length, as a rate counts it beforehand, where the request sets no limit."""

MEDIA_TOKENS = 1_000
"""A prompt with pictures or files, whose bytes say nothing of its tokens."""

TOKEN_BYTES = 4

MINUTE_S = 60
MS = 1000


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
        """Write what was spent and give back what is leased."""
        await asyncio.to_thread(self._accounts.close)


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
        if admission.unavailable is not None:
            raise refusals.no_database()
        headers = rate_headers(admission)
        if admission.refused is not None:
            left = admission.left[admission.refused]
            if admission.refused == "tokens" and tokens > left.limit:
                raise refusals.too_many_tokens(left.limit, tokens, headers)
            raise refusals.too_fast(admission.refused, left.limit, admission.retry_after_s, headers)
        return headers

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
    for rate, left in admission.left.items():
        headers[f"x-ratelimit-limit-{rate}"] = str(left.limit)
        headers[f"x-ratelimit-remaining-{rate}"] = str(left.remaining)
        headers[f"x-ratelimit-reset-{rate}"] = duration(left.reset_s)
    return headers


def duration(seconds: float) -> str:
    """A span as OpenAI writes it, e.g. "20ms", "1.5s", "6m0s"."""
    ms = round(seconds * 1000)
    if ms < MS:
        return f"{ms}ms"
    minutes, rest = divmod(ms, MINUTE_S * MS)
    shown = f"{rest / MS:.3f}".rstrip("0").removesuffix(".")
    return f"{minutes}m{shown}s" if minutes else f"{shown}s"
