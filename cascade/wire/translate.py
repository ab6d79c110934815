"""A finished reply in the form of either API, so that a caller gets the one it asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cascade.core.reply import Reply
from cascade.forms.api import Api
from cascade.wire.usage import usage_for

__all__ = [
    "begun_response",
    "call_item",
    "completion_id",
    "item_id",
    "logprobs_in",
    "message_item",
    "moment",
    "note_for",
    "notes_in",
    "reply_in",
]

Data = Mapping[str, Any]

CHAT_ID = "chatcmpl-"
RESPONSE_ID = "resp_"

CITATION = "url_citation"
"""The one kind of note on a text that Chat knows, too."""

CHAT_CALLS = frozenset({"function", "custom"})

REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}

ECHOED: Mapping[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says where the request is silent."""


def reply_in(api: Api, reply: Reply, payload: Data) -> Reply:
    """A reply whose wire object is in the form of an API; one that is already is left as it is.

    Args:
        api: "chat" or "responses".
        reply: any reply.
        payload: the request as asked; a response repeats parts of it.
    """
    if reply.api in (api, "decisions"):
        return reply
    wire = _completion(reply) if api == "chat" else _response(reply, payload)
    return replace(reply, wire=wire, api=api)


# Chat --------------------------------------------------------------------------------------------


def _completion(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.text or (None if reply.refusal or reply.tool_calls else ""),
        "refusal": reply.refusal,
        "annotations": list(_annotations(reply.wire)),
    }
    calls = [call for call in reply.tool_calls if call.get("type") in CHAT_CALLS]
    if calls:
        message["tool_calls"] = calls
    logprobs = None
    if reply.raw_logprobs is not None:
        logprobs = {"content": list(reply.raw_logprobs), "refusal": None}
    return {
        "id": completion_id(reply.id),
        "object": "chat.completion",
        "created": moment(reply.wire.get("created_at")),
        "model": reply.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": reply.finish_reason,
                "logprobs": logprobs,
            }
        ],
        "usage": _usage(reply, "chat"),
        "service_tier": reply.service_tier,
        "system_fingerprint": None,
    }


def completion_id(response_id: object) -> str:
    """The id of a response as Chat writes its own."""
    return f"{CHAT_ID}{str(response_id or '').removeprefix(RESPONSE_ID) or '0'}"


def _annotations(wire: Data) -> Iterator[dict[str, Any]]:
    """Citations of the web; Chat nests what Responses does not, and has no others."""
    for item in wire.get("output") or ():
        content = item.get("content") if isinstance(item, Mapping) else None
        for part in content if isinstance(content, list) else ():
            for note in (part.get("annotations") if isinstance(part, Mapping) else None) or ():
                if isinstance(note, Mapping) and note.get("type") == CITATION:
                    yield note_for("chat", note)


def note_for(api: Api, note: Data) -> dict[str, Any]:
    """A citation of the web as an API writes it."""
    nested = note.get(CITATION)
    inner = nested if isinstance(nested, Mapping) else note
    inner = {key: value for key, value in inner.items() if key != "type"}
    return {"type": CITATION, CITATION: inner} if api == "chat" else {"type": CITATION, **inner}


def moment(value: object) -> int:
    """Seconds since 1970 from what a server says; 0 where it says no number."""
    try:
        return int(value) if isinstance(value, int | float) else 0
    except (OverflowError, ValueError):
        return 0


def _usage(reply: Reply, api: Api) -> dict[str, Any] | None:
    return None if reply.usage is None else usage_for(reply.usage, api, [reply.wire])


# Responses ---------------------------------------------------------------------------------------


def _response(reply: Reply, payload: Data) -> dict[str, Any]:
    response = begun_response(reply.wire, payload, reply.model)
    ended = "incomplete" if reply.finish_reason in REASONS else "completed"
    output: list[Any] = []
    if reply.text or reply.refusal or not reply.tool_calls:
        logprobs = logprobs_in(reply.raw_logprobs or ())
        item = message_item(response["id"], reply.text, reply.refusal, logprobs, "completed")
        item["content"][0].get("annotations", []).extend(_notes_on(reply.wire))
        output.append(item)
    for index, call in enumerate(reply.tool_calls):
        output.append(call_item(response["id"], index, call))
    output[-1]["status"] = ended  # what was being written when it was cut
    response.update(
        status=ended,
        output=output,
        usage=_usage(reply, "responses"),
        service_tier=reply.service_tier,
    )
    if reply.finish_reason in REASONS:
        response["incomplete_details"] = {"reason": REASONS[str(reply.finish_reason)]}
    return response


def _notes_on(completion: Data) -> list[dict[str, Any]]:
    """The citations of a Chat reply."""
    choices = completion.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    return notes_in(message)


def notes_in(message: object) -> list[dict[str, Any]]:
    """The citations beside a message of Chat's, or a piece of one, as Responses writes them."""
    notes = message.get("annotations") if isinstance(message, Mapping) else None
    listed = notes if isinstance(notes, list) else []
    return [
        note_for("responses", note)
        for note in listed
        if isinstance(note, Mapping) and note.get("type") == CITATION
    ]


def begun_response(head: Data, payload: Data, model: str | None = None) -> dict[str, Any]:
    """A `response` object without output, from the head of a Chat reply or chunk."""
    tail = str(head.get("id") or "").removeprefix(CHAT_ID) or "0"
    return {
        "id": f"{RESPONSE_ID}{tail}",
        "object": "response",
        "created_at": moment(head.get("created")),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model if model is not None else head.get("model"),
        "output": [],
        "usage": None,
        "service_tier": head.get("service_tier"),
        "store": False,  # Chat gives out no id that a later request could name
        **{name: payload.get(name, default) for name, default in ECHOED.items()},
    }


def item_id(prefix: str, response_id: str, index: int = 0) -> str:
    """The id of an output item, the same whenever it is asked for."""
    tail = response_id.removeprefix(RESPONSE_ID)
    return f"{prefix}_{tail}_{index}" if index else f"{prefix}_{tail}"


def message_item(
    response_id: str, text: str, refusal: str | None, logprobs: list[Any], status: str
) -> dict[str, Any]:
    """An assistant's message as an output item."""
    content: list[dict[str, Any]] = []
    if text or not refusal:
        content.append(
            {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}
        )
    if refusal:
        content.append({"type": "refusal", "refusal": refusal})
    return {
        "id": item_id("msg", response_id),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def call_item(response_id: str, index: int, call: Data) -> dict[str, Any]:
    """A tool call of Chat's as an output item."""
    kind = "custom" if call.get("type") == "custom" else "function"
    inner = call.get(kind)
    inner = inner if isinstance(inner, Mapping) else {}
    key = "input" if kind == "custom" else "arguments"
    return {
        "id": item_id("ctc" if kind == "custom" else "fc", response_id, index),
        "type": "custom_tool_call" if kind == "custom" else "function_call",
        "status": "completed",
        "call_id": call.get("id"),
        "name": inner.get("name"),
        key: inner.get(key) or "",
    }


def logprobs_in(entries: Any) -> list[Any]:
    """Log-probability entries as Responses writes them: bytes are always there."""
    return [_entry(entry) for entry in entries if isinstance(entry, Mapping)]


def _entry(entry: Data) -> dict[str, Any]:
    made = dict(entry)
    if made.get("bytes") is None:
        made["bytes"] = list(str(made.get("token", "")).encode(errors="replace"))
    top = made.get("top_logprobs")
    if isinstance(top, list):
        made["top_logprobs"] = [_entry(item) for item in top if isinstance(item, Mapping)]
    return made
