"""The gateway as OpenAI's own clients see it: sync and async, whole and streamed, both endpoints."""

from __future__ import annotations

import asyncio
import json

import httpx
import openai
import pytest
from gateways import tiers, until
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from cascade import Endpoint, Price, Retry, Tier
from cascade.core.chain import Chain

pytestmark = pytest.mark.loopback

BOOKS = {
    "chain": "support",
    "tier": "small",
    "accepted": True,
    "cost_usd": "0.00012",
    "basis": "exact",
    "saved_usd": "0.00108",
    "attempts": 1,
}


@pytest.fixture
def client(serve):
    with OpenAI(api_key="ck-any", base_url=serve().url, max_retries=0) as made:
        yield made


def ask(client, words, **more):
    messages = [{"role": "user", "content": words}]
    return client.chat.completions.create(**{"model": "support", "messages": messages, **more})


def test_an_answer_of_the_first_tier(client, traces):
    """An answer is OpenAI's, and tells which tier gave it and what it cost."""
    done = ask(client, "an easy one")
    (trace,) = traces()
    assert done.choices[0].message.content == "The answer is this."
    assert done.cascade == {"trace_id": trace.id, **BOOKS}
    assert done.usage.total_tokens == 110


def test_an_answer_that_escalated(client, traces):
    """Usage sums every attempt, headers tell the same as the body, and the trace has its request."""
    raw = client.chat.completions.with_raw_response.create(
        model="support", messages=[{"role": "user", "content": "a hard one"}]
    )
    done, headers = raw.parse(), raw.headers
    (trace,) = traces()
    assert done.choices[0].message.content == "The answer is this."
    assert done.usage.total_tokens == 220
    assert headers["x-cascade-tier"] == done.cascade["tier"] == "big"
    assert headers["x-cascade-cost-usd"] == done.cascade["cost_usd"] == "0.00132"
    assert headers["x-cascade-trace-id"] == trace.id
    assert trace.metadata == {"request_id": headers["x-request-id"]}
    assert [attempt.verdict for attempt in trace.attempts] == ["escalated", "accepted"]


def test_a_stream(client, traces):
    """A stream is OpenAI's; its last chunks tell what all of it cost."""
    stream = ask(client, "a hard one", stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    (trace,) = traces()
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == (
        "The answer is this."
    )
    assert chunks[-1].usage.total_tokens == 220
    assert chunks[-1].cascade["trace_id"] == trace.id
    assert stream.response.headers["x-cascade-trace-id"] == trace.id
    assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"


def test_responses_whole_and_streamed(client, traces):
    """The Responses endpoint, too."""
    done = client.responses.create(model="support", input="an easy one")
    events = list(client.responses.create(model="support", input="a hard one", stream=True))
    first, second = traces()
    assert done.output_text == "The answer is this."
    assert done.cascade == {"trace_id": first.id, **BOOKS}
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage.total_tokens == 220
    assert events[-1].response.cascade["trace_id"] == second.id


async def test_many_at_once_with_the_async_client(serve, traces):
    """Fifty requests at once, half of them streamed, are fifty answers and fifty traces."""

    async def whole(client, number):
        done = await ask(client, f"number {number} {'hard' * (number % 2)}")
        return done.choices[0].message.content, done.cascade["trace_id"]

    async def streamed(client, number):
        stream = await ask(client, f"number {number} {'hard' * (number % 2)}", stream=True)
        chunks = [chunk async for chunk in stream]
        return "".join(c.choices[0].delta.content or "" for c in chunks), chunks[-1].cascade[
            "trace_id"
        ]

    async with AsyncOpenAI(api_key="ck-any", base_url=serve().url, max_retries=0) as client:
        done = await asyncio.gather(
            *(whole(client, number) for number in range(25)),
            *(streamed(client, number) for number in range(25)),
        )
    assert {text for text, _ in done} == {"The answer is this."}
    assert {trace_id for _, trace_id in done} == {trace.id for trace in traces()}
    assert len(traces()) == 50


def test_parse_goes_through(client):
    """The SDK's own helpers work, because bodies are OpenAI's."""

    class Answer(BaseModel):
        text: str

    done = client.chat.completions.parse(
        model="support",
        messages=[{"role": "user", "content": "as json"}],
        response_format=Answer,
    )
    assert done.choices[0].message.parsed == Answer(text="what it says here")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("400", (openai.BadRequestError, 400, "invalid_value")),
        ("429", (openai.RateLimitError, 429, "rate_limit_exceeded")),
        ("500", (openai.InternalServerError, 500, None)),
        ("garbage", (openai.InternalServerError, 502, None)),
        ("html", (openai.InternalServerError, 502, None)),
        ("drop", (openai.InternalServerError, 502, None)),
    ],
)
def test_what_a_provider_says_no_with(serve, upstream, traces, words, expected):
    """The SDK raises what it would raise at OpenAI; the trace is kept and named; nobody retries."""
    kind, status, code = expected
    tier = Tier(
        "big", client=Endpoint(upstream.url), price=Price.of("1", "2"), retry=Retry(max_tries=1)
    )
    with OpenAI(api_key="ck-any", base_url=serve([tier]).url) as client:
        with pytest.raises(kind) as caught:
            ask(client, words, model="cascade")
        stream_error = None
        try:
            list(ask(client, words, model="cascade", stream=True))
        except openai.APIError as error:
            stream_error = error
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert caught.value.response.headers["x-cascade-trace-id"] == traces()[0].id
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert stream_error is not None
    assert len(traces()) == 2
    assert len(upstream.asked) == 2


def test_a_stream_that_breaks_off(client, traces):
    """What breaks after text was shown ends with an error frame, and is booked."""
    with pytest.raises(openai.APIError) as caught:
        list(ask(client, "a hard one to drop", stream=True))
    (trace,) = traces()
    assert trace.status == "interrupted"
    assert caught.value.message == (
        "The answer broke off before its end: the connection to the model was lost."
    )
    assert "after text had been shown: connection: " in trace.reason


def test_a_deadline_in_the_middle_of_a_stream(client, traces):
    """What has been shown stands; the error says in words and by its code that time ran out."""
    own = {"deadline_s": 0.5, "start_at": "big"}
    stream = ask(client, "stall", stream=True, extra_body={"cascade": own})
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "timeout"
    assert "the request's deadline has passed" in caught.value.message
    assert "Error" not in caught.value.message
    assert traces()[0].status == "interrupted"


def test_a_deadline(client, traces):
    """Too late is 504, and booked."""
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, "wait 5", extra_body={"cascade": {"deadline_s": 0.2}})
    assert caught.value.status_code == 504
    assert traces()[0].status == "deadline_exceeded"


def test_a_budget(client, traces, upstream):
    """A request's own budget that allows no call is 429 with OpenAI's code for it."""
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "x", max_completion_tokens=10, extra_headers={"x-cascade-budget": "0.0000001"})
    assert caught.value.code == "insufficient_quota"
    assert traces()[0].status == "budget_exceeded"
    assert not upstream.asked


def test_unknown_models_and_fields(client):
    """A model nobody knows is 404, an option nobody knows 400 that names it."""
    with pytest.raises(openai.NotFoundError, match="`gpt-99` does not exist") as caught:
        ask(client, "x", model="gpt-99")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "x", extra_body={"cascade": {"budgit": "1"}})
    assert caught.value.param == "cascade.budgit"


def test_plain_models(serve, upstream):
    """A plain model is answered as a chain of one tier; it is listed beside the chains."""
    big = Chain((tiers(upstream.url)[1],), name="big")
    with OpenAI(api_key="ck-any", base_url=serve(models={"big": big}).url) as client:
        done = ask(client, "x", model="big")
        assert {model.id for model in client.models.list()} == {"support", "big"}
        assert client.models.retrieve("big").owned_by == "cascade"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-99")
    assert done.cascade["tier"] == "big"
    assert [model for model, _ in upstream.asked] == ["big"]


def test_without_the_field(serve):
    """The `cascade` field can be left out; headers still tell."""
    served = serve(cascade_field=False)
    body = {"model": "support", "messages": [{"role": "user", "content": "x"}]}
    done = httpx.post(f"{served.url}/chat/completions", json=body)
    assert "cascade" not in done.json()
    assert done.headers["x-cascade-tier"] == "small"


def test_metrics_count_what_happened(serve):
    """Requests, costs, tokens, escalations are counted by chain and tier."""
    served = serve(metrics_open=True)
    with OpenAI(api_key="ck-any", base_url=served.url, max_retries=0) as client:
        ask(client, "easy")
        ask(client, "hard")
        with pytest.raises(openai.NotFoundError):
            ask(client, "x", model="nobody's")
    until(lambda: served.app.turns.in_flight == 0)
    text = httpx.get(f"http://127.0.0.1:{served.port}/metrics").text
    for line in (
        'cascade_requests_total{chain="support",status="200",tier="small"} 1.0',
        'cascade_requests_total{chain="support",status="200",tier="big"} 1.0',
        'cascade_requests_total{chain="",status="404",tier=""} 1.0',
        'cascade_escalations_total{chain="support",tier="small"} 1.0',
        'cascade_tokens_total{chain="support",kind="input",tier="small"} 200.0',
        'cascade_request_seconds_count{chain="support"} 2.0',
        "cascade_in_flight 0.0",
    ):
        assert line in text
    assert "nobody's" not in text


def test_the_description_and_the_probes(serve):
    """The description is served and names every route; the probes answer without a key."""
    served = serve()
    root = f"http://127.0.0.1:{served.port}"
    described = httpx.get(f"{root}/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/models",
        "/v1/models/{model}",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
    }
    assert httpx.get(f"{root}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{root}/readyz").json()["status"] == "ok"
    assert json.dumps(described)
