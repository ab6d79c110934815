"""Streams that wait long say so, because proxies cut connections on which nothing moves."""

from __future__ import annotations

import json

import httpx
import openai
import pytest
from gateways import Served, tiers, until
from openai import OpenAI
from raw_http import Raw, body_of, request

from cascade.core.chain import Chain
from cascade.gateway import Limits, create_app

pytestmark = pytest.mark.loopback

JSON = [("content-type", "application/json")]
CLOSING = [*JSON, ("connection", "close")]
COMMENT = b": waiting\n\n"
SOON = {"silence_s": 0.1}


class Passing:
    """A middleware: what is sent goes through it, so that the server's own way is closed."""

    def __init__(self, app):
        self.app, self.turns, self.limits = app, app.turns, app.limits

    async def __call__(self, scope, receive, send):
        async def sends(message):
            await send(message)

        await self.app(scope, receive, sends if scope["type"] == "http" else send)


@pytest.fixture(params=["direct", "asgi"])
def port(request, serve, upstream, store):
    """A gateway that soon says that it waits, on its server's own way and on ASGI's."""
    if request.param == "direct":
        yield serve(limits=SOON).port
        return
    chain = Chain(tiers(upstream.url), name="support")
    served = Served(Passing(create_app({"support": chain}, store=store, limits=Limits(**SOON))))
    yield served.port
    served.stop()


@pytest.fixture
def client(port):
    with OpenAI(api_key="ck-any", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as made:
        yield made


def ask(client, words, **more):
    messages = [{"role": "user", "content": words}]
    return client.chat.completions.create(model="support", messages=messages, stream=True, **more)


def answered(port, words, *, path="/v1/chat/completions", **more):
    """Head and body of a streamed answer."""
    asked = {"input": words, "model": "support"} if "responses" in path else None
    data = json.dumps({**asked, "stream": True}).encode() if asked else None
    data = data or body_of(words, stream=True, **more)
    with httpx.stream(
        "POST",
        f"http://127.0.0.1:{port}{path}",
        content=data,
        headers={"content-type": "application/json"},
        timeout=20,
    ) as answer:
        return answer, answer.read()


def test_the_head_does_not_wait_for_an_answer(port, upstream, traces):
    """The head comes while the first tier is silent, with what is known; then signs of life."""
    with Raw(port) as raw:
        raw.send(request(body_of("hold", stream=True), headers=CLOSING))
        head, seen = raw.head()
        assert head.startswith("HTTP/1.1 200 ")
        until(lambda: raw.more().count(COMMENT) >= 3)
        upstream.release()
        seen = raw.rest()
    (trace,) = traces()
    assert f"x-cascade-trace-id: {trace.id}" in head
    assert "x-cascade-chain: support" in head
    assert "content-type: text/event-stream" in head
    assert "x-cascade-tier" not in head
    assert seen.count(COMMENT) < 20
    assert seen.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_clients_pass_over_it(client, upstream):
    """OpenAI's client reads the same answer, on both endpoints."""
    stream = ask(client, "wait 0.5")
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert said == "The answer is this."
    events = list(client.responses.create(model="support", input="wait 0.5", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].response.output_text == "The answer is this."
    assert len(upstream.asked) == 2


def test_a_stream_that_pauses(port):
    """Comments stand between the pieces of a stream as well, each for itself."""
    answer, body = answered(port, "hard, trickle 0.3")
    assert answer.status_code == 200
    pieces = body.split(b"\n\n")
    assert pieces[-2:] == [b"data: [DONE]", b""]
    after_text = pieces[next(at for at, piece in enumerate(pieces) if b"The" in piece) :]
    assert after_text.count(b": waiting") >= 3
    assert all(piece.startswith((b"data: {", b": waiting")) for piece in pieces[:-2])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_a_failure_after_the_head(port, traces, path):
    """What fails once the head is out is told as an event, with its trace, and ends the stream."""
    answer, body = answered(port, "wait 0.4, then 400", path=path)
    assert answer.status_code == 200
    last = body.rstrip().split(b"\n\n")[-1]
    told = json.loads(last[last.index(b"data: ") + 6 :])
    assert told["error"]["code"] == "invalid_value"
    assert told["cascade"]["trace_id"] == traces()[0].id
    assert body.startswith(COMMENT)
    if "responses" in path:
        assert last.startswith(b"event: error\n")
        assert (told["type"], told["code"]) == ("error", "invalid_value")


def test_a_failure_after_the_head_reaches_the_client(client):
    """OpenAI's client raises it as it does within a stream."""
    with pytest.raises(openai.APIError) as caught:
        list(ask(client, "wait 0.4, then 400"))
    assert not isinstance(caught.value, openai.APIStatusError)
    assert caught.value.code == "invalid_value"


def test_a_failure_before_the_head(client):
    """What fails sooner is told by its status, as ever."""
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "then 400")
    assert caught.value.code == "invalid_value"


def test_leaving_while_it_waits(port, upstream, traces):
    """A client that leaves between two comments ends the work."""
    with Raw(port) as raw:
        raw.send(request(body_of("hold", stream=True), headers=JSON))
        assert raw.head()[0].startswith("HTTP/1.1 200 ")
    until(lambda: upstream.left == 1)
    until(lambda: len(traces()) == 1)
    assert traces()[0].status == "cancelled"


@pytest.mark.parametrize("silence_s", [0, 10.0])
def test_no_word_before_its_time(serve, silence_s):
    """Within the time, and where it is switched off, nothing but the answer is sent."""
    port = serve(limits={"silence_s": silence_s}).port
    answer, body = answered(port, "wait 0.5")
    assert answer.headers["x-cascade-tier"] == "small"
    assert COMMENT not in body


def test_broken_off_while_it_waits(serve, upstream):
    """A gateway that stops says so in the stream whose head is out."""
    served = serve(limits={**SOON, "drain_s": 0.2})
    with Raw(served.port) as raw:
        raw.send(request(body_of("hold", stream=True), headers=CLOSING))
        assert raw.head()[0].startswith("HTTP/1.1 200 ")
        served.server.should_exit = True
        assert b'"server_is_shutting_down"' in raw.rest()
        served.join()
