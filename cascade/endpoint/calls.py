"""Reading a call to an endpoint: what is asked, of which model, and how the answer is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cascade.core.quick import quick
from cascade.core.request import CALL_OPTIONS, NOT_ON_THE_WIRE, Request
from cascade.endpoint.faults import BadCall, shown
from cascade.endpoint.own_options import FIELD, NAMES, own_options
from cascade.endpoint.unasked import asks_logprobs
from cascade.endpoint.wording import missing, told, unknown, wrong_type
from cascade.errors import RequestError
from cascade.forms.params import OTHER_NAMES

__all__ = ["ENDPOINTS", "Call", "Endpoint", "read_body", "read_call"]

Endpoint = Literal["chat", "responses"]

ENDPOINTS: Mapping[str, Endpoint] = {"/chat/completions": "chat", "/responses": "responses"}
"""The paths, after the base URL, that a chain answers; method POST."""

NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid "
    "JSON.)"
)

TOO_DEEP = "lists and objects nested more than 200 levels deep"
"""What the parser calls its recursion limit."""

ASKED: Mapping[Endpoint, str] = {"chat": "messages", "responses": "input"}

LIMITS = ("max_tokens", "max_completion_tokens")
"""Chat's names, old and new, of one limit."""

FOREIGN: Mapping[Endpoint, frozenset[str]] = {
    "chat": OTHER_NAMES["chat"] | {ASKED["responses"]},
    "responses": OTHER_NAMES["responses"] | {ASKED["chat"], "questions"},
}
"""Parameters of other endpoints alone. To find out from the provider costs a call, and a limit that
a server may pass over must not bound a cost.
"""

LABELS = frozenset({"metadata", "tags", "parent"})
"""Options of ours that become part of the request."""

OWN_FIELDS = frozenset(NAMES - {"conversation", "metadata"})
"""Options of ours that are no parameters of an API as well: beside it they are misplaced."""

UNKNOWN: Mapping[Endpoint, frozenset[str]] = {
    api: names | {"extra_body", *CALL_OPTIONS, *NOT_ON_THE_WIRE, *OWN_FIELDS}
    for api, names in FOREIGN.items()
}
"""What is no parameter of an endpoint."""


@quick
@dataclass(frozen=True, slots=True)
class Call:
    """A call to an endpoint.

    Attributes:
        api: the endpoint.
        model: the name it asks for: of a chain, or of a model.
        request: what is asked, with its labels.
        stream: whether the answer is wanted in pieces.
        include_usage: whether a Chat stream ends with the tokens.
        shows_books: whether the answer's body holds the `cascade` field.
        shows_logprobs: whether the answer holds log-probabilities.
        keywords: what `complete` and `stream` are told besides the request: those of `budget`,
            `deadline_s`, `start_at`, `stop_at` and `conversation` that the call says.
    """

    api: Endpoint
    model: str
    request: Request
    stream: bool = False
    include_usage: bool = False
    shows_books: bool = True
    shows_logprobs: bool = True
    keywords: Mapping[str, Any] = field(default_factory=dict)


def read_body(data: bytes) -> Mapping[str, Any]:
    """The body of a call, decoded.

    Raises:
        BadCall: it is no JSON object, or nested too deep to be meant.
    """
    import jiter  # noqa: PLC0415  with the first call

    try:
        body = jiter.from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise BadCall(f"{NOT_JSON} What was found: {_found(error)}.") from error
    if not isinstance(body, dict):
        raise BadCall(f"The body is {shown(body)}: expected a JSON object")
    return body


def _found(error: ValueError) -> str:
    """What the parser ran into, and where, on one line."""
    return " ".join(str(error).split()).replace("recursion limit exceeded", TOO_DEEP)


def read_call(
    api: Endpoint,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    passed_on: Mapping[str, Any] | None = None,
    shows_books: bool = True,
) -> Call:
    """A call to an endpoint.

    Args:
        api: the endpoint.
        body: its decoded body; the call keeps parts of it.
        headers: its headers, of which those that begin with `x-cascade-` are read.
        passed_on: `extra_headers` and `extra_query` for the tiers; the call's own headers are not
            passed on.
        shows_books: whether the answer's body is to hold the `cascade` field.

    Raises:
        BadCall: a part of it cannot be meant; `param` says which.
        RequestError: it cannot be sent to any model.
    """
    payload = dict(body)
    options = own_options(payload.pop(FIELD, None), headers or {})
    labels = {name: options.pop(name) for name in LABELS & options.keys()} if options else {}
    model = payload.get("model")
    if model is None or model == "":
        raise BadCall("you must provide a model parameter", param="model")
    if not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    stream = _flag(payload.pop("stream", None), "stream")
    _check(api, payload, stream=stream)
    if api == "responses" and payload.get("store") is None:
        payload["store"] = True  # as the API documents: clients hand back ids of what it keeps
    wanted = payload.get("stream_options") or {}
    return Call(
        api=api,
        model=model,
        request=_request(payload, labels, passed_on or {}),
        stream=stream,
        include_usage=_flag(wanted.get("include_usage"), "stream_options.include_usage"),
        shows_books=shows_books,
        shows_logprobs=asks_logprobs(api, payload),
        keywords=options,
    )


def _request(
    payload: dict[str, Any],
    labels: Mapping[str, Any],
    passed_on: Mapping[str, Any],
) -> Request:
    try:
        built = Request.build(payload, passed_on, metadata=labels.get("metadata"), is_decoded=True)
    except RequestError as error:
        raise told(error, payload) from error
    if not labels:
        return built
    return built.marked(labels.get("tags"), labels.get("parent"))


def _check(api: Endpoint, payload: dict[str, Any], *, stream: bool) -> None:
    """Refuse what belongs to another endpoint, or is no parameter of one at all."""
    foreign = UNKNOWN[api]
    for name in () if payload.keys().isdisjoint(foreign) else foreign & payload.keys():
        if payload[name] is not None:
            raise unknown(name, f" It belongs into the '{FIELD}' object." * (name in NAMES))
    if payload.get(LIMITS[0]) is not None and payload.get(LIMITS[1]) is not None:
        words = f"Setting '{LIMITS[0]}' and '{LIMITS[1]}' at the same time is not supported."
        raise BadCall(words, param=LIMITS[0])
    asked = ASKED[api]
    if payload.get(asked) is None:
        if api == "chat" or not payload.get("prompt"):
            raise missing(asked)
        payload[asked] = []  # a stored prompt asks by itself
    options = payload.get("stream_options")
    if options is None:
        return
    if not stream:
        words = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadCall(words, param="stream_options")
    if not isinstance(options, Mapping):
        raise wrong_type("stream_options", "an object", options)
    if api == "responses" and options.get("include_usage") is not None:
        raise unknown("stream_options.include_usage")


def _flag(value: object, name: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise wrong_type(name, "a boolean", value)
    return bool(value)
