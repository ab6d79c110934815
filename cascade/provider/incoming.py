"""What comes back from a provider: bytes, read as one JSON document or as a stream of chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from cascade.core.reply import Reply
from cascade.forms.api import Api
from cascade.wire.assembler import ChunkAssembler
from cascade.wire.faults import MalformedReply, decode
from cascade.wire.replies import read_reply
from cascade.wire.response_assembler import TERMINAL, ResponseAssembler
from cascade.wire.sse import EventDecoder

__all__ = ["Incoming"]


class Incoming:
    """The body of a response while it arrives.

    Args:
        api: the API that was asked.
        stream: whether chunks were asked for.

    Attributes:
        done: whether the stream has said that nothing more will come.
    """

    def __init__(self, api: Api = "chat", *, stream: bool) -> None:
        self._api = api
        self._assembler: ResponseAssembler | ChunkAssembler | None = None
        self.done = False
        self._events: EventDecoder | None = EventDecoder() if stream else None
        self._pending: deque[bytes] = deque()
        self._received: list[bytes] = []

    @property
    def assembler(self) -> ResponseAssembler | ChunkAssembler:
        """The chunks read so far; most answers come whole and need none."""
        if self._assembler is None:
            responses = self._api == "responses"
            self._assembler = ResponseAssembler() if responses else ChunkAssembler()
        return self._assembler

    def begin(self, content_type: str) -> None:
        """Look at what the server says it sends; some answer a streamed call in one piece."""
        if "json" in content_type or "html" in content_type:
            self._events = None

    def take(self, data: bytes) -> None:
        """Take in a piece of the body."""
        if self._events is None:
            self._received.append(data)
        else:
            self._pending.extend(self._events.feed(data))

    def chunks(self) -> Iterator[Mapping[str, Any]]:
        """The chunks of the answer that have come and were not given yet.

        Raises:
            MalformedReply: one is no chunk, or an error frame.
        """
        pending, feed = self._pending, self.assembler.feed
        while pending and not self.done:
            event = pending.popleft()
            if event.startswith(b"[DONE]"):
                self.done = True
                return
            chunk = feed(decode(event, "a stream event"))
            if chunk is not None:
                if chunk.get("type") in TERMINAL:
                    self.done = True
                yield chunk

    def first_chunks(self) -> Iterator[Mapping[str, Any]]:
        """The chunks up to the first that carries something."""
        for chunk in self.chunks():
            yield chunk
            if self.begun:
                return

    @property
    def begun(self) -> bool:
        """Whether the answer has something to show."""
        return self.assembler.begun

    @property
    def opened(self) -> bool:
        """Whether it is known how the stream begins: with something, or with its end."""
        return self.begun or self.done

    def end(self) -> None:
        """The body has ended: `chunks` may hold a last one."""
        if self._events is not None:
            self._pending.extend(self._events.end())

    def drain(self) -> None:
        """Read what came and was not shown: it counts all the same."""
        if self._pending:
            with suppress(MalformedReply):
                deque(self.chunks(), maxlen=0)

    def reply(self) -> Reply:
        """What has come, as a reply.

        Raises:
            MalformedReply: it holds no answer, or broke off before its end.
        """
        if self._events is None:
            return read_reply(decode(b"".join(self._received)), self._api)
        if not self.done and self.assembler.finish_reason is None:
            raise MalformedReply("the stream ended before its finish reason")
        return read_reply(self.assembler.body(), self._api)
