"""What goes over the wire for a call: the JSON body and the SDK's options.

A payload is passed on as it is. Keys are added only where a scorer needs them, where a stream needs
its usage, or where OpenAI itself is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from cascade.core.wishes import ModelCall
from cascade.forms.api import Api
from cascade.forms.params import LOGPROBS

__all__ = ["body_of", "connect_timeout_s", "is_openai", "options_of", "secrets_in", "timeout_of"]

OPENAI_HOST = "api.openai.com"

CONNECT_TIMEOUT_S = 5.0
"""The SDK's own; a host that does not pick up by then will not."""

SECRET_HEADERS = ("authorization", "key", "token", "secret", "cookie")

SHORTEST_SECRET = 8
"""Shorter ones are placeholders ("none", "EMPTY"), and taking them out would maim messages."""


@lru_cache(64)
def is_openai(server: str) -> bool:
    """Whether an address is OpenAI's own, regional hosts included; a proxy's is not."""
    host = urlsplit(server).hostname or ""
    return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")


def body_of(call: ModelCall, server: str, *, stream: bool) -> dict[str, Any]:
    """The JSON body of a call, before what the model turned out not to accept is taken out."""
    body: dict[str, Any] = {"model": call.model, **call.payload}
    if call.api == "decisions":
        return body
    if call.needs.logprobs:
        _ask_logprobs(body, call)
    if is_openai(server):
        # A project setting can make requests without it twice as dear; the reply tells the truth.
        body.setdefault("service_tier", "default")
    if call.api == "responses":
        # Chat keeps nothing unless told to; Responses keeps everything for 30 days.
        body.setdefault("store", False)
    asked_options = body.pop("stream_options", None)  # an error beside an unstreamed call
    if stream:
        body["stream"] = True
        given = asked_options if isinstance(asked_options, Mapping) else {}
        options = _stream_options(given, call.api, server)
        if options:
            body["stream_options"] = options
    return body


def _ask_logprobs(body: dict[str, Any], call: ModelCall) -> None:
    if call.api == "responses":
        given = body.get("include")
        listed = given if isinstance(given, list | tuple) else ()
        body["include"] = list(dict.fromkeys([*listed, LOGPROBS]))
    else:
        body["logprobs"] = True
    asked = body.get("top_logprobs")
    most = max(call.needs.top_logprobs, asked if isinstance(asked, int) else 0)
    if most:
        body["top_logprobs"] = most


def _stream_options(given: Mapping[str, Any], api: Api, server: str) -> dict[str, Any]:
    """Chat is asked for its usage; Responses tells it anyway and refuses to be asked."""
    extra = {"include_obfuscation": False} if is_openai(server) else {}
    if api == "chat":
        return {**extra, **given, "include_usage": True}
    return {key: value for key, value in {**extra, **given}.items() if key != "include_usage"}


def options_of(call: ModelCall, timeout_s: float) -> dict[str, Any]:
    """The SDK's options: no retries of its own, the timeout, the user's headers and query."""
    options: dict[str, Any] = {"max_retries": 0, "timeout": timeout_of(timeout_s)}
    if "extra_headers" in call.options:
        options["headers"] = call.options["extra_headers"]
    if "extra_query" in call.options:
        options["params"] = call.options["extra_query"]
    return options


@lru_cache(64)
def timeout_of(timeout_s: float) -> Any:
    """The SDK's limits for a call that may take so long."""
    import httpx2  # noqa: PLC0415  comes with the SDK

    return httpx2.Timeout(timeout_s, connect=connect_timeout_s(timeout_s))


def connect_timeout_s(timeout_s: float) -> float:
    """How long of that a connection may take to be made."""
    return min(timeout_s, CONNECT_TIMEOUT_S)


def secrets_in(call: ModelCall, client: Any) -> tuple[str, ...]:
    """The credentials sent with a call: a server may repeat them in its errors."""
    headers = call.options.get("extra_headers") or {}
    found = [getattr(client, "api_key", None)]
    for given in (headers, getattr(client, "default_headers", None)):
        if isinstance(given, Mapping):
            found += [
                value
                for name, value in given.items()
                if any(word in str(name).lower() for word in SECRET_HEADERS)
            ]
    words = [part for value in found if isinstance(value, str) for part in value.split()]
    return tuple(word for word in words if len(word) >= SHORTEST_SECRET)
