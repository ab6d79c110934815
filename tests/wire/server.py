"""A real HTTP server on this machine that behaves as badly as a test wants."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress

PATIENCE_S = 20.0


class Server:
    """Answers each request by the next behaviour; the last one goes on.

    A behaviour gets the connection after a whole request was read, and returns whether the
    connection stays open.

    Attributes:
        requests: how many requests came.
        connections: how many connections were opened.
        head: the first lines of the last request.
        body: its body.
    """

    def __init__(self, *behaviours):
        self._behaviours = list(behaviours)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.requests = self.connections = 0
        self.head = self.body = b""
        self.stopped = threading.Event()
        self._open = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                connection.settimeout(PATIENCE_S)
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with connection, suppress(OSError):
            while request := _read_request(connection):
                self.head, self.body = request
                self.requests += 1
                place = min(self.requests, len(self._behaviours)) - 1
                if not self._behaviours[place](self, connection):
                    return

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stopped.set()
        for place in (self._listener, *self._open):
            with suppress(OSError):
                place.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


def _read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while missing > 0:
        more = connection.recv(65536)
        if not more:
            return None
        missing -= len(more)
        body += more
    return head, body


def head(kind="application/json", *, length=None):
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return (
        f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nx-request-id: req_1\r\n{size}\r\n\r\n".encode()
    )


def _chunked(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def answers(body):
    """A whole answer; the connection stays open."""

    def behave(server, connection):
        data = json.dumps(body).encode()
        connection.sendall(head(length=len(data)) + data)
        return True

    return behave


def streams(*pieces, ends=True):
    """An event stream in pieces; without its end it is cut."""

    def behave(server, connection):
        connection.sendall(head("text/event-stream"))
        for piece in pieces:
            connection.sendall(_chunked(piece))
        if ends:
            connection.sendall(b"0\r\n\r\n")
        return ends

    return behave


def hangs(data=b""):
    """Sends something, then nothing more while the test runs."""

    def behave(server, connection):
        connection.sendall(data)
        server.stopped.wait(PATIENCE_S)
        return False

    return behave


def drips(server, connection):
    """Sends a blank every few milliseconds, for ever: no single wait is long."""
    connection.sendall(head())
    while not server.stopped.wait(0.01):
        connection.sendall(_chunked(b" "))
    return False


def drops(server, connection):
    """Closes the connection without an answer."""
    return False


def cuts(server, connection):
    """Closes the connection in the middle of an answer."""
    connection.sendall(head(length=1000) + b'{"id": "chat')
    return False
