"""`Completion.parsed`: the value that was asked for, or an error that holds the answer."""

from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from cascade import Cascade, InvalidAnswer, Policy, Price, Tier
from cascade.testing import ScriptedModels, reply


class Ticket(BaseModel):
    """A support ticket."""

    category: str
    urgency: int = Field(ge=0, le=5)


SCHEMA = {
    "type": "object",
    "properties": {"category": {"enum": ["billing", "shipping"]}, "urgency": {"type": "integer"}},
    "required": ["category", "urgency"],
    "additionalProperties": False,
}
GOOD = '{"category": "billing", "urgency": 2}'


def ask(line, asked="x", *, api=None, **params):
    llm = Cascade(
        [Tier("m", price=Price.of("1", "1"), api=api)], models=ScriptedModels({"m": line})
    )
    return llm.complete(asked, **params)


@pytest.mark.parametrize("asked", ["x", {"input": "x"}], ids=["chat", "responses"])
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("name", ["response_format", "text_format"])
def test_a_class_gives_an_instance(asked, api, name):
    """Whatever the caller's form and the tier's API, the answer is an instance."""
    done = ask(GOOD, asked, api=api, **{name: Ticket})
    assert done.parsed == Ticket(category="billing", urgency=2)
    assert done.parsed is done.parsed


def test_an_adapter_gives_its_value():
    """A `TypeAdapter` describes and validates any type."""
    done = ask('{"a": 1}', response_format=TypeAdapter(dict[str, int]))
    assert done.parsed == {"a": 1}


@pytest.mark.parametrize(
    "given",
    [
        SCHEMA,
        {"type": "json_schema", "json_schema": {"name": "t", "schema": SCHEMA}},
        {"type": "json_object"},
    ],
    ids=["bare", "wire", "json mode"],
)
def test_a_schema_gives_decoded_json(given):
    """A schema of yours gives plain data."""
    assert ask(GOOD, response_format=given).parsed == {"category": "billing", "urgency": 2}


def test_nothing_asked_nothing_parsed():
    """Without a structure there is no value, whatever the answer looks like."""
    assert ask(GOOD).parsed is None
    assert ask(GOOD, response_format={"type": "text"}).parsed is None


@pytest.mark.parametrize(
    ("line", "given", "words", "path"),
    [
        ('{"category": "x", "urgency": 9}', Ticket, "no Ticket: $.urgency: Input should be less", "$.urgency"),
        ("hello", Ticket, "no Ticket: $: Invalid JSON", "$"),
        ('{"category": "x", "urgency": 1}', SCHEMA, "$.category: 'x' is not one of", "$.category"),
        ('{"category": "billing"}', SCHEMA, "$: 'urgency' is a required property", "$"),
        ("hello", SCHEMA, "is no JSON", None),
        ('{"urgency": NaN}', {"type": "json_object"}, "NaN is no number", None),
        ('{"a": 1, "a": 2}', {"type": "json_object"}, "the key 'a' stands there twice", None),
        (reply(None, refusal="I can't."), SCHEMA, "the model declined: \"I can't.\"", None),
        (reply('{"a', finish_reason="length"), SCHEMA, "was cut (length)", None),
        (reply(None, tool_calls=[{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]), SCHEMA, "calls tools", None),
        ('{"a": 1}', {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/x.json"}}}, "cannot be checked", None),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_kept(line, given, words, path):
    """The error says what and where, and carries the completion with all that was paid."""
    done = ask(line, response_format=given)
    with pytest.raises(InvalidAnswer) as caught:
        _ = done.parsed
    assert words in str(caught.value)
    assert caught.value.completion is done
    assert caught.value.trace.cost_usd is not None
    assert caught.value.path == path


def test_the_error_travels():
    """It can be copied and sent to another process with what it holds."""
    done = ask("hello", response_format=Ticket)
    with pytest.raises(InvalidAnswer) as caught:
        _ = done.parsed
    for again in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):  # noqa: S301  our own
        assert str(again) == str(caught.value)
        assert again.completion.text == "hello"


def test_streamed_answers_are_parsed_too():
    """The completion of a stream is the same object."""
    llm = Cascade([Tier("m", price=Price.free())], models=ScriptedModels({"m": GOOD}))
    stream = llm.stream("x", response_format=Ticket)
    assert "".join(chunk.text for chunk in stream) == GOOD
    assert stream.completion.parsed.urgency == 2


def test_an_empty_answer_that_was_let_stand():
    """A policy may accept emptiness; there is no value in it."""
    tiers = [Tier("m", price=Price.free()), Tier("n", price=Price.free())]
    models = ScriptedModels({"m": reply(" ")})
    llm = Cascade(tiers, models=models, policy=Policy(on_empty="accept"))
    with pytest.raises(InvalidAnswer, match="is empty: there is no JSON in it"):
        _ = llm.complete("x", response_format=Ticket).parsed
