"""Clients that leave, or stop reading: the work for them ends, and what it cost is booked."""

from __future__ import annotations

import asyncio
import time

import openai
import pytest
from gateways import until
from openai import AsyncOpenAI
from raw_http import Raw, body_of, request

pytestmark = pytest.mark.loopback

JSON = [("content-type", "application/json")]


def test_leaving_before_an_answer(serve, upstream, traces):
    """A client that leaves cancels the call upstream; the trace says so, its cost is unknown."""
    served = serve()
    with Raw(served.port) as raw:
        raw.send(request(body_of("hang"), headers=JSON))
        until(lambda: upstream.under_way == 1)
    until(lambda: upstream.left == 1)
    until(lambda: served.app.turns.in_flight == 0)
    (trace,) = traces()
    assert trace.status == "cancelled"
    assert trace.cost_usd is None


def test_leaving_by_a_reset(serve, upstream, traces):
    """A connection that is reset counts as left, too."""
    served = serve()
    raw = Raw(served.port)
    raw.send(request(body_of("hang"), headers=JSON))
    until(lambda: upstream.under_way == 1)
    raw.reset()
    until(lambda: upstream.left == 1)
    until(lambda: len(traces()) == 1)


def test_leaving_a_stream(serve, upstream, traces):
    """A stream that nobody reads on is cancelled upstream; what was paid for it is booked."""
    served = serve()
    with Raw(served.port) as raw:
        raw.send(request(body_of("a hard one to stall", stream=True), headers=JSON))
        until(lambda: raw.socket.recv(10_000))
    until(lambda: upstream.left == 1)
    until(lambda: len(traces()) == 1)
    (trace,) = traces()
    assert trace.status in ("cancelled", "interrupted")
    assert trace.known_cost_usd > 0  # the small model's draft
    assert served.app.turns.in_flight == 0


def test_leaving_while_a_draft_is_collected(serve, upstream, traces):
    """Leaving a stream before its first piece ends the work as well."""
    served = serve()
    with Raw(served.port) as raw:
        raw.send(request(body_of("hang", stream=True), headers=JSON))
        until(lambda: upstream.under_way == 1)
    until(lambda: upstream.left == 1)
    until(lambda: len(traces()) == 1)
    assert traces()[0].status == "cancelled"


def test_a_client_that_stops_reading(serve, upstream, traces):
    """A stream that is not read is given up after its time; the call upstream ends with it."""
    served = serve(limits={"write_timeout_s": 1.0})
    with Raw(served.port, buffer=4096) as raw:
        raw.send(request(body_of("hard and long 40000", stream=True), headers=JSON))
        until(lambda: upstream.under_way == 1)
        began = time.monotonic()
        until(lambda: served.app.turns.in_flight == 0, within_s=15)
        assert time.monotonic() - began > 0.9
    until(lambda: upstream.left == 1)
    (trace,) = traces()
    assert trace.status in ("cancelled", "interrupted")
    assert trace.known_cost_usd > 0


def test_a_client_that_reads_slowly(serve, traces):
    """A client that goes on reading, however slowly, gets all of its stream."""
    served = serve(limits={"write_timeout_s": 1.0})
    with Raw(served.port, buffer=65536) as raw:
        raw.send(
            request(
                body_of("hard and long 4000", stream=True),
                headers=[*JSON, ("connection", "close")],
            )
        )
        size = 0
        while piece := raw.socket.recv(65536):
            size += len(piece)
            time.sleep(0.005)
    assert size > 4_000_000
    assert traces()[0].status == "accepted"


async def test_sdk_timeouts(serve, upstream, traces):
    """A client whose own patience ends has left, as far as the gateway is concerned."""
    async with AsyncOpenAI(
        api_key="ck-any", base_url=serve().url, timeout=0.3, max_retries=0
    ) as client:
        messages = [{"role": "user", "content": "hang"}]
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(model="support", messages=messages)
    await asyncio.to_thread(until, lambda: upstream.left == 1)
    await asyncio.to_thread(until, lambda: len(traces()) == 1)


def test_waiting_for_a_turn(serve, upstream, traces):
    """Beyond what is answered at once requests wait; beyond that they are told to come back."""
    served = serve(limits={"max_concurrent": 1, "max_waiting": 1})
    with Raw(served.port) as first, Raw(served.port) as second, Raw(served.port) as third:
        first.send(request(body_of("wait 1"), headers=JSON))
        until(lambda: upstream.under_way == 1)
        second.send(request(body_of(), headers=JSON))
        until(lambda: served.app.turns.waiting == 1)
        third.send(request(body_of(), headers=JSON))
        status, headers, _ = third.read()
        assert (status, headers["retry-after"]) == (503, "1")
        assert first.read()[0] == 200
        assert second.read()[0] == 200
    assert len(traces()) == 2


def test_waiting_too_long_for_a_turn(serve, upstream):
    """Whoever waits for a turn is told after a while that it does not come."""
    served = serve(limits={"max_concurrent": 1, "wait_s": 0.2})
    with Raw(served.port) as first, Raw(served.port) as second:
        first.send(request(body_of("wait 1"), headers=JSON))
        until(lambda: upstream.under_way == 1)
        second.send(request(body_of(), headers=JSON))
        assert second.read()[0] == 503
        assert first.read()[0] == 200
        second.send(request(body_of(), headers=JSON))
        assert second.read()[0] == 200


def test_leaving_while_waiting(serve, upstream, traces):
    """Whoever leaves while it waits for a turn takes none from the next."""
    served = serve(limits={"max_concurrent": 1})
    with Raw(served.port) as first:
        first.send(request(body_of("wait 1"), headers=JSON))
        until(lambda: upstream.under_way == 1)
        with Raw(served.port) as second:
            second.send(request(body_of(), headers=JSON))
            until(lambda: served.app.turns.waiting == 1)
        assert first.read()[0] == 200
        first.send(request(body_of(), headers=JSON))
        assert first.read()[0] == 200
    until(lambda: served.app.turns.in_flight == 0)
