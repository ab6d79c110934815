"""Why there is no answer, as an endpoint says it: status, OpenAI's error object, headers."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cascade.core.failures import CallFailure, FailureKind
from cascade.core.route import WrongRoute
from cascade.core.trace import Trace
from cascade.endpoint.books import books_of, headers_of
from cascade.endpoint.faults import UnknownModel
from cascade.endpoint.own_options import FIELD
from cascade.errors import (
    BudgetExceeded,
    ConfigError,
    DeadlineExceeded,
    RequestError,
    RunError,
)

__all__ = ["Failure", "failure_of"]

log = logging.getLogger("cascade")

WRONG = "invalid_request_error"
BROKEN = "server_error"

SAID: Mapping[FailureKind, tuple[int, str, str | None]] = {
    "billing": (429, "insufficient_quota", "insufficient_quota"),
    "rate_limit": (429, "requests", "rate_limit_exceeded"),
    "overloaded": (503, BROKEN, "server_is_overloaded"),
    "server": (502, BROKEN, None),
    "timeout": (504, BROKEN, "timeout"),
    "connection": (502, BROKEN, None),
    "unreachable": (502, BROKEN, None),
    "context_length": (400, WRONG, "context_length_exceeded"),
    "content_policy": (400, WRONG, "content_filter"),
    "auth": (401, WRONG, None),
    "not_found": (404, WRONG, None),  # it may be the path: no code unless the server gave one
    "unsupported": (400, WRONG, None),
    "invalid": (400, WRONG, None),
    "malformed": (502, BROKEN, None),
    "interrupted": (502, BROKEN, None),
    "budget": (429, "insufficient_quota", "insufficient_quota"),
    "deadline": (504, BROKEN, "timeout"),
}
"""What each kind of failure is where the provider's own words do not say: status, type, code."""

BROKEN_BY: Mapping[FailureKind, str] = {
    "connection": "the connection to the model was lost",
    "deadline": "the request's deadline has passed",
    "malformed": "the model sent something that is no answer",
    "timeout": "the model sent nothing more in time",
}
"""What breaks a stream, in words for whoever reads it."""

UNFORESEEN = (500, BROKEN, None)

SERVER_ERROR = (
    "The server had an error while processing your request. Whoever runs it finds the reason in "
    "its log."
)

REFUSED = "The provider refused the server's own key. Whoever runs the server finds why in its log."


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    Attributes:
        status: of the HTTP response.
        error: message, type, param and code.
        kind: of the failed call, where one is the reason.
        retry_after_s: how long the provider asks to wait, in seconds.
        trace: what was done and paid, where a model was asked.
    """

    status: int
    error: Mapping[str, Any]
    kind: FailureKind | None = None
    retry_after_s: float | None = None
    trace: Trace | None = field(default=None, repr=False)

    def body(self, *, shows_books: bool = True) -> dict[str, Any]:
        """The body of the response."""
        body: dict[str, Any] = {"error": dict(self.error)}
        if shows_books and self.trace is not None:
            body[FIELD] = books_of(self.trace)
        return body

    @property
    def headers(self) -> dict[str, str]:
        """Its own headers, besides the content type."""
        found: dict[str, str] = {}
        if self.trace is not None:
            # The chain has made its tries: a client's silent further ones would pay once more.
            found = {**headers_of(books_of(self.trace)), "x-should-retry": "false"}
        if self.retry_after_s is not None:
            found["retry-after"] = str(math.ceil(self.retry_after_s))
        return found


def failure_of(error: BaseException, *, inside: bool = False) -> Failure:
    """What an exception means to whoever made a call.

    Args:
        error: what was raised.
        inside: whether the caller set up the chain, too: then a refused key and a wrong setting are
            told as they are. Others are told that there is one, and the log says which.
    """
    if isinstance(error, UnknownModel):
        return _failure(str(error), (404, WRONG, "model_not_found"))
    if isinstance(error, RequestError):
        param = f"{FIELD}.{error.option}" if isinstance(error, WrongRoute) else error.param
        words = str(error) if inside else error.why
        return _failure(words, (400, WRONG, error.code), param=param)
    if isinstance(error, RunError):
        return replace(_of_run(error, inside=inside), trace=error.trace)
    trace = getattr(error, "trace", None)
    trace = trace if isinstance(trace, Trace) else None
    if isinstance(error, ConfigError) and inside:
        return replace(_failure(str(error), UNFORESEEN), trace=trace)
    log.error("a call could not be answered", exc_info=error)
    return replace(_failure(SERVER_ERROR, UNFORESEEN), trace=trace)


def _of_run(error: RunError, *, inside: bool) -> Failure:
    """A chain that gave no answer; the provider's own words where the last call got some."""
    if isinstance(error, BudgetExceeded):
        return replace(_failure(error.trace.reason, SAID["budget"]), kind="budget")
    if isinstance(error, DeadlineExceeded):
        return replace(_failure(error.trace.reason, SAID["deadline"]), kind="deadline")
    failure = error.failure
    if failure is None:
        return _failure(error.trace.reason, (502, BROKEN, None))
    status, kind, code = SAID.get(failure.kind, UNFORESEEN)
    if failure.kind == "auth" and not inside:
        log.error("the provider refused the key: %s", failure)
        return replace(_failure(REFUSED, UNFORESEEN), kind="auth")
    if failure.kind == "rate_limit" and "tokens per" in failure.message:
        kind = "tokens"
    if failure.type is not None:  # its code, too, and if that is null
        kind, code = failure.type, failure.code
    if failure.kind == "interrupted":
        said = _broken_off(failure.cause)
    else:
        said = failure.message if failure.status else error.trace.reason
    found = _failure(
        said, (_status(failure, status), kind, failure.code or code), param=failure.param
    )
    return replace(found, kind=failure.kind, retry_after_s=failure.retry_after_s)


def _broken_off(cause: CallFailure | None) -> str:
    """Why an answer ends in the middle; the trace has the details that mean nothing to a caller."""
    why = None
    if cause is not None:  # the provider's own words, where it gave some
        why = cause.message if cause.type is not None else BROKEN_BY.get(cause.kind)
    why = why or "the model stopped sending it"
    return f"The answer broke off before its end: {why.rstrip('.')}."


def _status(failure: CallFailure, usual: int) -> int:
    """The provider's own status, where it is one of an error."""
    given = failure.status
    return given if given is not None and 400 <= given < 600 else usual  # noqa: PLR2004


def _failure(message: str, said: tuple[int, str, str | None], param: str | None = None) -> Failure:
    status, kind, code = said
    return Failure(status, {"message": message, "type": kind, "param": param, "code": code})
