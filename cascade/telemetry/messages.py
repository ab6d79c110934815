"""Prompts and answers as attributes, for those who ask for them: JSON, without credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cascade.core.trace import Charge
from cascade.core.wishes import ModelCall
from cascade.forms.reading import messages_of
from cascade.traces.scrub import scrub
from cascade.wire.replies import read_reply

__all__ = ["of_messages"]


def of_messages(charge: Charge, call: ModelCall | None) -> dict[str, Any]:
    """What was asked and answered in an exchange."""
    values: dict[str, Any] = {}
    if call is not None:
        values["gen_ai.input.messages"] = _json([_said(item) for item in messages_of(call.payload)])
    if charge.reply is not None and charge.outcome == "ok":
        reply = read_reply(charge.reply)
        parts = _parts(reply.text) + [_tool_call(item) for item in reply.tool_calls]
        said = {"role": "assistant", "parts": parts, "finish_reason": reply.finish_reason}
        values["gen_ai.output.messages"] = _json([said])
    return values


def _said(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls") or ()
    parts = _parts(message.get("content")) + [_tool_call(item) for item in calls]
    return {"role": message.get("role", "user"), "parts": parts}


def _parts(content: Any) -> list[dict[str, Any]]:
    """Text as it is; of pictures and files only that they were there."""
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    parts = []
    for item in content if isinstance(content, list | tuple) else ():
        if isinstance(item, Mapping):
            text = item.get("text")
            is_text = isinstance(text, str)
            parts.append({"type": "text", "content": text} if is_text else {"type": _kind(item)})
    return parts


def _kind(item: Mapping[str, Any]) -> str:
    return str(item.get("type", "unknown"))


def _tool_call(item: Any) -> dict[str, Any]:
    call = item if isinstance(item, Mapping) else {}
    inner = call.get("function")
    function = inner if isinstance(inner, Mapping) else call
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }


def _json(messages: list[dict[str, Any]]) -> str:
    return json.dumps(scrub(messages), default=str)
