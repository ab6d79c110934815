"""A client that speaks HTTP by hand, so that it can speak it badly."""

from __future__ import annotations

import json
import socket
import struct
import time

PATIENCE_S = 15


def body_of(words="x", *, model="support", **more):
    body = {"model": model, "messages": [{"role": "user", "content": words}], **more}
    return json.dumps(body).encode()


def request(
    body=b"",
    *,
    method="POST",
    path="/v1/chat/completions",
    host="127.0.0.1",
    headers=(),
    length=None,
):
    """The bytes of a request; `length` lies about the body's."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {host}",
        f"content-length: {len(body) if length is None else length}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Raw:
    """A connection."""

    def __init__(self, port, *, buffer=None):
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", port))
        self._data = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reset(self):
        """Leave at once, without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read(self):
        """One whole answer: status, headers, body."""
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in rest)
        length = int(headers.get("content-length", 0))
        while len(self._data) < length:
            self._more()
        body, self._data = self._data[:length], self._data[length:]
        return int(first.split()[1]), headers, body

    def head(self):
        """The head of an answer, and what has come of its body."""
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return head.decode(), self._data

    def more(self):
        """What has come of a body, with some more of it."""
        self._more()
        return self._data

    def rest(self):
        """Everything until the other side closes."""
        while piece := self.socket.recv(65536):
            self._data += piece
        return self._data

    def closed(self):
        """Whether the other side ends the connection, within the test's patience."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionError:
                return True
        return False

    def _more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("closed in the middle of an answer")
        self._data += piece


def asked(port, data):
    """The answer to one request."""
    with Raw(port) as raw:
        raw.send(data)
        return raw.read()
