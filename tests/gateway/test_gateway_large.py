"""Large bodies are read beside the event loop: others get on meanwhile, and the answers are the same."""

from __future__ import annotations

import json
import threading

import pytest
from gateways import until
from raw_http import Raw, asked, body_of, request

from cascade.gateway import answering

pytestmark = pytest.mark.loopback

LARGE = "x" * answering.LARGE_BYTES


def told(answer):
    status, _headers, body = answer
    return status, json.loads(body)["error"]


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (b"{x", b"{x%b" % LARGE.encode()),
        (b"[1]", b"[1%b]" % (b" " * len(LARGE))),
        (b'{"model": "support"}', b'{"model": "support", "user": "%b"}' % LARGE.encode()),
        (body_of("x", stream="yes"), body_of(LARGE, stream="yes")),
        (body_of("x", n=2), body_of(LARGE, n=2)),
        (body_of("x", model="other"), body_of(LARGE, model="other")),
    ],
    ids=["no JSON", "no object", "no messages", "no flag", "no number", "no model"],
)
def test_the_same_is_wrong_with_a_large_body(serve, upstream, small, large):
    """What cannot be meant is refused in the same words at any size, and nobody is asked."""
    port = serve().port
    status, error = told(asked(port, request(large)))
    assert (status, error) == told(asked(port, request(small)))
    assert status in (400, 404)
    assert upstream.asked == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_large_body_is_answered(serve, traces, stream):
    """A large body is answered and booked like a small one."""
    port = serve().port
    raw = request(body_of(LARGE, stream=stream), headers=[("connection", "close")])
    with Raw(port) as client:
        client.send(raw)
        assert client.rest().startswith(b"HTTP/1.1 200 ")
    (trace,) = traces()
    assert trace.request["messages"][0]["content"] == LARGE


def test_small_requests_do_not_wait_for_a_large_one(serve, monkeypatch):
    """While a large body is read a small request is answered, and a second large one waits."""
    begun, go_on, readers = threading.Event(), threading.Event(), []
    read_body = answering.read_body

    def slow(data):
        if len(data) > answering.LARGE_BYTES:
            readers.append(threading.current_thread())
            begun.set()
            assert go_on.wait(30)
        return read_body(data)

    monkeypatch.setattr(answering, "read_body", slow)
    served = serve()
    with Raw(served.port) as first, Raw(served.port) as second:
        try:
            first.send(request(body_of(LARGE)))
            assert begun.wait(15)
            second.send(request(body_of(LARGE)))
            until(lambda: served.app.turns.in_flight == 2)
            assert asked(served.port, request(body_of("small")))[0] == 200
            assert len(readers) == 1
        finally:
            go_on.set()
        assert (first.read()[0], second.read()[0]) == (200, 200)
    assert len(readers) == 2
