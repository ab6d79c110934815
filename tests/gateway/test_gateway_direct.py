"""What the gateway does past ASGI's messages is what it does with them, on any server."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
import uvicorn
from gateways import Served, until
from raw_http import Raw, body_of, request
from uvicorn.server import ServerState

from cascade import AsyncCascade, Price, Tier
from cascade.gateway import create_app
from cascade.gateway.connection import Connection
from cascade.testing import ScriptedModels

pytestmark = pytest.mark.loopback

CLOSING = [("connection", "close")]
CHANGING = re.compile(
    rb"req_\w+|[0-9a-f]{28}|\d+ms|\d+\.\d+s|date: [^\r]+|chatcmpl-\w+|\"created\":\d+"
)


class Between:
    """A program's own middleware: it sees each message, and adds a header."""

    def __init__(self, app):
        self.app, self.turns, self.limits, self.seen = app, app.turns, app.limits, []

    async def __call__(self, scope, receive, send):
        async def sends(message):
            self.seen.append(message["type"])
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-between", b"1")]
            await send(message)

        await self.app(scope, receive, sends if scope["type"] == "http" else send)


class Wire(asyncio.Transport):
    """A connection's other end, which keeps what was written in the pieces that it came in."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, data):
        self.written.append(data)

    def is_closing(self):
        return False


def connected(app):
    """A connection to an app, and its other end."""
    config = uvicorn.Config(app, ws="none", lifespan="off", interface="asgi3", log_config=None)
    config.load()
    made, wire = Connection(config, ServerState(), {}), Wire()
    made.connection_made(wire)
    return made, wire


async def until_written(wire, pieces):
    """Wait until so many pieces have been written, and then for any more that would follow."""
    for _ in range(1_000):
        await asyncio.sleep(0.01)
        if len(wire.written) >= pieces:
            break
    await asyncio.sleep(0.05)
    assert len(wire.written) == pieces


def scripted():
    models = ScriptedModels({"small": "one two three four five six"})
    tiers = [Tier("small", price=Price.of("1", "2"))]
    return create_app({"support": AsyncCascade(tiers, models=models)})


@pytest.fixture
def served():
    made = []

    def start(app):
        made.append(Served(app))
        return made[-1]

    yield start
    for item in made:
        item.stop()


def whole(port, **more):
    """The head and the body of one answer; what differs between any two is blotted out."""
    with Raw(port) as raw:
        raw.send(request(body_of(**more), headers=CLOSING))
        head, _, body = raw.rest().partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = b"".join(chunks_of(body))
    return sorted(CHANGING.sub(b"*", head).split(b"\r\n")), CHANGING.sub(b"*", body)


def chunks_of(body):
    """The pieces of a body that is sent in chunks."""
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"n": 2}], ids=["whole", "stream", "error"])
def test_a_middleware_sees_everything(served, more):
    """An app in between gets every message, and the client the same bytes beside its own."""
    between = Between(scripted())
    own, through = served(scripted()), served(between)
    plain, wrapped = whole(own.port, **more), whole(through.port, **more)
    assert between.seen[0] == "http.response.start"
    assert between.seen[1:] == ["http.response.body"] * (len(between.seen) - 1)
    assert sorted([*plain[0], b"x-between: 1"]) == wrapped[0]
    assert plain[1] == wrapped[1]


def test_what_comes_at_once_goes_out_at_once(served):
    """Pieces that nobody has to wait for are one chunk on the wire."""
    with Raw(served(scripted()).port) as raw:
        raw.send(request(body_of(stream=True), headers=CLOSING))
        head, _, body = raw.rest().partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    pieces = list(chunks_of(body))
    assert b"".join(pieces).count(b"data: ") > 3
    assert len(pieces) <= 2
    assert pieces[-1] == b""


async def test_a_whole_answer_is_one_piece():
    """Head and body go out together."""
    connection, wire = connected(scripted())
    connection.data_received(request(body_of()))
    await until_written(wire, 1)
    assert wire.written[0].startswith(b"HTTP/1.1 200 OK")
    assert wire.written[0].endswith(b"}")


async def test_a_client_that_does_not_read_gets_no_more():
    """Where nothing can be sent, a body waits until the client reads again."""
    connection, wire = connected(scripted())
    connection.pause_writing()
    connection.data_received(request(body_of()))
    await until_written(wire, 1)
    assert wire.written[0].endswith(b"\r\n\r\n")
    connection.resume_writing()
    await until_written(wire, 2)
    assert wire.written[1].endswith(b"}")


def test_each_request_has_its_own_place(served):
    """Requests of one connection may ask for different things, however they write them."""
    with Raw(served(scripted()).port) as raw:
        for method, path, status in [
            ("POST", "/v1/chat/completions", 200),
            ("GET", "/v1/models", 200),
            ("GET", "/v1/models?a=b", 200),
            ("POST", "/v1/ch%61t/completions?a=b", 200),
            ("POST", "/v1/nothing", 404),
            ("POST", "/v1/chat/completions", 200),
        ]:
            raw.send(request(body_of() if method == "POST" else b"", method=method, path=path))
            assert raw.read()[0] == status, path


def test_a_client_that_waits_to_be_asked_for_its_body(served):
    """Whoever sends `Expect: 100-continue` is asked for the body, and answered."""
    body = body_of()
    whole = request(body, headers=[("expect", "100-continue"), *CLOSING])
    with Raw(served(scripted()).port) as raw:
        raw.send(whole[: -len(body)])
        told = raw.socket.recv(1_000)
        assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.send(body)
        assert raw.rest().startswith(b"HTTP/1.1 200 OK")


def test_an_old_client(served):
    """A connection of HTTP 1.0 ends with its answer."""
    with Raw(served(scripted()).port) as raw:
        raw.send(request(body_of()).replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert b"\r\nconnection: close\r\n" in raw.rest()


@pytest.mark.parametrize("kind", ["direct", "over ASGI"])
def test_an_old_client_that_wants_a_stream(served, kind, monkeypatch):
    """HTTP 1.0 knows no chunks: the events come as they are, and end with the connection."""
    if kind == "over ASGI":
        monkeypatch.setattr("cascade.gateway.direct.Direct.sends_by", lambda *_: False)
    with Raw(served(scripted()).port) as raw:
        raw.send(request(body_of(stream=True)).replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = raw.rest().partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"content-length" not in head
    assert b"\r\nconnection: close" in head
    events = body.split(b"\n\n")
    assert all(event.startswith(b"data: ") for event in events[:-1])
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_request_that_does_not_say_whom_it_asks(served, version):
    """HTTP 1.1 wants to be told the host; HTTP 1.0 knows none."""
    with Raw(served(scripted()).port) as raw:
        raw.send(f"GET /healthz HTTP/{version}\r\n\r\n".encode())
        status, headers, body = raw.read()
        assert status == (200 if version == "1.0" else 400)
        assert headers["connection"] == "close"
        assert version == "1.0" or b"'Host'" in body
        assert raw.closed()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("second", ["host: elsewhere", "Host: 127.0.0.1"])
def test_a_request_that_says_twice_whom_it_asks(served, version, second):
    """Two parties on its way may believe one each, whatever the version and even where they agree."""
    with Raw(served(scripted()).port) as raw:
        raw.send(f"GET /healthz HTTP/{version}\r\nhost: 127.0.0.1\r\n{second}\r\n\r\n".encode())
        status, headers, body = raw.read()
        assert (status, headers["connection"]) == (400, "close")
        error = json.loads(body)["error"]
        assert error["message"] == "A request must have one header 'Host', not 2."
        assert error["type"] == "invalid_request_error"
        assert raw.closed()


def test_leaving_with_more_requests_sent(serve, upstream, traces):
    """A client that has sent its next request already, and leaves, is missed all the same."""
    gateway = serve()
    with Raw(gateway.port) as raw:
        raw.send(request(body_of("hang")) + request(body_of()))
        until(lambda: upstream.under_way == 1)
    until(lambda: upstream.left == 1)
    until(lambda: gateway.app.turns.in_flight == 0)
    (trace,) = traces()
    assert trace.status == "cancelled"


@pytest.mark.parametrize("cut", [0, 10, 1_000])
def test_a_head_too_large_behind_another_request(serve, cut):
    """A head is held to its bounds wherever it begins in what is read, and only its own bytes."""
    gateway = serve()
    large = request(body_of(), headers=[(f"h{number}", "x" * 1_000) for number in range(40)])
    fits = request(body_of("y" * 40_000), headers=[("a", "x" * 20_000)])
    with Raw(gateway.port) as raw:
        raw.send(fits + fits + large[:cut])
        assert [raw.read()[0] for _ in range(2)] == [200, 200]
        raw.send(large[cut:])
        assert raw.read()[0] == 431
