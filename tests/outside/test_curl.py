"""curl, as the documentation shows it, against the gateway."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl"),
]

ASKED = {"model": "support", "messages": [{"role": "user", "content": "Where is my parcel?"}]}


@pytest.fixture
def curl(gateway):
    """Sends JSON to a path of the API; gives the status and what came."""

    def send(path, body=None, key=gateway.key):
        data = ["-H", "Content-Type: application/json", "-d", json.dumps(body)] if body else []
        done = subprocess.run(
            [
                *("curl", "-sSN", "-w", "\n%{http_code}", f"{gateway.url}{path}"),
                *("-H", f"Authorization: Bearer {key}", *data),
            ],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        came, _, status = done.stdout.rpartition("\n")
        return int(status), came

    return send


def test_an_answer(curl):
    """An answer tells what both attempts cost."""
    status, came = curl("/chat/completions", ASKED)
    assert status == 200
    assert json.loads(came)["choices"][0]["message"]["content"] == "Paris"
    assert json.loads(came)["cascade"]["cost_usd"] == "0.0001525"


def test_a_stream(curl):
    """A stream is one of server-sent events that ends as OpenAI's does; no draft is shown."""
    status, came = curl("/chat/completions", {**ASKED, "stream": True})
    assert status == 200
    frames = [line.removeprefix("data: ") for line in came.split("\n\n") if line]
    assert frames[-1] == "[DONE]"
    chunks = [json.loads(frame) for frame in frames[:-1]]
    pieces = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(pieces) == "Paris"
    assert {chunk["model"] for chunk in chunks} == {"gpt-5.4-mini"}


def test_a_stream_of_events(curl):
    """The Responses API's stream names each of its events."""
    _, came = curl("/responses", {"model": "support", "input": "Where?", "stream": True})
    names = [line.removeprefix("event: ") for line in came.splitlines() if line[:6] == "event:"]
    assert (names[0], names[-1]) == ("response.created", "response.completed")


def test_refusals(curl):
    """A refusal is JSON of OpenAI's shape, whatever is refused."""
    for path, body, key, status, code in (
        ("/models", None, "ck-wrong", 401, "invalid_api_key"),
        ("/models/none", None, None, 404, "model_not_found"),
        ("/chat/completions", {**ASKED, "model": "none"}, None, 404, "model_not_found"),
        ("/embeddings", {"input": "x"}, None, 404, None),
    ):
        found, came = curl(path, body, key) if key else curl(path, body)
        error = json.loads(came)["error"]
        assert (found, error["code"]) == (status, code)
        assert set(error) == {"message", "type", "param", "code"}
