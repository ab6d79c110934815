"""Reading calls: whatever comes is understood, or refused by name before anything is spent."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade.endpoint.calls import read_body, read_call
from cascade.endpoint.faults import BadCall
from cascade.errors import RequestError

CHAT = {"model": "cascade", "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = {"model": "cascade", "input": "hi"}
MISSING = "missing_required_parameter"
STRICT = {"response_format": {"type": "json_schema", "json_schema": {"strict": True, "schema": {}}}}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"nonsense", b"\xff\xfe{}", b'{"a": NaN}', b"[" * 10_000, b'{"a":' * 10_000, b'"\\ud800"'],
    ids=["empty", "cut", "text", "no UTF-8", "NaN", "deep list", "deep object", "surrogate"],
)  # fmt: skip
def test_a_body_that_is_no_json(data):
    """What is no JSON, or nested beyond meaning, is refused in OpenAI's words."""
    with pytest.raises(BadCall, match="could not parse the JSON body"):
        read_body(data)


@pytest.mark.parametrize("data", [b"[]", b"5", b'"x"', b"null", b"true"])
def test_a_body_that_is_no_object(data):
    """JSON of another kind than an object is refused."""
    with pytest.raises(BadCall, match="expected a JSON object"):
        read_body(data)


@pytest.mark.parametrize(
    ("api", "change", "param", "code"),
    [
        ("chat", {"model": None}, "model", None),
        ("chat", {"model": 5}, "model", "invalid_type"),
        ("chat", {"model": ""}, "model", None),
        ("chat", {"messages": None}, "messages", "missing_required_parameter"),
        ("chat", {"messages": []}, "messages", "empty_array"),
        ("chat", {"messages": "hi"}, "messages", "invalid_type"),
        ("chat", {"messages": [5]}, "messages[0]", "invalid_type"),
        ("chat", {"messages": [{"content": "no role"}]}, "messages[0].role", MISSING),
        ("chat", {"messages": [{"role": "user"}, {"role": 5}]}, "messages[1].role", "invalid_type"),
        ("chat", {"input": "hi"}, "input", "unknown_parameter"),
        ("chat", {"stream": "yes"}, "stream", "invalid_type"),
        ("chat", {"stream": 1}, "stream", "invalid_type"),
        ("chat", {"stream_options": {}}, "stream_options", None),
        ("chat", {"stream": True, "stream_options": 5}, "stream_options", "invalid_type"),
        (
            "chat",
            {"stream": True, "stream_options": {"include_usage": "y"}},
            "stream_options.include_usage",
            "invalid_type",
        ),
        ("chat", {"messages": [{"role": "user", "content": ""}]}, "messages", None),
        ("chat", {"n": 3}, "n", "unsupported_value"),
        ("chat", {"n": True}, "n", "invalid_type"),
        ("chat", {"n": "1"}, "n", "invalid_type"),
        ("chat", {"n": 1.5}, "n", "invalid_type"),
        ("chat", {"n": 0}, "n", "integer_below_min_value"),
        ("chat", {"temperature": float("inf")}, "temperature", None),
        ("chat", {"logit_bias": {"1": [-float("inf")]}}, "logit_bias", None),
        ("chat", {"response_format": 7}, "response_format", "invalid_type"),
        ("chat", {"response_format": {"of": "x"}}, "response_format.type", MISSING),
        ("chat", {"text_format": 7}, "text_format", "invalid_type"),
        (
            "chat",
            {"text_format": {"type": "text"}, "response_format": {"type": "text"}},
            None,
            None,
        ),
        ("chat", STRICT, "response_format.json_schema.schema", None),
        (
            "responses",
            {"text": {"format": {"type": "json_schema", "strict": True}}},
            "text.format.schema",
            None,
        ),
        ("chat", {"cascade": {"metadata": {"x": float("inf")}}}, "metadata", None),
        ("chat", {"max_tokens": "many"}, "max_tokens", "invalid_type"),
        ("chat", {"max_output_tokens": 1}, "max_output_tokens", "unknown_parameter"),
        ("chat", {"max_tokens": 9_000, "max_completion_tokens": 1}, "max_tokens", None),
        ("responses", {"max_tokens": 1}, "max_tokens", "unknown_parameter"),
        ("responses", {"max_completion_tokens": 1}, "max_completion_tokens", "unknown_parameter"),
        ("responses", {"seed": 0}, "seed", "unknown_parameter"),
        ("responses", {"n": 1}, "n", "unknown_parameter"),
        ("responses", {"stop": []}, "stop", "unknown_parameter"),
        ("responses", {"logprobs": True}, "logprobs", "unknown_parameter"),
        ("responses", {"reasoning_effort": "low"}, "reasoning_effort", "unknown_parameter"),
        ("responses", {"response_format": {}}, "response_format", "unknown_parameter"),
        ("responses", {"questions": []}, "questions", "unknown_parameter"),
        (
            "responses",
            {"stream": True, "stream_options": {"include_usage": True}},
            "stream_options.include_usage",
            "unknown_parameter",
        ),
        ("chat", {"reasoning": {"effort": "low"}}, "reasoning", "unknown_parameter"),
        ("chat", {"instructions": "x"}, "instructions", "unknown_parameter"),
        ("chat", {"previous_response_id": "x"}, "previous_response_id", "unknown_parameter"),
        ("chat", {"conversation": "x"}, "conversation", "unknown_parameter"),
        ("chat", {"background": False}, "background", "unknown_parameter"),
        ("chat", {"timeout": "x" * 5_000}, "timeout", "unknown_parameter"),
        ("chat", {"budget": "1"}, "budget", "unknown_parameter"),
        ("chat", {"tags": ["x"]}, "tags", "unknown_parameter"),
        ("chat", {"extra_headers": {"authorization": "x"}}, "extra_headers", "unknown_parameter"),
        ("chat", {"extra_query": {"a": "b"}}, "extra_query", "unknown_parameter"),
        ("chat", {"extra_body": {"a": "b"}}, "extra_body", "unknown_parameter"),
        ("chat", {"questions": []}, None, None),
        ("responses", {"input": None}, "input", "missing_required_parameter"),
        ("responses", {"input": ""}, "input", None),
        ("responses", {"input": 5}, "input", "invalid_type"),
        ("responses", {"input": [5]}, "input[0]", "invalid_type"),
        ("responses", {"input": [{}]}, "input[0].role", MISSING),
        ("responses", {"messages": []}, "messages", "unknown_parameter"),
        ("responses", {"background": True}, "background", "unsupported_value"),
        ("responses", {"background": "x"}, "background", "invalid_type"),
    ],
)
def test_a_call_that_cannot_be_meant(api, change, param, code):
    """Wrong types and misplaced parameters are refused; the error names the parameter."""
    body = {**(CHAT if api == "chat" else RESPONSES), **change}
    if "questions" in change and api == "chat":  # passed on, like all that is not known here
        assert read_call(api, body).request.payload["questions"] == []
        return
    with pytest.raises(BadCall) as caught:
        read_call(api, body)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert len(str(caught.value)) < 1_100  # whatever it repeats
    words = set(re.findall(r"\w+", str(caught.value)))
    assert not {"pydantic", "dicts", "None", "True", "mapping", "tier"} & words


def test_words_of_a_fault_that_lies_in_a_value():
    """Where a body of HTTP is at fault, the words are for HTTP, and they are of this very fault."""
    for header, words in (("1e999", "a number in it is too large"), ('"\\ud800"', "valid Unicode")):
        with pytest.raises(BadCall, match=words) as caught:
            read_call("chat", CHAT, {"x-cascade-metadata": f'{{"x": {header}}}'})
        assert caught.value.param == "metadata"
    with pytest.raises(BadCall, match=r"^Invalid type for 'response_format': .* got an integer in"):
        read_call("chat", {**CHAT, "response_format": 7})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": [None]}, "'messages[0]': expected an object, but got null instead."),
        ({"messages": "hi"}, "'messages': expected an array of objects, but got a string instead."),
        ({"messages": {}}, "'messages': expected an array of objects, but got an object instead."),
        ({"stream": "true"}, "'stream': expected a boolean, but got a string instead."),
        ({"n": []}, "'n': expected an integer, but got an array instead."),
    ],
)
def test_kinds_have_the_names_of_json(change, words):
    """As the API says them, whatever Python calls what was read."""
    with pytest.raises(BadCall) as caught:
        read_call("chat", {**CHAT, **change})
    assert str(caught.value) == f"Invalid type for {words}"


def test_values_are_shown_as_json():
    """On one line, whatever is in them."""
    with pytest.raises(BadCall, match=r"^cascade is \[null, true, \"ü\"\]: expected an object$"):
        read_call("chat", {**CHAT, "cascade": [None, True, "ü"]})
    with pytest.raises(BadCall, match=r'^cascade is "a\\nb\\u2028": expected an object$'):
        read_call("chat", {**CHAT, "cascade": "a\nb\u2028"})


def test_a_limit_of_the_other_endpoint_that_is_null():
    """Null is no parameter."""
    body = {**CHAT, "max_output_tokens": None, "max_tokens": None, "max_completion_tokens": 5}
    assert read_call("chat", body).request.payload["max_completion_tokens"] == 5


def test_parameters_of_both_endpoints():
    """What either API takes is read, whatever the other calls it; null is no parameter."""
    both = {"tools": [], "tool_choice": "auto", "top_logprobs": 2, "store": True, "user": "u"}
    chat = {"seed": 1, "stop": "x", "logprobs": True, "prediction": {}, "reasoning_effort": "low"}
    own = {"reasoning": {"effort": "low"}, "truncation": "auto", "include": [], "text": {}}
    assert read_call("chat", {**CHAT, **both, **chat, "reasoning": None}).request.payload["seed"]
    made = read_call("responses", {**RESPONSES, **both, **own, "seed": None}).request.payload
    assert made["reasoning"] == {"effort": "low"}
    with pytest.raises(BadCall, match=r"'conversation'\. It belongs into the 'cascade' object\.$"):
        read_call("chat", {**CHAT, "conversation": "c"})


HOSTILE = [
    ("budget", 0.5),
    ("budget", True),
    ("budget", "-1"),
    ("budget", "0"),
    ("budget", "NaN"),
    ("budget", "Infinity"),
    ("budget", "1e999999999"),
    ("budget", "9" * 5000),
    ("budget", {"usd": 1}),
    ("deadline_s", -1),
    ("deadline_s", 0),
    ("deadline_s", "5"),
    ("deadline_s", True),
    ("deadline_s", [1]),
    ("deadline_s", 10**4000),
    ("budget", 10**4000),
    ("tags", [f"tag {number}" for number in range(65)]),
    ("start_at", ""),
    ("start_at", 5),
    ("stop_at", "x" * 201),
    ("conversation", {}),
    ("conversation", " "),
    ("parent", 5),
    ("parent", "x" * 201),
    ("tags", "a,b"),
    ("tags", [5]),
    ("tags", [""]),
    ("tags", ["x" * 201]),
    ("tags", {"a": 1}),
    ("metadata", "x"),
    ("metadata", [1]),
    ("unheard_of", 1),
    ("__class__", 1),
    ("x" * 100_000, 1),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE, ids=lambda value: str(value)[:20])
def test_hostile_options(name, value):
    """An option of ours that cannot be meant is refused by name, in a message that stays short."""
    with pytest.raises(BadCall) as caught:
        read_call("chat", {**CHAT, "cascade": {name: value}})
    assert caught.value.param == f"cascade.{name[:200]}"
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", [5, "x", [], True])
def test_a_cascade_field_that_is_no_object(value):
    """The field itself has to be an object."""
    with pytest.raises(BadCall) as caught:
        read_call("chat", {**CHAT, "cascade": value})
    assert caught.value.param == "cascade"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("deadline-s", "soon"),
        ("deadline-s", "nan"),
        ("deadline-s", "-1"),
        ("budget", "lots"),
        ("metadata", "{"),
        ("metadata", "[1]"),
        ("parent", " "),
        ("typo", "x"),
    ],
)
def test_hostile_headers(name, value):
    """The same in headers."""
    with pytest.raises(BadCall) as caught:
        read_call("chat", CHAT, {f"X-Cascade-{name}": value})
    assert caught.value.param == f"cascade.{name.replace('-', '_')}"


def test_other_headers_are_not_read():
    """A caller's own headers, with its key, stay out of the request."""
    call = read_call("chat", CHAT, {"authorization": "Bearer secret", "x-own": "1"})
    assert dict(call.request.options) == {}
    assert "secret" not in repr(call)


def test_the_callers_body_is_left_alone():
    """Reading a call changes nothing of what was given."""
    body = {**CHAT, "stream": True, "cascade": {"tags": ["a"]}}
    before = json.dumps(body)
    read_call("chat", body)
    assert json.dumps(body) == before


def test_a_stored_prompt_needs_no_input():
    """Responses may ask by a stored prompt alone."""
    call = read_call("responses", {"model": "cascade", "prompt": {"id": "pmpt_1"}})
    assert call.request.api == "responses"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
NAMES = st.sampled_from(
    [
        *CHAT,
        *RESPONSES,
        "stream",
        "stream_options",
        "n",
        "cascade",
        "tools",
        "text",
        "prompt",
        "response_format",
        "max_tokens",
        "metadata",
        "background",
        "tags",
    ]
)
OWN = st.dictionaries(
    st.sampled_from(["budget", "deadline_s", "start_at", "tags", "parent", "metadata", "x"]), JSON
)


@settings(max_examples=300)
@given(st.dictionaries(NAMES, JSON), OWN, st.sampled_from(["chat", "responses"]))
def test_any_json_is_read_or_refused(body, own, api):
    """No body whatever raises anything else than a refusal."""
    for given_body in (body, {**body, **CHAT, "cascade": own}, {**body, **RESPONSES}):
        try:
            call = read_call(api, given_body)
        except RequestError:
            continue
        assert call.request.api == api
        assert "cascade" not in call.request.payload
