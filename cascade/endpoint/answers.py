"""Writing answers: the body of one, or the frames of a streamed one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from cascade.core.trace import Trace
from cascade.endpoint.books import books_of, usage_of
from cascade.endpoint.calls import Call
from cascade.endpoint.failures import Failure
from cascade.endpoint.own_options import FIELD
from cascade.endpoint.unasked import without_logprobs
from cascade.engine.completion import Completion
from cascade.wire.chat import choice_of
from cascade.wire.response_assembler import TERMINAL

__all__ = ["FrameWriter", "body_of", "encode"]

Piece = Mapping[str, Any]

DONE = b"data: [DONE]\n\n"


def body_of(completion: Completion, call: Call, books: Mapping[str, Any]) -> dict[str, Any]:
    """The body of an answer: the reply as it came, the tokens of every attempt, what it cost."""
    wire = completion.reply.wire
    if not call.shows_logprobs:
        wire = without_logprobs(call.api, wire)
    body = {**wire, "usage": usage_of(completion.trace, call.api)}
    if call.shows_books:
        body[FIELD] = books
    return body


def encode(data: Any) -> bytes:
    """Data as JSON: what models wrote is written whatever it holds."""
    try:
        return orjson.dumps(data)
    except orjson.JSONEncodeError:  # half of a surrogate pair, which only an escape can hold
        return json.dumps(data, separators=(",", ":"), default=dict).encode()


class FrameWriter:
    """Writes the pieces of a streamed answer as server-sent events.

    The last pieces wait until the books are closed, because they tell what it all cost.

    Args:
        call: what was asked.

    Attributes:
        begun: whether anything has been written.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._held: list[Piece] = []
        self._number = 0
        self.begun = False

    def take(self, piece: Piece) -> bytes:
        """The frame of a piece; empty where it has to wait."""
        if not self._call.shows_logprobs:
            piece = without_logprobs(self._call.api, piece)
        if self._call.api == "responses":
            if piece.get("type") not in TERMINAL:
                return self._event(piece)
        elif not self._held and not _is_last(piece):
            return self._chunk(piece)
        self._held.append(piece)
        return b""

    def end(self, trace: Trace) -> bytes:
        """The last frames, once the books are closed."""
        if self._call.api == "responses":
            return b"".join(self._event(self._whole(piece, trace)) for piece in self._held)
        return b"".join([*(self._chunk(piece) for piece in self._last(trace)), DONE])

    def fail(self, failure: Failure) -> bytes:
        """The frame that says why an answer breaks off."""
        body = failure.body(shows_books=self._call.shows_books)
        if self._call.api == "chat":
            return b"data: " + encode(body) + b"\n\n"
        error = failure.error
        said = {name: error[name] for name in ("code", "message", "param")}
        return self._event({"type": "error", **said, **body, "sequence_number": self._number})

    # Chat ----------------------------------------------------------------------------------------

    def _chunk(self, piece: Piece) -> bytes:
        """A chunk; the tokens stand in the last one alone, and only where they were asked for."""
        self.begun = True
        if self._call.include_usage:
            if piece.get("choices") and piece.get("usage", ...) is not None:
                piece = {**piece, "usage": None}
        elif "usage" in piece:
            piece = dict(piece)
            del piece["usage"]
        return b"data: %b\n\n" % encode(piece)

    def _last(self, trace: Trace) -> list[Piece]:
        books = {FIELD: books_of(trace)} if self._call.shows_books else {}
        *answer, counted = self._held
        if not answer and books:  # it never said why it ended, and something must carry the books
            answer = [{**counted, "choices": [{"index": 0, "delta": {}, "finish_reason": None}]}]
        told = [*answer[:-1], *({**piece, **books} for piece in answer[-1:])]
        if self._call.include_usage:
            told.append({**counted, "usage": usage_of(trace, "chat"), **books})
        return told

    # Responses -----------------------------------------------------------------------------------

    def _event(self, event: Piece) -> bytes:
        self.begun = True
        number = event.get("sequence_number")
        self._number = number + 1 if isinstance(number, int) else self._number + 1
        return f"event: {event['type']}\n".encode() + b"data: " + encode(event) + b"\n\n"

    def _whole(self, event: Piece, trace: Trace) -> Piece:
        response = {**event["response"], "usage": usage_of(trace, "responses")}
        if self._call.shows_books:
            response[FIELD] = books_of(trace)
        return {**event, "response": response}


def _is_last(piece: Piece) -> bool:
    """Whether a chunk tells why the answer ended, or what was used."""
    if not piece.get("choices"):
        return piece.get("usage") is not None
    return choice_of(piece).get("finish_reason") is not None
