"""How an answer uses the tools that its request offers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import tool_call

from cascade import Draft, Reply, Request
from scorers.call_features import call_features

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"type": "string", "enum": ["C", "F"]},
    },
    "required": ["city"],
}


def tools(**schemas):
    return [
        {"type": "function", "function": {"name": name, "parameters": schema}}
        for name, schema in schemas.items()
    ]


OFFERED = tools(get_weather=WEATHER, find_hotel={"type": "object", "properties": {}})


def features(answer, *, offered=OFFERED, asked="What is the weather in Bonn for 3 days?"):
    payload = {"messages": [{"role": "user", "content": asked}]}
    if offered is not None:
        payload["tools"] = offered
    reply = Reply("", tool_calls=tuple(answer)) if isinstance(answer, list) else Reply(answer)
    return call_features(Draft(Request.build(payload), reply))


def test_requests_without_tools_give_none():
    """There is nothing to say then."""
    assert features("Sunny.", offered=None) is None


def test_a_fitting_call():
    """Everything declared, everything from the request."""
    found = features([tool_call("get_weather", {"city": "Bonn", "days": 3})])
    assert (found.declared, found.missing, found.unknown, found.mistyped) == (1, 0, 0, 0)
    assert (found.grounded, found.ungrounded, found.optional) == (1, 0, 0.5)
    assert found.named > 0


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"days": 3}, "missing"),
        ({"city": "Bonn", "zip": "53111"}, "unknown"),
        ({"city": "Bonn", "days": "many"}, "mistyped"),
        ({"city": "Bonn", "unit": "K"}, "mistyped"),
        ({"city": "Cologne"}, "ungrounded"),
    ],
)
def test_each_flaw_is_counted(arguments, field):
    """By its own number."""
    assert getattr(features([tool_call("get_weather", arguments)]), field) >= 1


def test_calls_written_as_text_count_as_well():
    """The same numbers as on the wire."""
    wire = features([tool_call("get_weather", {"city": "Bonn", "days": 3})])
    assert features("[get_weather(city='Bonn', days=3)]") == wire
    assert features(json.dumps([{"get_weather": '{"city": "Bonn", "days": 3}'}])) == wire


def test_an_answer_in_words_and_a_call_that_is_repeated():
    """No call is no flaw; the same call twice is noticed; an unknown tool as well."""
    assert features("It is sunny.").log_calls == 0
    twice = [tool_call("find_hotel", {}), tool_call("find_hotel", {})]
    assert features(twice).repeated == 1
    assert features([tool_call("book_flight", {})]).declared == 0


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("number", 1.5, "x"),
        ("array", [1], 1),
        ("object", {"a": 1}, 1),
        ("boolean", True, 1),
        ("string", "x", None),
        (None, 1, None),
    ],
)
def test_kinds_of_arguments(kind, good, bad):
    """A value of another kind than declared is counted, and what is unclear fits."""
    offered = tools(f={"properties": {"a": {"type": kind}}})
    assert features([tool_call("f", {"a": good})], offered=offered).mistyped == 0
    if bad is not None:
        assert features([tool_call("f", {"a": bad})], offered=offered).mistyped == 1


def test_numbers_out_of_reach_and_tools_without_a_name():
    """Neither stops the reading."""
    huge = features("f(a=1e300)", offered=tools(f={}), asked="What is 1?")
    assert huge.grounded == 1  # its digits are there; nobody writes out the zeros
    nameless = [{"type": "function", "function": {}}, {"type": "web_search"}, 3]
    assert features("f(a=1)", offered=nameless) is None


JSON = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=4)
        | st.lists(JSON, max_size=2)
        | st.dictionaries(st.text(max_size=4), JSON, max_size=2)
    )
)


@given(JSON)
def test_any_schema_and_any_arguments(junk):
    """Tools come with the request: nothing in them raises."""
    schema = {"properties": junk, "required": junk}
    found = features(
        [tool_call("f", junk if isinstance(junk, dict) else {"a": junk})],
        offered=tools(f=schema, g=junk),
    )
    assert all(value >= 0 for value in found)
