"""Requests: what cannot be sent is refused with the path of the culprit."""

from __future__ import annotations

import json

import pytest
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import ResponseFunctionToolCall

from cascade import Request, RequestError

USER = {"role": "user", "content": "hello"}
CYCLE = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("asked", "params", "words"),
    [
        ("", {}, ["prompt is empty", "nothing to ask"]),
        ([], {}, ["messages is []", "at least one message"]),
        ({}, {}, ["messages is None", "at least one message"]),
        ({"messages": "hi"}, {}, ["messages is 'hi'", "at least one message"]),
        (5, {}, ["a prompt (str), a list of messages or a wire payload", "int 5"]),
        (["hello"], {}, ["messages[0] is 'hello'", "mapping with a 'role'"]),
        ([USER, {"content": "x"}], {}, ["messages[1] is {'content': 'x'}", "'role'"]),
        ([USER, {"role": 5}], {}, ["messages[1]", "'role'"]),
        ("x", {"n": 2}, ["n=2", "one answer at a time", "call again"]),
        ("x", {"stream": True}, ["stream=True", "call .stream(...)"]),
        ("x", {"stop": {"a"}}, ["payload['stop']: set {'a'}", "plain dicts"]),
        ("x", {"tools": [{"f": {"deep": object}}]}, ["payload['tools'][0]['f']['deep']: type"]),
        ("x", {"temperature": float("nan")}, ["payload['temperature']: float nan", "finite"]),
        ("x", {"temperature": float("inf")}, ["payload['temperature']: float inf"]),
        ("x", {"labels": {(1, 2): "x"}}, ["payload['labels']: dict {(1, 2)", "as JSON"]),
        ("x", {"stop": CYCLE}, ["payload['stop'] holds itself", "without cycles"]),
        ("half \ud83d", {}, ["payload['messages'][0]['content']", "not valid Unicode"]),
        ("x", {"messages": [USER]}, ["messages=[", "would replace", "asked once"]),
        ({"messages": [USER]}, {"messages": [USER]}, ["would replace", "first argument"]),
        ({"input": "x"}, {"input": "y"}, ["input='y' would replace the input"]),
        ({"messages": [USER], "budget": "1"}, {}, ["budget='1'", "complete(..., budget=...)"]),
        ({"messages": [USER], "tags": ["a"]}, {}, ["tags=['a']", "complete(..., tags=...)"]),
        ("x", {"max_completion_tokens": "5"}, ["max_completion_tokens='5'", "whole number"]),
        ("x", {"instructions": "Be brief."}, ["instructions", "extra_body"]),
        ("x", {"previous_response_id": "r"}, ["previous_response_id", "extra_body"]),
        ({"input": "x"}, {"seed": 5}, ["seed", "extra_body"]),
        ("x", {"response_format": list[int]}, ["TypeAdapter(list[int])"]),
        ("x", {"response_format": int}, ["response_format is int", "pydantic class"]),
        ({"input": ""}, {}, ["the input is empty"]),
        ({"input": []}, {}, ["the input is empty"]),
        ({"input": 5}, {}, ["input is 5: expected text or a list of items"]),
        ({"input": "x", "questions": []}, {}, ["Decisions API", "cascade.decide"]),
        ({"input": ["x"]}, {}, ["input[0] is 'x'", "'role' or a 'type'"]),
        ({"input": "x", "messages": [USER]}, {}, ["messages and input", "give one of them"]),
        ({"input": "x", "background": True}, {}, ["background=True", "cannot be judged"]),
        ({"input": "x"}, {"n": 2}, ["n=2", "one answer at a time"]),
        ({"input": "x", "stream": True}, {}, ["call .stream(...)"]),
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused(asked, params, words):
    """The message names the part at fault by its path, what was expected, and the way out."""
    with pytest.raises(RequestError) as caught:
        Request.build(asked, params)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"when": object()}, "metadata['when']: object"),
        ({"score": float("nan")}, "metadata['score']: float nan"),
        ("label", "metadata is 'label': expected a mapping"),
    ],
)
def test_labels_must_fit_in_a_trace(metadata, words):
    """Labels that JSON cannot hold are refused before anything is asked."""
    with pytest.raises(RequestError) as caught:
        Request.build("x", metadata=metadata)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "asked", ["hello", [USER], (USER,), {"messages": [USER]}, iter([USER])], ids=repr
)
def test_every_form_of_asking_is_one_request(asked):
    """A prompt, messages and a payload of the same content are the same request."""
    request = Request.build(asked)
    assert request.payload == {"messages": [USER]}
    assert request.messages == [USER]
    assert request.size_bytes == len('{"messages":[{"role":"user","content":"hello"}]}')


def test_parameters_pass_through_and_win():
    """Unknown parameters stay; `None` and `stream=False` go; keywords win over the payload."""
    request = Request.build(
        {"messages": [USER], "model": "gpt-5.5", "seed": 1, "stop": "x", "stream": False},
        {"seed": 2, "stop": None, "brand_new": [1], "extra_body": {"even_newer": 3}, "n": 1},
    )
    assert request.payload == {
        "messages": [USER], "seed": 2, "brand_new": [1], "even_newer": 3, "n": 1,
    }  # fmt: skip
    assert request.requested_model == "gpt-5.5"


def test_headers_are_sent_and_never_kept():
    """Headers and query go to the transport, not into the payload that is stored."""
    request = Request.build("x", {"extra_headers": {"key": "secret"}, "extra_query": None})
    assert request.options == {"extra_headers": {"key": "secret"}}
    assert "extra_headers" not in request.payload
    assert "secret" not in repr(request)


def test_a_request_never_changes():
    """What the caller changes later is not in the request, nor in the trace that shows it."""
    messages, labels = [dict(USER)], {"user": ["ann"]}
    request = Request.build({"messages": messages}, metadata=labels)
    messages[0]["content"] = "changed"
    messages.append(USER)
    labels["user"].append("bob")
    assert request.payload == {"messages": [USER]}
    assert request.metadata == {"user": ["ann"]}


def test_what_was_read_from_json_is_the_same_request_uncopied():
    """It is checked and measured as ever, and holds the very messages it was given."""
    body = {"model": "m", "messages": [USER, {"role": "user", "content": "\u00e9\n"}], "n": None}
    made = Request.build(body, is_decoded=True)
    assert made == Request.build(body)
    assert made.payload["messages"] is body["messages"]
    assert "model" in body
    with pytest.raises(RequestError, match=r"payload\['top_p'\]: float inf"):
        Request.build({**body, "top_p": float("inf")}, is_decoded=True)


@pytest.mark.parametrize(
    ("asked", "params", "param"),
    [
        ("hi", {"timeout": 5}, "timeout"),
        ("hi", {"max_tokens": "many"}, "max_tokens"),
        ("hi", {"top_p": float("nan")}, "top_p"),
        ("hi", {"stop": ["\ud800"]}, "stop"),
        ("hi", {"extra_body": 5}, "extra_body"),
        ("hi", {"previous_response_id": "x"}, "previous_response_id"),
        ([], {}, "messages"),
        ({"input": [5]}, {}, "input"),
        (5, {}, None),
    ],
)
def test_an_error_carries_the_parameter(asked, params, param):
    """Whoever catches an error need not read which parameter is wrong."""
    with pytest.raises(RequestError) as caught:
        Request.build(asked, params)
    assert caught.value.param == param


@pytest.mark.parametrize("text", ["NaN", "Infinity \u00e9", "\x00", "10**400"])
def test_what_was_read_from_json_may_say_anything(text):
    """Words that stand for no number are words, and the size is that of what is sent."""
    body = {"messages": [{"role": "user", "content": text}]}
    sent = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    assert Request.build(body, is_decoded=True).size_bytes == len(sent)


def test_half_a_character_is_refused_where_it_was_read_from_json_too():
    """No server takes half of a surrogate pair."""
    body = {"messages": [{"role": "user", "content": "\ud800"}]}
    with pytest.raises(RequestError, match=r"messages.*is not valid Unicode"):
        Request.build(body, is_decoded=True)


def test_a_request_is_extended():
    """Further parameters and labels make a new request; none give the same one."""
    base = Request.build(
        {"messages": [USER], "model": "m", "seed": 1}, {"extra_headers": {"a": "b"}},
        metadata={"one": 1},
    )  # fmt: skip
    assert base.extended({}) is base
    more = base.extended({"seed": 2, "stop": "."}, metadata={"two": 2})
    assert more.payload == {"messages": [USER], "seed": 2, "stop": "."}
    assert (more.requested_model, more.options) == ("m", base.options)
    assert more.metadata == {"one": 1, "two": 2}
    with pytest.raises(RequestError, match="n=3"):
        base.extended({"n": 3})


def test_a_model_that_is_no_text_is_not_kept():
    """Only a model's name is shown in the trace."""
    assert Request.build("x", {"model": 5}).requested_model is None


@pytest.mark.parametrize("empty", [{}, None])
def test_empty_headers_are_no_part_of_the_body(empty):
    """Transport options never reach the payload, given empty or not."""
    request = Request.build("x", {"extra_headers": empty, "extra_query": empty})
    assert (dict(request.payload), request.options) == (
        {"messages": [{**USER, "content": "x"}]},
        {},
    )


def test_an_extra_body_is_a_mapping():
    """An `extra_body` that is no mapping is named and refused."""
    with pytest.raises(RequestError, match="extra_body is 'x': expected a mapping"):
        Request.build("x", {"extra_body": "x"})


def test_a_responses_payload_is_a_request():
    """A mapping with `input` is a Responses request and stays as it is given."""
    asked = {
        "input": "hi",
        "instructions": "be brief",
        "model": "m",
        "store": None,
        "stream": False,
    }
    request = Request.build(asked, {"max_output_tokens": 20})
    assert request.payload == {"input": "hi", "instructions": "be brief", "max_output_tokens": 20}
    assert (request.api, request.requested_model) == ("responses", "m")
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert Request.build("hi").api == "chat"


def test_the_sdks_own_objects_are_handed_back():
    """Messages and output items may go back as the SDK gave them."""
    message = ChatCompletionMessage(role="assistant", content="4")
    request = Request.build([USER, message, USER])
    assert request.payload["messages"][1] == {"role": "assistant", "content": "4"}
    item = ResponseFunctionToolCall(
        type="function_call", call_id="c", name="f", arguments="{}", **{"async": True}
    )
    request = Request.build({"input": [USER, item]})
    assert request.payload["input"][1] == {
        "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "async": True,
    }  # fmt: skip


def test_nesting_too_deep_to_be_shown_is_refused_all_the_same():
    """Where not even `repr` can follow, the error is still a `RequestError` with the place."""
    nested = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(RequestError, match=r"metadata.*cannot be sent as JSON"):
        Request.build("x", metadata={"tree": nested})
    with pytest.raises(RequestError, match=r"payload.*cannot be sent as JSON"):
        Request.build([{"role": "user", "content": nested}])


def test_keywords_may_have_the_names_of_the_other_api():
    """What both APIs can say is said in the names of the one that the request is written for."""
    chat = Request.build("x", {"max_output_tokens": 50, "reasoning": {"effort": "low"}}).payload
    assert (chat["max_completion_tokens"], chat["reasoning_effort"]) == (50, "low")
    assert not {"max_output_tokens", "reasoning"} & chat.keys()
    asked = {"input": "x", "reasoning": {"summary": "auto"}}
    other = Request.build(asked, {"max_completion_tokens": 50, "reasoning_effort": "low"}).payload
    assert other["max_output_tokens"] == 50
    assert other["reasoning"] == {"summary": "auto", "effort": "low"}
    assert Request.build("x", {"extra_body": {"reasoning": {"max_tokens": 5}}}).payload[
        "reasoning"
    ] == {"max_tokens": 5}
