"""The chunks of a Chat Completions stream, put together into the reply of an unstreamed call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from cascade.wire.chat import choice_of
from cascade.wire.faults import OBJECT, ErrorFrame, MalformedReply, error_in

__all__ = ["ChunkAssembler"]

SET_ONCE = frozenset({"id", "type", "role"})
"""Text that comes whole with the first chunk; some servers repeat it in every other."""

NOT_KEPT = frozenset({"choices", "usage", "object", "obfuscation"})

BYTES_PER_TOKEN = 4


def no_head(_chunk: Mapping[str, Any]) -> None:
    """What is kept of a chunk that has nothing to keep."""


@dataclass
class ChunkAssembler:
    """Puts the chunks of a stream together into the reply that an unstreamed call would have given.

    Attributes:
        finish_reason: as on the wire, once it has come.
        pieces: how many chunks carried output; about one per token, for estimates.
        outrun: whether output came after a usage, which then was a running count.
    """

    head: dict[str, Any] = field(default_factory=dict)
    message: dict[str, Any] = field(default_factory=dict)
    usage: Any = None
    finish_reason: Any = None
    logprobs: dict[str, list[Any]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    calls: dict[int, Any] = field(default_factory=dict)
    pieces: int = 0
    outrun: bool = False
    _keys: list[str] = field(default_factory=list, repr=False)
    _head_of: Callable[[Mapping[str, Any]], Any] = field(default=no_head, repr=False)
    _known: Any = field(default=None, repr=False)

    def feed(self, chunk: object) -> Mapping[str, Any] | None:
        """Take in one chunk.

        Returns:
            The chunk, if it belongs to the answer; `None` for bookkeeping (usage, filter results).

        Raises:
            MalformedReply: it is no chunk.
            ErrorFrame: it is an error.
        """
        if not isinstance(chunk, OBJECT):
            kind = type(chunk).__name__
            raise MalformedReply(f"a stream event is a {kind}, expected a JSON object")
        if chunk.get("error"):
            raise ErrorFrame(*error_in(chunk, "the stream carried an error"))
        if list(chunk) != self._keys or self._head_of(chunk) != self._known:
            self._take_head(chunk)  # rarely: one chunk's head is as the other's
        counted, usage = self.usage is not None, chunk.get("usage")
        if usage is not None:
            self.usage = usage
        choice = choice_of(chunk)
        if not choice:
            return None
        reason, logprobs = choice.get("finish_reason"), choice.get("logprobs")
        if reason is not None:
            self.finish_reason = reason
        if logprobs:
            self._take_logprobs(logprobs)
        delta = choice.get("delta")
        if isinstance(delta, OBJECT) and self._take_delta(delta):
            self.pieces += 1
            self.outrun = self.outrun or counted
        return chunk

    @property
    def begun(self) -> bool:
        """Whether anything has come that a reader could want to see."""
        return self.pieces > 0 or self.finish_reason is not None

    @property
    def output_tokens(self) -> int:
        """An estimate for a stream that never reports its usage; 0 where nothing came."""
        size = sum(
            len(part.encode(errors="replace")) for parts in self.texts.values() for part in parts
        )
        return max(self.pieces, size // BYTES_PER_TOKEN, len(self.logprobs.get("content", ())))

    def body(self) -> dict[str, Any]:
        """The `chat.completion` object so far."""
        message = {"role": "assistant", "content": None, **self.message}
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

    def _take_head(self, chunk: Mapping[str, Any]) -> None:
        self._keys = list(chunk)
        kept = [key for key in chunk if key not in NOT_KEPT]
        self._head_of = itemgetter(*kept) if kept else no_head
        self._known = self._head_of(chunk)
        self.head.update({key: chunk[key] for key in kept if chunk[key] is not None})

    def _take_delta(self, delta: Mapping[str, Any]) -> bool:
        """Take in what a chunk adds; whether that is anything of an answer."""
        text = delta.get("content")
        if len(delta) == 1 and type(text) is str:  # as nearly always
            self._text("content").append(text)
            return text != ""
        carries = False
        for key, value in delta.items():
            if value is None:
                continue
            if key == "tool_calls":
                self._take_calls(value)
            elif type(value) is str and key not in SET_ONCE:
                self._text(key).append(value)
            else:
                self.message[key] = _joined(key, self.message.get(key), value)
            if value and key != "role":
                carries = True
        return carries

    def _text(self, key: str) -> list[str]:
        """The pieces of a text so far."""
        found = self.texts.get(key)
        if found is None:
            found = self.texts[key] = []
        return found

    def _take_calls(self, calls: object) -> None:
        for call in calls if isinstance(calls, list) else ():
            if not isinstance(call, Mapping):
                continue
            place = self._place_of(call)
            delta = {key: value for key, value in call.items() if key != "index"}
            self.calls[place] = _joined("", self.calls.get(place), delta)

    def _place_of(self, call: Mapping[str, Any]) -> int:
        """Which tool call a delta continues; without an index, a new id begins a new call."""
        index, last = call.get("index"), max(self.calls, default=-1)
        if isinstance(index, int):
            return index
        known = last >= 0 and call.get("id") in (None, self.calls[last].get("id"))
        return last if known else last + 1

    def _take_logprobs(self, logprobs: object) -> None:
        if isinstance(logprobs, OBJECT):
            for key, entries in logprobs.items():
                if isinstance(entries, list):
                    found = self.logprobs.get(key)
                    if found is None:
                        self.logprobs[key] = list(entries)
                    else:
                        found += entries


def _joined(key: str, old: Any, new: Any) -> Any:
    """A value with what a delta adds: text and lists grow, objects grow inside."""
    if isinstance(new, Mapping):
        before = old if isinstance(old, Mapping) else {}
        added = {name: _joined(name, before.get(name), value) for name, value in new.items()}
        return {**before, **added}
    if isinstance(old, list) and isinstance(new, list):
        return [*old, *new]
    if isinstance(old, str) and isinstance(new, str):
        repeated = key in SET_ONCE or (key == "name" and new == old)
        return (old or new) if repeated else old + new
    return old if new is None else new
