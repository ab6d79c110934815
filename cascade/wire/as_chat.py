"""Events of a Responses stream, told as the chunks of a Chat stream while they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cascade.wire.response_assembler import TERMINAL
from cascade.wire.responses import finish_reason_of
from cascade.wire.translate import CITATION, completion_id, moment, note_for

__all__ = ["AsChat"]

Chunk = dict[str, Any]
Data = Mapping[str, Any]

WRITTEN = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}

PIECES = {
    "response.function_call_arguments.delta": ("function", "arguments"),
    "response.custom_tool_call_input.delta": ("custom", "input"),
}


class AsChat:
    """Takes events, gives chunks. What Chat cannot show (reasoning, hosted tools) is left out."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._calls: dict[object, int] = {}
        self._written: set[object] = set()
        self._begun = False

    def feed(self, event: Data) -> Iterator[Chunk]:
        """The chunks that an event makes."""
        response = event.get("response")
        if isinstance(response, Mapping):
            self._head = {
                "id": completion_id(response.get("id")),
                "object": "chat.completion.chunk",
                "created": moment(response.get("created_at")),
                "model": response.get("model"),
                "service_tier": _served_by(response),
                "system_fingerprint": None,
            }
        kind = event.get("type")
        if kind in TERMINAL and isinstance(response, Mapping):
            reason = finish_reason_of(response)
            if reason == "stop" and self._calls:  # some servers leave the output out at the end
                reason = "tool_calls"
            yield from self._delta({}, finish_reason=reason)
            return
        delta, logprobs = self._said(str(kind), event)
        if delta:
            yield from self._delta(delta, logprobs=logprobs)

    def _said(self, kind: str, event: Data) -> tuple[Chunk, Any]:
        """What an event adds to the message, and its log-probabilities."""
        if kind == "response.output_text.delta":
            entries = event.get("logprobs")
            logprobs = {"content": entries, "refusal": None} if entries else None
            return {"content": event.get("delta")}, logprobs
        if kind == "response.refusal.delta":
            return {"refusal": event.get("delta")}, None
        if kind in PIECES:
            return self._call_piece(event, *PIECES[kind]), None
        told = {
            "response.output_text.annotation.added": self._note,
            "response.output_item.added": self._call_begun,
            "response.output_item.done": self._call_done,
        }.get(kind)
        return (told(event) if told else {}), None

    def _note(self, event: Data) -> Chunk:
        """A citation of the web; Chat has no other notes."""
        note = event.get("annotation")
        if not isinstance(note, Mapping) or note.get("type") != CITATION:
            return {}
        return {"annotations": [note_for("chat", note)]}

    def _call_begun(self, event: Data) -> Chunk:
        item = event.get("item")
        item = item if isinstance(item, Mapping) else {}
        kind, key = WRITTEN.get(str(item.get("type")), ("", ""))
        if not kind:
            return {}
        place = self._calls.setdefault(event.get("output_index"), len(self._calls))
        inner = {"name": item.get("name"), key: ""}
        return {
            "tool_calls": [{"index": place, "id": item.get("call_id"), "type": kind, kind: inner}]
        }

    def _call_piece(self, event: Data, kind: str, key: str) -> Chunk:
        index = event.get("output_index")
        if index not in self._calls:
            return {}
        self._written.add(index)
        return {"tool_calls": [{"index": self._calls[index], kind: {key: event.get("delta")}}]}

    def _call_done(self, event: Data) -> Chunk:
        """The arguments of a call that came in one piece, as some servers send it."""
        index, item = event.get("output_index"), event.get("item")
        if index not in self._calls or index in self._written or not isinstance(item, Mapping):
            return {}
        kind, key = WRITTEN[str(item.get("type"))]
        text = item.get(key)
        return {"tool_calls": [{"index": self._calls[index], kind: {key: text}}]} if text else {}

    def _delta(
        self, delta: Chunk, *, finish_reason: str | None = None, logprobs: Any = None
    ) -> Iterator[Chunk]:
        if not self._begun:
            self._begun = True
            # Empty text would begin a text before the call, e.g. in the AI SDK.
            content = None if "tool_calls" in delta or "refusal" in delta else ""
            head = {"role": "assistant", "content": content, "refusal": None}
            yield self._chunk(head, None, None)
        yield self._chunk(delta, finish_reason, logprobs)

    def _chunk(self, delta: Chunk, finish_reason: str | None, logprobs: Any) -> Chunk:
        choice = {
            "index": 0,
            "delta": delta,
            "finish_reason": finish_reason,
            "logprobs": logprobs,
        }
        return {**self._head, "choices": [choice]}


def _served_by(response: Data) -> Any:
    """The service tier that serves a response; until that is known it names what was asked for."""
    tier = response.get("service_tier")
    return None if tier == "auto" else tier
