"""Real connections to a server on this machine: refused, dropped, cut, silent, slow."""

from __future__ import annotations

import asyncio
import gc
import os
import socket

import fake_openai as fake
import pytest
from faces import PRICE, one
from fake_openai import completion, text_chunks
from server import Server, answers, cuts, drips, drops, hangs, head, streams

from cascade import AsyncCascade, Cascade, Tier
from cascade.core.tier import Endpoint, Retry
from cascade.errors import (
    CallRefused,
    ChainExhausted,
    ConfigError,
    DeadlineExceeded,
    StreamInterrupted,
)
from cascade.testing import NetworkBlocked

pytestmark = pytest.mark.loopback


@pytest.fixture(params=["sync", "async", "aiohttp", "short"])
def kind(request):
    return request.param


TEXTS = ("Pa", "ris", ".")
EVENTS = [fake.sse([item], done=False) for item in text_chunks(*TEXTS)]


def tries(trace):
    return [(charge.outcome, charge.cost_usd) for charge in trace.charges]


def test_a_refused_connection_costs_nothing(face):
    """Nothing was sent, so the cost is known: zero."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with pytest.raises(ChainExhausted) as caught:
        face(one(retry=Retry(max_tries=2)), base_url=url).complete()
    assert tries(caught.value.trace) == [("unreachable", 0)] * 2
    assert caught.value.trace.cost_usd == 0


BAD = {
    "dropped": (drops, "connection"),
    "cut": (cuts, "connection"),
    "silent": (hangs(), "timeout"),
    "silent after the head": (hangs(head(length=50)), "timeout"),
    "dripping": (drips, "timeout"),
}


@pytest.mark.parametrize(("behaviour", "kind_of"), BAD.values(), ids=BAD)
def test_an_answer_that_does_not_arrive(face, behaviour, kind_of):
    """What was sent may have been billed: every try is in the trace with an unknown cost."""
    patience_s = 0.4 if kind_of == "timeout" else 30
    with Server(behaviour) as server:
        used = face(one(retry=Retry(max_tries=2), timeout_s=patience_s), base_url=server.url)
        with pytest.raises(ChainExhausted) as caught:
            used.complete()
        assert server.requests == 2
    assert tries(caught.value.trace) == [(kind_of, None)] * 2


@pytest.mark.parametrize("behaviour", [drops, cuts])
def test_a_second_try_gets_the_answer(face, behaviour):
    """A broken connection is tried again on the same tier, over a new one."""
    with Server(behaviour, answers(completion())) as server:
        result = face(one(retry=Retry(max_tries=2)), base_url=server.url).complete()
    assert result.text == "Paris"
    assert [outcome for outcome, _ in tries(result.trace)] == ["connection", "ok"]
    assert result.trace.charges[1].request_id == "req_1"


@pytest.mark.parametrize("behaviour", [hangs(), drips])
def test_a_deadline_cuts_a_call_short(face, behaviour):
    """The request ends at its deadline with an unknown cost, whatever the tier would wait."""
    with Server(behaviour) as server:
        used = face(one(retry=Retry(max_tries=3)), base_url=server.url, deadline_s=0.15)
        with pytest.raises(DeadlineExceeded) as caught:
            used.complete()
    assert tries(caught.value.trace) == [("deadline", None)]


def test_connections_are_used_again(face):
    """Calls one after the other share a connection."""
    with Server(answers(completion())) as server:
        used = face(one(), base_url=server.url)
        for _ in range(3):
            used.complete()
        assert (server.requests, server.connections) == (3, 1)
        used.run(used.client.close())


def test_a_stream_over_a_real_connection(face):
    """Events pass in order, wherever the network cuts them."""
    data = b"".join(EVENTS) + b"data: [DONE]\n\n"
    pieces = [data[place : place + 7] for place in range(0, len(data), 7)]
    with Server(streams(*pieces)) as server:
        stream, chunks = face(one(), base_url=server.url).stream()
    assert [chunk.wire for chunk in chunks][:-1] == text_chunks(*TEXTS)[:-1]
    assert stream.trace.basis == "exact"


CUT = {
    "cut": streams(*EVENTS[:3], ends=False),
    "silent": hangs(
        head("text/event-stream") + f"{len(EVENTS[1]):x}\r\n".encode() + EVENTS[1] + b"\r\n"
    ),
}


@pytest.mark.parametrize("behaviour", CUT.values(), ids=CUT)
def test_a_stream_cut_on_the_wire(face, behaviour):
    """Text was shown: the stream is interrupted and its cost estimated."""
    with Server(behaviour) as server:
        used = face(one(retry=Retry(max_tries=3), timeout_s=0.15), base_url=server.url)
        with pytest.raises(StreamInterrupted) as caught:
            used.stream()
        assert server.requests == 1
    (charge,) = caught.value.trace.charges
    assert (charge.outcome, charge.basis) == ("interrupted", "estimated")
    kind, code = ("connection", None) if behaviour is CUT["cut"] else ("timeout", "timeout")
    assert charge.message.startswith(f"after text had been shown: {kind}: ")
    assert charge.code == code
    for machinery in ("400", "Error", "\n"):
        assert machinery not in charge.message


def test_a_deadline_in_the_middle_of_a_stream(face):
    """It is told as what it is, with a code that says so."""
    with Server(CUT["silent"]) as server:
        used = face(one(), base_url=server.url, deadline_s=0.2)
        with pytest.raises(StreamInterrupted) as caught:
            used.stream()
    (charge,) = caught.value.trace.charges
    assert charge.message == "after text had been shown: the request's deadline has passed"
    assert charge.code == "timeout"


@pytest.mark.parametrize("behaviour", [drops, hangs(), hangs(head("text/event-stream")), drips])
def test_a_stream_that_does_not_begin_is_retried(face, behaviour):
    """Until text is shown a stream is tried again like any call."""
    with Server(behaviour, streams(*EVENTS)) as server:
        used = face(one(retry=Retry(max_tries=2), timeout_s=1), base_url=server.url)
        stream, chunks = used.stream()
    assert "".join(chunk.text for chunk in chunks) == "Paris."
    assert len(stream.trace.charges) == 2
    assert stream.trace.cost_usd is None


def test_a_stream_without_a_last_newline(face):
    """The last event counts although the server closed before its empty line."""
    data = b"".join(EVENTS[:-2]) + EVENTS[-2].rstrip()
    with Server(streams(data)) as server:
        stream, chunks = face(one(), base_url=server.url).stream()
    assert [chunk.wire for chunk in chunks][:-1] == text_chunks(*TEXTS)[:-1]
    assert stream.trace.basis == "estimated"


def test_a_reader_who_stops_frees_the_connection(face):
    """Stopping early closes the connection instead of leaving the server writing."""
    first = hangs(
        head("text/event-stream") + f"{len(EVENTS[1]):x}\r\n".encode() + EVENTS[1] + b"\r\n"
    )
    with Server(first, answers(completion())) as server:
        used = face(one(), base_url=server.url)
        stream, _ = used.read_some(1)
        assert stream.trace.status == "cancelled"
        assert used.complete().text == "Paris"
        assert server.connections == 2


def test_a_header_no_server_may_see(face):
    """A line break in a header is refused before anything is sent."""
    with Server(answers(completion())) as server:
        used = face(one(retry=Retry(max_tries=3)), base_url=server.url)
        with pytest.raises(CallRefused) as caught:
            used.complete(extra_headers={"X-Note": "two\r\nlines"})
        assert server.requests == 0
    assert tries(caught.value.trace) == [("invalid", 0)]


def test_a_cascade_closes_what_it_opened(kind):
    """Closing a cascade closes the clients it made for itself: no connection is left over."""
    with Server(answers(completion())) as server:
        tiers = [Tier("llama", price=PRICE, client=Endpoint(server.url))]

        async def use():
            async with AsyncCascade(tiers) as llm:
                return await llm.complete("q")

        if kind == "sync":
            with Cascade(tiers) as llm:
                result = llm.complete("q")
        else:
            result = asyncio.run(use())
        gc.collect()
    assert result.text == "Paris"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own():
    """Over its parent's it would read answers to its parent's questions."""
    with Server(answers(completion())) as server:
        llm = Cascade([Tier("llama", price=PRICE, client=Endpoint(server.url))])
        llm.complete("q")
        child = os.fork()
        if child == 0:  # pragma: no cover  not measured: it leaves without its parent's endings
            code = 1
            try:
                code = 0 if llm.complete("q").text == "Paris" else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert server.connections == 2
        assert llm.complete("q").text == "Paris"
        assert server.connections == 2
        llm.close()


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_an_async_cascade_in_one_event_loop_after_the_other():
    """A connection dies with its event loop, so each loop gets a client of its own."""
    with Server(answers(completion())) as server:
        llm = AsyncCascade([Tier("llama", price=PRICE, client=Endpoint(server.url))])
        traces = [asyncio.run(llm.complete("q")).trace for _ in range(3)]
        del llm
        gc.collect()
    assert [tries(trace) for trace in traces] == [[("ok", traces[0].cost_usd)]] * 3


def test_closing_before_the_first_call(kind):
    """A cascade that never called anyone closes like any other, and asks nobody afterwards."""
    if kind == "sync":
        llm = Cascade(one())
        llm.close()
        with pytest.raises(ConfigError, match="was closed"):
            llm.complete("q")
    else:
        later = AsyncCascade(one())
        asyncio.run(later.close())
        with pytest.raises(ConfigError, match="was closed"):
            asyncio.run(later.complete("q"))


def test_another_host_is_out_of_reach(face):
    """The guard of this suite is loud: a real connection is an error, not a failed tier."""
    used = face(one(), base_url="http://192.0.2.1/v1")
    with pytest.raises(BaseException) as caught:
        used.complete()
    assert NetworkBlocked.__name__ in repr(caught.value)
    assert tries(used.traces[0]) == [("unreachable", 0)]
