"""What each tier is sent, and what is refused before the first call."""

from __future__ import annotations

import pytest

from cascade import Cascade, ConfigError, Price, Request, RequestError, Tier
from cascade.core.chain import Chain
from cascade.core.payloads import check_payloads, payload_for, question_for, question_of
from cascade.core.route import Route
from cascade.core.scoring import Ask
from cascade.testing import ScriptedModels

PRICE = Price.of("1", "2")
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def tier(**settings):
    return Tier("m", price=PRICE, **settings)


def test_a_tier_gets_the_form_of_its_api():
    """The tier's own API wins; without one the request goes where it was meant for."""
    chat = Request.build("x", {"reasoning_effort": "low"})
    assert payload_for(tier(), chat) == dict(chat.payload)
    assert payload_for(tier(api="responses"), chat) == {
        "input": [{"role": "user", "content": "x"}],
        "reasoning": {"effort": "low"},
    }
    responses = Request.build({"input": "x", "max_output_tokens": 99})
    assert payload_for(tier(), responses) == dict(responses.payload)
    assert payload_for(tier(api="chat"), responses) == {
        "messages": [{"role": "user", "content": "x"}],
        "max_completion_tokens": 99,
    }


def test_a_preamble_is_no_fault_of_the_callers():
    """What a later tier's preamble cannot say in a request's form is refused before the first call.

    The chain's maker is told where it stands, and a caller which endpoint takes the request.
    """
    told = ({"role": "user", "name": "ann", "content": "x"},)
    models = ScriptedModels({"first": "a", "m": "b"})
    first = Tier("first", price=PRICE, scorer=lambda draft: False)
    llm = Cascade([first, tier(preamble=told)], models=models)
    assert llm.complete("x").text == "b"
    models.calls.clear()
    with pytest.raises(RequestError) as caught:
        llm.complete({"input": "x"})
    assert str(caught.value) == (
        "tier 'm': preamble[0].name has no equivalent in the Responses API; say it otherwise in "
        "that tier's preamble, or give the tier api='chat'"
    )
    assert (caught.value.param, models.calls) == (None, [])
    assert caught.value.why == (
        "This model cannot be asked through this endpoint; use /v1/chat/completions."
    )


@pytest.mark.parametrize(
    ("asked", "settings", "words"),
    [
        (
            {"messages": [{"role": "user", "content": "x"}], "seed": 7},
            {"api": "responses"},
            (
                "tier 'm': seed has no equivalent in the Responses API; set params={'seed': None} on "
                "that tier to drop it there, or give the tier api='chat'"
            ),
        ),
        (
            {"messages": [{"role": "user", "name": "ann", "content": "x"}]},
            {"api": "responses"},
            (
                "tier 'm': messages[0].name has no equivalent in the Responses API; give the tier "
                "api='chat'"
            ),
        ),
        (
            {"input": "x", "previous_response_id": "r"},
            {"api": "chat"},
            (
                "params={'previous_response_id': None} on that tier to drop it there, or give the tier "
                "api='responses'"
            ),
        ),
        (
            {"input": "x"},
            {"params": {"seed": 7}},
            (
                "seed has no equivalent in the Responses API; take 'seed' out of that tier's params, "
                "or give the tier api='chat'"
            ),
        ),
        (
            {"input": "x", "reasoning": {"summary": "auto"}},
            {"api": "chat", "params": {"reasoning": {"effort": "low"}}},
            (
                "reasoning.summary has no equivalent in Chat Completions; set params="
                "{'reasoning': None} on that tier to drop it there, or give the tier api='responses'"
            ),
        ),
    ],
)
def test_what_a_tier_cannot_be_asked_is_refused_first(asked, settings, words):
    """The message names the tier, the parameter and the way out; nobody has been asked."""
    models = ScriptedModels({"first": "x", "m": "x"})
    first = Tier("first", price=PRICE, scorer=lambda _: 0.0)
    llm = Cascade([first, tier(**settings)], models=models)
    with pytest.raises(RequestError) as caught:
        llm.complete(asked)
    assert words in str(caught.value)
    assert "tier" not in caught.value.why
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.param in (None, *asked)
    assert models.calls == []


@pytest.mark.parametrize(
    "asked",
    [
        {"input": "x", "previous_response_id": "r"},
        {"input": "x", "conversation": "c"},
        {"input": [{"type": "item_reference", "id": "fc_1"}]},
    ],
)
def test_callers_are_not_told_to_leave_out_what_they_refer_to(asked):
    """Without a reference the model would not know what was said: it has to be said itself."""
    with pytest.raises(RequestError) as caught:
        payload_for(tier(api="chat"), Request.build(asked))
    assert caught.value.why.endswith("model is asked; send what it refers to instead.")


def test_the_way_out_works():
    """A parameter that a tier drops is no reason to refuse."""
    request = Request.build("x", {"seed": 7, "stop": "y"})
    made = payload_for(tier(api="responses", params={"seed": None, "stop": None}), request)
    assert made == {"input": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize(
    ("api", "params", "words"),
    [
        ("responses", {"seed": 1}, "tier 'm': params: seed has no equivalent in the Responses API"),
        ("chat", {"truncation": "auto"}, "tier 'm': params: truncation has no equivalent in Chat"),
        ("chat", {"instructions": "x"}, "tier 'm': params: instructions has no equivalent"),
        (None, {"input": "x"}, "params cannot set 'input'"),
        (None, {"background": True}, "params cannot set 'background'"),
    ],
)
def test_a_tiers_own_parameters_are_checked_when_it_is_built(api, params, words):
    """Where the tier says where it is asked, its parameters must fit there."""
    with pytest.raises(ConfigError) as caught:
        tier(api=api, params=params)
    assert words in str(caught.value)


@pytest.mark.parametrize("params", [{"max_tokens": 50}, {"reasoning_effort": "none"}, {"zzz": 1}])
def test_names_of_the_other_api_and_unknown_ones_are_fine(params):
    """What can be said in both APIs may be written in either's names."""
    assert tier(api="responses", params=params).params == params


@pytest.mark.parametrize("name", ["response_format", "text_format"])
def test_a_tiers_own_schema(name):
    """A bare schema is sent in the form of the wire, as a request's; `None` still takes one out."""
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    made = tier(params={name: schema})
    inner = {"name": "answer", "schema": schema, "strict": True}
    chat = payload_for(made, Request.build("x"))
    assert chat["response_format"] == {"type": "json_schema", "json_schema": inner}
    responses = payload_for(made, Request.build({"input": "x"}))
    assert responses["text"] == {"format": {"type": "json_schema", **inner}}
    asked = Request.build("x", {"response_format": {"type": "json_object"}})
    assert "response_format" not in payload_for(tier(params={"response_format": None}), asked)
    given = {"name": "a", "strict": True, "schema": {"type": "object"}}
    with pytest.raises(ConfigError, match=r"tier 'm': params: .*strict needs a schema"):
        tier(params={"response_format": {"type": "json_schema", "json_schema": given}})


def test_tools_beside_reasoning_on_chat():
    """Models known to refuse the two together on Chat: said at the start, with two ways out."""
    request = Request.build("x", {"tools": [TOOL], "reasoning_effort": "low"})
    with pytest.raises(RequestError) as caught:
        check_payloads(Chain((Tier("gpt-5.4-mini"),)), request)
    assert str(caught.value) == (
        "tier 'gpt-5.4-mini': gpt-5.4-mini takes no function tools beside reasoning_effort='low' "
        "on Chat Completions; give the tier api='responses', or params={'reasoning_effort': 'none'}"
    )
    assert (caught.value.param, caught.value.code) == ("reasoning_effort", None)
    assert caught.value.why == (
        "Function tools with reasoning_effort are not supported for this model on Chat "
        "Completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'."
    )
    for fine in (
        Tier("gpt-5.4-mini", api="responses"),
        Tier("gpt-5.4-mini", params={"reasoning_effort": "none"}),
        Tier("gpt-5.1"),
        Tier("gpt-5.4-mini", params={"tools": None}),
        Tier("deployment", base_model="gpt-5.1"),
    ):
        check_payloads(Chain((fine,)), request)
    with pytest.raises(RequestError, match="deployment takes no function tools"):
        check_payloads(Chain((Tier("deployment", base_model="gpt-5.4"),)), request)
    check_payloads(Chain((Tier("gpt-5.4-mini"),)), Request.build("x", {"tools": [TOOL]}))


def test_a_scorers_question_takes_the_form_of_whom_it_asks():
    """The tier's API, else the request's; a question that it cannot say goes to Chat then."""
    question = {"messages": [{"role": "user", "content": "right?"}], "max_completion_tokens": 16}
    chat, responses = Request.build("x"), Request.build({"input": "x"})
    assert question_for(tier(), question, chat) == question
    flat = {"input": question["messages"], "max_output_tokens": 16}
    assert question_for(tier(), question, responses) == flat
    assert question_for(tier(api="responses"), question, chat) == flat
    assert question_for(tier(api="chat"), question, responses) == question
    seeded = {**question, "seed": 1}
    assert question_for(tier(), seeded, responses) == seeded
    with pytest.raises(RequestError, match=r"tier 'm' \(api='responses'\): seed has no equivalent"):
        question_for(tier(api="responses"), seeded, chat)


def test_a_draft_is_asked_for_again_as_it_was():
    """A whole payload keeps its form; parameters in either API's names are laid over it."""
    sent = {"input": "x", "reasoning": {"effort": "low"}, "zzz": 1}
    again = question_of(Ask("m", params={"max_tokens": 50, "zzz": None}, payload=sent))
    assert again == {"input": "x", "reasoning": {"effort": "low"}, "max_output_tokens": 50}
    assert question_for(tier(), again, Request.build("x"), whole=True) == again
    decision = {"input": "x", "questions": [{"type": "predicate"}]}
    assert question_for(tier(api="responses"), decision, Request.build("x"), whole=True) == decision
    with pytest.raises(RequestError, match="seed has no equivalent"):
        question_of(Ask("m", params={"seed": 5}, payload=sent))


def test_only_tiers_on_the_way_are_checked():
    """A tier that the route leaves out cannot refuse the request."""
    chain = Chain((tier(), Tier("last", price=PRICE, api="responses")))
    request = Request.build("x", {"seed": 1})
    check_payloads(chain, request, Route(stop_at="m"))
    with pytest.raises(RequestError, match="tier 'last': seed"):
        check_payloads(chain, request)


@pytest.mark.parametrize(
    ("settings", "asked", "param", "ways"),
    [
        ({"api": "chat"}, {"reasoning": {"effort": "low"}}, "reasoning.effort", "set reasoning.effort to"),
        ({"params": {"reasoning_effort": "low"}}, {}, "tools", "To use function tools, use /v1/resp"),
        ({"params": {"reasoning_effort": "low"}, "api": "chat"}, {}, "tools", "Leave them out."),
    ],
)  # fmt: skip
def test_callers_are_told_what_they_can_do(settings, asked, param, ways):
    """Not what the chain's maker could do: an effort of the tier's own is nobody's to change."""
    said = (
        {"input": "x"} if "reasoning" in asked else {"messages": [{"role": "user", "content": "x"}]}
    )
    request = Request.build({**said, **asked, "tools": [TOOL]})
    with pytest.raises(RequestError) as caught:
        check_payloads(Chain((Tier("gpt-5.4-mini", **settings),)), request)
    assert caught.value.param == param
    assert ways in caught.value.why


def test_a_way_round_parameters_of_the_tiers_own():
    """What the tier adds is no parameter of the caller's; another endpoint may do."""
    with pytest.raises(RequestError) as caught:
        payload_for(tier(params={"seed": 7}), Request.build({"input": "x"}))
    assert caught.value.param is None
    assert caught.value.why.endswith("use /v1/chat/completions.")
