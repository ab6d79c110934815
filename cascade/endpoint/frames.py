"""A streamed answer as frames, once for each way of waiting."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any

from cascade.endpoint.answers import FrameWriter
from cascade.endpoint.calls import Call
from cascade.endpoint.failures import failure_of
from cascade.engine.async_streams import AsyncCompletionStream
from cascade.engine.streams import CompletionStream

__all__ = ["async_frames", "frames"]


class Outlet:
    """What is written when, however the pieces come.

    Until the answer is complete each frame goes out at once; what is there after that goes out in
    one piece.
    """

    def __init__(
        self, stream: CompletionStream | AsyncCompletionStream, call: Call, *, inside: bool
    ) -> None:
        self._stream = stream
        self._inside = inside
        self._writer = FrameWriter(call)
        self._ready: list[bytes] = []

    def take(self, piece: Mapping[str, Any]) -> bytes:
        """What goes out now that a piece has come."""
        frame = self._writer.take(piece)
        if self._stream.completion is None:
            return frame
        self._ready.append(frame)
        return b""

    def end(self) -> bytes:
        """What goes out at the end."""
        if self._stream.completion is None:
            raise RuntimeError("the stream has not ended")
        return b"".join([*self._ready, self._writer.end(self._stream.completion.trace)])

    def fail(self, error: Exception) -> bytes:
        """What goes out where it breaks off; raises the error where nothing has gone out yet."""
        if not self._writer.begun:
            raise error
        return self._writer.fail(failure_of(error, inside=self._inside))


def frames(stream: CompletionStream, call: Call, *, inside: bool = False) -> Generator[bytes]:
    """The frames of a streamed answer.

    What fails before the first frame is raised; after it the last frame tells the error. Closing
    the generator leaves the stream, and what was spent is booked.

    Args:
        stream: the answer.
        call: what was asked.
        inside: see `failure_of`.
    """
    outlet = Outlet(stream, call, inside=inside)
    with stream:
        try:
            for piece in stream.wire_chunks():
                if frame := outlet.take(piece):
                    yield frame
            last = outlet.end()
        except Exception as error:  # noqa: BLE001  whatever it is, the reader is told
            last = outlet.fail(error)
        yield last


async def async_frames(
    stream: AsyncCompletionStream, call: Call, *, inside: bool = False
) -> AsyncGenerator[bytes]:
    """The same, awaited."""
    outlet = Outlet(stream, call, inside=inside)
    async with stream:
        try:
            async for piece in stream.wire_chunks():
                if frame := outlet.take(piece):
                    yield frame
            last = outlet.end()
        except Exception as error:  # noqa: BLE001  whatever it is, the reader is told
            last = outlet.fail(error)
        yield last
