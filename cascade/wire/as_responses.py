"""Chunks of a Chat stream, told as the events of a Responses stream while they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cascade.core.reply import Reply
from cascade.wire.chat import choice_of, chunk_text, delta_of, logprob_entries
from cascade.wire.events import EventWriter
from cascade.wire.faults import MalformedReply, decode
from cascade.wire.translate import (
    REASONS,
    begun_response,
    call_item,
    item_id,
    logprobs_in,
    message_item,
    notes_in,
    reply_in,
)

__all__ = ["AsResponses"]

Event = dict[str, Any]
Data = Mapping[str, Any]


class AsResponses:
    """Takes chunks, gives events.

    Args:
        payload: the request as asked; a response repeats parts of it.
    """

    def __init__(self, payload: Data) -> None:
        self._payload = payload
        self._writer = EventWriter()
        self._response: dict[str, Any] = {}
        self._items: list[dict[str, Any]] = []
        self._message: int | None = None
        self._parts: dict[str, int] = {}
        self._calls: dict[object, int] = {}
        self._open: list[int] = []

    def feed(self, chunk: Data) -> Iterator[Event]:
        """The events that a chunk makes."""
        if not self._response:
            self._response = begun_response(chunk, self._payload)
            yield from self._writer.opening(self._response)
        delta = delta_of(chunk)
        text = chunk_text(chunk)
        if text:
            yield from self._add("output_text", text, logprobs_in(logprob_entries(chunk)))
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            yield from self._add("refusal", delta["refusal"], [])
        for note in notes_in(delta):
            yield from self._note(note)
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping):
                yield from self._call(call)
        reason = choice_of(chunk).get("finish_reason")
        if reason is not None:
            yield from self._close(self._open, "incomplete" if reason in REASONS else "completed")

    def end(self, reply: Reply, usage: Data) -> Iterator[Event]:
        """The last events: everything that is open ends, and the whole response follows.

        Args:
            reply: the reply that the chunks make.
            usage: tokens of every attempt together, as Responses writes them.
        """
        yield from self._close(self._open, "completed")
        whole = reply_in("responses", reply, self._payload).wire
        response = {
            **whole,
            "id": self._response["id"],
            "output": self._items or whole.get("output"),
            "usage": usage,
        }
        yield self._writer.terminal(response)

    def _add(self, kind: str, text: str, logprobs: list[Any]) -> Iterator[Event]:
        """Text or refusal: into its part of the message."""
        yield from self._begin(kind)
        place, part = self._place(kind)
        part["text" if kind == "output_text" else "refusal"] += text
        if logprobs:
            part["logprobs"] += logprobs
        yield self._writer.part_delta(place, kind, text, logprobs)

    def _note(self, note: Data) -> Iterator[Event]:
        """A note on the text."""
        yield from self._begin("output_text")
        place, part = self._place("output_text")
        part["annotations"].append(note)
        yield self._writer.note_added(place, len(part["annotations"]) - 1, note)

    def _begin(self, kind: str) -> Iterator[Event]:
        """The message and its part of a kind, where they have not begun."""
        if self._message is None or self._message not in self._open:
            item = message_item(self._response["id"], "", None, [], "in_progress")
            item["id"] = item_id("msg", self._response["id"], len(self._items))
            item["content"] = []
            self._message, self._parts = len(self._items), {}
            yield from self._added(item)
        if kind not in self._parts:
            content = self._items[self._message]["content"]
            self._parts[kind] = len(content)
            refused = {"type": "refusal", "refusal": ""}
            written = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            content.append(refused if kind == "refusal" else written)
            place, part = self._place(kind)
            yield self._writer.part_added(place, part)

    def _place(self, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Where a part stands, and the part."""
        index = self._message or 0
        item = self._items[index]
        place = {"item_id": item["id"], "output_index": index, "content_index": self._parts[kind]}
        return place, item["content"][self._parts[kind]]

    def _call(self, call: Data) -> Iterator[Event]:
        """A piece of a tool call: into its item, which it may begin."""
        key = call.get("index")
        if key is None:  # some servers send whole calls, unnumbered
            key = call.get("id") or (list(self._calls)[-1] if self._calls else 0)
        if key not in self._calls:
            item = call_item(self._response["id"], len(self._calls), call)
            item["status"] = "in_progress"
            self._calls[key] = len(self._items)
            yield from self._added(item)
            piece = item.get("arguments") or item.get("input")
        else:
            piece = self._more(self._items[self._calls[key]], call)
        if piece:
            index = self._calls[key]
            item = self._items[index]
            place = {"item_id": item["id"], "output_index": index}
            yield self._writer.call_delta(place, item["type"], piece)

    def _more(self, item: dict[str, Any], call: Data) -> str:
        kind, key = ("custom", "input") if "input" in item else ("function", "arguments")
        inner = call.get(kind)
        inner = inner if isinstance(inner, Mapping) else {}
        item["call_id"] = item["call_id"] or call.get("id")
        item["name"] = item["name"] or inner.get("name")
        piece = inner.get(key)
        if not isinstance(piece, str):
            return ""
        item[key] += piece
        return piece

    def _added(self, item: dict[str, Any]) -> Iterator[Event]:
        """A new item; those before it end, as the API ends each before it begins the next."""
        ended = [index for index in self._open if _is_whole(self._items[index])]
        yield from self._close(ended, "completed")
        self._open.append(len(self._items))
        self._items.append(item)
        yield self._writer.item_added(len(self._items) - 1, item)

    def _close(self, indexes: list[int], status: str) -> Iterator[Event]:
        """Items that are open end, in order."""
        self._open = [index for index in self._open if index not in indexes]
        for index in indexes:
            item = self._items[index]
            item["status"] = status
            place = {"item_id": item["id"], "output_index": index}
            if item["type"] == "message":
                for number, part in enumerate(item["content"]):
                    yield from self._writer.part_done({**place, "content_index": number}, part)
            else:
                yield self._writer.call_done(place, item)
            yield self._writer.item_done(index, item)


def _is_whole(item: Data) -> bool:
    """Whether nothing more is to come of an item once another begins.

    Chat lets a server write several calls at a time: one whose arguments are no JSON yet goes on.
    """
    if item["type"] == "function_call":
        try:
            decode(item["arguments"])
        except MalformedReply:
            return False
    return True
