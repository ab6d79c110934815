"""Which client answers a tier, and what is said when none can be made."""

from __future__ import annotations

import subprocess
import sys

import openai
import pytest
from faces import PRICE, Face, one
from fake_openai import answer, completion

from cascade import AsyncCascade, Cascade, Tier
from cascade.core.tier import Endpoint
from cascade.errors import ConfigError

LOCAL = "http://127.0.0.1:8080/v1"


def test_no_key_names_the_next_step(face):
    """Without OPENAI_API_KEY the error says what to set; the trace says that nothing was sent."""
    used = face(one(), client=None)
    with pytest.raises(ConfigError, match="Set OPENAI_API_KEY, pass client=, or give") as caught:
        used.complete()
    (trace,) = used.traces
    assert trace.status == "cancelled"
    assert [(c.outcome, c.cost_usd) for c in trace.charges] == [("unreachable", 0)]
    assert caught.value.__dict__["trace"] is trace


def test_no_key_for_a_stream(face):
    """The same where the first call is streamed."""
    used = face(one(), client=None)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        used.stream()
    assert used.traces[0].cost_usd == 0


def test_an_endpoint_without_its_key(face):
    """A missing variable is named, and what to do about it."""
    place = Endpoint(LOCAL, api_key_env="NO_SUCH_KEY")
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set; export it"):
        face([Tier("llama", price=PRICE, client=place)]).complete()


def test_the_environment_is_enough(face, openai_api, monkeypatch):
    """With OPENAI_API_KEY set no client need be given; one is made, once."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    openai_api.return_value = answer(completion())
    used = face(one(), client=None)
    used.complete()
    used.complete()
    sent = openai_api.calls.last.request.headers["Authorization"]
    assert sent == "Bearer sk-from-the-environment"
    assert [len(made) for made in used.models._made.values()] == [1]
    used.run(used.models.close())
    assert not used.models._made


def test_a_server_without_keys_gets_a_placeholder(face, httpx2_mock):
    """The SDK insists on a key; a local server gets one that says so."""
    route = httpx2_mock.post(f"{LOCAL}/chat/completions")
    route.return_value = answer(completion())
    face([Tier("llama", price=PRICE)], client=Endpoint(LOCAL)).complete()
    assert route.calls.last.request.headers["Authorization"] == "Bearer no-key-needed"


def test_the_wrong_kind_of_client_is_refused():
    """Sync and async clients are not mixed up silently."""
    with pytest.raises(ConfigError, match=r"pass openai\.OpenAI"):
        Cascade(one(), client=openai.AsyncOpenAI(api_key="sk-x"))
    with pytest.raises(ConfigError, match=r"pass openai\.AsyncOpenAI"):
        AsyncCascade(one(), client=openai.OpenAI(api_key="sk-x"))


def test_closing_leaves_your_client_open(kind, openai_api):
    """A client that was passed in belongs to its owner."""
    openai_api.return_value = answer(completion())
    used = Face(kind, one())
    used.complete()
    used.run(used.models.close())
    assert not used.client.is_closed()
    used.close()


def test_the_sdk_is_not_imported_with_the_package():
    """`import cascade` and building a cascade leave `openai` alone; it takes most of a second."""
    code = (
        "import sys, cascade; cascade.Cascade([cascade.Tier('gpt-5.4')]);"
        "sys.exit(bool({'openai', 'httpx2', 'tenacity'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
