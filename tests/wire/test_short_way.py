"""Requests sent without the SDK are the SDK's own, and so is what comes of them."""

from __future__ import annotations

import gzip
import json
import logging
import math
from contextlib import suppress

import pytest
from faces import PRICE, Face, one
from fake_openai import completion, sse, text_chunks
from server import Server, answers, cuts, drops, streams

from cascade import AsyncCascade, CascadeError, Endpoint, Tier
from cascade.core.plain_json import strict_json
from cascade.core.tier import Retry
from cascade.provider import connections

pytestmark = pytest.mark.loopback

BODY = json.dumps(completion()).encode()


def says(head, body=b""):
    """An answer of these lines; the connection stays open."""

    def behave(server, connection):
        lines = f"HTTP/1.1 {head}\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(lines.encode("latin-1") + body)
        return True

    return behave


def error(status, code, **more):
    said = {"message": "Look.", "type": "invalid_request_error", "param": None, "code": code}
    body = json.dumps({"error": {**said, **more}}).encode()
    return says(f"{status} Oh\r\nretry-after-ms: 5\r\nx-request-id: req_9", body)


def asked(kind, *behaviours, times=1, **params):
    """What comes of a request through one face: outcome, failure, and the heads that were sent."""
    with Server(*behaviours) as server:
        face = Face(kind, one(retry=Retry(max_tries=1)), base_url=server.url)
        heads = []
        for _ in range(times):
            with suppress(CascadeError):
                face.complete("Grüße \U0001f600?", **params)
            heads.append(server.head)
        trace = face.traces[-1]
        face.close()
        known = [(c.outcome, c.cost_usd, c.request_id, c.usage) for c in trace.charges]
        words = [attempt.reason for attempt in trace.attempts]
        address = server.url.removeprefix("http://").removesuffix("/v1")
        return known, repr(words).replace(address, ""), heads, server.requests


def lines_of(head):
    """A head's lines; its host differs from server to server."""
    return sorted(line for line in head.lower().split(b"\r\n") if not line.startswith(b"host:"))


WAYS = ("aiohttp", "short")


def test_the_heads_are_those_of_the_sdk():
    """The first request and later ones carry the lines that the SDK sends, and no others."""
    through, short = (asked(kind, answers(completion()), times=3) for kind in WAYS)
    for one_head, other in zip(through[2], short[2], strict=True):
        assert lines_of(one_head) == lines_of(other)
    assert through[3] == short[3] == 3, "nothing is sent that was not asked for"


def test_another_aiohttp(monkeypatch):
    """One that has not what is used of it past its documentation sends the same."""
    asked("short", answers(completion()), times=2)
    usual = asked("short", answers(completion()), times=3)
    monkeypatch.setattr(connections, "is_possible", lambda: False)
    other = asked("short", answers(completion()), times=3)
    for one_head, another in zip(usual[2], other[2], strict=True):
        assert lines_of(one_head) == lines_of(another)
    assert other[0] == usual[0]


@pytest.mark.parametrize("size", [60_000, 70_000, 2_000_000])
def test_a_long_request_arrives_whole(size):
    """Whether it leaves at once or in pieces."""
    with Server(answers(completion())) as server:
        face = Face("short", one(), base_url=server.url)
        for _ in range(2):
            face.complete("x" * size)
            assert json.loads(server.body)["messages"][0]["content"] == "x" * size
        face.close()


def test_a_time_limit_of_its_own():
    """The header that tells the limit is that of the request at hand."""
    with Server(answers(completion())) as server:
        face = Face("short", one(timeout_s=7), base_url=server.url)
        face.complete()
        assert b"x-stainless-read-timeout: 7" in server.head.lower()
        face.complete(deadline_s=3)
        assert b"x-stainless-read-timeout: 2.9" in server.head.lower()
        face.close()


def hints_first(server, connection):
    """What comes later is announced before the answer."""
    connection.sendall(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
    return answers(completion())(server, connection)


SAID = {
    "answer": answers(completion()),
    "hints": hints_first,
    "no HTTP": lambda _server, connection: connection.sendall(b"Hello, who is there?\r\n\r\n"),
    "packed": says("200 OK\r\ncontent-encoding: gzip", gzip.compress(BODY)),
    "badly packed": says("200 OK\r\ncontent-encoding: gzip", b"no gzip"),
    "foreign id": says("200 OK\r\nx-request-id: r\xe9q", BODY),
    "created": says("201 Created", BODY),
    "nothing": says("204 No Content"),
    "no JSON": says("200 OK", b"<html>Hello</html>"),
    "400": error(400, "invalid_value", param="messages"),
    "401": error(401, "invalid_api_key"),
    "403": error(403, None),
    "404": error(404, "model_not_found"),
    "429": error(429, "rate_limit_exceeded"),
    "billing": error(429, "insufficient_quota"),
    "500": error(500, None),
    "a page": says("502 Bad\r\ncontent-type: text/html", b"<html><body>Bad gateway</body></html>"),
    "not modified": says("304 Not Modified"),
    "lost": says("302 Found"),
    "cut": cuts,
    "dropped": drops,
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize("times", [1, 2])
def test_whatever_is_said_means_the_same(said, times):
    """Outcome, cost, request id and words are those of a request that the SDK has sent."""
    through, short = (asked(kind, SAID[said], times=times) for kind in WAYS)
    assert short[0] == through[0]
    assert short[1] == through[1]
    assert short[3] == through[3]


@pytest.mark.parametrize("said", ["400", "429", "500", "a page", "dropped"])
def test_a_stream_that_cannot_start(said):
    """A refused stream is refused in the same words."""
    found = []
    for kind in WAYS:
        with Server(SAID[said]) as server:
            face = Face(kind, one(retry=Retry(max_tries=1)), base_url=server.url)
            with pytest.raises(CascadeError):
                face.stream()
            found.append([a.reason for a in face.traces[-1].attempts])
            face.close()
    assert repr(found[0]) == repr(found[1])


def test_a_stream():
    """Pieces arrive as they come."""
    pieces = [sse([item], done=False) for item in text_chunks("Pa", "ris")]
    with Server(streams(*pieces, b"data: [DONE]\n\n")) as server:
        face = Face("short", one(), base_url=server.url)
        for _ in range(2):
            stream, chunks = face.stream()
            assert "".join(chunk.text for chunk in chunks) == "Paris" == stream.completion.text
        face.close()


def test_words_for_numbers_that_json_lacks():
    """They may stand in a text; a number that JSON cannot write is refused as the SDK does it."""
    body = {"messages": [{"role": "user", "content": "NaN, Infinity and \u00fc"}], "seed": -1.5e300}
    assert json.loads(strict_json(body)) == body
    for number in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            strict_json({"temperature": number})


def test_a_client_that_is_pointed_elsewhere():
    """The next request goes where it points now."""
    with Server(answers(completion())) as first, Server(answers(completion())) as second:
        face = Face("short", one(), base_url=first.url)
        face.complete()
        face.client.base_url = second.url
        face.complete()
        assert (first.requests, second.requests) == (1, 1)
        face.close()


def test_headers_and_query_of_the_caller():
    """They are the SDK's to place."""
    given = {"extra_headers": {"X-Team": "blue"}, "extra_query": {"v": "2"}}
    through, short = (asked(kind, answers(completion()), times=2, **given) for kind in WAYS)
    assert b"x-team: blue" in short[2][-1].lower()
    assert lines_of(short[2][-1]) == lines_of(through[2][-1])


def test_the_log_of_the_sdk_shows_every_request(caplog):
    """Whoever turns its log on sees requests in it."""
    with caplog.at_level(logging.DEBUG, logger="openai"):
        asked("short", answers(completion()), times=2)
    sent = [line for line in caplog.messages if line.startswith("Sending HTTP Request")]
    assert len(sent) == 2


def test_a_client_made_here_takes_it(monkeypatch):
    """The SDK makes one request, to rehearse; those of a client of the user's are all its own."""
    import openai

    posts = []
    post = openai.AsyncOpenAI.post

    def counted(self, *args, **more):
        posts.append(args)
        return post(self, *args, **more)

    monkeypatch.setattr(openai.AsyncOpenAI, "post", counted)
    with Server(answers(completion())) as server:
        face = Face("short", one(), base_url=server.url)
        tiers = [Tier("m", price=PRICE)]
        own = AsyncCascade(tiers, client=Endpoint(server.url))
        client = openai.AsyncOpenAI(base_url=server.url, api_key="k")
        users = AsyncCascade(tiers, client=client)

        async def ask(llm):
            posts.clear()
            async with llm:
                for _ in range(3):
                    await llm.complete("Hi")
            return len(posts)

        assert face.run(ask(own)) == 1
        assert face.run(ask(users)) == 3
        face.run(client.close())
        face.close()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", WAYS)
def test_a_large_body_goes_in_pieces(kind):
    """It arrives whole, and aiohttp has nothing to complain about."""
    with Server(answers(completion())) as server:
        face = Face(kind, one(), base_url=server.url)
        face.complete("word " * 300_000)
        face.close()
        length = [line for line in lines_of(server.head) if line.startswith(b"content-length")]
        assert int(length[0].split()[1]) > 1_500_000
        assert face.traces[-1].charges[0].outcome == "ok"
