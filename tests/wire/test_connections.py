"""Connections that Cascade makes for its own async clients: aiohttp's, under httpx2's interface."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import socket
import sys
import threading
import time

import httpx2
import openai
import pytest
from faces import PRICE, one
from fake_openai import completion
from server import Server, answers, drops, hangs

from cascade import AsyncCascade, ChainExhausted, Endpoint, Tier
from cascade.provider import quiet
from cascade.provider.client import AsyncOpenAIModels
from cascade.provider.http_client import AiohttpClient

pytestmark = pytest.mark.loopback

BODY = json.dumps(completion()).encode()


def says(head, body=b""):
    """An answer of these lines; the connection stays open."""

    def behave(server, connection):
        lines = f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(lines.encode() + body)
        return True

    return behave


@pytest.fixture(params=["aiohttp", "short"])
def kind(request):
    return request.param


def ends(used):
    with pytest.raises(ChainExhausted) as caught:
        used.complete()
    return [(charge.outcome, charge.cost_usd) for charge in caught.value.trace.charges]


def test_a_connection_dropped_after_sending_may_have_been_billed(face):
    """The server got the request, so its cost is unknown, not zero."""
    with Server(drops) as server:
        assert ends(face(one(), base_url=server.url)) == [("connection", None)]


def test_a_connection_closed_while_nothing_was_asked(face, monkeypatch):
    """The event loop stood still and did not see it; the next request goes over a new one."""
    monkeypatch.setattr(quiet, "QUIET_S", 0.0)

    def closes(server, connection):
        answers(completion())(server, connection)
        return False

    with Server(closes) as server:
        used = face(one(), base_url=server.url)
        for _ in range(3):
            outcomes = [charge.outcome for charge in used.complete().trace.charges]
            assert outcomes == ["ok"]
            time.sleep(0.05)  # for the server to close it
        assert server.connections == 3


def test_a_name_that_does_not_resolve_costs_nothing(face, monkeypatch):
    """No address, nothing sent."""

    def unknown(*_args, **_more):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert ends(face(one(), base_url="http://no.such.host/v1")) == [("unreachable", 0)]


def test_a_server_that_speaks_no_tls_costs_nothing(face):
    """The handshake fails before anything of the request is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        assert ends(face(one(), base_url=url)) == [("unreachable", 0)]
        thread.join()


def test_what_is_no_http(face):
    """A server that answers with noise has taken the request: the cost is unknown."""

    def noise(server, connection):
        connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
        return False

    with Server(noise) as server:
        used = face(one(), base_url=server.url)
        assert ends(used) == [("connection", None)]
    (charge,) = used.traces[0].charges
    assert charge.message.startswith("the connection broke: ")
    assert "400" not in charge.message
    assert "\n" not in charge.message
    assert not charge.message.endswith("^")


def test_a_compressed_answer(face):
    """Bodies are unpacked as httpx2 does it."""
    packed = says(
        "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip", gzip.compress(BODY)
    )
    with Server(packed) as server:
        assert face(one(), base_url=server.url).complete().text == "Paris"


def test_a_long_header(face):
    """Gateways send security policies longer than what aiohttp takes by default."""
    policy = "default-src 'self' " * 1000
    long = says(f"200 OK\r\ncontent-type: application/json\r\nx-policy: {policy}", BODY)
    with Server(long) as server:
        assert face(one(), base_url=server.url).complete().text == "Paris"


def test_a_redirect_is_followed(face):
    """As the SDK does it, over the same connections."""
    away = says("307 Temporary Redirect\r\nlocation: /elsewhere")
    with Server(away, away, answers(completion())) as server:
        assert face(one(), base_url=server.url).complete().text == "Paris"
        assert server.requests == 3


def test_a_query_and_headers_of_the_caller(face):
    """What a caller adds arrives."""
    seen = []

    def behave(server, connection):
        seen.append(server.head)
        return answers(completion())(server, connection)

    with Server(behave) as server:
        face(one(), base_url=server.url).complete(
            extra_query={"api-version": "1"}, extra_headers={"X-Team": "blue"}
        )
    assert b"/chat/completions?api-version=1 " in seen[0]
    assert b"x-team: blue" in seen[0].lower()
    assert seen[0].lower().count(b"user-agent:") == 1


def test_many_at_once_open_no_connection_twice():
    """A second burst finds the connections of the first, more than the 100 that the SDK keeps."""

    async def burst(llm, count):
        await asyncio.gather(*(llm.complete("q") for _ in range(count)))

    async def use(server):
        tiers = [Tier("llama", price=PRICE, client=Endpoint(server.url))]
        async with AsyncCascade(tiers) as llm:
            await burst(llm, 110)
            first = server.connections
            await burst(llm, 110)
            return first

    with Server(answers(completion())) as server:
        assert asyncio.run(use(server)) == server.connections > 100


def test_a_forgotten_cascade_ends_with_its_event_loop(caplog):
    """Nobody closed it: no socket stays open, and nothing is said about it."""

    async def forget(server):
        tiers = [Tier("llama", price=PRICE, client=Endpoint(server.url))]
        return (await AsyncCascade(tiers).complete("q")).text

    with Server(answers(completion())) as server, caplog.at_level(logging.DEBUG, "asyncio"):
        assert asyncio.run(forget(server)) == "Paris"
        gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def made(models):
    """The HTTP client under an SDK client made for the environment's key."""

    async def look():
        models.prepare([Tier("gpt-5.4")])
        (client,) = next(iter(models._made.values())).values()
        await models.close()
        return client._client

    return asyncio.run(look())


def test_aiohttp_serves_where_it_can(monkeypatch):
    """By default; not behind a proxy, not where it is missing, not where httpx2 is asked for."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    assert isinstance(made(AsyncOpenAIModels()), AiohttpClient)
    assert not isinstance(made(AsyncOpenAIModels(connections="httpx2")), AiohttpClient)
    with monkeypatch.context() as patch:
        patch.setenv("NO_PROXY", "localhost")
        assert isinstance(made(AsyncOpenAIModels()), AiohttpClient)
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
        assert not isinstance(made(AsyncOpenAIModels()), AiohttpClient)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in ("http_client", "connections"):
        monkeypatch.delitem(sys.modules, f"cascade.provider.{name}")
    assert not isinstance(made(AsyncOpenAIModels()), AiohttpClient)


async def test_the_rest_of_httpx2_works():
    """What the SDK sends otherwise, lists of models and uploads, goes through as well."""
    seen = []

    def behave(server, connection):
        seen.append(server.head)
        return says("200 OK\r\ncontent-type: application/json", b'{"object": "list", "data": []}')(
            server, connection
        )

    with Server(behave) as server:
        async with openai.AsyncOpenAI(
            base_url=server.url, api_key="k", http_client=AiohttpClient()
        ) as client:
            assert [model async for model in client.models.list()] == []
            response = await client._client.post(
                server.url, files={"file": b"data"}, auth=("me", "pw")
            )
            assert response.json() == {"object": "list", "data": []}
        with pytest.raises(RuntimeError, match="closed"):
            await client._client.send(httpx2.Request("GET", server.url))
    assert seen[0].startswith(b"GET /v1/models ")
    assert b"authorization: basic" in seen[1].lower()


async def test_a_cancelled_request_leaves_its_connection():
    """A task that is cancelled while it waits closes the connection, and its trace is closed."""
    traces = []
    with Server(hangs()) as server:
        tiers = [Tier("llama", price=PRICE, client=Endpoint(server.url))]
        async with AsyncCascade(tiers, observers=[traces.append]) as llm:
            task = asyncio.create_task(llm.complete("q"))
            while not server.requests:  # noqa: ASYNC110  the server is a thread of its own
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [charge.outcome for charge in traces[0].charges] == ["cancelled"]
            client = next(iter(next(iter(llm._models.made._made.values())).values()))
            connector = client._client._transport._sessions[0].connector
            assert not connector._acquired
            assert not any(connector._conns.values())
