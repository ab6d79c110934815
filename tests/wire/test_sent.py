"""What goes over the wire: the payload as it was given, and nothing that nobody needs."""

from __future__ import annotations

from decimal import Decimal

import openai
import pytest
from faces import PRICE, bodies, one, pair
from fake_openai import URL, answer, completion, events, sure, text_chunks

from cascade import Tier
from cascade.core.scoring import Needs
from cascade.core.tier import Capabilities, Endpoint, Retry
from cascade.provider.body import is_openai

LOCAL = "http://127.0.0.1:8080/v1"


class Confidence:
    """A scorer that needs log-probabilities and rejects everything."""

    def __init__(self, top=0):
        self.needs = Needs(logprobs=True, top_logprobs=top)

    def __call__(self, draft):
        return 0.0


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PAYLOAD = {
    "messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, IMAGE]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
    "metadata": {"team": "blue", "empty": None},
    "zzz_unknown": {"deep": [1, None, {"x": None}]},
    "seed": 0,
    "temperature": 0,
}


def test_a_payload_goes_out_unchanged(face, openai_api):
    """Tools, images, schemas, metadata and unknown keys arrive as they were given."""
    openai_api.return_value = answer(completion())
    face(one()).complete(PAYLOAD)
    assert bodies(openai_api) == [{"model": "gpt-5.4-mini", "service_tier": "default", **PAYLOAD}]


def test_none_is_left_out_at_the_top_only(face, openai_api):
    """A top-level `None` means "not given"; deeper ones are the caller's data."""
    openai_api.return_value = answer(completion())
    face(one()).complete(temperature=None, extra_body={"x": {"y": None}})
    (sent,) = bodies(openai_api)
    assert "temperature" not in sent
    assert sent["x"] == {"y": None}


def test_each_tier_asks_its_own_model(face, openai_api):
    """Preamble and params of a tier are its own; the next tier gets the request as asked."""
    openai_api.return_value = answer(completion())
    shot = {"role": "user", "content": "an example"}
    tiers = pair(scorer=lambda _: 0.0, preamble=(shot,), params={"temperature": 0.2, "seed": None})
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    face(tiers).complete(asked, temperature=1, seed=7)
    small, big = bodies(openai_api)
    assert (small["model"], big["model"]) == ("gpt-5.4-mini", "gpt-5.4")
    assert small["messages"] == [asked[0], shot, asked[1]]
    assert big["messages"] == asked
    assert (small["temperature"], "seed" in small) == (0.2, False)
    assert (big["temperature"], big["seed"]) == (1, 7)


def test_a_service_tier_of_yours_stays(face, openai_api):
    """The engine's own `service_tier` fills a gap and never replaces a choice."""
    openai_api.return_value = answer(completion(service_tier="flex"))
    face(one()).complete(service_tier="flex")
    assert bodies(openai_api)[0]["service_tier"] == "flex"


@pytest.mark.parametrize(
    ("server", "ours"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://API.OpenAI.com:443/v1/", True),
        ("https://api.openai.com.example.net/v1", False),
        ("https://proxy.example/api.openai.com/v1", False),
        ("https://notapi.openai.com/v1", False),
        (LOCAL, False),
    ],
)
def test_only_openai_itself_is_openai(server, ours):
    """Keys are added for OpenAI's hosts, not for a proxy with their name in its address."""
    assert is_openai(server) is ours


def test_nothing_is_added_for_other_servers(face, httpx2_mock):
    """A compatible server gets the payload and the model, and `include_usage` where it streams."""
    route = httpx2_mock.post(f"{LOCAL}/chat/completions")
    used = face([Tier("llama", price=PRICE)], client=Endpoint(LOCAL))
    route.return_value = answer(completion(model="llama"))
    used.complete()
    route.return_value = events(text_chunks("Pa", "ris"))
    used.stream()
    plain, streamed = bodies(route)
    assert set(plain) == {"model", "messages"}
    assert set(streamed) == {"model", "messages", "stream", "stream_options"}
    assert streamed["stream_options"] == {"include_usage": True}


def test_a_stream_asks_for_its_usage(face, openai_api):
    """Only the last tier is streamed; stream options of yours stay, the usage is asked for."""
    openai_api.side_effect = [answer(sure()), events(text_chunks("Paris"))]
    used = face(pair(scorer=lambda _: 0.0))
    used.stream(stream_options={"include_usage": False, "other": 1})
    small, big = bodies(openai_api)
    assert "stream" not in small
    assert "stream_options" not in small  # OpenAI refuses them beside an unstreamed call
    assert big["stream"] is True
    options = {"include_obfuscation": False, "include_usage": True, "other": 1}
    assert big["stream_options"] == options


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("gpt-5.4-mini", 0, None),
        ("gpt-5.4-mini", 3, 3),
        ("gpt-5.4-mini", 20, 5),
        ("unheard-of", 20, 20),
    ],
)
def test_as_few_alternatives_as_needed(face, openai_api, model, asked, sent):
    """Alternatives are asked for as the scorer needs them, at most what the model gives."""
    openai_api.return_value = answer(completion())
    small = Tier(model, name="small", price=PRICE, scorer=Confidence(asked))
    face([small, Tier("gpt-5.5", price=PRICE)]).complete()
    first, last = bodies(openai_api)
    assert first["logprobs"] is True
    assert first.get("top_logprobs") == sent
    assert "logprobs" not in last
    assert "top_logprobs" not in last


def test_log_probabilities_only_for_scorers_that_need_them(face, openai_api):
    """A scorer without needs, and a model that gives none, cost no log-probabilities."""
    openai_api.return_value = answer(completion())
    dumb = Tier(
        "gpt-5.4-mini", name="a", price=PRICE, scorer=lambda _: 0.0, capabilities=Capabilities()
    )
    face([dumb, Tier("gpt-5.5", price=PRICE, scorer=Confidence(2))]).complete()
    assert ["logprobs" in body for body in bodies(openai_api)] == [False, False]


def test_your_own_logprobs_are_kept(face, openai_api):
    """Log-probabilities that you ask for yourself are sent to every tier, as many as you ask."""
    openai_api.return_value = answer(completion())
    face(pair(scorer=Confidence(2))).complete(logprobs=True, top_logprobs=4)
    assert [body["top_logprobs"] for body in bodies(openai_api)] == [4, 4]


def test_transport_options_are_sent_and_not_kept(face, openai_api):
    """Extra headers and query reach the server and leave no mark on the trace."""
    openai_api.return_value = answer(completion())
    headers = {"X-Client-Request-Id": "abc-1", "Authorization": "Bearer other-secret-token"}
    result = face(one()).complete(extra_headers=headers, extra_query={"tag": "q-secret"})
    request = openai_api.calls.last.request
    assert request.headers["X-Client-Request-Id"] == "abc-1"
    assert request.headers["Authorization"] == "Bearer other-secret-token"
    assert request.url.params["tag"] == "q-secret"
    kept = result.trace.to_json()
    assert not any(word in kept for word in ("abc-1", "other-secret", "q-secret"))


def test_one_try_is_one_request(face, openai_api):
    """The SDK's own retries are off, even on a client of yours that has them on."""
    openai_api.return_value = answer({"error": {"message": "busy"}}, status=500)
    used = face(one(retry=Retry(max_tries=3)))
    assert used.client.max_retries == 2
    with pytest.raises(Exception, match="busy"):
        used.complete()
    assert len(openai_api.calls) == len(used.traces[0].charges) == 3
    counts = [call.request.headers["x-stainless-retry-count"] for call in openai_api.calls]
    assert counts == ["0", "0", "0"]


def test_an_azure_client_asks_its_deployment(kind, face, httpx2_mock):
    """An Azure client puts the tier's model into the path, and is not told OpenAI's keys."""
    route = httpx2_mock.post(
        "https://res.openai.azure.com/openai/deployments/my-mini/chat/completions"
    )
    route.return_value = answer(completion())
    sdk = openai.AzureOpenAI if kind == "sync" else openai.AsyncAzureOpenAI
    client = sdk(
        api_key="0123456789abcdef0123456789abcdef",
        azure_endpoint="https://res.openai.azure.com",
        api_version="2025-04-01-preview",
    )
    result = face([Tier("my-mini", price=PRICE)], client=client).complete()
    assert result.text == "Paris"
    assert route.calls.last.request.headers["api-key"] == "0123456789abcdef0123456789abcdef"
    assert "service_tier" not in bodies(route)[0]


def test_a_tier_with_its_own_place(face, httpx2_mock, monkeypatch):
    """A tier's endpoint gets its calls with the key from its variable; the others go elsewhere."""
    monkeypatch.setenv("LOCAL_KEY", "local-key-123")
    local = httpx2_mock.post(f"{LOCAL}/chat/completions")
    local.return_value = answer(completion())
    remote = httpx2_mock.post(URL)
    remote.return_value = answer(completion())
    place = Endpoint(LOCAL, api_key_env="LOCAL_KEY")
    small = Tier("llama", price=PRICE, scorer=lambda _: 0.0, client=place)
    face([small, Tier("gpt-5.4", price=PRICE)]).complete()
    assert local.calls.last.request.headers["Authorization"] == "Bearer local-key-123"
    assert len(remote.calls) == 1


def test_a_regional_host_costs_more(face, httpx2_mock):
    """Nothing in a reply says that a regional host billed it: the address does."""
    route = httpx2_mock.post("https://eu.api.openai.com/v1/chat/completions")
    route.return_value = answer(completion())
    tiers = [Tier("gpt-5.4-mini")]
    result = face(tiers, base_url="https://eu.api.openai.com/v1").complete()
    (charge,) = result.trace.charges
    assert charge.regional
    assert charge.cost_usd == Decimal("0.000132")  # (100 * 0.75 + 10 * 4.50) / 1e6, and 10% more
    assert bodies(route)[0]["service_tier"] == "default"
