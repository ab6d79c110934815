"""Which requests of the SDK a chain answers, and how it is asked: the one rule of both transports.

Everything that is not answered here goes on to the real API as it is.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic

import httpx2

from cascade.core.pricing import model_table
from cascade.endpoint.calls import ENDPOINTS, Call, Endpoint, read_body, read_call
from cascade.endpoint.chains import Chains, Engine
from cascade.endpoint.faults import BadCall
from cascade.provider.base import PLACEHOLDER_KEY
from cascade.provider.body import is_openai
from cascade.traces.scrub import scrub

__all__ = ["Asked", "asked", "credentials_of", "endpoint_of", "lacks_key"]

OF_THE_SDK = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",  # tiers have keys of their own
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "idempotency-key",  # one for several calls would name different ones the same
        "openai-organization",
        "openai-project",
        "transfer-encoding",
        "user-agent",
    }
)
"""Headers that belong to this request alone; the tiers' requests have their own."""

OWN_PREFIXES = ("x-stainless-", "x-cascade-")

log = logging.getLogger("cascade")

CREDENTIAL = re.compile(
    r"(?:^|[-_])(?:auth|authorization|cookie|credentials?|passw(?:or)?d|secret|token)(?:$|[-_])"
    r"|key$",
    re.IGNORECASE,
)
"""Names of headers and parameters whose value lets somebody in: they are for one server, and tiers
may be asked at several."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[Engine]):
    """A request that a chain answers.

    Attributes:
        engine: the chain's cascade.
        call: what is asked, with the time until the answer begins.
        whole_s: seconds for a streamed answer once it has begun: the SDK's timeout is for waiting,
            not for reading.
    """

    engine: Engine
    call: Call
    whole_s: float | None


def endpoint_of(request: httpx2.Request) -> Endpoint | None:
    """The endpoint that chains can answer, where this is a request to one."""
    if request.method != "POST":
        return None
    path = request.url.path
    return next((api for end, api in ENDPOINTS.items() if path.endswith(end)), None)


def asked(chains: Chains[Engine], request: httpx2.Request, api: Endpoint) -> Asked[Engine] | None:
    """The chain that answers a request to an endpoint, and its call; `None` for the real API's.

    Args:
        chains: by model name.
        request: its body is read already.
        api: the endpoint.

    Raises:
        RequestError: it names a chain, and cannot be answered as it stands.
    """
    try:
        body = read_body(request.content)
    except BadCall:
        return None
    model = body.get("model")
    engine = chains.find(model) if isinstance(model, str) else None
    if engine is None:
        if isinstance(model, str):
            _warn_of_mistake(model, chains.names)
        return None
    call = read_call(api, body, request.headers, passed_on=_passed_on(request))
    whole_s = _shortest(call.keywords.get("deadline_s"), engine.deadline_s)
    timeout = request.extensions.get("timeout") or {}
    begun_s = _shortest(whole_s, timeout.get("read"))
    keywords = {**call.keywords, "deadline_s": begun_s}
    return Asked(engine, replace(call, keywords=keywords), whole_s)


@lru_cache(64)  # once for each name
def _warn_of_mistake(model: str, names: tuple[str, ...]) -> None:
    """Say so where a model's name looks like a chain's, mistyped: the API may answer it or not."""
    close = difflib.get_close_matches(model, names, n=1, cutoff=0.75)
    if close and model_table().find(model) is None:
        log.warning(
            "no chain is called %r (one is called %r): the request goes to the API, to a model of "
            "that name",
            model,
            close[0],
        )


def lacks_key(request: httpx2.Request) -> bool:
    """Whether a request would go to OpenAI without a key."""
    key = request.headers.get("authorization", "")
    return key == f"Bearer {PLACEHOLDER_KEY}" and is_openai(str(request.url))


def credentials_of(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The headers, or parameters of a query, that hold a credential, by their names or looks."""
    return {
        name: value
        for name, value in (given or {}).items()
        if CREDENTIAL.search(name) or scrub(value) is not value
    }


def _passed_on(request: httpx2.Request) -> Mapping[str, Any]:
    """What the caller gave for the requests of all tiers: headers and query, no credentials."""
    headers = _harmless(
        {
            name: value
            for name, value in request.headers.items()
            if name not in OF_THE_SDK and not name.startswith(OWN_PREFIXES)
        }
    )
    query = _harmless(dict(request.url.params))
    return {
        **({"extra_headers": headers} if headers else {}),
        **({"extra_query": query} if query else {}),
    }


def _harmless(given: Mapping[str, str]) -> dict[str, str]:
    secret = credentials_of(given)
    return {name: value for name, value in given.items() if name not in secret}


def _shortest(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)
