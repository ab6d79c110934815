"""Ways in which a model call can fail, and what each means for the request.

The provider room turns exceptions into a `CallFailure`; the decision loop reads only its kind.
Retrying (the same tier again) is the provider's business; this table says what follows when a call
has finally failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["RETRYABLE", "CallFailure", "FailureKind", "is_never_billed"]

FailureKind = Literal[
    "billing",  # 429 with a billing code: credit, spend or usage limit reached
    "rate_limit",  # 429: too many requests or tokens per minute
    "overloaded",  # 429 "resource unavailable" (flex), 503 server_is_overloaded
    "server",  # other 5xx, 408, 409
    "timeout",  # no answer in time; the provider may have finished and billed
    "connection",  # the connection broke after the request was sent
    "unreachable",  # no connection could be made: nothing was sent
    "context_length",  # the prompt does not fit this model
    "content_policy",  # refused by a content filter before an answer
    "auth",  # 401, 403
    "not_found",  # 404: no such model, or shut down
    "unsupported",  # 400 for a parameter this model does not take
    "invalid",  # any other 4xx
    "malformed",  # a 200 that is no answer: HTML, an error body, wrong types
    "interrupted",  # a stream broke before its end
    "cancelled",  # the caller went away
    "budget",  # not made: it could break the budget
    "deadline",  # not made or cut short: the request's time is over
    "stopped",  # its stream was left on purpose: it could not be accepted any more
]

KINDS = frozenset(get_args(FailureKind))

RETRYABLE = frozenset(
    {"rate_limit", "overloaded", "server", "timeout", "connection", "unreachable"}
)
"""Worth another try on the same tier. A malformed 200 is not: it was probably paid for."""

BILLED_NEVER = frozenset(
    {
        "billing",
        "rate_limit",
        "context_length",
        "content_policy",
        "auth",
        "not_found",
        "unsupported",
        "invalid",
        "unreachable",
        "budget",
    }
)
"""Refused before any token was produced: the cost is known to be nothing."""

REFUSALS = frozenset({409, 429})
"""Statuses that say so too, whatever the kind: they are tried again, and cost nothing each time.

Not 408, though OpenAI bills no 4xx. Servers in front of models (Azure, LiteLLM) send it when the
model behind them took too long: it has worked then, and may be billed, as after a 504.
"""


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A model call that gave no reply.

    Attributes:
        kind: what went wrong, one of `FailureKind`.
        message: in words, without secrets.
        status: HTTP status, where there was one.
        code: the provider's error code, where it gave one.
        param: the parameter the provider blames.
        retry_after_s: how long the provider asks to wait, in seconds.
        type: the provider's own type of error, where it gave an error object: then `code` and
            `param` are its own, too, if they are `None`.
        cause: what broke a stream that had begun.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    type: str | None = None
    cause: CallFailure | None = None

    def __str__(self) -> str:
        status = f" (HTTP {self.status})" if self.status else ""
        return f"{self.kind}{status}: {self.message}"


def is_never_billed(failure: CallFailure) -> bool:
    """Whether a failed call is known to have cost nothing."""
    return failure.kind in BILLED_NEVER or failure.status in REFUSALS
