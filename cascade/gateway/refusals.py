"""What the gateway refuses by itself, before any chain is asked: OpenAI's statuses and bodies.

The wording is OpenAI's where OpenAI has the same case, so that clients which look at it behave as
they do there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["Refusal", "refuse"]

NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's own clients repeat 408, 409, 429 and 5xx unless this says otherwise."""


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818  it is an answer
    """An answer without any model: status, OpenAI's error body, headers.

    Attributes:
        status: of HTTP.
        body: JSON, encoded.
        headers: besides the usual ones; values are clean ASCII.
        closes: the connection ends with it, because what else arrives on it is not read.
        cut_off: the reason is the database, which is away.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    closes: bool = False
    cut_off: bool = False

    def __str__(self) -> str:
        return f"{self.status} {self.body.decode()}"


def refuse(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
    closes: bool = False,
) -> Refusal:
    """A refusal in OpenAI's shape."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Refusal(status, json.dumps({"error": error}).encode(), headers or {}, closes)


def no_such_url(method: str, path: str) -> Refusal:
    """A path that is none of ours; a base URL with another end than `/v1` is the usual reason."""
    plain = "/" + "/".join(part for part in path.split("/") if part)
    meant = next((end for end in AFTER_BASE if plain.endswith(end)), None)
    if meant is None:
        return refuse(404, f"Invalid URL ({method} {path})")
    azure = ", with the name of the deployment as 'model'" if "/deployments/" in plain else ""
    return refuse(404, f"Invalid URL ({method} {path}). Did you mean /v1{meant}{azure}?")


AFTER_BASE = ("/models", "/chat/completions", "/responses")
"""Paths as clients add them to their base URL."""


def wrong_method(method: str, path: str, allowed: str) -> Refusal:
    """A path of ours, asked in a way that it does not know."""
    return refuse(
        405,
        f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP "
        "method?)",
        code="method_not_supported",
        headers={"allow": allowed},
    )


def no_key() -> Refusal:
    """No credentials at all."""
    return refuse(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). Whoever runs this gateway "
        "makes keys with `cascade keys create`.",
        headers={"www-authenticate": "Bearer"},
    )


def wrong_key(why: str = "Incorrect API key provided.") -> Refusal:
    """A key that is unknown, revoked or expired; no part of it is repeated."""
    return refuse(
        401,
        f"{why} Whoever runs this gateway makes keys with `cascade keys create`.",
        code="invalid_api_key",
        headers={"www-authenticate": "Bearer"},
    )


def from_elsewhere() -> Refusal:
    """A request to a gateway without keys that may come from a page on the web."""
    return refuse(
        403,
        "This gateway has no keys and answers programs on its own machine only: ask by the name "
        "localhost or 127.0.0.1, and not from a web page.",
        code="forbidden",
    )


def not_an_admin() -> Refusal:
    """A key that works, for something that only administrators may see."""
    return refuse(
        403,
        "You have insufficient permissions for this operation: it needs the key of an "
        "administrator.",
        code="insufficient_permissions",
    )


def no_such_model(model: str) -> Refusal:
    """A model that is unknown here, or not for this key: nobody learns which."""
    return refuse(
        404,
        f"The model `{model}` does not exist or you do not have access to it.",
        code="model_not_found",
    )


def too_large(limit: int) -> Refusal:
    """A body beyond the limit, of which the rest is not read."""
    return refuse(
        413,
        f"Request body too large: this gateway takes at most {limit} bytes.",
        code="request_too_large",
        closes=True,
    )


def too_many_values(limit: int) -> Refusal:
    """A body that is not too large, but made of too many parts."""
    return refuse(
        400,
        f"The request holds too many values: this gateway takes at most {limit}, counting texts, "
        "numbers, lists and objects (--max-values). Put more text into fewer messages.",
        code="too_many_values",
    )


def head_too_large() -> Refusal:
    """Headers beyond the limit."""
    return refuse(431, "Request headers too large or too many.", closes=True)


def not_http() -> Refusal:
    """Bytes that are no request."""
    return refuse(400, "Invalid HTTP request received.", closes=True)


def wrong_hosts(number: int) -> Refusal:
    """A request that names no host in HTTP/1.1, or several in any version (RFC 9112, 3.2)."""
    words = "A request of HTTP/1.1 must have the header 'Host'."
    if number:
        words = f"A request must have one header 'Host', not {number}."
    return refuse(400, words, closes=True)


def too_slow(what: str, limit_s: float) -> Refusal:
    """A client that takes too long to say what it wants."""
    return refuse(
        408,
        f"The request's {what} did not arrive within {limit_s:g} seconds.",
        code="request_timeout",
        closes=True,
    )


def wrong_type(kind: str) -> Refusal:
    """A body that is not declared as JSON."""
    return refuse(
        400,
        f"Unsupported content type: '{kind}'. This API method only accepts 'application/json' "
        f"requests, but you specified the header 'Content-Type: {kind}'. Please try again with a "
        "supported content type.",
        code="unsupported_content_type",
    )


def encoded(kind: str) -> Refusal:
    """A compressed body, whose size nobody knows beforehand."""
    return refuse(
        415, f"Unsupported content encoding: '{kind}'. Send the body as it is.", closes=True
    )


def overloaded() -> Refusal:
    """More requests than can be answered or queued."""
    return refuse(
        503,
        "The gateway is overloaded with other requests. Please try again in a moment.",
        kind="server_error",
        code="server_is_overloaded",
        headers={"retry-after": "1"},
    )


def no_database() -> Refusal:
    """Keys or budgets are in a database that does not answer."""
    why = refuse(
        503,
        "The database that holds keys and budgets cannot be reached. Please try again.",
        kind="server_error",
        code="service_unavailable",
        headers={"retry-after": "2"},
    )
    return replace(why, cut_off=True)


def too_fast(rate: str, limit: int, retry_after_s: int, headers: Mapping[str, str]) -> Refusal:
    """A rate that is used up for this minute."""
    short = {"requests": "RPM", "tokens": "TPM"}[rate]
    return refuse(
        429,
        f"Rate limit reached on {rate} per min ({short}): Limit {limit}. "
        f"Please try again in {retry_after_s}s.",
        kind=rate,
        code="rate_limit_exceeded",
        headers={**headers, "retry-after": str(retry_after_s)},
    )


def too_many_at_once(limit: int, headers: Mapping[str, str]) -> Refusal:
    """A key with as many requests in flight as it may have."""
    return refuse(
        429,
        f"Rate limit reached on concurrent requests: Limit {limit} in flight. Please try again "
        "once one of them has been answered.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={**headers, "retry-after": "1"},
    )


def too_many_tokens(limit: int, expected: int, headers: Mapping[str, str]) -> Refusal:
    """A request that no minute has room for: waiting does not help, so nobody is told to."""
    return refuse(
        429,
        f"Request too large on tokens per min (TPM): Limit {limit}, Requested {expected}. The "
        "input or output tokens must be reduced in order to run successfully; a lower "
        "max_completion_tokens or max_output_tokens counts as less.",
        kind="tokens",
        code="rate_limit_exceeded",
        headers={**headers, **NO_RETRY},
    )


def stopping() -> Refusal:
    """The process is about to end; another one may answer."""
    return refuse(
        503,
        "The gateway is shutting down. Please try again.",
        kind="server_error",
        code="server_is_shutting_down",
        headers={"retry-after": "1"},
        closes=True,
    )


def broken() -> Refusal:
    """Something of ours went wrong; the log knows what."""
    return refuse(
        500,
        "The server had an error while processing your request. Sorry about that!",
        kind="server_error",
        headers=NO_RETRY,
    )
