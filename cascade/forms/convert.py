"""A whole request of one API written as the other's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.forms.api import Api, api_of
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.messages import items_of, messages_from
from cascade.forms.overlay import laid_over, lay_over, without
from cascade.forms.params import OTHER_NAMES, params_for
from cascade.forms.parts import part_for_chat

__all__ = ["PREAMBLE", "convert", "preamble_for", "shaped", "with_preamble"]

Payload = dict[str, Any]

LEADING = ("system", "developer")

PREAMBLE = "preamble"
"""What `NoEquivalent` names as the parameter, where it is about a preamble."""


def convert(payload: Mapping[str, Any], api: Api) -> Payload:
    """A payload as an API takes it; one that is written for that API stays as it is.

    Raises:
        NoEquivalent: a part of it cannot be said there.
    """
    if api_of(payload) == api:
        return dict(payload)
    if "decisions" in (api, api_of(payload)):
        raise NoEquivalent("questions", "a decision", api)
    if api == "responses":
        rest = {key: value for key, value in payload.items() if key != "messages"}
        return {"input": items_of(payload.get("messages")), **params_for(rest, api)}
    said = ("input", "instructions")
    rest = {key: value for key, value in payload.items() if key not in said}
    messages = messages_from(payload.get("input"), payload.get("instructions"))
    return {"messages": messages, **params_for(rest, api)}


def shaped(payload: Mapping[str, Any], params: Mapping[str, Any], api: Api) -> Payload:
    """A payload as an API takes it, with a tier's parameters laid over it.

    Args:
        payload: in either form.
        params: in either form's names; `None` removes a parameter before anything is converted.
        api: where it goes.

    Raises:
        NoEquivalent: the payload or a parameter holds what cannot be said there.
    """
    written_for = api_of(payload)
    if written_for == api and OTHER_NAMES[api].isdisjoint(params) and not _odd_tools(params):
        return laid_over(payload, params)
    left = without(payload, params, written_for)
    given = {name: value for name, value in params.items() if value is not None}
    return lay_over(convert(left, api), given, api)


def _odd_tools(params: Mapping[str, Any]) -> bool:
    """Whether the parameters bring tools, which may be in the other form's shape."""
    return bool(params.get("tools") or params.get("tool_choice"))


def with_preamble(payload: Payload, preamble: tuple[Mapping[str, Any], ...]) -> Payload:
    """A payload with messages put in after its leading system messages.

    Raises:
        NoEquivalent: a message cannot be said where the payload goes.
    """
    api = api_of(payload)
    shots = preamble_for(preamble, api)
    if api == "chat":
        return {**payload, "messages": _put_in(payload["messages"], shots)}
    asked = payload["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    return {**payload, "input": _put_in(items, shots)}


def preamble_for(preamble: tuple[Mapping[str, Any], ...], api: Api) -> list[Mapping[str, Any]]:
    """The messages of a preamble, as an API takes them.

    Raises:
        NoEquivalent: a message cannot be said there.
    """
    if api == "chat":
        return [_chat_message(message, index) for index, message in enumerate(preamble)]
    return list(items_of(preamble, PREAMBLE))


def _chat_message(message: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """A message whose parts may be written as Responses' are."""
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return message
    where = f"{PREAMBLE}[{index}].content"
    parts = [part_for_chat(part, f"{where}[{place}]") for place, part in enumerate(content)]
    return message if parts == list(content) else {**message, "content": parts}


def _put_in(messages: list[Any], shots: list[Any]) -> list[Any]:
    head = 0
    while head < len(messages) and messages[head].get("role") in LEADING:
        head += 1
    return [*messages[:head], *shots, *messages[head:]]
