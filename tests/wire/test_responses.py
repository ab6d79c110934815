"""The Responses API through the real SDK: what goes out, what comes back, what it costs."""

from __future__ import annotations

from decimal import Decimal

import fake_openai as fake
import openai
import pytest
from faces import PRICE, bodies, one
from fake_openai import answer, completion, response
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from test_sent import Confidence

from cascade import RequestError, Tier, replay
from cascade.core.tier import Endpoint, Retry
from cascade.core.trace import Trace
from cascade.core.usage import Usage
from cascade.errors import CallRefused, ChainExhausted

ASKED = {"input": "Capital of France?"}

HOSTED = {
    "input": [
        {"role": "user", "content": [{"type": "input_image", "image_url": "data:,", "detail": "low"}]},
        {"type": "item_reference", "id": "msg_0"},
        fake.REASONING,
    ],
    "instructions": "Be brief.",
    "tools": [
        {"type": "tool_search"},
        {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "f", "defer_loading": True}]},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "web_search"},
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "include": ["reasoning.encrypted_content"],
    "previous_response_id": "resp_0",
    "truncation": "auto",
    "metadata": {"team": "blue", "empty": None},
    "zzz_unknown": {"deep": [1, None]},
}  # fmt: skip


def test_a_payload_goes_out_unchanged(face, responses_api):
    """Hosted tools, tool search, references, reasoning items and unknown keys arrive as given."""
    responses_api.return_value = answer(response("Paris"))
    result = face(one()).complete(HOSTED)
    added = {"model": "gpt-5.4-mini", "service_tier": "default", "store": False}
    assert bodies(responses_api) == [{**added, **HOSTED}]
    assert result.trace.request == HOSTED


def test_the_reply_comes_back_untouched(face, responses_api):
    """The caller gets the very object; the reading of it is the same as of a Chat reply."""
    body = response(
        fake.REASONING, "Paris", counts=fake.response_usage(100, 10, cached=60, reasoning=4)
    )
    responses_api.return_value = answer(body)
    result = face(one()).complete(ASKED)
    assert result.reply.wire == body
    assert Response.model_validate(result.reply.wire).output_text == result.text == "Paris"
    assert result.reply.usage == Usage(100, 10, cached_tokens=60, reasoning_tokens=4)
    assert (result.reply.finish_reason, result.reply.model) == ("stop", body["model"])
    assert result.cost_usd == Decimal("0.00012")
    assert Trace.from_json(result.trace.to_json()) == result.trace
    assert replay(result.trace, one()) == result.trace


def test_your_own_store_and_tier_stay(face, responses_api):
    """Defaults fill gaps and replace no choice; other servers get `store` alone."""
    responses_api.return_value = answer(response("x"))
    face(one()).complete({**ASKED, "store": True, "service_tier": "flex"})
    assert bodies(responses_api)[0]["store"] is True
    assert bodies(responses_api)[0]["service_tier"] == "flex"


def test_other_servers(face, httpx2_mock):
    """A compatible server is told not to keep anything, and nothing else is added."""
    route = httpx2_mock.post("http://127.0.0.1:8080/v1/responses")
    used = face([Tier("llama", price=PRICE)], client=Endpoint("http://127.0.0.1:8080/v1"))
    route.return_value = answer(response("x"))
    used.complete(ASKED)
    route.return_value = fake.response_stream(fake.response_events("x"))
    used.stream(ASKED)
    plain, streamed = bodies(route)
    assert plain == {"model": "llama", "store": False, **ASKED}
    assert streamed == {**plain, "stream": True}


def test_a_stream_is_not_asked_for_its_usage(face, responses_api):
    """Responses refuses `include_usage`; obfuscation is switched off, your options stay."""
    responses_api.return_value = fake.response_stream(fake.response_events("x"))
    face(one()).stream({**ASKED, "stream_options": {"other": 1, "include_usage": True}})
    assert bodies(responses_api)[0]["stream_options"] == {"include_obfuscation": False, "other": 1}


@pytest.mark.parametrize(("asked", "sent"), [(0, None), (3, 3), (20, 5)])
def test_log_probabilities_for_a_scorer(face, responses_api, asked, sent):
    """They are asked for through `include`, beside what is included already."""
    responses_api.side_effect = [answer(fake.sure_response()), answer(response("Paris"))]
    small = Tier("gpt-5.4-mini", name="small", price=PRICE, scorer=Confidence(asked))
    result = face([small, Tier("gpt-5.5", price=PRICE)]).complete(
        {**ASKED, "include": ["reasoning.encrypted_content"]}
    )
    first, last = bodies(responses_api)
    assert first["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert first.get("top_logprobs") == sent
    assert last["include"] == ["reasoning.encrypted_content"]
    assert result.trace.attempts[0].charges[0].usage == Usage(100, 10)


def test_log_probabilities_are_read(face, responses_api):
    """The parts' lists, one after the other, are the reply's tokens."""
    parts = [
        fake.text_part("Pa", [fake.token("Pa", -0.5)]),
        fake.text_part("ris", [fake.token("ris", -0.25)]),
    ]
    responses_api.return_value = answer(response(fake.message_item(*parts)))
    reply = face(one()).complete(ASKED).reply
    assert [(token.token, token.logprob) for token in reply.logprobs] == [
        ("Pa", -0.5),
        ("ris", -0.25),
    ]
    assert reply.text == "Paris"


# One chain, both APIs ----------------------------------------------------------------------------


def mixed(first="responses", **settings):
    """A chain whose tiers are asked through different APIs."""
    last = "chat" if first == "responses" else "responses"
    retry = Retry(max_tries=1)
    return [
        Tier("gpt-5.4-mini", name="small", price=PRICE, api=first, retry=retry, **settings),
        Tier("gpt-5.4", name="big", price=PRICE, api=last, retry=retry),
    ]


@pytest.mark.parametrize("first", ["chat", "responses"])
@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("asked", [ASKED, "Capital of France?"], ids=["responses", "chat"])
def test_the_caller_gets_its_own_form(face, both_apis, first, accepted, asked):
    """Whichever tier answers, the reply is an object of the API that the request was written for."""
    chat, responses = both_apis
    chat.return_value = answer(completion("from chat"))
    responses.return_value = answer(response("from responses"))
    result = face(mixed(first, scorer=lambda _: float(accepted))).complete(asked)
    through = first if accepted else {"chat": "responses", "responses": "chat"}[first]
    assert result.text == f"from {through}"
    if asked is ASKED:
        made = Response.model_validate(result.reply.wire, strict=True)
        assert (made.output_text, made.status) == (result.text, "completed")
        assert made.usage.input_tokens == 100
    else:
        made = ChatCompletion.model_validate(result.reply.wire, strict=True)
        assert made.choices[0].message.content == result.text
        assert made.usage.prompt_tokens == 100
    kept = [charge.reply["object"] for charge in result.trace.charges]
    assert kept[-1] == {"chat": "chat.completion", "responses": "response"}[through]
    assert replay(result.trace, mixed(first, scorer=lambda _: float(accepted))) == result.trace


def test_a_mixed_chain_sends_each_its_form(face, both_apis):
    """The same request in both forms, each with its own defaults."""
    chat, responses = both_apis
    chat.return_value = answer(completion("x"))
    responses.return_value = answer(response("x"))
    face(mixed("chat", scorer=lambda _: 0.0, params={"verbosity": "low"})).complete(
        {
            "input": "hi",
            "instructions": "s",
            "reasoning": {"effort": "none"},
            "max_output_tokens": 99,
        }
    )
    assert bodies(chat) == [
        {
            "model": "gpt-5.4-mini",
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}],
            "reasoning_effort": "none",
            "max_completion_tokens": 99,
            "verbosity": "low",
            "service_tier": "default",
        }
    ]
    assert bodies(responses)[0]["input"] == "hi"
    assert "verbosity" not in str(bodies(responses)[0].get("text"))


def test_nothing_is_asked_where_one_tier_cannot_be(face, both_apis):
    """A parameter that the second tier cannot take is named before the first one is paid."""
    with pytest.raises(RequestError, match=r"tier 'small': seed .*params=\{'seed': None\}"):
        face(mixed()).complete(seed=1)
    assert not both_apis[0].calls
    assert not both_apis[1].calls


# Answers that are no text ------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [ASKED, "Weather?"], ids=["responses", "chat"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_tool_calls_are_answers(face, both_apis, asked, api):
    """A call reads the same in both forms, and comes back in the caller's."""
    chat, responses = both_apis
    calls = [fake.tool_call(), fake.tool_call("clock", "{}", "call_2")]
    chat.return_value = answer(completion(None, finish_reason="tool_calls", tool_calls=calls))
    items = [fake.call_item(), fake.call_item("clock", "{}", "call_2", "fc_2")]
    responses.return_value = answer(response(fake.REASONING, *items))
    result = face(one(api=api)).complete(asked)
    assert list(result.reply.tool_calls) == calls
    assert (result.text, result.reply.finish_reason) == ("", "tool_calls")
    wire = result.reply.wire
    if asked is ASKED:
        found = [item for item in wire["output"] if item["type"] == "function_call"]
        assert [(i["call_id"], i["name"], i["arguments"]) for i in found] == [
            ("call_1", "lookup", '{"city":"Oslo"}'),
            ("call_2", "clock", "{}"),
        ]
        Response.model_validate(wire, strict=True)
    else:
        assert wire["choices"][0]["message"]["tool_calls"] == calls
        assert wire["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_refusals(face, both_apis, asked, api):
    """A refusal escalates under the default policy, and stands on the last tier in either form."""
    chat, responses = both_apis
    chat.return_value = answer(completion(None, refusal="I can't."))
    refusal = {"type": "refusal", "refusal": "I can't."}
    responses.return_value = answer(response(fake.message_item(refusal)))
    tiers = [
        Tier("gpt-5.4-mini", name="a", price=PRICE, api=api),
        Tier("gpt-5.4", name="b", price=PRICE, api=api),
    ]
    result = face(tiers).complete(asked)
    assert "declined" in result.trace.attempts[0].reason
    assert result.reply.refusal == "I can't."
    wire = result.reply.wire
    if asked is ASKED:
        assert wire["output"][0]["content"] == [refusal]
    else:
        assert wire["choices"][0]["message"]["refusal"] == "I can't."
        assert wire["choices"][0]["message"]["content"] is None


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "steered")],
)
def test_incomplete_responses(face, both_apis, reason, finish):
    """Why a response is incomplete reads as Chat's finish reason, and comes over both ways."""
    chat, responses = both_apis
    responses.return_value = answer(response("half", status="incomplete", reason=reason))
    result = face(one(api="responses")).complete()
    assert result.reply.finish_reason == finish
    assert result.reply.wire["choices"][0]["finish_reason"] == finish
    if finish != "steered":
        chat.return_value = answer(completion("half", finish_reason=finish))
        back = face(one(api="chat")).complete(ASKED)
        assert back.reply.wire["status"] == "incomplete"
        assert back.reply.wire["incomplete_details"] == {"reason": reason}


@pytest.mark.parametrize(
    "item",
    [
        {"type": "computer_call", "id": "cu_1", "call_id": "c", "status": "completed"},
        {"type": "mcp_approval_request", "id": "mcp_1", "name": "n", "arguments": "{}"},
        {"type": "tool_search_call", "execution": "client", "arguments": {}},
        {"type": "custom_tool_call", "id": "ct_1", "call_id": "c", "name": "n", "input": "x"},
    ],
    ids=lambda item: item["type"],
)
def test_items_that_ask_for_something_are_answers(face, responses_api, item):
    """A call that the caller must carry out is no empty answer, of whatever kind it is."""
    responses_api.return_value = answer(response(item))
    result = face(one()).complete(ASKED)
    assert result.reply.finish_reason == "tool_calls"
    assert not result.reply.is_empty
    assert result.reply.wire["output"] == [item]


def test_hosted_tools_are_billed_apart(face, responses_api):
    """Their calls cost by the call: the tokens' cost is marked as not all there is."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    responses_api.return_value = answer(response(search, search, "Paris"))
    trace = face(one()).complete(ASKED).trace
    (charge,) = trace.charges
    assert (charge.basis, charge.cost_usd) == ("estimated", Decimal("0.00012"))
    assert charge.notes == ("calls of hosted tools are billed apart: 2",)
    assert replay(trace, one()) == trace


def test_chats_searches_are_billed_apart_too(face, openai_api):
    """A search that Chat was asked for costs by the call as well."""
    openai_api.return_value = answer(completion())
    (charge,) = face(one()).complete(web_search_options={}).trace.charges
    assert charge.basis == "estimated"
    assert charge.notes == ("searches of the web are billed apart",)


# What goes wrong ---------------------------------------------------------------------------------

FAILED = {"code": "server_error", "message": "The model failed."}

ODD = {
    "failed": (response(status="failed", error=FAILED), "server", "the response failed: The model"),
    "limited": (
        response(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"}),
        "rate_limit",
        "slow",
    ),
    "policy": (
        response(status="failed", error={"code": "bio_policy", "message": "no"}),
        "content_policy",
        "no",
    ),
    "bad image": (
        response(status="failed", error={"code": "invalid_image", "message": "what?"}),
        "invalid",
        "what?",
    ),
    "queued": (response(status="queued"), "malformed", "its status is 'queued'"),
    "no output": (response("x", output=None), "malformed", "output is missing"),
    "a list": ([], "malformed", "the reply is list []"),
    "an error body": (fake.error_body("no"), "malformed", "no"),
    "HTML": (None, "malformed", "no JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "kind_of", "words"), ODD.values(), ids=ODD)
def test_what_is_no_response(face, responses_api, body, kind_of, words):
    """A 200 without an answer is a failure of a known kind, in words."""
    responses_api.return_value = fake.HTML if body is None else answer(body)
    with pytest.raises((ChainExhausted, CallRefused)) as caught:
        face(one()).complete(ASKED)
    (charge,) = caught.value.trace.charges
    assert charge.outcome == kind_of
    assert words in charge.message


def test_what_is_missing_is_noted(face, responses_api):
    """Usage, model and status are noted, not invented; a text where parts belong is read."""
    odd = {"id": "r", "output": [{"type": "message", "content": "Paris"}]}
    responses_api.return_value = answer(odd)
    result = face(one()).complete(ASKED)
    assert result.text == "Paris"
    assert result.cost_usd is None
    assert {"usage is missing", "model is missing", "status is missing"} <= set(
        result.trace.charges[0].notes
    )


ROWS = {
    "logprobs by include": (fake.NO_LOGPROBS_RESPONSES, {}, {"include": None, "top_logprobs": None}),
    "logprobs by top": (fake.NO_TOP_LOGPROBS_RESPONSES, {}, {"include": None, "top_logprobs": None}),
    "top capped": (fake.CAPPED, {}, {"top_logprobs": 5}),
    "temperature": (fake.NO_TEMPERATURE_NULL, {"temperature": 0}, {"temperature": None}),
    "effort": (
        fake.NO_EFFORT_RESPONSES,
        {"reasoning": {"effort": "max", "summary": "auto"}},
        {"reasoning": {"summary": "auto"}},
    ),
    "effort alone": (fake.NO_EFFORT_RESPONSES, {"reasoning": {"effort": "max"}}, {"reasoning": None}),
    "encrypted": (
        fake.NO_ENCRYPTED,
        {"include": ["reasoning.encrypted_content"]},
        {"include": ["message.output_text.logprobs"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("refusal", "more", "expected"), ROWS.values(), ids=ROWS)
def test_a_refused_parameter_is_given_up(face, responses_api, refusal, more, expected):
    """One refusal, one resend with the change, noted in the trace and remembered."""
    responses_api.side_effect = [refusal, *[answer(response("x"))] * 3]
    first = Tier("unheard-of", price=PRICE, scorer=Confidence(20))
    used = face([first, Tier("other", price=PRICE)])
    result = used.complete({**ASKED, **more})
    refused, accepted, _ = result.trace.charges
    assert refused.outcome == "unsupported"
    assert len(accepted.notes) == 1
    sent = bodies(responses_api)[1]
    for name, value in expected.items():
        assert sent.get(name) == value
    assert len(used.complete({**ASKED, **more}).trace.attempts[0].charges) == 1


def test_options_of_a_stream_that_a_server_refuses(face, responses_api):
    """Without them; Chat's way of asking for the usage would be refused as well."""
    name = "stream_options.include_obfuscation"
    refusal = fake.refuse(
        400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
    )
    responses_api.side_effect = [refusal, fake.response_stream(fake.response_events("Paris"))]
    stream, _ = face(one()).stream(ASKED)
    assert stream.completion.text == "Paris"
    assert "stream_options" not in bodies(responses_api)[1]


def test_unknown_keys_are_not_dropped(face, responses_api):
    """A key nobody knows is the caller's mistake, and stays an error."""
    responses_api.return_value = fake.UNKNOWN_KEY
    with pytest.raises(CallRefused, match="zzz_unknown"):
        face(one()).complete({**ASKED, "zzz_unknown": 1})
    assert len(responses_api.calls) == 1


def test_tools_and_reasoning_take_the_other_way(face, both_apis):
    """The way out that the error names works: the same request, asked through Responses."""
    chat, responses = both_apis
    tool = {"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}
    asked = {"tools": [tool], "reasoning_effort": "low"}
    with pytest.raises(RequestError, match="give the tier api='responses'"):
        face(one()).complete(**asked)
    responses.return_value = answer(response(fake.call_item()))
    result = face(one(api="responses")).complete(**asked)
    sent = bodies(responses)[0]
    assert sent["reasoning"] == {"effort": "low"}
    flat = {"type": "function", "name": "lookup", "parameters": {"type": "object"}, "strict": False}
    assert sent["tools"] == [flat]
    assert result.reply.wire["choices"][0]["message"]["tool_calls"] == [fake.tool_call()]
    assert not chat.calls


def test_an_unknown_models_refusal_names_the_way_out(face, openai_api):
    """Where nobody knew, the effort is given up for this call, and the trace says how to keep it."""
    openai_api.side_effect = [fake.TOOLS_AND_EFFORT, answer(completion())]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    used = face([Tier("unheard-of", price=PRICE)])
    result = used.complete(tools=[tool], reasoning_effort="low")
    (note,) = result.trace.charges[-1].notes
    assert note.startswith("reasoning_effort set to 'none': this model refuses it beside tools")
    assert note.endswith("api='responses' on the tier keeps it")


# Azure -------------------------------------------------------------------------------------------


@pytest.fixture
def azure(kind):
    sdk = openai.AzureOpenAI if kind == "sync" else openai.AsyncAzureOpenAI
    return sdk(
        api_key="0123456789abcdef0123456789abcdef",
        azure_endpoint="https://res.openai.azure.com",
        api_version="2025-04-01-preview",
    )


def test_azure_responses(face, httpx2_mock, azure):
    """The deployment goes into the body there; price and abilities are those of `base_model`."""
    route = httpx2_mock.post("https://res.openai.azure.com/openai/responses")
    route.return_value = answer(fake.sure_response(service_tier=None))
    deployed = Tier("my-mini", base_model="gpt-5.4-mini", scorer=Confidence(9))
    result = face([deployed, Tier("my-big", base_model="gpt-5.4")], client=azure).complete(ASKED)
    first = bodies(route)[0]
    assert (first["model"], first["top_logprobs"], first["store"]) == ("my-mini", 5, False)
    assert "service_tier" not in first
    assert route.calls[0].request.url.params["api-version"] == "2025-04-01-preview"
    assert result.trace.charges[0].cost_usd == Decimal("0.00012")  # (100 * 0.75 + 10 * 4.50) / 1e6
    assert result.trace.charges[0].price_id == "gpt-5.4-mini@2026-11-22"


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
def test_azures_prompt_filter(face, httpx2_mock, azure, asked):
    """A prompt that the filter stops is refused for nothing, and no other tier is asked."""
    body = {
        "error": {
            "message": "The response was filtered due to the prompt triggering a policy.",
            "type": None, "param": "prompt", "code": "content_filter", "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {"hate": {"filtered": True, "severity": "high"}},
            },
        }
    }  # fmt: skip
    route = httpx2_mock.post(url__startswith="https://res.openai.azure.com/openai/")
    route.return_value = answer(body, status=400)
    tiers = [Tier("a", price=PRICE), Tier("b", price=PRICE)]
    with pytest.raises(CallRefused) as caught:
        face(tiers, client=azure).complete(asked)
    (charge,) = caught.value.trace.charges
    assert (charge.outcome, charge.cost_usd, charge.code) == ("content_policy", 0, "content_filter")


def test_azures_first_chunk_is_no_answer(face, httpx2_mock, azure):
    """Filter results without a choice come before the answer; they are not shown."""
    place = "https://res.openai.azure.com/openai/deployments/my-mini/chat/completions"
    results = fake.chunk(prompt_filter_results=[{"prompt_index": 0}], counts=None)
    route = httpx2_mock.post(place)
    route.return_value = fake.events([results, *fake.text_chunks("Pa", "ris")])
    stream, chunks = face([Tier("my-mini", base_model="gpt-5.4-mini")], client=azure).stream()
    assert "".join(chunk.text for chunk in chunks) == "Paris"
    assert all("prompt_filter_results" not in chunk.wire for chunk in chunks)
    assert stream.trace.cost_usd == Decimal("0.00012")
