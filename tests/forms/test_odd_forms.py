"""Shapes at the edge: what people and servers write that is not quite the documented form."""

from __future__ import annotations

import pytest

from cascade.forms.answer_schema import closed, with_schema
from cascade.forms.convert import convert
from cascade.forms.equivalent import NoEquivalent
from cascade.forms.messages import messages_from
from cascade.forms.parts import text_in
from cascade.forms.reading import has_media, messages_of
from cascade.forms.strict_subset import fits_strict, strict_problems
from cascade.forms.tools import choice_for, tools_for

USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("payload", "api", "words"),
    [
        ({"messages": [USER, {"role": "assistant", "tool_calls": [{"type": "x"}]}]}, "responses", "messages[1].tool_calls[0] of type 'x'"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": ["x"]}]}, "responses", "messages[1].tool_calls[0] of type 'function'"),
        ({"messages": [{"role": "user", "content": [5]}]}, "responses", "messages[0].content[0], a int,"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "responses", "messages[0].content[0] of type 'None'"),
        ({"input": ["x"]}, "chat", "input[0] of type 'message'"),
        ({"input": [{"type": "function_call", "namespace": "crm"}]}, "chat", "input[0] of type 'function_call'"),
        ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "chat", "input[0].content[0] of type 'x'"),
        ({"input": "x", "tools": ["x"]}, "chat", "tools[0] of type 'x'"),
        ({"input": "x", "questions": []}, "chat", "a decision has no equivalent"),
        ({"messages": [USER]}, "decisions", "a decision has no equivalent in decisions"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_form_at_all(payload, api, words):
    """It is named with its path, as everything that cannot be carried over."""
    with pytest.raises(NoEquivalent) as caught:
        convert(payload, api)
    assert words in str(caught.value)


def test_parts_in_the_other_form_already():
    """A conversation put together from both forms is read as well."""
    mixed = [
        {"type": "input_text", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": "data:,"},
        {"type": "input_image", "image_url": "data:,", "detail": "high"},
        {"type": "refusal", "refusal": "no"},
    ]
    there = convert({"messages": [{"role": "user", "content": mixed}]}, "responses")
    assert [part["type"] for part in there["input"][0]["content"]] == [
        "input_text", "input_text", "input_image", "input_image", "refusal"
    ]  # fmt: skip
    back = convert({"input": [{"role": "user", "content": mixed}]}, "chat")
    assert [part["type"] for part in back["messages"][0]["content"]] == [
        "text", "text", "image_url", "image_url", "refusal"
    ]  # fmt: skip
    assert text_in(mixed) == "ab"
    assert text_in(None) == ""


def test_marks_of_the_prompt_cache_stay():
    """A cache breakpoint is a property of a part in both APIs."""
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    chat = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", **mark}]}]}
    there = convert(chat, "responses")
    assert there["input"][0]["content"] == [{"type": "input_text", "text": "a", **mark}]
    assert convert(there, "chat") == chat


def test_outputs_of_tools():
    """An output may be text, parts of text, or nothing."""
    parts = [{"type": "text", "text": "a"}]
    messages = [USER, {"role": "tool", "tool_call_id": "c", "content": parts}, {"role": "tool", "tool_call_id": "d", "content": None}]  # fmt: skip
    there = convert({"messages": messages}, "responses")["input"]
    assert there[1]["output"] == [{"type": "input_text", "text": "a"}]
    assert there[2]["output"] == ""
    assert convert({"input": there}, "chat")["messages"][1]["content"] == parts


def test_instructions_as_items():
    """A stored prompt gives its instructions as items."""
    items = [{"role": "developer", "content": "d"}]
    assert messages_from("x", items) == [*items, USER]
    assert messages_of({"input": None, "instructions": "s"}) == [{"role": "system", "content": "s"}]
    assert messages_of({"input": [{"role": "user", "content": None}]})[0]["content"] == ""


def test_tools_that_are_no_list():
    """What is no list of tools passes as it is: the server will say so."""
    assert tools_for("x", "chat") == "x"
    assert choice_for("auto", "chat") == "auto"
    assert choice_for({"type": "web_search"}, "responses", meant=True) == {"type": "web_search"}
    custom = {"type": "custom", "name": "n", "format": {"type": "text"}}
    assert tools_for([custom], "chat") == [
        {"type": "custom", "custom": {"name": "n", "format": {"type": "text"}}}
    ]
    nested = {"type": "grammar", "grammar": {"definition": "x", "syntax": "lark"}}
    (kept,) = tools_for([{"type": "custom", "name": "n", "format": nested}], "chat")
    assert kept["custom"]["format"] == nested


@pytest.mark.parametrize("payload", [{}, {"messages": "x"}, {"input": [5]}, {"messages": [5]}])
def test_what_holds_nothing_holds_no_media(payload):
    """Reading does not stumble over what is no request."""
    assert not has_media(payload)


def test_generated_schemas_at_the_edge():
    """Lists without a schema, a single `allOf`, references out of the document's definitions."""
    schema = {
        "type": "object",
        "properties": {
            "any": {"type": "array", "items": True},
            "one": {"allOf": [{"$ref": "#/$defs/p"}], "description": "d", "default": None},
            "both": {"allOf": [{"type": "string"}, {"minLength": 1}]},
        },
        "$defs": {"p": {"type": "object", "properties": {"x": {"type": "string"}}}},
    }
    made = closed(schema)["properties"]
    assert made["any"]["items"] is True
    assert made["one"]["additionalProperties"] is False
    assert (made["one"]["required"], made["one"]["description"]) == (["x"], "d")
    assert "default" not in made["one"]
    assert len(made["both"]["allOf"]) == 2


def test_formats_at_the_edge():
    """A schema by its type in a list, by its reference; and what is no schema at all."""
    chat = {"messages": [USER]}
    for schema in ({"type": ["object", "null"]}, {"$ref": "#/$defs/a", "$defs": {"a": {}}}):
        made = with_schema({**chat, "response_format": schema})
        assert made["response_format"]["json_schema"]["schema"] == schema
    odd = {"type": 5, "zzz": 1}
    assert with_schema({**chat, "response_format": odd})["response_format"] == odd


def test_odd_schemas_in_the_subset():
    """Parts that are no schemas are problems; a root may refer to itself."""
    broken = {"type": "object", "properties": {"a": True}, "required": ["a"], "additionalProperties": False}  # fmt: skip
    assert list(strict_problems(broken)) == ["$.properties.a: True is no schema object"]
    root = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}
    assert fits_strict(root)
    itself = {
        "type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"], "additionalProperties": False,
    }  # fmt: skip
    assert fits_strict(itself)
    deep = {"type": "array"}
    for _ in range(120):
        deep = {"type": "array", "items": deep}
    assert not fits_strict({**itself, "properties": {"next": deep}})
