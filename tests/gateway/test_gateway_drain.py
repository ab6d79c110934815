"""A gateway that is told to stop finishes what it has begun, and says so to the rest."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from gateways import until
from raw_http import Raw, body_of, request

pytestmark = pytest.mark.loopback

JSON = [("content-type", "application/json")]


def begun(served, upstream, words, **more):
    """A request that is under way."""
    before = upstream.under_way
    raw = Raw(served.port)
    raw.send(request(body_of(words, **more), headers=JSON))
    until(lambda: upstream.under_way == before + 1)
    return raw


def test_requests_in_flight_finish(serve, upstream, traces):
    """Whole answers and streams come to their ends; readiness and new requests are refused."""
    served = serve()
    with (
        begun(served, upstream, "wait 1") as whole,
        begun(served, upstream, "hard, trickle 0.3", stream=True) as stream,
        Raw(served.port) as idle,
    ):
        served.server.should_exit = True
        until(lambda: served.app.turns.draining)
        ready = httpx.get(f"http://127.0.0.1:{served.port}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "draining")
        assert httpx.get(f"http://127.0.0.1:{served.port}/healthz").status_code == 200
        for path in ("models", "models/support"):
            listed = httpx.get(f"{served.url}/{path}")
            assert (listed.status_code, listed.headers["connection"]) == (503, "close")
            assert listed.json()["error"]["code"] == "server_is_shutting_down"
        idle.send(request(body_of(), headers=JSON))
        status, headers, body = idle.read()
        assert (status, headers["connection"]) == (503, "close")
        assert json.loads(body)["error"]["code"] == "server_is_shutting_down"
        assert whole.read()[0] == 200
        assert stream.rest().endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        served.join()
    assert [trace.status for trace in traces()] == ["accepted", "accepted"]
    assert served.server.cut == 0


def test_what_takes_too_long_is_broken_off(serve, upstream, traces):
    """After its time what is under way is broken off: each client is told, each trace kept."""
    served = serve(limits={"drain_s": 0.3})
    with (
        begun(served, upstream, "hang") as whole,
        begun(served, upstream, "a hard one to stall", stream=True) as stream,
    ):
        until(lambda: sum(model == "big" for model, _ in upstream.asked) == 1)
        until(lambda: b"The" in stream.socket.recv(10_000))
        served.server.should_exit = True
        status, headers, body = whole.read()
        assert (status, headers["connection"]) == (503, "close")
        assert json.loads(body)["error"]["code"] == "server_is_shutting_down"
        assert b'"server_is_shutting_down"' in stream.rest()
        served.join()
    until(lambda: upstream.left == 2)
    assert {trace.status for trace in traces()} <= {"cancelled", "interrupted"}
    assert len(traces()) == 2
    assert served.server.cut == 2


def test_a_second_signal(serve, upstream, traces):
    """A second signal waits for nothing; the books are closed all the same."""
    served = serve(limits={"drain_s": 60})
    with begun(served, upstream, "hang") as whole:
        served.server.handle_exit(15, None)
        until(lambda: served.app.turns.draining)
        assert not served.server.force_exit
        served.server.handle_exit(15, None)
        assert whole.read()[0] == 503
        served.join()
    assert [trace.status for trace in traces()] == ["cancelled"]


def test_whoever_waits_for_a_turn_is_sent_away(serve, upstream):
    """Requests that have not begun do not begin once the gateway stops."""
    served = serve(limits={"max_concurrent": 1})
    with begun(served, upstream, "wait 1") as first, Raw(served.port) as second:
        second.send(request(body_of(), headers=JSON))
        until(lambda: served.app.turns.waiting == 1)
        served.server.should_exit = True
        assert second.read()[0] == 503
        assert first.read()[0] == 200
        served.join()


def test_a_slow_reader_gets_its_whole_answer(serve, upstream):
    """An answer that is complete is delivered before the process ends."""
    served = serve()
    with Raw(served.port, buffer=65536) as raw:
        raw.send(request(body_of("hard and long 8000"), headers=JSON))
        until(lambda: served.app.turns.in_flight == 0 and len(upstream.asked) == 2)
        stopper = threading.Thread(target=served.stop)
        stopper.start()
        status, headers, body = raw.read()
        assert status == 200
        assert len(body) == int(headers["content-length"]) > 8_000_000
        stopper.join()
