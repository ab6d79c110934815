"""A request: what the user asked, in wire format, checked once.

Knows the shapes of Chat Completions and Responses payloads well enough to refuse what cannot work.
Unknown parameters pass through untouched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cascade.core.labels import parent_id_of, tags_of
from cascade.core.plain_json import as_json, decoded_size
from cascade.core.quick import quick
from cascade.errors import RequestError
from cascade.forms.answer_schema import BadFormat, with_schema, with_schema_of_type
from cascade.forms.api import Api, api_of
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.params import OTHER_NAMES, params_for
from cascade.forms.reading import format_of, messages_of

__all__ = ["Asked", "Message", "Request", "check_messages"]

Message = Mapping[str, Any]
Asked = str | Sequence[Message] | Mapping[str, Any]
"""A prompt, messages, or a whole wire payload: Chat's (`messages`) or Responses' (`input`)."""

_READER = json.JSONDecoder()

CALL_OPTIONS = ("extra_headers", "extra_query")
"""Keywords of the SDK that are not part of the body. They may hold secrets: sent, never stored."""

NOT_ON_THE_WIRE = {
    "timeout": "use deadline_s= here, or timeout_s= on the tier",
    "max_retries": "use Tier(retry=Retry(max_tries=...))",
    "deadline": "did you mean deadline_s=?",
    "budget_usd": "did you mean budget=?",
    "concurrency": "it belongs to complete_many and AsyncCascade.complete_rounds",
    "ordered": "it belongs to complete_many",
    "progress": "it belongs to complete_many",
    **{
        name: f"give it beside the request: complete(..., {name}=...)"
        for name in (
            "budget",
            "deadline_s",
            "start_at",
            "stop_at",
            "tags",
            "parent",
        )
    },
}
"""Keywords of the SDK, keywords of our own inside a payload, and near misses of both: they would
reach the API as unknown keys. `metadata` and `conversation` are parameters of an API as well.
"""


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """One request to a chain.

    Attributes:
        payload: body in wire format without `model`, `stream` and top-level `None` values.
        requested_model: the `model` a given payload named; the chain decides, this is kept to show.
        options: transport options for the SDK (headers, query); never stored.
        metadata: the caller's own labels, kept in the trace.
        tags: the caller's own marks, to find traces by.
        parent_id: the trace, or the run, that this request is made for.
        size_bytes: UTF-8 size of the payload as JSON without spaces, as it is sent.
        answer_type: the pydantic class or `TypeAdapter` that the answer must fit, if one was given.
    """

    payload: Mapping[str, Any]
    requested_model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    size_bytes: int = 0
    tags: tuple[str, ...] = ()
    parent_id: str | None = None
    answer_type: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def build(
        cls,
        asked: Asked,
        params: Mapping[str, Any] | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        is_decoded: bool = False,
    ) -> Request:
        """Make a request from a prompt, messages or a payload, and keyword parameters.

        Args:
            asked: a prompt, a sequence of messages, or a wire payload (a mapping). A payload with
                `input` is one of the Responses API.
            params: further wire parameters; they win over the payload's own. `None` means "leave
                it out", as the SDK's `omit` does. `response_format` (or `text_format`) also takes a
                pydantic class or a bare JSON Schema.
            metadata: labels for the trace, JSON-serialisable.
            is_decoded: what is asked has been read from JSON and is nobody else's: it need not be
                copied.

        Raises:
            RequestError: no messages, `n` above 1, a value JSON cannot hold, a parameter that
                belongs elsewhere, or `strict` with a schema that the API would refuse.
        """
        payload: dict[str, Any]
        if isinstance(asked, str):
            payload = {"messages": [{"role": "user", "content": asked}]}
        elif isinstance(asked, (dict, Mapping)):  # the check of an abstract class takes its time
            payload = dict(asked)
        else:
            payload = {"messages": _message_list(asked)}
        if params:
            _check_asked_once(payload, params)
            payload = _with_keywords(payload, params)
        if "extra_body" in payload:
            payload.update(_extra(payload.pop("extra_body")))
        options = _options(payload)
        payload = {key: value for key, value in payload.items() if value is not None}
        _check_names(payload)
        model = payload.pop("model", None)
        payload.pop("stream", None)
        try:
            payload, answer_type = with_schema_of_type(payload)
            if is_decoded:
                given, size = payload, decoded_size(payload, "payload")
            else:
                # Read back from what is sent: the caller's lists may grow, a request never changes.
                body = as_json(payload, "payload")
                given, size = _READER.raw_decode(body.decode())[0], len(body)
            plain = with_schema(given)
        except BadFormat as error:
            raise RequestError(str(error), param=error.param) from error
        _check_asked(plain)
        if metadata is not None and not isinstance(metadata, Mapping):
            raise RequestError(
                f"metadata is {metadata!r}: expected a mapping of labels", param="metadata"
            )
        return cls(
            payload=plain,
            requested_model=model if isinstance(model, str) else None,
            options=options,
            metadata=json.loads(as_json(dict(metadata), "metadata")) if metadata else {},
            size_bytes=size if plain is given else len(as_json(plain, "payload")),
            answer_type=answer_type,
        )

    def extended(
        self, params: Mapping[str, Any], *, metadata: Mapping[str, Any] | None = None
    ) -> Request:
        """The same request with further parameters and labels; theirs win. Raises as `build`."""
        if not params and not metadata:
            return self
        built = Request.build(
            {**self.payload, **self.options}, params, metadata={**self.metadata, **(metadata or {})}
        )
        kept = format_of(built.payload) == format_of(self.payload)
        return replace(
            built,
            requested_model=built.requested_model or self.requested_model,
            tags=self.tags,
            parent_id=self.parent_id,
            answer_type=built.answer_type or (self.answer_type if kept else None),
        )

    def marked(self, tags: object, parent: object) -> Request:
        """The same request with further tags and, where one is given, a parent.

        Raises:
            RequestError: tags that are no texts, or a parent that is no id and has none.
        """
        if (tags is None or tags == ()) and parent is None:
            return self
        return Request(
            payload=self.payload,
            requested_model=self.requested_model,
            options=self.options,
            metadata=self.metadata,
            size_bytes=self.size_bytes,
            tags=tuple(dict.fromkeys((*self.tags, *tags_of(tags)))),
            parent_id=self.parent_id if parent is None else parent_id_of(parent),
            answer_type=self.answer_type,
        )

    @property
    def api(self) -> Api:
        """The API it is written for: "chat" or "responses"."""
        return api_of(self.payload)

    @property
    def messages(self) -> list[Message]:
        """The conversation as Chat's messages, a fresh list, whichever API it was written for.

        A view for reading: items of a Responses payload that Chat cannot say are left out.
        """
        return messages_of(self.payload)


def _message_list(asked: object) -> list[Any]:
    if not isinstance(asked, Iterable) or isinstance(asked, bytes | bytearray):
        raise RequestError(
            f"a request is a prompt (str), a list of messages or a wire payload (dict), "
            f"not {type(asked).__name__} {asked!r}"
        )
    return list(asked)


def _check_asked_once(payload: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Refuse a keyword that would silently take the place of what is asked."""
    for name in ("messages", "input"):
        if params.get(name) is not None and payload.get(name) is not None:
            raise RequestError(
                f"{name}={params[name]!r:.80} would replace the {name} of the request itself; "
                "give what is asked once, as the first argument",
                param=name,
            )


def _with_keywords(payload: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with keywords laid over it; they may have the names of either API.

    Raises:
        RequestError: one of the other API's that this one cannot say.
    """
    api = api_of({**payload, **params})
    foreign = {
        name: value
        for name, value in params.items()
        if name in OTHER_NAMES[api] and name not in READ_IN_EITHER
    }
    laid = {**payload, **{name: value for name, value in params.items() if name not in foreign}}
    try:
        made = params_for(foreign, api) if foreign else {}
    except NoEquivalent as error:
        system = "write a system message, or " if error.param == "instructions" else ""
        raise RequestError(
            f"{error}; {system}put it into extra_body={{...}} to send it as it stands",
            param=error.param,
        ) from error
    for name, value in made.items():
        before = laid.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            laid[name] = {**before, **value}
        else:
            laid[name] = value
    return laid


READ_IN_EITHER = frozenset({"background", "n", "response_format", "stream_options", "text"})
"""Keywords of one API that are read, or refused in words of their own, in requests of both."""


LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")

STR_OR_BOOL = (str, bool)


def _check_names(payload: Mapping[str, Any]) -> None:
    """Refuse what is no parameter of the API, or cannot be judged."""
    if not payload.keys().isdisjoint(NOT_ON_THE_WIRE):
        name = next(name for name in NOT_ON_THE_WIRE if name in payload)
        instead = NOT_ON_THE_WIRE[name]
        words = f"{name}={payload[name]!r} is no parameter of the API; {instead}"
        raise RequestError(words, param=name)
    if payload.get("stream"):
        words = "stream=True: call .stream(...) instead of .complete(...)"
        raise RequestError(words, param="stream")
    if payload.get("background"):
        raise RequestError(
            "background=True: an answer that comes later cannot be judged; leave it out, and raise "
            "timeout_s on the tier for answers that take long",
            param="background",
        )
    for name in LIMITS:
        if name in payload and isinstance(payload[name], STR_OR_BOOL):
            words = f"{name}={payload[name]!r}: expected a whole number of tokens"
            raise RequestError(words, param=name)
    n = payload.get("n")
    if isinstance(n, bool):
        raise RequestError(f"n={n!r}: expected an integer", param="n")
    if n is not None and n != 1:
        raise RequestError(
            f"n={n!r}: a cascade judges one answer at a time; leave n out and call again for more",
            param="n",
        )


def _check_asked(payload: Mapping[str, Any]) -> None:
    """Raise `RequestError` unless the payload asks something, of one API."""
    if "input" not in payload:
        check_messages(payload.get("messages"), "messages")
        return
    if "messages" in payload:
        raise RequestError(
            "the payload holds messages and input: messages belong to Chat Completions, input to "
            "the Responses API; give one of them",
            param="messages",
        )
    if "questions" in payload:
        raise RequestError(
            "the payload holds questions: it is one for the Decisions API, which scorers ask "
            "(cascade.decide); a request has messages or input alone",
            param="questions",
        )
    asked = payload["input"]
    if asked in ("", []) and not payload.get("prompt"):
        raise RequestError("the input is empty: there is nothing to ask", param="input")
    if isinstance(asked, str):
        return
    if not isinstance(asked, list):
        raise RequestError(f"input is {asked!r}: expected text or a list of items", param="input")
    for index, item in enumerate(asked):
        if not isinstance(item, Mapping) or not ({"role", "type"} & item.keys()):
            raise RequestError(
                f"input[{index}] is {item!r}: expected a mapping with a 'role' or a 'type', "
                'e.g. {"role": "user", "content": "..."}',
                param="input",
            )


def check_messages(messages: object, where: str) -> None:
    """Raise `RequestError` unless this is a conversation: one message or more, each with a role."""
    if not isinstance(messages, (list, tuple)) or not messages:
        raise RequestError(
            f"{where} is {messages!r}: expected at least one message, "
            'e.g. [{"role": "user", "content": "..."}]',
            param=where,
        )
    for index, message in enumerate(messages):
        if not isinstance(message, (dict, Mapping)) or not isinstance(message.get("role"), str):
            raise RequestError(
                f"{where}[{index}] is {message!r}: expected a mapping with a 'role', "
                'e.g. {"role": "user", "content": "..."}',
                param=where,
            )
    if len(messages) == 1 and messages[0].get("content") == "":
        raise RequestError("the prompt is empty: there is nothing to ask", param=where)


def _options(payload: dict[str, Any]) -> dict[str, Any]:
    """The options of a call, taken out of its payload."""
    if payload.keys().isdisjoint(CALL_OPTIONS):
        return {}
    options = {name: value for name in CALL_OPTIONS if (value := payload.pop(name, None))}
    for name, value in options.items():
        if not isinstance(value, Mapping):
            raise RequestError(f"{name} is {value!r}: expected a mapping", param=name)
    return options


def _extra(body: object) -> Mapping[str, Any]:
    if body is not None and not isinstance(body, Mapping):
        words = f"extra_body is {body!r}: expected a mapping of wire parameters"
        raise RequestError(words, param="extra_body")
    return body or {}
