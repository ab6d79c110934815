"""Writing the events of a Responses stream, numbered as the API numbers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["EventWriter", "events_of", "terminal_of"]

Event = dict[str, Any]
Data = Mapping[str, Any]
Cut = Callable[[str], list[str]]

WRITTEN = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items whose text arrives in pieces, and the key it stands under."""

DELTAS = {
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
}

PARTS = {
    "output_text": ("text", "response.output_text"),
    "reasoning_text": ("text", "response.reasoning_text"),
    "refusal": ("refusal", "response.refusal"),
}

SUMMARY = "response.reasoning_summary"

IN_PIECES = {"message": ("content",), "reasoning": ("summary", "content")}
"""Items that arrive part by part, and the lists of their parts."""


class EventWriter:
    """Makes events, each with the next sequence number."""

    def __init__(self) -> None:
        self._next = 0

    def event(self, kind: str, **fields: Any) -> Event:
        """One event."""
        self._next += 1
        return {"type": kind, **fields, "sequence_number": self._next - 1}

    def opening(self, response: Data) -> Iterator[Event]:
        """The events that begin a stream; the response has no output yet."""
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        begun |= {"incomplete_details": None, "error": None}
        yield self.event("response.created", response=begun)
        yield self.event("response.in_progress", response=begun)

    def item_added(self, index: int, item: Data) -> Event:
        """An item has begun; it is empty."""
        kind = item.get("type")
        empty = {**item, "status": "in_progress"} if "status" in item else dict(item)
        for listed in IN_PIECES.get(str(kind), ()):
            if listed in empty:
                empty[listed] = []
        if kind in WRITTEN:
            empty[WRITTEN[str(kind)]] = ""
        return self.event("response.output_item.added", output_index=index, item=empty)

    def item_done(self, index: int, item: Data) -> Event:
        """An item is complete."""
        return self.event("response.output_item.done", output_index=index, item=item)

    def part_added(self, place: Data, part: Data) -> Event:
        """A part of a message has begun; `place` says which (item, indexes)."""
        key, _ = PARTS.get(str(part.get("type")), ("", ""))
        empty = {**part, key: ""} if key else dict(part)
        for listed in ("annotations", "logprobs"):
            if listed in empty:
                empty[listed] = []
        return self.event("response.content_part.added", **place, part=empty)

    def part_delta(self, place: Data, kind: str, delta: str, logprobs: list[Any]) -> Event:
        """A piece of a part's text."""
        more = {"logprobs": logprobs} if kind == "output_text" else {}
        return self.event(f"{PARTS[kind][1]}.delta", **place, delta=delta, **more)

    def note_added(self, place: Data, index: int, note: Data) -> Event:
        """A note on a part's text."""
        kind = "response.output_text.annotation.added"
        return self.event(kind, **place, annotation_index=index, annotation=note)

    def part_done(self, place: Data, part: Data) -> Iterator[Event]:
        """A part is complete."""
        kind = str(part.get("type"))
        if kind in PARTS:
            key, name = PARTS[kind]
            more = {"logprobs": part.get("logprobs") or []} if kind == "output_text" else {}
            yield self.event(f"{name}.done", **place, **{key: part.get(key, "")}, **more)
        yield self.event("response.content_part.done", **place, part=part)

    def summary_part(self, place: Data, part: Data, pieces: list[str]) -> Iterator[Event]:
        """A whole part of what a model tells of its reasoning."""
        yield self.event(f"{SUMMARY}_part.added", **place, part={**part, "text": ""})
        for delta in pieces:
            yield self.event(f"{SUMMARY}_text.delta", **place, delta=delta)
        yield self.event(f"{SUMMARY}_text.done", **place, text="".join(pieces))
        yield self.event(f"{SUMMARY}_part.done", **place, part=part)

    def call_delta(self, place: Data, kind: str, delta: str) -> Event:
        """A piece of a call's arguments."""
        return self.event(f"{DELTAS[kind]}.delta", **place, delta=delta)

    def call_done(self, place: Data, item: Data) -> Event:
        """A call's arguments are complete."""
        kind = str(item["type"])
        key = WRITTEN[kind]
        return self.event(f"{DELTAS[kind]}.done", **place, **{key: item.get(key, "")})

    def terminal(self, response: Data) -> Event:
        """The event that ends a stream, with the whole response."""
        return self.event(terminal_of(response), response=response)


def terminal_of(response: Data) -> str:
    """The type of the event that ends a stream with this response."""
    ended = "incomplete" if response.get("status") == "incomplete" else "completed"
    return f"response.{ended}"


def events_of(response: Data, cut: Cut = lambda text: [text]) -> Iterator[Event]:
    """A finished response as the events of a stream, the last one included.

    Args:
        response: a `response` object.
        cut: cuts text into the pieces that it arrives in.
    """
    writer = EventWriter()
    yield from writer.opening(response)
    for index, item in enumerate(response.get("output") or ()):
        yield writer.item_added(index, item)
        place = {"item_id": item.get("id"), "output_index": index}
        kind = item.get("type")
        if kind in IN_PIECES:
            yield from _summary(writer, item, place, cut)
            yield from _parts(writer, item, place, cut)
        elif kind in WRITTEN:
            text = item.get(WRITTEN[kind])
            if text:
                yield writer.call_delta(place, kind, text)
            yield writer.call_done(place, item)
        yield writer.item_done(index, item)
    yield writer.terminal(response)


def _summary(writer: EventWriter, item: Data, place: Data, cut: Cut) -> Iterator[Event]:
    for index, part in enumerate(_objects(item.get("summary"))):
        text = part.get("text")
        pieces = cut(text) if text else []
        yield from writer.summary_part({**place, "summary_index": index}, part, pieces)


def _parts(writer: EventWriter, item: Data, place: Data, cut: Cut) -> Iterator[Event]:
    for index, part in enumerate(_objects(item.get("content"))):
        here = {**place, "content_index": index}
        yield writer.part_added(here, part)
        kind = str(part.get("type"))
        text = part.get(PARTS[kind][0]) if kind in PARTS else None
        logprobs = part.get("logprobs") or []
        for piece in cut(text) if text else ():
            yield writer.part_delta(here, kind, piece, logprobs)
            logprobs = []
        for number, note in enumerate(part.get("annotations") or ()):
            yield writer.note_added(here, number, note)
        yield from writer.part_done(here, part)


def _objects(listed: object) -> list[Data]:
    """The parts of an item; what some servers write in their place is in the whole item alone."""
    return [part for part in (listed if isinstance(listed, list) else ()) if isinstance(part, dict)]
