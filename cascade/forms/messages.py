"""Conversations: Chat's messages and Responses' input items, each written as the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cascade.forms.equivalent import NoEquivalent
from cascade.forms.parts import part_for_chat, part_for_responses, parts_of, text_in

__all__ = ["items_of", "messages_from", "readable"]

Message = dict[str, Any]
Data = Mapping[str, Any]

READ = frozenset({"role", "content", "tool_calls", "refusal"})
"""Keys of a message that are carried over."""

SERVERS_OWN = frozenset({"annotations", "reasoning", "reasoning_content"})
"""What a server wrote beside its answer, handed back as it came: notes on its text, and thinking,
which the other API does not take back in these words."""

OUTPUT_READ = frozenset({"role", "content", "tool_call_id", "name"})
"""Keys of a tool's message; a name says again what its call says."""

CALLS = frozenset({"function_call", "custom_tool_call"})
OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


# Chat to Responses -------------------------------------------------------------------------------


def items_of(messages: object, where: str = "messages") -> list[Message]:
    """Chat messages as input items.

    Args:
        messages: a list of messages.
        where: its path, for errors.

    Raises:
        NoEquivalent: a message holds what Responses cannot say: audio, a participant's name, calls
            of the old `functions`.
    """
    custom: set[object] = set()  # ids of calls whose output is a custom tool's
    found: list[Message] = []
    for index, message in enumerate(messages if isinstance(messages, list | tuple) else ()):
        found += _items(message, f"{where}[{index}]", custom)
    return found


def _items(message: Data, where: str, custom: set[object]) -> Iterator[Message]:
    role = message.get("role")
    root = where.partition("[")[0]
    if role == "function":
        raise NoEquivalent(root, f"{where} with role 'function'", "responses")
    _check_rest(message, where, root)
    if role == "tool":
        call_id = message.get("tool_call_id")
        kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
        yield {"type": kind, "call_id": call_id, "output": _output(message, where)}
        return
    content = _content(message, where, answered=role == "assistant")
    calls = message.get("tool_calls") or ()
    if content or not calls:
        yield {"role": role, "content": content}
    for place, call in enumerate(calls):
        yield _call_item(call, f"{where}.tool_calls[{place}]", root, custom)


def _check_rest(message: Data, where: str, root: str) -> None:
    """Raise where a message says something that would be lost."""
    known = OUTPUT_READ if message.get("role") == "tool" else READ | SERVERS_OWN
    for key, value in message.items():
        if key not in known and value is not None:
            raise NoEquivalent(root, f"{where}.{key}", "responses")


def _content(message: Data, where: str, *, answered: bool) -> str | list[Message]:
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, str) and not refusal:
        return content
    parts = [
        part_for_responses(part, f"{where}.content[{index}]", answered=answered)
        for index, part in enumerate(parts_of(content))
    ]
    if refusal:
        parts.append({"type": "refusal", "refusal": refusal})
    return parts or ""


def _output(message: Data, where: str) -> str | list[Message]:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    return [
        part_for_responses(part, f"{where}.content[{index}]", answered=False)
        for index, part in enumerate(parts_of(content))
    ]


def _call_item(call: object, where: str, root: str, custom: set[object]) -> Message:
    call = call if isinstance(call, Mapping) else {}
    kind = call.get("type", "function")
    inner = call.get(kind)
    if kind not in ("function", "custom") or not isinstance(inner, Mapping):
        raise NoEquivalent(root, f"{where} of type {kind!r}", "responses")
    head = {"call_id": call.get("id"), "name": inner.get("name")}
    if kind == "custom":
        custom.add(call.get("id"))
        return {"type": "custom_tool_call", **head, "input": inner.get("input", "")}
    return {"type": "function_call", **head, "arguments": inner.get("arguments", "")}


# Responses to Chat -------------------------------------------------------------------------------


def messages_from(
    asked: object, instructions: object = None, *, strictly: bool = True, where: str = "input"
) -> list[Message]:
    """Input items, and the instructions before them, as Chat messages.

    Reasoning items are left out: Chat takes none back. A call joins the assistant's message before
    it, as Chat writes them.

    Args:
        asked: text or input items.
        instructions: text, or items where a stored prompt gave them.
        strictly: whether an item that Chat cannot say is an error; else it is left out.
        where: the path of `asked`, for errors.

    Raises:
        NoEquivalent: an item has no equivalent.
    """
    found: list[Message] = []
    if isinstance(instructions, str) and instructions:
        found.append({"role": "system", "content": instructions})
    elif instructions:
        found += messages_from(instructions, strictly=strictly, where="instructions")
    if isinstance(asked, str):
        return [*found, {"role": "user", "content": asked}]
    for index, item in enumerate(asked if isinstance(asked, list | tuple) else ()):
        try:
            _take(item, f"{where}[{index}]", found)
        except NoEquivalent:
            if strictly:
                raise
            if isinstance(item, Mapping) and "role" in item:
                found.append(readable(item))
    return found


def readable(item: Data) -> Message:
    """A message with the parts that can be read, where some have no equivalent."""
    return {"role": item["role"], "content": text_in(item.get("content"))}


def _take(item: object, where: str, found: list[Message]) -> None:
    """Add one input item to the messages."""
    item = item if isinstance(item, Mapping) else {}
    kind = item.get("type", "message")
    root = where.partition("[")[0]
    if kind == "message" and "role" in item:
        _take_message(_message(item, where), found)
    elif kind in CALLS | OUTPUTS and _is_of_a_program(item):
        what = f"{where} of type {kind!r} in a namespace or from a program"
        raise NoEquivalent(root, what, "chat")
    elif kind in CALLS:
        _take_call(item, found)
    elif kind in OUTPUTS and item.get("call_id"):
        parts = item.get("output")
        content = parts if isinstance(parts, str) else _output_parts(parts, f"{where}.output")
        found.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
    elif kind != "reasoning":
        raise NoEquivalent(root, f"{where} of type {kind!r}", "chat")


def _is_of_a_program(item: Data) -> bool:
    """Whether a call has a context that Chat does not know."""
    caller = item.get("caller")
    programmed = isinstance(caller, Mapping) and caller.get("type") != "direct"
    return bool(item.get("namespace")) or programmed


def _take_message(message: Message, found: list[Message]) -> None:
    """Add a message; what the assistant says beside calls that wait for their outputs joins them.

    Chat takes nothing between a call and its output.
    """
    waiting = bool(found) and "tool_calls" in found[-1]
    if not waiting or message["role"] != "assistant":
        found.append(message)
        return
    for key in ("content", "refusal"):
        if message.get(key):
            found[-1][key] = (found[-1].get(key) or "") + message[key]


def _message(item: Data, where: str) -> Message:
    role, content = item["role"], item.get("content")
    if isinstance(content, str) or content is None:
        return {"role": role, "content": content or ""}
    parts = [
        part_for_chat(part, f"{where}.content[{index}]")
        for index, part in enumerate(parts_of(content))
    ]
    if role != "assistant":
        return {"role": role, "content": parts}
    for index, part in enumerate(parts):
        if part["type"] not in ("text", "refusal"):
            raise NoEquivalent(
                where.partition("[")[0],
                f"{where}.content[{index}]: an answer that is no text",
                "chat",
            )
    refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
    texts = [part for part in parts if part["type"] == "text"]
    message: Message = {"role": role, "content": text_in(texts) if texts else None}
    if refusals:
        message["refusal"] = "".join(refusals)
    return message


def _take_call(item: Data, found: list[Message]) -> None:
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    kind = "function" if item["type"] == "function_call" else "custom"
    inner = {"name": item.get("name")}
    given = "arguments" if kind == "function" else "input"
    inner[given] = item.get(given, "")
    calls = found[-1].setdefault("tool_calls", [])
    calls.append({"id": item.get("call_id"), "type": kind, kind: inner})


def _output_parts(parts: object, where: str) -> list[Message]:
    found = [part_for_chat(part, f"{where}[{i}]") for i, part in enumerate(parts_of(parts))]
    for index, part in enumerate(found):
        if part["type"] != "text":
            root = where.partition("[")[0]
            raise NoEquivalent(root, f"{where}[{index}]: an output that is no text", "chat")
    return found
