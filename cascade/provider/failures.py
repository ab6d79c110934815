"""From what the SDK raises to what the decision loop understands.

The classification follows the API's documented errors. A 429 is two things: a rate limit, which
passes, and a billing stop, which does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cascade.core.failures import CallFailure, FailureKind
from cascade.provider.retry import retry_after_s
from cascade.wire.faults import ErrorFrame, MalformedReply, text_or_none

__all__ = ["classify", "scrub"]

BILLING_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)

NEVER_SENT = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"}
)
"""Transport errors before a request left this machine: nothing can have been billed."""

TRANSPORT: tuple[tuple[frozenset[str], FailureKind, str], ...] = (
    (NEVER_SENT, "unreachable", "no connection"),
    (frozenset({"LocalProtocolError", "InvalidURL"}), "invalid", "the request cannot be sent"),
    (
        frozenset({"DecodingError", "APIResponseValidationError"}),
        "malformed",
        "the reply cannot be read",
    ),
    (
        frozenset({"TimeoutError", "TimeoutException", "APITimeoutError"}),
        "timeout",
        "no answer in time",
    ),
    (
        frozenset({"APIConnectionError", "RequestError", "OSError", "EndOfStream"}),
        "connection",
        "the connection broke",
    ),
)
"""Class names of the transport's exceptions (httpx2, or httpx under a client of yours), in the
order they must be tried: a timeout while connecting is a timeout, too."""

LONGEST_MESSAGE = 500

LONGEST_PAGE = 200
"""Of an HTML page, which a proxy sends for an error of its own: its words, on one line."""

MOST_OF_A_PAGE = 20_000
"""Characters of a page that are looked at."""

_MARKUP = re.compile(
    r"<(?:script|style)\b.*?</(?:script|style)\s*>|<!--.*?-->|<[^<>]*>", re.DOTALL | re.IGNORECASE
)
_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body)\b", re.IGNORECASE)

_AS_REFUSED = re.compile(r"^\d{3}, message: ?")

SECRET = re.compile(r"\b(sk|sess|key)-[A-Za-z0-9_*.-]{6,}|(?i:bearer\s+)[A-Za-z0-9._~+/=-]{6,}")

HTTP_KINDS: dict[int, FailureKind] = {
    401: "auth",
    402: "billing",
    403: "auth",
    404: "not_found",
    408: "server",
    409: "server",
    413: "context_length",
}

WRONG_PLACE = "either the server does not know the model, or its base URL is wrong"
"""What a 404 without a type and a code can mean; a server's own words seldom tell."""

TOO_LONG_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})

TOO_LONG_WORDS = ("maximum context length", "exceeds the available context size")
"""vLLM and llama.cpp say it in words."""

FILTER_CODES = frozenset(
    {
        "bio_policy",
        "content_filter",
        "content_policy_violation",
        "image_content_policy_violation",
        "invalid_prompt",
        "misalignment_policy_violation",
        "moderation_blocked",
    }
)

BAD_INPUT = ("invalid_", "image_", "unsupported_image", "empty_image", "failed_to_download_image")
"""How the codes of a response begin that failed over what it was given."""

UNSUPPORTED_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})

UNSUPPORTED_WORDS = (
    "unsupported parameter",
    "unsupported value",
    "unknown parameter",
    "invalid value for 'top_logprobs'",
    "only allowed when 'logprobs' is enabled",
    "not supported with reasoning models",
    "not allowed to request logprobs",
    "function tools with reasoning_effort",
    "encrypted content is not supported",
    "unknown name",
)


def scrub(text: str, secrets: Sequence[str] = ()) -> str:
    """Text without anything that looks like a key, and without the given words."""
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return SECRET.sub("[secret]", text)


def classify(
    error: BaseException, *, reading: bool = False, secrets: Sequence[str] = ()
) -> CallFailure:
    """What an exception of the SDK, of its transport or of reading means.

    Args:
        error: what was raised.
        reading: whether the head of a reply had come already.
        secrets: words that must not get into the message.

    Returns:
        The failure. An exception nobody foresaw is "malformed" if a reply was being read, else
        "connection": unknown cost either way.
    """
    failure = _classified(error, reading=reading)
    return replace(failure, message=scrub(failure.message, secrets)[:LONGEST_MESSAGE])


def _classified(error: BaseException, *, reading: bool) -> CallFailure:
    import openai  # noqa: PLC0415  loaded with the first call

    if isinstance(error, openai.APIStatusError):
        return _from_status(error)
    if isinstance(error, MalformedReply):
        return _from_reply(error)
    if isinstance(error, openai.OpenAIError) and not isinstance(error, openai.APIError):
        return CallFailure("auth", f"the client has no credentials: {error}")
    chain = tuple(_causes(error))
    kinds = {base.__name__ for cause in chain for base in type(cause).__mro__}
    said = (_words_of(cause) for cause in reversed(chain))
    detail = next((words for words in said if words), type(error).__name__)
    for names, kind, words in TRANSPORT:
        if kinds & names:
            is_bare = kind == "timeout" and detail in kinds  # a name says no more than the words
            return CallFailure(kind, words if is_bare else f"{words}: {detail}")
    if reading:
        return CallFailure("malformed", f"{type(error).__name__}: {error}")
    wrong = isinstance(error, TypeError | ValueError)  # from building the request
    return CallFailure("invalid" if wrong else "connection", f"{type(error).__name__}: {error}")


def _words_of(error: BaseException) -> str:
    """What an exception says, on one line.

    aiohttp gives what it cannot parse a status, as if a server of its own refused it, and points at
    the place from a line below.
    """
    lines = (line for line in str(error).splitlines() if line.strip(" ^"))
    return _AS_REFUSED.sub("", " ".join(" ".join(lines).split()))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from, the SDK's first, the socket's last."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _from_reply(error: MalformedReply) -> CallFailure:
    """A 200 without an answer; an error object inside says what it is."""
    body: Mapping[str, Any] = error.error or {}
    code, kind = _code(body), text_or_none(body.get("type"))
    return CallFailure(
        _kind_within(code, kind, is_frame=isinstance(error, ErrorFrame)),
        str(error),
        code=code,
        param=text_or_none(body.get("param")),
        type=kind,
    )


def _kind_within(code: str | None, kind: str | None, *, is_frame: bool) -> FailureKind:
    """The kind of an error that came with a 200."""
    if _is_billing(code, kind):
        return "billing"
    if not is_frame:
        return "malformed"
    if code == "rate_limit_exceeded":
        return "rate_limit"
    if code in FILTER_CODES:
        return "content_policy"
    return "invalid" if code is not None and code.startswith(BAD_INPUT) else "server"


def _from_status(error: Any) -> CallFailure:
    body = _error_body(error.body)
    status, code = int(error.status_code), _code(body)
    message = _message(error, body)
    if _is_bare(status, body):  # shortened first: the advice is what must not be cut off
        message = f"{message[: LONGEST_MESSAGE - len(WRONG_PLACE) - 2]}; {WRONG_PLACE}"
    return CallFailure(
        kind=_kind(status, code, body.get("type"), message),
        message=message,
        status=status,
        code=code,
        param=text_or_none(body.get("param")),
        retry_after_s=retry_after_s(error.response.headers),
        type=text_or_none(body.get("type")),
    )


def _error_body(body: object) -> Mapping[str, Any]:
    """The error object of a body; some servers wrap it in a list (Gemini) or send text."""
    for _ in range(4):  # one level is real; a server that nests more is up to no good
        if isinstance(body, list) and body:
            body = body[0]
    if isinstance(body, Mapping):
        inner = body.get("error")
        return inner if isinstance(inner, Mapping) else body
    return {"message": body} if isinstance(body, str) and body.strip() else {}


def _kind(  # noqa: PLR0911  one return per class of error, in the order they must be tried
    status: int, code: str | None, kind: object, message: str
) -> FailureKind:
    words = message.lower()
    if status == 429 or _is_billing(code, kind):  # noqa: PLR2004
        return _too_many(code, kind, words)
    if status in (400, 403, 422) and _is_unsupported(code, words):
        return "unsupported"
    if code in TOO_LONG_CODES or any(known in words for known in TOO_LONG_WORDS):
        return "context_length"
    if code in FILTER_CODES:
        return "content_policy"
    if status in HTTP_KINDS:
        return HTTP_KINDS[status]
    if status >= 500:  # noqa: PLR2004
        overloaded = code == "slow_down" or "overloaded" in f"{code} {words}"
        return "overloaded" if overloaded else "server"
    return "invalid"


def _too_many(code: str | None, kind: object, words: str) -> FailureKind:
    if _is_billing(code, kind):
        return "billing"
    return "overloaded" if "resource unavailable" in words else "rate_limit"


def _is_billing(code: str | None, kind: object) -> bool:
    return code in BILLING_CODES or kind in BILLING_CODES


def _is_unsupported(code: str | None, words: str) -> bool:
    """`code` can be null on the API's own errors, so the wording counts as well."""
    return code in UNSUPPORTED_CODES or any(known in words for known in UNSUPPORTED_WORDS)


def _code(body: Mapping[str, Any]) -> str | None:
    code = body.get("code")
    return str(code) if code else None


def _one_line(page: str) -> str:
    """The words of an HTML page."""
    words = " ".join(_MARKUP.sub(" ", page[:MOST_OF_A_PAGE]).split())
    return f"an HTML page: {words[:LONGEST_PAGE]}"


def _message(error: Any, body: Mapping[str, Any]) -> str:
    """The API's own words; what else the body holds, where it has none."""
    for name in ("message", "error", "detail"):
        words = body.get(name)
        if isinstance(words, str) and words.strip():
            return _one_line(words) if _PAGE.match(words) else words.strip()
    return f"{error.message}: {json.dumps(body, default=str)}" if body else str(error.message)


def _is_bare(status: int, body: Mapping[str, Any]) -> bool:
    """Whether a 404 may be of a server that has no such path: the API's own names its type."""
    return status == 404 and not (body.get("type") or body.get("code"))  # noqa: PLR2004
