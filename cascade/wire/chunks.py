"""The pieces of a stream, of either API: what each adds to the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.wire import chat
from cascade.wire.responses import is_answer

__all__ = ["chunk_text", "is_event", "logprob_entries", "shows"]

Piece = Mapping[str, Any]


def is_event(chunk: Piece) -> bool:
    """Whether this is an event of a Responses stream; else it is a chunk of Chat's."""
    return "choices" not in chunk and isinstance(chunk.get("type"), str)


def chunk_text(chunk: Piece) -> str:
    """The text that a piece adds."""
    if "choices" in chunk or not is_event(chunk):
        return chat.chunk_text(chunk)
    delta = chunk.get("delta") if chunk["type"] == "response.output_text.delta" else None
    return delta if isinstance(delta, str) else ""


def logprob_entries(chunk: Piece) -> list[Any]:
    """The log-probability entries that a piece adds."""
    if not is_event(chunk):
        return chat.logprob_entries(chunk)
    entries = chunk.get("logprobs") if chunk["type"] == "response.output_text.delta" else None
    return entries if isinstance(entries, list) else []


def shows(chunk: Piece) -> bool:
    """Whether a piece carries a part of an answer: text that is not blank, a call, a refusal.

    No more than `Reply.is_empty` looks for: thinking that ends without an answer does not stand.
    """
    if chunk_text(chunk).strip():
        return True
    if is_event(chunk):
        item = chunk.get("item")
        called = chunk["type"] == "response.output_item.added" and isinstance(item, Mapping)
        if called and is_answer(item or {}):
            return True
        return chunk["type"] == "response.refusal.delta" and bool(chunk.get("delta"))
    delta = chat.delta_of(chunk)
    return any((delta.get("refusal"), delta.get("tool_calls"), delta.get("function_call")))
