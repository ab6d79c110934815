"""Chat Completions: reading replies, and writing finished ones as streams.

Servers that call themselves compatible answer in many ways. Whatever decides money or verdicts is
checked for its type here; everything else stays as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cascade.core.reply import Reply
from cascade.core.usage import Usage
from cascade.wire.faults import OBJECT, MalformedReply, error_in, kind_of, text_or_none

__all__ = [
    "choice_of",
    "chunk_text",
    "chunks_of",
    "delta_of",
    "logprob_entries",
    "read_completion",
    "usage_chunk",
]

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


def read_completion(body: object) -> Reply:
    """Read a `chat.completion` object.

    Args:
        body: the decoded JSON body.

    Returns:
        The reply. A missing usage, model or finish reason is noted, not invented.

    Raises:
        MalformedReply: an error body in a 200, no choices, or wrong types.
    """
    if not isinstance(body, OBJECT):
        raise MalformedReply(f"the reply is {kind_of(body)}, expected a JSON object")
    usage, service_tier = Usage.from_wire(body.get("usage")), text_or_none(body.get("service_tier"))
    try:
        return _reply(body, usage, service_tier)
    except MalformedReply as error:
        error.usage, error.service_tier = usage, service_tier
        raise


def _reply(body: Mapping[str, Any], usage: Usage | None, service_tier: str | None) -> Reply:
    if body.get("error"):
        raise MalformedReply(*error_in(body, "an error came with status 200"))
    message, choice = _message_of(body)
    logprobs, finish = choice.get("logprobs"), choice.get("finish_reason")
    content = logprobs.get("content") if isinstance(logprobs, OBJECT) else None
    model = text_or_none(body.get("model"))
    usual = usage and model and type(finish) is str and finish in FINISH_REASONS
    return Reply(
        text=_text_of(message.get("content")) or _spoken(message),
        wire=body,
        model=model,
        finish_reason=text_or_none(finish),
        refusal=text_or_none(message.get("refusal")),
        tool_calls=_tool_calls(message),
        usage=usage,
        service_tier=service_tier,
        id=text_or_none(body.get("id")),
        raw_logprobs=content if isinstance(content, list) else None,
        notes=() if usual else tuple(_oddities(body, finish, usage, model)),
    )


def _oddities(
    body: Mapping[str, Any], finish: object, usage: Usage | None, model: str | None
) -> Iterator[str]:
    if usage is None:
        given = "is missing" if body.get("usage") is None else "cannot be read"
        yield f"usage {given}"
    if model is None:
        yield "model is missing"
    if finish is None:
        yield "finish_reason is missing"
    elif not isinstance(finish, str) or finish not in FINISH_REASONS:
        yield f"unknown finish_reason {str(finish)[:60]!r}"


def _message_of(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedReply(f"choices is {kind_of(choices)}, expected a list with one choice")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, OBJECT) else None
    if not isinstance(message, OBJECT):
        raise MalformedReply(f"choices[0].message is {kind_of(message)}, expected an object")
    return message, choice


def _text_of(content: object) -> str:
    """The text of a message: a string, nothing, or a list of parts as some servers send."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str))
    raise MalformedReply(f"message.content is {kind_of(content)}, expected text")


def _spoken(message: Mapping[str, Any]) -> str:
    """The words of an answer that is audio: its content is null, and scorers read these instead."""
    audio = message.get("audio")
    words = audio.get("transcript") if isinstance(audio, OBJECT) else None
    return words if isinstance(words, str) else ""


def _tool_calls(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    calls, legacy = message.get("tool_calls"), message.get("function_call")
    if not calls and not legacy:
        return ()
    found = tuple(c for c in calls if isinstance(c, Mapping)) if isinstance(calls, list) else ()
    if not found and isinstance(legacy, Mapping):
        return ({"type": "function", "function": legacy},)
    return found


# Streams ---------------------------------------------------------------------------------------


def chunk_text(chunk: Mapping[str, Any]) -> str:
    """The text that a chunk adds."""
    delta = delta_of(chunk)
    content = delta.get("content")
    if type(content) is str:
        return content or _spoken(delta)
    return (_text_of(content) if isinstance(content, str | list) else "") or _spoken(delta)


def logprob_entries(chunk: Mapping[str, Any]) -> list[Any]:
    """The log-probability entries that a chunk adds."""
    logprobs = choice_of(chunk).get("logprobs")
    entries = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    return entries if isinstance(entries, list) else []


def choice_of(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """The choice of a chunk, empty where it has none."""
    choices = chunk.get("choices")
    if choices and isinstance(choices, list):
        first: Mapping[str, Any] = choices[0]
        if isinstance(first, OBJECT):
            return first
    return {}


def delta_of(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a chunk adds to the message."""
    delta = choice_of(chunk).get("delta")
    return delta if isinstance(delta, OBJECT) else {}


def chunks_of(
    reply: Reply, cut: Callable[[str], list[str]] = lambda text: [text]
) -> Iterator[dict[str, Any]]:
    """A finished reply as the chunks of a stream: role, content, tool calls, finish reason.

    Args:
        reply: a reply in Chat's form.
        cut: cuts its text into the pieces that it arrives in.
    """
    head = {
        key: value for key, value in reply.wire.items() if key not in ("choices", "usage", "object")
    }
    head["object"] = "chat.completion.chunk"
    choices = reply.wire.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    message = choice.get("message") or {"content": reply.text}
    delta = {
        key: value for key, value in message.items() if key != "tool_calls" and value is not None
    }
    delta = {"role": "assistant", **delta}
    if reply.tool_calls and (message.get("tool_calls") or "function_call" not in delta):
        delta["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(reply.tool_calls)
        ]
    more: list[str] = []
    if isinstance(delta.get("content"), str) and delta["content"]:
        delta["content"], *more = cut(delta["content"])
    first = {"index": 0, "delta": delta, "finish_reason": None}
    if choice.get("logprobs") is not None:
        first["logprobs"] = choice["logprobs"]
    yield {**head, "choices": [first]}
    for text in more:
        yield {**head, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    last = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
    yield {**head, "choices": [last]}


def usage_chunk(reply: Reply, usage: Mapping[str, Any]) -> dict[str, Any]:
    """The last chunk of a stream: no choices, and the tokens of every attempt together."""
    keys = ("id", "created", "model", "system_fingerprint", "service_tier")
    return {
        **{key: reply.wire[key] for key in keys if key in reply.wire},
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": usage,
    }
