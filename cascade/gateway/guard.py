"""Who is asking, and what they may: keys, models, budgets, rates.

Knows accounts as a protocol: a gateway without any (`--insecure-local`) takes the same path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from cascade.accounts.key import KEY_TAG
from cascade.core.budget import Budget
from cascade.core.request import Request
from cascade.endpoint.faults import BadCall
from cascade.gateway import refusals

__all__ = ["Anyone", "Caller", "Guard", "ThisMachine", "caller_of", "is_page_here", "marked"]

BEARER = b"bearer "

HERE = re.compile(rb"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
"""Names of this machine; no other name can be made to point here by somebody else's DNS."""


class Caller(Protocol):
    """Whoever made a request.

    Attributes:
        key_id: names the key in traces; `None` where there are no keys.
        is_admin: may see everything.
        is_cut_off: their budget could not be asked, rather than said no.
    """

    key_id: str | None
    is_admin: bool

    @property
    def is_cut_off(self) -> bool: ...  # noqa: D102  see above

    def may_use(self, model: str, *, is_chain: bool) -> bool:
        """Whether a chain, or a plain model, is open to them."""
        ...

    async def admit(self, request: Request) -> Mapping[str, str]:
        """Count a request against their rates.

        Returns:
            Headers that say what is left.

        Raises:
            Refusal: a rate is used up.
        """
        ...

    def purse(self, own: Budget | None) -> Budget | None:
        """What pays for a request: their budget, and within it the request's own."""
        ...

    def settle(self, tokens: int | None) -> None:
        """Tell how many tokens an admitted request really took."""
        ...


class Guard(Protocol):
    """Knows callers by their secrets.

    Attributes:
        needs_key: whether nothing is answered without one.
        needs_database: whether requests are refused while the database is away.
        is_cut_off: whether budgets cannot be kept in the database now, though it may be read.
    """

    needs_key: bool
    needs_database: bool

    @property
    def is_cut_off(self) -> bool: ...  # noqa: D102  see above

    async def find(self, secret: str, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Who has that secret; `None` where nobody has, or no longer.

        Raises:
            Refusal: nobody can tell at the moment, or nobody may ask in this way.
        """
        ...


class Anyone:
    """A gateway without keys: whoever reaches it may use everything, unlimited."""

    needs_key = False
    needs_database = False
    key_id: str | None = None
    is_admin = True
    is_cut_off = False

    async def find(self, secret: str, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Everybody."""
        del secret, headers
        return self

    def may_use(self, model: str, *, is_chain: bool) -> bool:
        """Everything."""
        del model, is_chain
        return True

    async def admit(self, request: Request) -> Mapping[str, str]:
        """Without limits."""
        del request
        return {}

    def purse(self, own: Budget | None) -> Budget | None:
        """The request's own budget."""
        return own

    def settle(self, tokens: int | None) -> None:
        """Nobody counts."""


class ThisMachine(Anyone):
    """Whoever asks by a name of this machine, and not from a page of another's.

    A browser lets any page on the web send requests to this machine: without keys that would be
    enough to spend money here.
    """

    async def find(self, secret: str, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Everybody on this machine."""
        origin = headers.get(b"origin")
        if not _is_here(headers.get(b"host", b"")) or not (origin is None or is_page_here(origin)):
            raise refusals.from_elsewhere()
        return await super().find(secret, headers)


def is_page_here(origin: bytes) -> bool:
    """Whether a page of that origin is one of this machine's."""
    return _is_here(origin.partition(b"://")[2])


def _is_here(place: bytes) -> bool:
    """Whether `host:port` is a name of this machine."""
    return HERE.fullmatch(place) is not None


def secret_of(headers: Mapping[bytes, bytes]) -> str | None:
    """The secret in a request's headers, as OpenAI's clients send it, or Azure's."""
    given = headers.get(b"authorization", b"")
    found = given[len(BEARER) :] if given[: len(BEARER)].lower() == BEARER else b""
    found = found.strip() or headers.get(b"api-key", b"").strip()
    return found.decode("latin-1") or None


async def caller_of(guard: Guard, headers: Mapping[bytes, bytes]) -> Caller:
    """Who makes a request.

    Raises:
        Refusal: no key, or one that does not work.
    """
    secret = secret_of(headers)
    if secret is None and guard.needs_key:
        raise refusals.no_key()
    caller = await guard.find(secret or "", headers)
    if caller is None:
        raise refusals.wrong_key()
    return caller


def marked(request: Request, caller: Caller, request_id: str) -> Request:
    """The request, marked with who made it and what it is called."""
    tags = request.tags
    if tags and any(tag.startswith(KEY_TAG) for tag in tags):
        raise BadCall(f"Tags that begin with '{KEY_TAG}' are the gateway's.", param="cascade.tags")
    if caller.key_id is not None:
        tags = (*tags, KEY_TAG + caller.key_id)
    return Request(
        request.payload,
        request.requested_model,
        request.options,
        {**request.metadata, "request_id": request_id},
        request.size_bytes,
        tags,
        request.parent_id,
    )
