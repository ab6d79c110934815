"""What a request says, read the same way whichever API it was written for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cascade.forms.api import api_of
from cascade.forms.messages import messages_from
from cascade.forms.params import format_for
from cascade.forms.parts import TEXTS
from cascade.forms.tools import function_of

__all__ = [
    "effort_of",
    "format_of",
    "has_media",
    "messages_of",
    "output_limit",
    "prompt_of",
    "schema_of",
    "tools_of",
]

Payload = Mapping[str, Any]

PROMPT = ("messages", "input", "instructions", "questions")
BESIDE = frozenset({"tools", "functions", "response_format", "text"})
"""Rendered into the prompt as well."""

ELSEWHERE = frozenset({"previous_response_id", "conversation", "prompt", "web_search_options"})
"""Parts of a prompt that come from the server's side: their length is not known here."""

LOCAL_TOOLS = frozenset({"function", "custom", "namespace", "tool_search"})
"""Tools that add to the prompt no more than their own definitions; hosted ones add findings."""

BOUNDED = frozenset(
    {
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
    }
)
"""Items whose bytes bound their tokens."""


def messages_of(payload: Payload) -> list[Mapping[str, Any]]:
    """The conversation as Chat's messages, a fresh list.

    A view for reading: of a Responses payload, items that Chat cannot say are left out.
    """
    if api_of(payload) == "chat":
        return list(payload.get("messages") or ())
    asked = messages_from(payload.get("input"), payload.get("instructions"), strictly=False)
    return list(asked)


def output_limit(payload: Payload) -> int | None:
    """The longest answer the request allows, in tokens; `None` without a limit that counts."""
    get = payload.get
    limit = get("max_completion_tokens") or get("max_tokens") or get("max_output_tokens")
    return limit if type(limit) is int and limit > 0 else None


def tools_of(payload: Payload) -> list[Mapping[str, Any]]:
    """The definitions of the functions a model may call: name, description, parameters, strict."""
    listed = payload.get("tools")
    tools = listed if isinstance(listed, list | tuple) else ()
    return [found for tool in tools if (found := function_of(tool)) is not None]


def format_of(payload: Payload) -> Mapping[str, Any] | None:
    """The format asked of the answer, as Chat writes it; `None` where none is."""
    if api_of(payload) == "chat":
        given = payload.get("response_format")
    else:
        text = payload.get("text")
        given = format_for(text.get("format"), "chat") if isinstance(text, Mapping) else None
    return given if isinstance(given, Mapping) else None


def schema_of(payload: Payload) -> Mapping[str, Any] | None:
    """The JSON Schema the answer must follow; `None` where none is asked for."""
    given = format_of(payload) or {}
    inner = given.get("json_schema") if given.get("type") == "json_schema" else None
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def effort_of(payload: Payload) -> str | None:
    """The reasoning effort asked for; `None` where the model's default applies."""
    inner = payload.get("reasoning")
    given = payload.get("reasoning_effort")
    if given is None and isinstance(inner, Mapping):
        given = inner.get("effort")
    return given if isinstance(given, str) else None


def prompt_of(payload: Payload) -> tuple[list[Any], dict[str, Any]]:
    """What a model reads: the messages or items, and what is rendered beside them."""
    listed: list[Any] = []
    for name in PROMPT:
        part = payload.get(name)
        if part:
            listed += part if isinstance(part, list | tuple) else [part]
    if BESIDE.isdisjoint(payload):
        return listed, {}
    return listed, {name: payload[name] for name in payload if name in BESIDE}


def has_media(payload: Payload) -> bool:
    """Whether a prompt holds what its bytes do not bound: images, audio, files, stored parts."""
    if not ELSEWHERE.isdisjoint(payload) and any(payload.get(name) for name in ELSEWHERE):
        return True
    tools = payload.get("tools")
    if tools and isinstance(tools, list | tuple) and any(map(_is_hosted, tools)):
        return True
    listed = payload.get("messages") or payload.get("input")
    if not isinstance(listed, list | tuple):
        return False
    for item in listed:
        words = type(item) is dict and type(item.get("content")) is str  # as nearly all are
        if words and "role" in item and "output" not in item:
            continue
        if isinstance(item, Mapping) and _holds_media(item):
            return True
    return False


def _is_hosted(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") not in LOCAL_TOOLS


def _holds_media(item: Mapping[str, Any]) -> bool:
    if "role" not in item and item.get("type") not in BOUNDED:
        return True
    if item.get("audio"):  # an earlier answer, which the server keeps
        return True
    return any(
        isinstance(part, Mapping) and part.get("type") not in (*TEXTS, "refusal")
        for part in _parts(item)
    )


def _parts(item: Mapping[str, Any]) -> Iterator[Any]:
    for name in ("content", "output"):
        content = item.get(name)
        if isinstance(content, list | tuple):
            yield from content
