"""ToolCalls: names, arguments, choices, both wire formats, and schemas that nobody vouches for."""

import math
import time

import pytest
from scoring_help import draft_of, entry, judged, tool_call

from cascade import Abstained, ConfigError, Draft, Failed, Needs, Reply, Request, Score
from scorers import ToolCalls

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["C", "F"]},
        "days": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    },
    "required": ["city"],
    "additionalProperties": False,
}
CHAT = {
    "tools": [
        {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
        {"type": "function", "function": {"name": "now"}},
        {"type": "custom", "custom": {"name": "note"}},
    ]
}


def outcome(*calls, payload=CHAT, text="", logprobs=None, **settings):
    draft = draft_of(text, logprobs, payload=payload, tool_calls=calls)
    return judged(ToolCalls(**settings), draft)[0]


def call(arguments, name="weather"):
    return tool_call(name, arguments)


def test_calls_as_declared_pass():
    """Known names with arguments that fit; empty arguments are an empty object."""
    assert outcome(call({"city": "Rome", "days": [0, 1]})) == Score(1.0, "1 call as declared")
    assert outcome(call("", "now"), call("{}", "now"), call({"any": 1}, "now")).value == 1.0
    assert outcome({"function": {"name": "now"}}).value == 1.0
    assert outcome({"function": {"name": "weather", "arguments": {"city": 5}}}).value == 0.0
    assert outcome({"type": "custom", "custom": {"name": "note", "input": "!"}}).value == 1.0


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (call({"city": "Rome"}, "wether"), "unknown tool 'wether'; declared: "),
        (
            call({"city": "Rome", "unit": "K"}),
            "weather: $.unit: 'K' is not one of ['C', 'F'] (enum)",
        ),
        (
            call({"city": "Rome", "days": [1, -1]}),
            "weather: $.days[1]: -1 is less than the minimum",
        ),
        (call({}), "weather: $: 'city' is a required property (required)"),
        (call({"city": "Rome", "x": 1}), "weather: $: property 'x' is not allowed"),
        (call('{"city": "Rome"'), "weather: arguments are not JSON: "),
        (
            call('{"city": "Rome", "city": "Bonn"}'),
            "weather: arguments are key 'city' stands twice",
        ),
        (call('["Rome"]'), "weather: arguments are list, not an object"),
        (call("null"), "weather: arguments are NoneType, not an object"),
        (call("[" * 5_000), "weather: arguments are nested deeper than"),
        (call({}, ""), "a call without a name: "),
        ({"type": "odd"}, "a call without a name: {'type': 'odd'}"),
        ({"function": "weather"}, "a call without a name: "),
    ],
)
def test_a_call_that_cannot_be_made_is_named(made, reason):
    """The reason says which tool, which place and which rule."""
    found = outcome(made)
    assert found.value == 0.0
    assert found.reason.startswith(reason)


def test_one_bad_call_of_several_rejects():
    """All calls are carried out, so all must be fit to be; the bad one is counted off."""
    found = outcome(call({"city": "Rome"}), call({"city": 5}))
    assert found == Score(0.0, "call 2 of 2, weather: $.city: 5 is not of type 'string' (type)")


def test_no_call_is_no_signal_unless_one_was_demanded():
    """Text instead of a call may be right; `tool_choice` and `required` say otherwise."""
    assert outcome(text="It is warm.") == Abstained("the answer calls no tool")
    assert outcome(text="It is warm.", required=True).value == 0.0
    assert outcome(text="x", payload={**CHAT, "tool_choice": "required"}).value == 0.0
    for choice in ("auto", "none", {"type": "auto"}):
        assert isinstance(outcome(text="x", payload={**CHAT, "tool_choice": choice}), Abstained)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "now"}},
        {"type": "function", "name": "now"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "now"}]},
        {"type": "allowed_tools", "allowed_tools": {"tools": [{"function": {"name": "now"}}]}},
    ],
)
def test_a_tool_choice_that_names_tools_is_kept(choice):
    """Another tool than the chosen one is a mistake even when its arguments fit."""
    payload = {**CHAT, "tool_choice": choice}
    assert outcome(call("{}", "now"), payload=payload).value == 1.0
    found = outcome(call({"city": "Rome"}), payload=payload)
    assert found == Score(0.0, "calls 'weather', but now was demanded")


def test_tools_of_responses_and_old_functions_are_read():
    """Flat tools, namespaces, and `functions` declare the same."""
    flat = {"type": "function", "name": "weather", "parameters": WEATHER}
    for payload in (
        {"tools": [flat]},
        {"tools": [{"type": "namespace", "name": "sky", "tools": [flat]}]},
        {"functions": [{"name": "weather", "parameters": WEATHER}]},
    ):
        assert outcome(call({"city": "Rome"}), payload=payload).value == 1.0
        assert outcome(call({"city": 1}), payload=payload).value == 0.0
    assert (
        outcome(call("{}", "sky"), payload={"tools": [{"type": "namespace", "name": "sky"}]}).value
        == 0
    )


def test_names_that_others_bring_are_unknown_not_wrong():
    """An MCP server's tools are not in the request."""
    payload = {"tools": [{"type": "mcp", "server_label": "shop"}, *CHAT["tools"]]}
    assert isinstance(outcome(call("{}", "find_order"), payload=payload), Abstained)
    assert outcome(call({"city": 1}), payload=payload).value == 0.0


def test_a_call_without_declared_tools_is_wrong():
    """Nothing was declared, so nothing may be called; own tools can be given instead."""
    found = outcome(call({"city": "Rome"}), payload={"messages": []})
    assert found == Score(0.0, "unknown tool 'weather'; declared: none")
    assert outcome(call({"city": "Rome"}), payload={}, tools=CHAT["tools"]).value == 1.0
    request = Request.build("Q?", CHAT)
    made_by_hand = Draft(request, Reply("", tool_calls=(call({"city": "Rome"}),)))
    assert ToolCalls()(made_by_hand).value == 1.0


BAD_SCHEMAS = [
    {"type": 5},
    {"$ref": "https://example.test/schema.json"},
    {"$ref": "#/$defs/none"},
    {"$ref": "#"},
    {"properties": {"city": {"pattern": "("}}},
    {"properties": {"city": {"pattern": "(?:(?:a{1000}){1000}){1000}"}}},
    {"description": "x" * 300_000},
    "text",
    [1],
    7,
    {"enum": {1, 2}},
]


@pytest.mark.parametrize("schema", BAD_SCHEMAS)
def test_a_schema_that_cannot_be_used_is_a_failure_not_a_verdict(schema):
    """Schemas come with the request: nothing is fetched or unrolled, and the tool is named."""
    payload = {
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    }
    found = outcome(call({"city": "Rome"}), payload=payload)
    assert isinstance(found, Failed)
    assert found.reason.startswith("the schema of tool 'weather' cannot be used: ")
    with pytest.raises(ConfigError, match="tool 'weather': "):
        ToolCalls(tools=payload["tools"])


def test_hostile_arguments_take_bounded_time():
    """A slow pattern on a long text ends, and does not pass."""
    schema = {"properties": {"city": {"pattern": "^(a|aa)+$"}}}
    payload = {
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    }
    begun = time.perf_counter()
    assert outcome(call({"city": "a" * 60 + "!"}), payload=payload).value == 0.0
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("tools", ["x", {"tools": []}, 5, [], [{"type": "web_search"}], [3]])
def test_tools_that_are_none_are_refused(tools):
    """What is no list of named tools is refused when the scorer is made."""
    with pytest.raises(ConfigError, match="ToolCalls: tools"):
        ToolCalls(tools=tools)
    with pytest.raises(ConfigError, match="required is 1"):
        ToolCalls(required=1)


@pytest.mark.parametrize("tools", ["x", {"a": 1}, 5, [None, 3], None])
def test_odd_tools_of_a_request_declare_nothing(tools):
    """A payload that holds something else where tools should be is no crash."""
    assert outcome(call("{}", "now"), payload={"tools": tools}).value == 0.0


# Confidence ------------------------------------------------------------------------------------


def test_confidence_is_the_least_likely_argument_value():
    """Tokens that spell the arguments weigh the values; structure does not count."""
    tokens = [
        entry('<call>{"city": "', -9),
        entry("Rome", math.log(0.9)),
        entry('", "days": [', -9),
        entry("3", math.log(0.4)),
        entry("]}</call>", -9),
    ]
    made = call('{"city": "Rome", "days": [3]}')
    found = outcome(made, logprobs=tokens, confidence=True)
    assert found.value == pytest.approx(math.exp(math.log(0.4)))
    assert found.reason == "weather: $.days[0]: mean p = 0.4, weakest of 2 values"
    assert ToolCalls(confidence=True).needs == Needs(logprobs=True)
    assert ToolCalls().needs == Needs()


def test_confidence_without_tokens_over_the_arguments_is_no_signal():
    """OpenAI's log-probabilities cover text only: it abstains; a bad call is still 0."""
    assert isinstance(outcome(call({"city": "Rome"}), confidence=True), Abstained)
    tokens = [entry("something else", -0.1)]
    assert isinstance(outcome(call({"city": "Rome"}), logprobs=tokens, confidence=True), Abstained)
    assert isinstance(outcome(call("", "now"), logprobs=tokens, confidence=True), Abstained)
    assert outcome(call({"city": 1}), logprobs=tokens, confidence=True).value == 0.0


def test_equal_arguments_of_two_calls_have_tokens_of_their_own():
    """The second of two equal calls is weighed by the later tokens."""
    tokens = [entry('{"city":"Rome"}', math.log(0.9)), entry('{"city":"Rome"}', math.log(0.3))]
    made = call('{"city":"Rome"}')
    assert outcome(made, made, logprobs=tokens, confidence=True).value == pytest.approx(0.3)


@pytest.mark.parametrize("holder", [{}, {"allowed_tools": {}}])
def test_tools_that_are_allowed_are_not_demanded(holder):
    """An answer in text is no mistake where some tools are allowed; it is one where they are required."""
    listed = [{"type": "function", "name": "now"}]

    def without_a_call(mode):
        choice = {"mode": mode, "tools": listed}
        choice = {"allowed_tools": choice} if holder else choice
        payload = {**CHAT, "tool_choice": {"type": "allowed_tools", **choice}}
        return outcome(text="It is warm.", payload=payload)

    assert isinstance(without_a_call("auto"), Abstained)
    assert without_a_call("required").value == 0.0


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ([{"type": "mcp", "server_label": "s"}], {"type": "mcp", "server_label": "s", "name": "x"}),
        ([{"type": "web_search"}], {"type": "web_search"}),
        ([{"type": "web_search"}, CHAT["tools"][0]], "required"),
    ],
)
def test_a_call_that_the_server_made_is_not_missed(tools, choice):
    """Tools of the server leave no call in the answer, so a demand for them may be met."""
    found = outcome(text="It is warm.", payload={"tools": tools, "tool_choice": choice})
    assert isinstance(found, Abstained)


def test_calls_that_the_request_forbids():
    """No call at all with `none`, one at a time without parallel calls, each in its own way."""
    now, note = call("{}", "now"), {"type": "custom", "custom": {"name": "now", "input": "x"}}
    refused = outcome(now, payload={**CHAT, "tool_choice": "none"})
    assert refused == Score(0.0, "number of calls: 1; the request allows 0")
    single = {**CHAT, "parallel_tool_calls": False}
    assert outcome(now, payload=single).value == 1.0
    assert outcome(now, now, payload=single).reason == "number of calls: 2; the request allows 1"
    assert outcome(note).reason == (
        "now: called in another way than declared; it takes JSON arguments"
    )
    assert outcome(call("{}", "note")).value == 0.0
