"""Many requests through the real SDK: over the wire at once, failed ones apart, left ones closed."""

from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest
from faces import one
from fake_openai import answer, completion, refuse
from server import Server, hangs

from cascade import CallRefused
from cascade.testing import no_network


def echo(request):
    """Answers with the prompt; one is refused."""
    prompt = json.loads(request.content)["messages"][-1]["content"]
    return refuse(400, "no such parcel") if prompt == "7" else answer(completion(f"re {prompt}"))


def results(face, requests, **options):
    if not face.runner:
        return list(face.llm.complete_many(requests, **options))

    async def read():
        return [result async for result in face.llm.complete_many(requests, **options)]

    return face.run(read())


@pytest.mark.parametrize("ordered", [True, False])
def test_each_answer_comes_back_to_its_request(face, openai_api, ordered):
    """40 requests, 8 at once: each result holds its own answer; the refused one holds its error."""
    openai_api.side_effect = echo
    client = face(one())
    found = results(client, map(str, range(40)), concurrency=8, ordered=ordered)
    found.sort(key=lambda result: result.index)
    assert isinstance(found.pop(7).error, CallRefused)
    for result in found:
        done = result.unwrap()
        assert (done.text, done.cost_usd) == (f"re {result.index}", Decimal("0.00012"))
    assert len(client.traces) == 40


@pytest.mark.loopback
def test_requests_that_hang_can_be_left(face):
    """A server that never answers holds up neither the close nor the books."""

    async def leave():
        many = client.llm.complete_many(["a", "b"])
        begin(many)
        return [result async for result in many], many.left

    def leave_sync():
        many = client.llm.complete_many(["a", "b"])
        begin(many)
        return list(many), many.left

    def begin(many):
        many._fill()
        many.stop(0.5)

    with no_network(allow=("127.0.0.1",)), Server(hangs()) as server:
        client = face(one(), base_url=server.url)
        begun = time.monotonic()
        found, left = client.run(leave()) if client.runner else leave_sync()
        assert time.monotonic() - begun < 10
        assert server.requests == 2
    assert (found, [result.index for result in left]) == ([], [0, 1])
    assert [trace.status for trace in client.traces] == ["cancelled"] * 2
    assert [trace.cost_usd for trace in client.traces] == [None] * 2
