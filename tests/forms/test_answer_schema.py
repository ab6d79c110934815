"""Answer formats: classes become closed schemas, schemas of yours stay as they are."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from cascade import Request, RequestError
from cascade.forms.answer_schema import closed
from cascade.forms.reading import schema_of
from cascade.forms.strict_subset import fits_strict


class Colour(enum.Enum):
    red = "red"
    blue = "blue"


class Part(BaseModel):
    """A part."""

    name: str
    colour: Colour = Field(description="its colour")
    size: int = 3


class Tree(BaseModel):
    label: str
    children: list[Tree]
    parent: Tree | None = None


class Whole(BaseModel):
    part: Part = Field(description="the main part")
    parts: list[Part]
    kind: Literal["a", "b"]
    note: str | None = None
    limits: Annotated[int, Field(ge=0, le=9)]
    pair: Part | Tree


class Loose(BaseModel):
    counts: dict[str, int]


class Shape(BaseModel):
    kind: Annotated[Part | Whole, Field(description="either")]


@dataclass
class Point:
    x: int
    y: int = 0


class Priced(BaseModel):
    price: Annotated[Decimal, Field(json_schema_extra={"pattern": r"^(?!0\d)\d+\.\d\d$"})]


def without_defaults(schema):
    """The API has refused them beside `strict`: "'default' is not permitted"."""
    if isinstance(schema, dict):
        return {key: without_defaults(part) for key, part in schema.items() if key != "default"}
    return [without_defaults(part) for part in schema] if isinstance(schema, list) else schema


def test_a_price_is_asked_for_without_strict():
    """Some of pydantic's versions describe it by a pattern like this one, which the API refuses."""
    sent = Request.build("x", {"response_format": Priced}).payload["response_format"]["json_schema"]
    assert "strict" not in sent


@pytest.mark.parametrize("model", [Part, Tree, Whole, Loose, Shape])
def test_classes_are_closed_as_the_sdk_closes_them(model):
    """The schema that goes out is the one the SDK's own `parse` would send, without defaults."""
    assert closed(model.model_json_schema()) == without_defaults(to_strict_json_schema(model))


def test_a_recursive_field_with_a_description_ends():
    """Writing out a reference to what is being written out would never end."""

    class Node(BaseModel):
        next: Node = Field(description="the next one")

    made = closed(Node.model_json_schema())
    assert made["$defs"]["Node"]["required"] == ["next"]


@pytest.mark.parametrize("name", ["response_format", "text_format"])
@pytest.mark.parametrize("asked", ["x", {"input": "x"}], ids=["chat", "responses"])
def test_a_class_is_sent_as_its_schema(name, asked):
    """Either keyword, either API: named after the class, strict where it fits."""
    request = Request.build(asked, {name: Whole})
    assert request.answer_type is Whole
    assert schema_of(request.payload) == without_defaults(to_strict_json_schema(Whole))
    if request.api == "chat":
        sent = request.payload["response_format"]["json_schema"]
        assert "text_format" not in request.payload
    else:
        sent = request.payload["text"]["format"]
        assert not {"text_format", "response_format"} & request.payload.keys()
    assert (sent["name"], sent["strict"]) == ("Whole", True)


def test_a_class_outside_the_subset_is_not_strict():
    """A mapping of free keys cannot be enforced, so it is asked for without strict."""
    sent = Request.build("x", {"response_format": Loose}).payload["response_format"]["json_schema"]
    assert "strict" not in sent


@pytest.mark.parametrize("given", [Point, TypeAdapter(Point)], ids=["dataclass", "adapter"])
def test_dataclasses_and_adapters(given):
    """Whatever pydantic can describe and validate is taken."""
    request = Request.build("x", {"response_format": given})
    assert request.answer_type is given
    assert schema_of(request.payload)["required"] == ["x", "y"]


TICKET = {
    "title": "Support ticket!",
    "type": "object",
    "properties": {"urgent": {"type": "boolean"}},
    "required": ["urgent"],
    "additionalProperties": False,
}


def test_a_bare_schema_is_wrapped_and_never_rewritten():
    """It gets a name and, in the subset, strictness; outside the subset it goes without."""
    sent = Request.build("x", {"response_format": TICKET}).payload["response_format"]
    inner = {"name": "Support_ticket", "schema": TICKET, "strict": True}
    assert sent == {"type": "json_schema", "json_schema": inner}
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    sent = Request.build({"input": "x"}, {"response_format": loose}).payload["text"]
    assert sent == {"format": {"type": "json_schema", "name": "answer", "schema": loose}}
    assert not fits_strict(loose)


WIRE = {"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "array"}}}


@pytest.mark.parametrize(
    "given", [{"type": "text"}, {"type": "json_object"}, WIRE, {"type": "grammar", "root": "x"}]
)
def test_wire_forms_pass_unchanged(given):
    """What is in wire form already, or of a kind nobody knows, is yours."""
    assert Request.build("x", {"response_format": given}).payload["response_format"] == given


def test_a_responses_format_stays():
    """`text` of a Responses payload passes with all it holds."""
    text = {"verbosity": "low", "format": {"type": "json_object"}}
    assert Request.build({"input": "x", "text": text}).payload["text"] == text
    made = Request.build({"input": "x", "text": {"verbosity": "low"}}, {"text_format": Part})
    assert made.payload["text"]["verbosity"] == "low"
    assert made.payload["text"]["format"]["name"] == "Part"


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        (
            {
                "messages": [{"role": "user", "content": "x"}],
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "t", "strict": True, "schema": {"type": "object"}},
                },
            },
            "response_format.json_schema.schema: strict needs",
        ),
        (
            {
                "input": "x",
                "text": {
                    "format": {
                        "type": "json_schema", "name": "t", "strict": True,
                        "schema": {"type": "object"},
                    }
                },
            },
            "text.format.schema: strict needs",
        ),
    ],
    ids=["chat", "responses"],
)  # fmt: skip
def test_strict_with_a_schema_that_would_be_refused(payload, where):
    """The path and the reason, before anything is spent."""
    with pytest.raises(RequestError) as caught:
        Request.build(payload)
    assert where in str(caught.value)
    assert "$: additionalProperties must be false" in str(caught.value)


def test_two_formats_are_one_too_many():
    """`text_format` and `response_format` mean the same."""
    with pytest.raises(RequestError, match="give one of them"):
        Request.build("x", {"response_format": Part, "text_format": Part})


def test_a_longer_name_is_cut():
    """Names are at most 64 characters of letters, digits, underscore and dash."""
    sent = Request.build("x", {"response_format": {**TICKET, "title": "é" + "n" * 80}})
    assert sent.payload["response_format"]["json_schema"]["name"] == "n" * 64


def test_an_extended_request_keeps_its_type():
    """Further parameters leave the type; another format replaces it."""
    base = Request.build("x", {"response_format": Part})
    assert base.extended({"seed": 1}).answer_type is Part
    assert base.extended({"response_format": {"type": "text"}}).answer_type is None
    assert base.extended({"response_format": Tree}).answer_type is Tree


@pytest.mark.parametrize("given", [5, "json", [], {}, {"foo": 1}, {"schema": {"type": "object"}}])
@pytest.mark.parametrize("name", ["response_format", "text_format"])
def test_what_is_no_format_at_all_is_refused(given, name):
    """Before anything is paid, with what was expected."""
    with pytest.raises(RequestError, match="expected a pydantic class, a JSON Schema such as"):
        Request.build("?", {name: given})
