"""The drop-in client over real connections to a server on this machine."""

from __future__ import annotations

import asyncio
import time
from itertools import count

import fake_openai as fake
import httpx2
import openai
import pytest
from sdk_faces import ASKED, FakeApi, scripted, two_tiers
from server import Server, _chunked, answers, hangs, head, streams

from cascade import Cascade, Endpoint, Tier, async_openai_client, trace_of
from cascade.core.pricing import Price
from cascade.core.tier import Retry
from cascade.dropin.transports import CascadeTransport
from cascade.endpoint.chains import Chains

BEGUN = head("text/event-stream") + _chunked(
    fake.sse(fake.text_chunks("Par", "is")[:2], done=False)
)


def at(server):
    """A single tier that is asked at a server, once."""
    place = Endpoint(server.url)
    price = Price.of("1", "2")
    return [Tier("local", client=place, price=price, retry=Retry(max_tries=1))]


@pytest.mark.loopback
def test_whole_and_streamed(sdk):
    """Answers come over the connections that a cascade makes by itself."""
    chunks = [fake.sse([chunk], done=False) for chunk in fake.text_chunks("Par", "is")]
    with Server(answers(fake.completion()), streams(*chunks, b"data: [DONE]\n\n")) as server:
        used = sdk(at(server))
        assert used.create().choices[0].message.content == "Paris"
        read = used.read(used.create(stream=True))
        used.run(used.client.close())
    assert "".join(chunk.choices[0].delta.content or "" for chunk in read) == "Paris"


@pytest.mark.loopback
def test_leaving_a_stream_that_hangs(sdk):
    """The first text is there although the server goes silent; leaving does not wait for it."""
    with Server(hangs(BEGUN)) as server:
        used = sdk(at(server))
        begun = time.perf_counter()
        stream = used.create(stream=True)
        used.run(stream.close())
        assert time.perf_counter() - begun < 5
        used.run(used.client.close())
    (trace,) = used.traces
    assert trace.status == "cancelled"
    assert trace.known_cost_usd > 0


@pytest.mark.loopback
@pytest.mark.parametrize("begun", [True, False], ids=["after text", "before any"])
def test_a_server_that_goes_silent(sdk, begun):
    """The SDK's timeout ends the wait for the first text, and each wait for more of it."""
    with Server(hangs(BEGUN if begun else b"")) as server:
        used = sdk(at(server))
        started = time.perf_counter()
        if begun:
            stream = used.create(stream=True, timeout=0.3)
            with pytest.raises(openai.APIError, match="in time") as caught:
                used.read(stream)
        else:
            with pytest.raises(openai.APITimeoutError) as caught:
                used.create(stream=True, timeout=0.3)
        assert time.perf_counter() - started < 5
        used.run(used.client.close())
    assert trace_of(caught.value).status == ("interrupted" if begun else "deadline_exceeded")


def test_what_no_sdk_sends_goes_on():
    """A body that is no JSON, or names no model, is the API's to refuse."""
    api = FakeApi(fake.refuse(400, "no"))
    chains = Chains(Cascade, two_tiers(), models=scripted())
    onward = httpx2.Client(transport=httpx2.MockTransport(api))
    url = "https://api.openai.com/v1/chat/completions"
    with httpx2.Client(transport=CascadeTransport(chains, onward)) as http:
        for content in (b"{", b"[]", b"{}", b'{"model": 5}', b'{"model": ["cascade"]}'):
            assert http.post(url, content=content).status_code == 400
        assert http.get(url).status_code == 400
    assert len(api.sent) == 6
    assert onward.is_closed


@pytest.mark.loopback
def test_each_event_loop_has_connections_of_its_own():
    """A client with a key and an address of its own serves one loop after the other."""
    traces = []
    with Server(answers(fake.completion())) as server:
        client = async_openai_client(
            [Tier("gpt-5.5")], api_key=fake.KEY, base_url=server.url, observers=[traces.append]
        )
        for _ in range(3):
            asyncio.run(client.chat.completions.create(model="cascade", messages=ASKED))
    assert [[charge.outcome for charge in trace.charges] for trace in traces] == [["ok"]] * 3
    assert None not in [trace.cost_usd for trace in traces]
    assert fake.KEY.encode() in server.head


@pytest.mark.loopback
def test_a_key_that_changes_is_asked_for_each_time():
    """The SDK takes a function for a key; no request goes out with an old one."""
    numbers, sent = count(), []

    def seen(server, connection):
        sent.append(next(line for line in server.head.split(b"\r\n") if b"uthorization" in line))
        return answers(fake.completion())(server, connection)

    async def key():
        return f"sk-{next(numbers):012}"

    async def ask():
        async with client:
            for _ in range(3):
                await client.chat.completions.create(model="cascade", messages=ASKED)

    with Server(seen) as server:
        client = async_openai_client([Tier("gpt-5.5")], api_key=key, base_url=server.url)
        asyncio.run(ask())
    assert len(set(sent)) == len(sent) == 3
