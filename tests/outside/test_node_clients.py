"""Clients for Node that nobody here wrote, as they come from npm, against the gateway.

`CASCADE_TEST_NODE` names a folder with `package.json` of tests/outside/node installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from cascade import TraceStore

SCRIPTS = Path(__file__).parent / "node"
INSTALLED = os.environ.get("CASCADE_TEST_NODE")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(
        not INSTALLED,
        reason="no clients for Node: CASCADE_TEST_NODE names no folder with them",
    ),
]

CITY = {"name": "Paris", "country": "France"}


@pytest.fixture(scope="module")
def seen(gateway, tmp_path_factory):
    """What each check of a script saw."""
    home = tmp_path_factory.mktemp("node")
    shutil.copytree(SCRIPTS, home, dirs_exist_ok=True)
    (home / "node_modules").symlink_to(Path(INSTALLED or "") / "node_modules")
    found = {}

    def run(script):
        if script not in found:
            done = subprocess.run(
                ["node", script],  # noqa: S607
                cwd=home,
                env=gateway.env,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            found[script] = {line["check"]: line for line in lines}
        return found[script]

    return run


@pytest.fixture
def openai(seen):
    """A check of the official SDK: what it saw."""
    return lambda check: _seen(seen("openai.mjs"), check)


@pytest.fixture
def vercel(seen):
    """A check of the Vercel AI SDK: what it saw."""
    return lambda check: _seen(seen("vercel.mjs"), check)


def _seen(checks, check):
    assert "seen" in checks[check], checks[check].get("error")
    return checks[check]["seen"]


def test_chat_tells_tokens_and_cost_of_both_attempts(openai, gateway):
    """The body sums what the draft and the answer used; header, body and kept trace agree."""
    told = openai("chat")
    assert told["text"] == "Paris"
    assert (told["usage"]["prompt_tokens"], told["usage"]["completion_tokens"]) == (200, 20)
    assert told["cascade"]["attempts"] == 2
    assert told["trace"] == told["cascade"]["trace_id"]
    assert told["request"].startswith("req_")
    with TraceStore(gateway.database) as store:
        trace = store.get(told["trace"])
    assert Decimal(told["cascade"]["cost_usd"]) == trace.cost_usd == Decimal("0.0001525")


def test_a_chat_stream_is_whole(openai):
    """Text, tokens of both attempts and cost arrive in a stream as well."""
    told = openai("chat_stream")
    assert told["text"] == "Paris"
    assert told["usage"]["total_tokens"] == 220
    assert told["cascade"]["cost_usd"] == "0.0001525"
    assert openai("chat_stream_helper") == {"text": "Paris", "finish": "stop"}


def test_structured_answers_are_parsed(openai):
    """Both helpers for zod schemas give the object."""
    assert openai("chat_parse") == CITY
    assert openai("responses_parse") == CITY


def test_tools_are_called_and_their_results_answered(openai):
    """A tool call reaches the client whole, and its result leads to the answer."""
    given = {"finish": "tool_calls", "name": "lookup", "given": '{"city":"Oslo"}'}
    assert openai("chat_tools") == given
    assert openai("chat_run_tools") == {"text": "It rains in Oslo.", "asked": ["Oslo"]}


def test_responses_are_answered_whole_and_streamed(openai):
    """The other API: text, tokens, cost, and every event of a stream in its order."""
    told = openai("responses")
    assert (told["text"], told["status"]) == ("Paris", "completed")
    assert told["usage"]["total_tokens"] == 220
    streamed = openai("responses_stream")
    assert streamed["text"] == "Paris"
    assert streamed["kinds"][:2] == ["response.created", "response.in_progress"]
    assert streamed["kinds"][-1] == "response.completed"
    assert streamed["cascade"]["cost_usd"] == told["cascade"]["cost_usd"] == "0.0001525"
    assert streamed["usage"] == told["usage"]


def test_models_are_listed(openai):
    """The chains are the models."""
    assert openai("models") == ["support"]
    assert openai("one_model") == "support"


def test_a_stream_can_be_left(openai):
    """A client that aborts gets no error, and the gateway goes on."""
    assert openai("abort")["pieces"] == 2


@pytest.mark.parametrize(
    ("check", "kind", "status", "code"),
    [
        ("wrong_key", "AuthenticationError", 401, "invalid_api_key"),
        ("unknown_model", "NotFoundError", 404, "model_not_found"),
        ("bad_request", "BadRequestError", 400, "empty_array"),
        ("provider_down", "InternalServerError", 500, None),
        ("provider_refuses", "BadRequestError", 400, "unknown_parameter"),
        ("poor_key", "RateLimitError", 429, "insufficient_quota"),
    ],
)
def test_errors_are_the_sdks_own(openai, check, kind, status, code):
    """Each refusal is the class that the SDK has for it, with OpenAI's code and a request id."""
    told = openai(check)
    assert (told["kind"], told["status"], told["code"]) == (kind, status, code)
    assert told["requestID"]


@pytest.mark.parametrize("provider", ["chat", "responses", "compatible"])
def test_the_vercel_ai_sdk_is_answered(vercel, provider):
    """Texts, streams, objects and tools over each of its providers."""
    assert vercel(f"{provider}_text") == {"text": "Paris", "total": 220, "finishReason": "stop"}
    streamed = vercel(f"{provider}_stream")
    assert (streamed["text"], streamed["errors"]) == ("Paris", [])
    assert vercel(f"{provider}_object") == CITY
    assert vercel(f"{provider}_tools") == {"text": "It rains in Oslo.", "asked": ["Oslo"]}


def test_the_vercel_ai_sdk_is_told_what_is_wrong(vercel):
    """Its errors carry OpenAI's body."""
    told = vercel("wrong_key")
    assert told["status"] == 401
    assert json.loads(told["body"])["error"]["code"] == "invalid_api_key"
