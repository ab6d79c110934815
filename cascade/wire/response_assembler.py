"""The events of a Responses stream, put together into the reply of an unstreamed call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cascade.core.usage import Usage
from cascade.wire.assembler import BYTES_PER_TOKEN
from cascade.wire.faults import ErrorFrame, MalformedReply, error_in
from cascade.wire.responses import finish_reason_of

__all__ = ["TERMINAL", "ResponseAssembler"]

TERMINAL = frozenset({"response.completed", "response.incomplete"})
"""Events that carry the whole response and end the stream."""


@dataclass
class ResponseAssembler:
    """Puts the events of a stream together; the same interface as `ChunkAssembler`.

    Attributes:
        finish_reason: in Chat's words, once the response has ended.
        pieces: how many events carried output; about one per token, for estimates.
        outrun: never: a usage comes with the whole response only.
        head: the response as last heard of.
    """

    head: dict[str, Any] = field(default_factory=dict)
    usage: Any = None
    finish_reason: Any = None
    items: dict[int, Any] = field(default_factory=dict)
    pieces: int = 0
    size: int = 0
    outrun: bool = False

    def feed(self, event: object) -> Mapping[str, Any] | None:
        """Take in one event.

        Returns:
            The event, if it belongs to the answer; `None` for what does not.

        Raises:
            MalformedReply: it is no event.
            ErrorFrame: it is an error, or says that the response failed.
        """
        if not isinstance(event, Mapping):
            raise MalformedReply(f"a stream event is a {type(event).__name__}, expected an object")
        kind = event.get("type")
        if kind == "error" or (event.get("error") and not isinstance(kind, str)):
            said = {name: event[name] for name in event if name != "type"}  # that of the event
            flat = event if event.get("error") else {"error": said}
            raise ErrorFrame(*error_in(flat, "the stream carried an error"))
        if not isinstance(kind, str):
            return None
        response = event.get("response")
        if isinstance(response, Mapping):
            self._take_response(kind, response)
        elif kind == "response.output_item.done" and isinstance(event.get("output_index"), int):
            self.items[event["output_index"]] = event.get("item")
        elif kind.endswith(".delta"):
            self.pieces += 1
            delta = event.get("delta")
            self.size += len(delta.encode(errors="replace")) if isinstance(delta, str) else 0
        return event

    @property
    def begun(self) -> bool:
        """Whether anything has come that a reader could want to see."""
        return self.pieces > 0 or self.finish_reason is not None

    @property
    def output_tokens(self) -> int:
        """An estimate for a stream that never reports its usage; 0 where nothing came."""
        return max(self.pieces, self.size // BYTES_PER_TOKEN)

    def body(self) -> dict[str, Any]:
        """The `response` object so far; items that came apart from it are put in."""
        if self.head.get("output"):
            return self.head
        return {**self.head, "output": [self.items[index] for index in sorted(self.items)]}

    def _take_response(self, kind: str, response: Mapping[str, Any]) -> None:
        self.head = dict(response)
        if response.get("usage") is not None:
            self.usage = response["usage"]
        if kind == "response.failed":
            given = response if response.get("error") else {"error": "no reason given"}
            failed = ErrorFrame(*error_in(given, "the response failed"))
            failed.usage = Usage.from_wire(self.usage)
            raise failed
        if kind in TERMINAL:
            self.finish_reason = finish_reason_of(self.body()) or "incomplete"
