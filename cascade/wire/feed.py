"""A stream in the caller's form, whichever API the answering tier was asked through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cascade.core.reply import Reply
from cascade.forms.api import Api
from cascade.wire.as_chat import AsChat
from cascade.wire.as_responses import AsResponses
from cascade.wire.chat import chunks_of, usage_chunk
from cascade.wire.chunks import is_event
from cascade.wire.events import Cut, events_of, terminal_of
from cascade.wire.response_assembler import TERMINAL

__all__ = ["Feed", "stream_of"]

Piece = Mapping[str, Any]


def stream_of(reply: Reply, cut: Cut = lambda text: [text]) -> Iterator[Piece]:
    """A finished reply as the stream that its own API would have sent; without Chat's usage chunk.

    Args:
        reply: any reply but a decision.
        cut: cuts text into the pieces that it arrives in.
    """
    return events_of(reply.wire, cut) if reply.api == "responses" else chunks_of(reply, cut)


class Feed:
    """What a caller is shown of a streamed answer.

    The last piece tells the tokens of every attempt together, so it waits until the books are
    closed: Chat's usage chunk, or the event with the whole response.

    Args:
        api: the caller's.
        payload: the request as asked.
    """

    def __init__(self, api: Api, payload: Piece) -> None:
        self._api = api
        self._as_chat = AsChat()
        self._as_responses = AsResponses(payload)
        self._converted = False
        self._number = 0

    def take(self, piece: Piece) -> Iterable[Piece]:
        """The caller's pieces for one that has come from a model."""
        if self._api == "responses":
            return self._event(piece)
        return self._as_chat.feed(piece) if is_event(piece) else (piece,)

    def rest(self, reply: Reply, usage: Piece, *, streamed: bool) -> Iterator[Piece]:
        """What is still to be shown once the books are closed.

        Args:
            reply: the answer, in the caller's form.
            usage: tokens of every attempt together, as the caller's API writes them.
            streamed: whether its pieces have been taken.
        """
        if self._api != "responses":
            if not streamed:
                yield from stream_of(reply)
            yield usage_chunk(reply, usage)
            return
        if streamed and self._converted:
            yield from self._as_responses.end(reply, usage)
            return
        whole = {**reply.wire, "usage": usage}
        if streamed:
            kind = terminal_of(whole)
            yield {"type": kind, "response": whole, "sequence_number": self._number}
            return
        yield from events_of(whole)

    def _event(self, piece: Piece) -> Iterator[Piece]:
        if not is_event(piece):
            self._converted = True
            yield from self._as_responses.feed(piece)
            return
        number = piece.get("sequence_number")
        self._number = number if isinstance(number, int) else self._number
        if piece["type"] not in TERMINAL:
            self._number += 1
            yield piece
