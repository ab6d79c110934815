"""From what the SDK raises to what the decision loop understands.

The classification follows the API's documented errors. A 429 is two things: a rate limit, which
passes, and a billing stop, which does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from cascade.core.failures import CallFailure, FailureKind
from cascade.wire.chat import MalformedReply

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

NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""Transport errors before a request left this machine: nothing can have been billed."""

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
    "unknown name",
)


def scrub(text: str) -> str:
    """Text without anything that looks like a key."""
    return SECRET.sub("[secret]", text)


def classify(error: BaseException) -> CallFailure:
    """What an exception of the SDK, of its transport or of reading means.

    Returns:
        The failure. An exception nobody foresaw is "malformed" if a reply was being read, else
        "connection": unknown cost either way.
    """
    import openai  # noqa: PLC0415  loaded with the first call

    if isinstance(error, openai.APIStatusError):
        return _from_status(error)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return _from_transport(error, "timeout", "no answer in time")
    if isinstance(error, openai.APIConnectionError):
        return _from_transport(error, "connection", "the connection broke")
    if isinstance(error, MalformedReply | openai.APIResponseValidationError):
        return CallFailure("malformed", scrub(str(error)))
    if isinstance(error, openai.APIError):
        return _from_frame(error)
    return CallFailure("connection", scrub(f"{type(error).__name__}: {error}"))


def _from_transport(error: BaseException, kind: FailureKind, words: str) -> CallFailure:
    """A failure below HTTP; one that happened before sending is "unreachable" and cost nothing."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in NEVER_SENT:
            return CallFailure("unreachable", scrub(f"{type(cause).__name__}: {cause}"))
        if type(cause).__name__ == "RemoteProtocolError" or cause.__cause__ is None:
            break
        cause = cause.__cause__
    detail = str(cause or error) or type(cause or error).__name__
    return CallFailure(kind, scrub(f"{words}: {detail}"))


def _from_frame(error: Any) -> CallFailure:
    """An error inside a stream that had begun with a 200."""
    body = error.body if isinstance(error.body, Mapping) else {}
    code, kind = _code(body, error), body.get("type")
    message = scrub(str(error.message or error))
    if _is_billing(code, kind):
        return CallFailure("billing", message, code=code)
    if code == "rate_limit_exceeded":
        return CallFailure("rate_limit", message, code=code)
    return CallFailure("server", message, code=code)


def _from_status(error: Any) -> CallFailure:
    body = error.body if isinstance(error.body, Mapping) else {}
    status, code = int(error.status_code), _code(body, error)
    message = scrub(_message(error, body))
    param = body.get("param") if isinstance(body.get("param"), str) else None
    return CallFailure(
        kind=_kind(status, code, body.get("type"), message),
        message=message[:500],
        status=status,
        code=code,
        param=param,
        retry_after_s=retry_after_s(error.response.headers),
    )


def _kind(  # noqa: PLR0911  one return per class of error, in the order they must be tried
    status: int, code: str | None, kind: object, message: str
) -> FailureKind:
    words = message.lower()
    if status == 429 or _is_billing(code, kind):  # noqa: PLR2004
        return _too_many(code, kind, words)
    if status in (400, 403, 422) and _is_unsupported(code, words):
        return "unsupported"
    if code == "context_length_exceeded" or "maximum context length" in words:
        return "context_length"
    if code in ("content_filter", "content_policy_violation", "moderation_blocked"):
        return "content_policy"
    if status in HTTP_KINDS:
        return HTTP_KINDS[status]
    if status >= 500:  # noqa: PLR2004
        overloaded = code in ("server_is_overloaded", "overloaded") or "overloaded" in words
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


def _code(body: Mapping[str, Any], error: Any) -> str | None:
    code = body.get("code") or getattr(error, "code", None)
    return str(code) if code else None


def _message(error: Any, body: Mapping[str, Any]) -> str:
    inner = body.get("message")
    if isinstance(inner, str) and inner:
        return inner
    nested = body.get("error")
    if isinstance(nested, str) and nested:
        return nested
    return str(error.message or error)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait: `retry-after-ms`, or `retry-after` (seconds, date)."""
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
