"""Requests of every kind and evidence of every kind, with real models on a real server."""

from __future__ import annotations

import pytest

from cascade import AsyncCascade, Cascade, Endpoint, Policy, Price, Retry, Tier
from cascade.demo.servers import GEMMA, SMOLLM
from scorers import Agreement, JsonSchema

pytestmark = [pytest.mark.live, pytest.mark.loopback]

PRICE = Price.of("0.20", "1.25", cached_input="0.02")
ASKED = {"input": "The capital of France is", "max_output_tokens": 16, "temperature": 0}


def tier(models, model=SMOLLM, **settings):
    """A tier on one of the running models."""
    settings.setdefault("params", {"temperature": 0, "max_completion_tokens": 12})
    endpoint = Endpoint(models[model].base_url)
    return Tier(model, client=endpoint, price=PRICE, retry=Retry(max_tries=1), **settings)


def test_both_apis_of_a_real_server_say_the_same(models):
    """One server, asked through both APIs in both forms: the same text, an exact cost."""
    texts = set()
    for api in ("chat", "responses"):
        llm = Cascade([tier(models, api=api, params={})])
        for asked in (ASKED, {"messages": [{"role": "user", "content": ASKED["input"]}],
                              "max_completion_tokens": 16, "temperature": 0}):  # fmt: skip
            done = llm.complete(asked)
            form = "response" if "input" in asked else "chat.completion"
            assert done.reply.wire["object"] == form
            assert done.trace.basis == "exact"
            assert done.trace.usage.output_tokens <= 16
            texts.add(done.text.strip())
    assert len(texts) == 1


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_of_a_real_server_comes_in_the_callers_form(models, api):
    """Events of the Responses API, whichever API the server was asked through."""
    with Cascade([tier(models, api=api, params={})]).stream(ASKED) as chunks:
        kinds = [chunk.wire["type"] for chunk in chunks]
    done = chunks.completion
    assert kinds[0] == "response.created"
    # Cut at its limit: Chat's finish reason tells, llama.cpp's Responses does not.
    assert kinds[-1] == {"chat": "response.incomplete", "responses": "response.completed"}[api]
    assert kinds.count("response.output_text.delta") > 3
    assert done.reply.wire["object"] == "response"
    assert done.trace.usage.output_tokens == done.reply.usage.output_tokens


def test_a_real_draft_is_left_as_soon_as_it_is_no_json(models):
    """A story where JSON was wanted is left after a few tokens; the cost is an estimate."""
    chain = [
        tier(models, scorer=JsonSchema(True), params={"temperature": 0, "max_tokens": 300}),
        tier(models, GEMMA, name="top"),
    ]
    done = Cascade(chain, policy=Policy(stop_early=True)).complete("Tell me a long story of a fox")
    first = done.trace.attempts[0]
    assert first.reason.startswith("left before its end: JsonSchema: not JSON")
    assert first.charges[0].usage.output_tokens < 60
    assert done.tier == "top"


def test_samples_of_a_real_model_vote(models):
    """The samples are asked at once and differ; the majority's answer is what is returned."""
    many = Agreement(4, params={"temperature": 0.9})
    params = {"temperature": 0.1, "max_completion_tokens": 3}
    chain = [tier(models, scorer=many, threshold=0.0, params=params), tier(models, GEMMA)]
    done = Cascade(chain, policy=Policy(on_length="score")).complete("The sky is")
    charges = done.trace.attempts[0].charges
    assert [charge.purpose for charge in charges] == ["draft", "scorer", "scorer", "scorer"]
    begun = [charge.started_s for charge in charges[1:]]
    assert max(begun) < min(charge.started_s + charge.latency_s for charge in charges[1:])


async def test_many_requests_at_once_agree_with_one_by_one(models):
    """Temperature 0: what is asked at once is answered as one after the other."""
    asked = [f"{number} plus one is" for number in range(6)]
    with Cascade([tier(models)], policy=Policy(on_length="score")) as llm:
        alone = [llm.complete(item).text for item in asked]
        together = [result.unwrap().text for result in llm.complete_many(asked, concurrency=2)]
    async with AsyncCascade([tier(models)], policy=Policy(on_length="score")) as llm:
        awaited = [result.unwrap().text async for result in llm.complete_many(asked, concurrency=2)]
    assert alone == together == awaited
