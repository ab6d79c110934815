"""Reading a request: the same answers whichever API it was written for."""

from __future__ import annotations

import pytest

from cascade.forms.api import api_of
from cascade.forms.reading import (
    effort_of,
    has_media,
    output_limit,
    prompt_of,
    schema_of,
    tools_of,
)

USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("payload", "api"),
    [
        ({"messages": [USER]}, "chat"),
        ({}, "chat"),
        ({"input": "x"}, "responses"),
        ({"input": "x", "questions": []}, "decisions"),
        ({"input": "x", "messages": [USER]}, "chat"),
    ],
    ids=str,
)
def test_the_api_of_a_payload(payload, api):
    """`input` without `messages` is Responses'; with questions it is a decision."""
    assert api_of(payload) == api


@pytest.mark.parametrize(
    ("payload", "limit"),
    [
        ({"max_tokens": 3}, 3),
        ({"max_completion_tokens": 4, "max_tokens": 3}, 4),
        ({"max_output_tokens": 5}, 5),
        ({"max_output_tokens": "5"}, None),
        ({"max_tokens": -1}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_limit_of_an_answer(payload, limit):
    """A limit no server takes is none."""
    assert output_limit(payload) == limit


def test_tools_schemas_and_efforts_of_both_forms():
    """Function definitions, the answer's schema and the effort read alike."""
    function, schema = {"name": "f", "parameters": {}}, {"type": "object"}
    nested = {"tools": [{"type": "function", "function": function}, {"type": "custom"}]}
    flat = {"input": "x", "tools": [{"type": "function", **function}, {"type": "web_search"}]}
    assert tools_of(nested) == [function]
    assert [tool["name"] for tool in tools_of(flat)] == ["f"]
    wire = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    assert schema_of({"messages": [], "response_format": wire}) == schema
    text = {"format": {"type": "json_schema", "name": "a", "schema": schema}}
    assert schema_of({"input": "x", "text": text}) == schema
    assert schema_of({"input": "x", "text": {"format": {"type": "text"}}}) is None
    assert effort_of({"reasoning_effort": "low"}) == effort_of({"reasoning": {"effort": "low"}})
    assert effort_of({"reasoning": {}}) is None


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"messages": [USER]}, False),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, True),
        ({"messages": [USER, {"role": "assistant", "audio": {"id": "audio_1"}}]}, True),
        ({"messages": [USER, {"role": "assistant", "content": None, "audio": None}]}, False),
        ({"input": "x"}, False),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}, False),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, True),
        ({"input": [{"type": "function_call_output", "output": [{"type": "input_file"}]}]}, True),
        ({"input": [{"type": "function_call", "arguments": "{}"}]}, False),
        ({"input": [{"type": "item_reference", "id": "x"}]}, True),
        ({"input": "x", "previous_response_id": "r"}, True),
        ({"input": "x", "tools": [{"type": "web_search"}]}, True),
        ({"input": "x", "tools": [{"type": "function", "name": "f"}]}, False),
        ({"input": "x", "questions": [{"type": "predicate", "instructions": "y"}]}, False),
    ],
    ids=str,
)
def test_what_bytes_do_not_bound(payload, found):
    """Images, files, hosted tools and what the server keeps have tokens nobody can count here."""
    assert has_media(payload) is found


def test_the_prompt_is_all_that_is_read():
    """Instructions, questions, tools and schemas are rendered into the prompt as well."""
    listed, beside = prompt_of(
        {"input": "x", "instructions": "i", "text": {"format": {}}, "temperature": 1}
    )
    assert listed == ["x", "i"]
    assert beside == {"text": {"format": {}}}
    assert prompt_of({"input": "x", "questions": [{"q": 1}]})[0] == ["x", {"q": 1}]
