"""The SDK's clients, made so that a model name may stand for a chain."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from cascade.core.budget import Budget
from cascade.core.trace import Trace
from cascade.dropin.rule import credentials_of
from cascade.dropin.transports import AsyncCascadeTransport, CascadeTransport
from cascade.endpoint.chains import OF_CHAINS, Chains, Given
from cascade.engine.asynchronous import AsyncCascade
from cascade.engine.sticky import Sticky
from cascade.engine.synchronous import Cascade
from cascade.errors import ConfigError
from cascade.provider.base import PLACEHOLDER_KEY, ClientSettings
from cascade.provider.body import is_openai

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["async_openai_client", "openai_client"]

OUTER_ONLY = ("default_headers", "default_query", "max_retries", "timeout", "webhook_secret")
"""Settings of the SDK that arrive with each call, or do not concern the tiers' calls."""

DEFAULTS = ("default_headers", "default_query")
"""Those of them that may hold credentials, which do not arrive: they are for one server."""

Observer = Callable[[Trace], object]


def openai_client(
    chains: Given,
    *,
    api_key: Any = None,
    base_url: str | None = None,
    http_client: Any = None,
    store: TraceStore | str | Path | None = None,
    budget: Budget | str | int | Decimal | None = None,
    deadline_s: float | None = None,
    observers: Sequence[Observer] = (),
    sticky: Sticky | None = None,
    models: Any = None,
    **client: Any,
) -> openai.OpenAI:
    """An `openai.OpenAI` that answers by chains.

    Where `model=` names a chain, Chat Completions and Responses are answered by it, in this
    process. Other model names and all other endpoints go to the real API.

    Args:
        chains: a `Chain`, a list of tiers or a `Cascade`, which answers to its name and to
            "cascade"; or a mapping of model names to these.
        api_key: for the real API and for tiers without a client of their own; `OPENAI_API_KEY`
            unless given. Needed where there are such tiers.
        base_url: the same for the address.
        http_client: the `httpx2.Client` that carries what goes to the real API.
        store: gets every trace: a `TraceStore`, or a path for one.
        budget: dollars that each call may cost, or a shared `Budget`.
        deadline_s: seconds that each call may take; the SDK's `timeout` counts as well.
        observers: called with every trace.
        sticky: remembers conversations.
        models: answers model calls instead of an API (`cascade.testing.ScriptedModels`).
        **client: further settings of `openai.OpenAI`, and `policy` and `allow_unknown_prices` for
            lists of tiers. `max_retries` is 0 unless given: the tiers retry.

    Raises:
        ConfigError: a chain or a setting that cannot work, or no key for a tier that is asked at
            OpenAI.
    """
    http = _carrier(http_client, httpx2.Client) or openai.DefaultHttpxClient()
    inner, outer = _settings(client, api_key, base_url, http_client)
    answering = openai.OpenAI(**inner, http_client=http) if inner else None
    found: Chains[Cascade] = Chains(
        Cascade,
        chains,
        client=answering,
        store=store,
        budget=budget,
        deadline_s=deadline_s,
        observers=observers,
        sticky=sticky,
        models=_told_apart(models),
        **_of_chains(client),
    )
    transport = CascadeTransport(found, http)
    made = openai.OpenAI(**outer, http_client=httpx2.Client(transport=transport, trust_env=False))
    if models is None and http_client is None:
        _check_key(found, made, is_told=bool(inner))
    return made


def async_openai_client(
    chains: Given,
    *,
    api_key: Any = None,
    base_url: str | None = None,
    http_client: Any = None,
    store: TraceStore | str | Path | None = None,
    budget: Budget | str | int | Decimal | None = None,
    deadline_s: float | None = None,
    observers: Sequence[Observer] = (),
    sticky: Sticky | None = None,
    models: Any = None,
    **client: Any,
) -> openai.AsyncOpenAI:
    """An `openai.AsyncOpenAI` that answers by chains; as `openai_client`, with `AsyncCascade`s."""
    http = _carrier(http_client, httpx2.AsyncClient) or openai.DefaultAsyncHttpxClient()
    inner, outer = _settings(client, api_key, base_url, http_client)
    answering: Any = ClientSettings(inner) if inner else None
    if inner and http_client is not None:  # which belongs to one event loop, as others made of it
        answering = openai.AsyncOpenAI(**inner, http_client=http)
    found: Chains[AsyncCascade] = Chains(
        AsyncCascade,
        chains,
        client=answering,
        store=store,
        budget=budget,
        deadline_s=deadline_s,
        observers=observers,
        sticky=sticky,
        models=_told_apart(models),
        **_of_chains(client),
    )
    transport = AsyncCascadeTransport(found, http)
    wrapped = httpx2.AsyncClient(transport=transport, trust_env=False)
    made = openai.AsyncOpenAI(**outer, http_client=wrapped)
    if models is None and http_client is None:
        _check_key(found, made, is_told=bool(inner))
    return made


def _carrier(given: Any, kind: type[Any]) -> Any:
    if given is not None and not isinstance(given, kind):
        raise ConfigError(f"http_client is {given!r}: expected an httpx2.{kind.__name__}")
    return given


def _told_apart(models: Any) -> Any:
    """The same models; scripted ones are to give each answer an id of its own."""
    tell_apart = getattr(models, "tell_apart", None)
    if tell_apart is not None:
        tell_apart()
    return models


def _of_chains(client: Mapping[str, Any]) -> dict[str, Any]:
    return {name: client[name] for name in OF_CHAINS if name in client}


def _settings(
    client: Mapping[str, Any], api_key: Any, base_url: str | None, http_client: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings for the SDK client that the tiers are asked with, and for the one handed out.

    The first are empty where the tiers may use the SDK client that a cascade makes by itself, from
    the same environment variables.
    """
    if "client" in client:
        raise ConfigError(
            "client= is Cascade's: give api_key=, base_url= or http_client=, or as the chain "
            "Cascade(chain, client=...)"
        )
    sdk = {name: value for name, value in client.items() if name not in OF_CHAINS}
    given = {"api_key": api_key, "base_url": base_url}
    identity = {name: value for name, value in given.items() if value is not None}
    identity |= {name: value for name, value in sdk.items() if name not in OUTER_ONLY}
    secrets = {name: found for name in DEFAULTS if (found := credentials_of(sdk.get(name)))}
    keyless = not ({"api_key", "provider", "workload_identity"} & identity.keys())
    lacking = keyless and not os.environ.get("OPENAI_API_KEY")
    spare = {"api_key": PLACEHOLDER_KEY} if lacking else {}
    is_own = bool(identity or secrets) or http_client is not None
    inner = {**spare, **identity, **secrets, "max_retries": 0} if is_own else {}
    return inner, {"max_retries": 0, **spare, **sdk, **identity}


def _check_key(
    found: Chains[Any], made: openai.OpenAI | openai.AsyncOpenAI, *, is_told: bool
) -> None:
    """See that the tiers which are asked at OpenAI have a key, as the SDK sees when it is made.

    Args:
        found: the chains.
        made: the client that is handed out.
        is_told: whether something was said about where it sends.

    Raises:
        ConfigError: one has none.
    """
    elsewhere = is_told and not is_openai(str(made.base_url))
    if made.api_key != PLACEHOLDER_KEY or elsewhere:
        return
    for name, engine in found.made_by_name():
        for tier in engine.chain.tiers:
            if tier.client is None:
                found.close_store()
                raise ConfigError(
                    f"tier {tier.name!r} of chain {name!r} has no key: set "
                    "OPENAI_API_KEY, pass api_key= (and base_url= for another server than "
                    f"OpenAI's), or give the tier its own: Tier({tier.model!r}, "
                    "client=Endpoint('http://127.0.0.1:8080/v1'))"
                )
