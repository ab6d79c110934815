"""The Responses API: reading `response` objects.

As in `chat`, whatever decides money or verdicts is checked for its type; everything else stays as
it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cascade.core.reply import Reply
from cascade.core.usage import Usage
from cascade.wire.faults import ErrorFrame, MalformedReply, error_in, kind_of, text_or_none

__all__ = ["ACTIONS", "finish_reason_of", "is_answer", "read_response"]

Item = Mapping[str, Any]

ENDED = frozenset({"completed", "incomplete"})

INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why a response is incomplete, in the words of Chat's finish reasons."""

ACTIONS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    }
)
"""Items that ask the caller to do something and hand the outcome back."""

MADE = frozenset({"image_generation_call"})
"""Items that are an answer, though no text."""

BILLED_APART = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"}
)
"""Calls of hosted tools that cost by the call, not by tokens."""


def read_response(body: object) -> Reply:
    """Read a `response` object.

    Args:
        body: the decoded JSON body.

    Returns:
        The reply. A missing usage, model or status is noted, not invented. Tool calls are in Chat's
        form; `wire` keeps them as they came.

    Raises:
        ErrorFrame: the response failed.
        MalformedReply: it is not finished, has no output, or wrong types.
    """
    if not isinstance(body, Mapping):
        raise MalformedReply(f"the reply is {kind_of(body)}, expected a JSON object")
    usage = Usage.from_wire(body.get("usage"))
    service_tier = text_or_none(body.get("service_tier"))
    try:
        return _reply(body, usage, service_tier)
    except MalformedReply as error:
        error.usage, error.service_tier = usage, service_tier
        raise


def _reply(body: Item, usage: Usage | None, service_tier: str | None) -> Reply:
    status = body.get("status")
    if body.get("error"):
        kind = ErrorFrame if status == "failed" else MalformedReply
        raise kind(*error_in(body, "the response failed"))
    if isinstance(status, str) and status not in ENDED:
        raise MalformedReply(f"the response is not finished: its status is {status!r}")
    output = body.get("output")
    if not isinstance(output, list):
        raise MalformedReply(f"output is {kind_of(output)}, expected a list of items")
    items = [item for item in output if isinstance(item, Mapping)]
    parts = [part for item in items if item.get("type") == "message" for part in _parts(item)]
    calls = tuple(_call(item) for item in items if is_answer(item))
    return Reply(
        text="".join(_texts(parts, "output_text", "text")),
        wire=body,
        model=text_or_none(body.get("model")),
        finish_reason=finish_reason_of(body),
        refusal="".join(_texts(parts, "refusal", "refusal")) or None,
        tool_calls=calls,
        usage=usage,
        service_tier=service_tier,
        id=text_or_none(body.get("id")),
        raw_logprobs=_logprobs(parts),
        api="responses",
        notes=tuple(_oddities(body, usage)),
        billed_apart=sum(item.get("type") in BILLED_APART for item in items),
    )


def is_answer(item: Item) -> bool:
    """Whether an output item beside the messages is an answer: a call to make, a thing made."""
    kind = item.get("type")
    if kind == "tool_search_call":
        return item.get("execution") == "client"
    return kind in ACTIONS or kind in MADE


def finish_reason_of(body: Item) -> str | None:
    """Why a response ended, in the words of Chat's finish reasons."""
    if body.get("status") == "incomplete":
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else None
        return INCOMPLETE.get(str(reason), text_or_none(reason))
    output = body.get("output")
    items = output if isinstance(output, list) else []
    asks = any(
        isinstance(item, Mapping) and is_answer(item) and item.get("type") not in MADE
        for item in items
    )
    return "tool_calls" if asks else "stop"


def _parts(item: Item) -> list[Item]:
    content = item.get("content")
    if isinstance(content, str):  # some compatible servers
        return [{"type": "output_text", "text": content}]
    listed = content if isinstance(content, list) else []
    return [part for part in listed if isinstance(part, Mapping)]


def _texts(parts: list[Item], kind: str, key: str) -> Iterator[str]:
    for part in parts:
        text = part.get(key)
        if part.get("type") == kind and isinstance(text, str):
            yield text


def _logprobs(parts: list[Item]) -> list[Any] | None:
    lists = [part["logprobs"] for part in parts if isinstance(part.get("logprobs"), list)]
    return [entry for entries in lists for entry in entries] or None


def _call(item: Item) -> Item:
    """A call in Chat's form; one that Chat does not know stays as it is."""
    kind = item.get("type")
    if kind == "function_call":
        inner = {"name": item.get("name"), "arguments": item.get("arguments", "")}
        return {"id": item.get("call_id"), "type": "function", "function": inner}
    if kind == "custom_tool_call":
        inner = {"name": item.get("name"), "input": item.get("input", "")}
        return {"id": item.get("call_id"), "type": "custom", "custom": inner}
    return item


def _oddities(body: Item, usage: Usage | None) -> Iterator[str]:
    if usage is None:
        given = "is missing" if body.get("usage") is None else "cannot be read"
        yield f"usage {given}"
    if text_or_none(body.get("model")) is None:
        yield "model is missing"
    if body.get("status") is None:
        yield "status is missing"
    reason = finish_reason_of(body)
    if body.get("status") == "incomplete" and reason not in INCOMPLETE.values():
        yield f"incomplete for an unknown reason {str(reason)[:60]!r}"
