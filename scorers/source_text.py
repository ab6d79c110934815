"""What a request says, as one text: the material that an answer can be checked against."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cascade import Request

__all__ = ["SourceText", "source_text"]

TEXT_KEYS = ("text", "output", "arguments", "input")
"""Where parts of a message and items of a Responses input keep their words."""

UNREADABLE = frozenset(
    {"image_url", "input_image", "input_audio", "file", "input_file", "computer_screenshot"}
)
"""Parts that a model can read and a comparison of texts cannot."""

KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""Where a request says that a server keeps what came before, or a part of what is asked."""

FETCHING = ("file_search", "web_search", "mcp", "code_interpreter")
"""Beginnings of the kinds of tools that a server runs, whose findings the request does not hold."""


class SourceText(str):
    """The text, with `unread`: what the model could read and is not in it.

    Images, files, audio, earlier turns that a server keeps, findings of a server's tools.
    """

    __slots__ = ("unread",)
    unread: tuple[str, ...]


def source_text(request: Request, roles: Collection[str]) -> SourceText:
    """The words of a request, of the messages with these roles.

    Reads Chat Completions and Responses payloads. Outputs of tools count as role "tool";
    `instructions` of a Responses payload as "system"; "developer" is "system" too.

    Args:
        request: what was asked.
        roles: of "user", "tool", "system", "assistant".

    Returns:
        The texts, joined by blank lines; "" where the roles say nothing.
    """
    payload, unread = request.payload, dict[str, None]()
    pieces: list[str] = []
    if "system" in roles and isinstance(payload.get("instructions"), str):
        pieces.append(payload["instructions"])
    for key in ("messages", "input"):
        listed = payload.get(key)
        if isinstance(listed, str):
            if "user" in roles:
                pieces.append(listed)
            continue
        for message in listed if isinstance(listed, list | tuple) else ():
            if isinstance(message, Mapping) and _role(message) in roles:
                pieces.extend(_texts(message, unread))
    text = SourceText("\n\n".join(pieces))
    text.unread = (*unread, *_elsewhere(payload))
    return text


def _elsewhere(payload: Mapping[str, Any]) -> Iterator[str]:
    """What the model may have read on its server."""
    yield from (key for key in KEPT_ELSEWHERE if payload.get(key) is not None)
    tools = payload.get("tools")
    for tool in tools if isinstance(tools, list | tuple) else ():
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if isinstance(kind, str) and kind.startswith(FETCHING):
            yield kind
    if payload.get("web_search_options") is not None:
        yield "web_search_options"


def _role(message: Mapping[str, Any]) -> str:
    role = message.get("role")
    if role == "developer":
        return "system"
    if role == "function" or "output" in message:
        return "tool"
    return str(role) if role is not None else "assistant"


def _texts(message: Mapping[str, Any], unread: dict[str, None]) -> Iterator[str]:
    content = message.get("content", message.get("output"))
    if isinstance(content, str):
        yield content
        return
    parts = content if isinstance(content, list | tuple) else [content]
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            if part.get("type") in UNREADABLE:
                unread[str(part["type"])] = None
            yield from (part[key] for key in TEXT_KEYS if isinstance(part.get(key), str))
