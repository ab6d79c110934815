"""Chat Completions: reading replies, and streams in both directions.

Servers that call themselves compatible answer in many ways. Whatever decides money or verdicts is
checked for its type here; everything else stays as it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cascade.core.reply import Reply
from cascade.core.usage import Usage

__all__ = [
    "ChunkAssembler",
    "MalformedReply",
    "chunk_text",
    "chunks_of",
    "read_reply",
    "usage_chunk",
]

FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


class MalformedReply(ValueError):  # noqa: N818  becomes a failure of kind "malformed"
    """A 200 that holds no answer. `usage` is what it says was used, where it says so."""

    def __init__(self, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


def read_reply(body: object) -> Reply:
    """Read a `chat.completion` object.

    Args:
        body: the decoded JSON body.

    Returns:
        The reply. A missing usage, model or finish reason is noted, not invented.

    Raises:
        MalformedReply: an error body in a 200, no choices, or wrong types.
    """
    if not isinstance(body, Mapping):
        raise MalformedReply(f"the reply is {_kind(body)}, expected a JSON object")
    usage = Usage.from_wire(body.get("usage"))
    if body.get("error"):
        raise MalformedReply(f"an error came with status 200: {_error_text(body['error'])}", usage)
    message, choice = _message_of(body, usage)
    notes = []
    text = _text_of(message.get("content"), usage)
    if usage is None:
        given = "is missing" if body.get("usage") is None else "cannot be read"
        notes.append(f"usage {given}")
    finish = choice.get("finish_reason")
    if finish is not None and (not isinstance(finish, str) or finish not in FINISH_REASONS):
        notes.append(f"unknown finish_reason {finish!r}")
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    return Reply(
        text=text,
        wire=body,
        model=_str(body.get("model")),
        finish_reason=_str(finish),
        refusal=_str(message.get("refusal")),
        tool_calls=_tool_calls(message),
        usage=usage,
        service_tier=_str(body.get("service_tier")),
        id=_str(body.get("id")),
        raw_logprobs=content if isinstance(content, list) else None,
        notes=tuple(notes),
    )


def _message_of(
    body: Mapping[str, Any], usage: Usage | None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedReply(f"choices is {_kind(choices)}, expected a list with one choice", usage)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        raise MalformedReply(f"choices[0].message is {_kind(message)}, expected an object", usage)
    return message, choice


def _text_of(content: object, usage: Usage | None) -> str:
    """The text of a message: a string, nothing, or a list of parts as some servers send."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str))
    raise MalformedReply(f"message.content is {_kind(content)}, expected text", usage)


def _tool_calls(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    calls = message.get("tool_calls")
    found = tuple(c for c in calls if isinstance(c, Mapping)) if isinstance(calls, list) else ()
    legacy = message.get("function_call")
    if not found and isinstance(legacy, Mapping):
        return ({"type": "function", "function": legacy},)
    return found


def _str(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _kind(value: object) -> str:
    if isinstance(value, str):
        return f"text {value.strip()[:60]!r}"
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:60]}"


def _error_text(error: object) -> str:
    message = error.get("message") if isinstance(error, Mapping) else error
    return str(message)[:200]


# Streams ---------------------------------------------------------------------------------------


def chunk_text(chunk: Mapping[str, Any]) -> str:
    """The text that a chunk adds."""
    delta = _delta(chunk)
    content = delta.get("content")
    return content if isinstance(content, str) else ""


def _choice(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _delta(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    delta = _choice(chunk).get("delta")
    return delta if isinstance(delta, Mapping) else {}


@dataclass
class ChunkAssembler:
    """Puts the chunks of a stream together into the reply that an unstreamed call would have given.

    Attributes:
        pieces: how many chunks carried output; about one per token, for estimates.
        finished: whether a finish reason has come.
    """

    head: dict[str, Any] = field(default_factory=dict)
    message: dict[str, Any] = field(default_factory=lambda: {"role": "assistant"})
    usage: Any = None
    finish_reason: Any = None
    logprobs: dict[str, list[Any]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    pieces: int = 0

    @property
    def finished(self) -> bool:
        """Whether a finish reason has come."""
        return self.finish_reason is not None

    def feed(self, chunk: object) -> Mapping[str, Any] | None:
        """Take in one chunk.

        Returns:
            The chunk, if it carries something for the reader; `None` for bookkeeping alone.

        Raises:
            MalformedReply: it is no chunk, or an error frame inside a 200.
        """
        if not isinstance(chunk, Mapping):
            raise MalformedReply(f"a stream event is {_kind(chunk)}, expected a JSON object")
        if chunk.get("error"):
            raise MalformedReply(f"the stream carried an error: {_error_text(chunk['error'])}")
        for key, value in chunk.items():
            if key not in ("choices", "usage", "object", "obfuscation") and value is not None:
                self.head[key] = value
        if chunk.get("usage") is not None:
            self.usage = chunk["usage"]
        choice, delta = _choice(chunk), _delta(chunk)
        if choice.get("finish_reason") is not None:
            self.finish_reason = choice["finish_reason"]
        self._take_logprobs(choice.get("logprobs"))
        carries = self._take_delta(delta)
        self.pieces += carries
        return chunk if carries or choice.get("finish_reason") is not None else None

    def body(self) -> dict[str, Any]:
        """The `chat.completion` object so far."""
        message = {"content": None, **self.message}
        message.update({key: "".join(parts) for key, parts in self.texts.items()})
        if self.calls:
            message["tool_calls"] = [self.calls[index] for index in sorted(self.calls)]
        choice: dict[str, Any] = {
            "index": 0,
            "message": message,
            "finish_reason": self.finish_reason,
            "logprobs": self.logprobs or None,
        }
        return {**self.head, "object": "chat.completion", "choices": [choice], "usage": self.usage}

    def _take_delta(self, delta: Mapping[str, Any]) -> bool:
        carries = False
        for key, value in delta.items():
            if key == "tool_calls":
                carries = self._take_calls(value) or carries
            elif key == "role" or value is None:
                continue
            elif isinstance(value, str):
                self.texts.setdefault(key, []).append(value)
                carries = carries or bool(value)
            else:
                self.message[key] = value
        return carries

    def _take_calls(self, calls: object) -> bool:
        for call in calls if isinstance(calls, list) else ():
            if not isinstance(call, Mapping):
                continue
            index = call.get("index")
            slot = self.calls.setdefault(index if isinstance(index, int) else len(self.calls), {})
            _merge_call(slot, call)
        return bool(calls)

    def _take_logprobs(self, logprobs: object) -> None:
        if isinstance(logprobs, Mapping):
            for key, entries in logprobs.items():
                if isinstance(entries, list):
                    self.logprobs.setdefault(key, []).extend(entries)


def _merge_call(slot: dict[str, Any], call: Mapping[str, Any]) -> None:
    """Join a tool-call delta: arguments grow, everything else is set once."""
    for key, value in call.items():
        if key == "function" and isinstance(value, Mapping):
            function = slot.setdefault("function", {"name": "", "arguments": ""})
            for name, part in value.items():
                if name in ("arguments", "name") and isinstance(part, str):
                    function[name] = function.get(name, "") + part
        elif key != "index" and value is not None:
            slot[key] = value


def chunks_of(reply: Reply) -> Iterator[dict[str, Any]]:
    """A finished reply as the chunks of a stream: role, content, tool calls, finish reason."""
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
    if reply.tool_calls:
        delta["tool_calls"] = [
            {"index": index, **call} for index, call in enumerate(reply.tool_calls)
        ]
    first = {"index": 0, "delta": delta, "finish_reason": None}
    if choice.get("logprobs") is not None:
        first["logprobs"] = choice["logprobs"]
    yield {**head, "choices": [first]}
    last = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
    yield {**head, "choices": [last]}


def usage_chunk(reply: Reply, usage: Usage) -> dict[str, Any]:
    """The last chunk of a stream: no choices, and the tokens of every attempt together."""
    keys = ("id", "created", "model", "system_fingerprint", "service_tier")
    return {
        **{key: reply.wire[key] for key in keys if key in reply.wire},
        "object": "chat.completion.chunk",
        "choices": [],
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
            "prompt_tokens_details": {
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
            },
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        },
    }
