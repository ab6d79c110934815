"""The subset that the API can enforce: problems come with their path."""

from __future__ import annotations

import pytest

from cascade.forms.strict_subset import fits_strict, strict_problems


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(levels):
    schema = closed(x={"type": "string"})
    for _ in range(levels - 1):
        schema = closed(x=schema)
    return schema


TEXT = {"type": "string"}

FIT = {
    "plain": closed(a=TEXT),
    "union with null": closed(a={"type": ["string", "null"]}),
    "anyOf inside": closed(a={"anyOf": [TEXT, {"type": "null"}]}),
    "list": closed(a={"type": "array", "items": closed(b={"enum": ["x", "y"]}), "minItems": 1}),
    "ranges": closed(a={"type": "integer", "minimum": 0}, b={"type": "string", "pattern": "^a"}),
    "no lookaround": closed(a={"type": "string", "pattern": r"^\(?=(?:a|b)$"}),
    "formats": closed(a={"type": "string", "format": "date-time"}),
    "recursion": {
        **closed(child={"$ref": "#/$defs/node"}),
        "$defs": {"node": closed(next={"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]})},
    },
    "ten levels": nested(10),
}


@pytest.mark.parametrize("schema", FIT.values(), ids=FIT)
def test_schemas_in_the_subset(schema):
    """What the documents list as supported has no problem."""
    assert list(strict_problems(schema)) == []
    assert fits_strict(schema)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array", "items": TEXT}, "$: the root must be of type 'object'"),
        ({"anyOf": [closed()]}, "$: the root cannot be anyOf"),
        ({"type": "object", "properties": {}}, "$: additionalProperties must be false"),
        ({**closed(a=TEXT), "required": []}, "$.properties.a: not in required"),
        (closed(a={"not": TEXT}), "$.properties.a: 'not' is not supported"),
        (closed(a={"allOf": [TEXT]}), "$.properties.a: 'allOf' is not supported"),
        (closed(a={"oneOf": [TEXT]}), "$.properties.a: 'oneOf' is not supported"),
        ({**closed(), "if": {}, "then": {}}, "$: 'if' is not supported"),
        (closed(a={"type": "array", "items": {"type": "object"}}), "$.properties.a.items: additional"),
        ({**closed(), "$defs": {"x": {"type": "object"}}}, "$.$defs.x: additionalProperties"),
        (nested(11), "11 levels of objects; at most 10"),
        (closed(**{f"p{i}": TEXT for i in range(5001)}), "5,001 properties; at most 5,000"),
        (closed(a={"enum": list(range(1001))}), "1,001 enum values; at most 1,000"),
        (closed(a={"enum": [f"{i:060}" for i in range(251)]}), "15,060 characters; at most 15,000"),
        (closed(a={"const": "x" * 120_000}), "120,001 characters of names"),
        (closed(a={"type": "string", "pattern": "^(?!x)a"}), "$.properties.a: a pattern that looks"),
        (closed(a={"type": "string", "pattern": r"\\(?<=x)"}), "$.properties.a: a pattern that looks"),
        (5, "$: the schema is no object"),
    ],
)  # fmt: skip
def test_schemas_outside_are_named(schema, problem):
    """The first problem is the path and the reason."""
    assert any(problem in found for found in strict_problems(schema))
    assert not fits_strict(schema)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "array"},
        {},
        {"description": "anything"},
        {"type": "string", "format": "uri"},
        {"type": "array", "items": TEXT, "uniqueItems": True},
        {"type": "string", "default": "x"},
        {"$ref": "#", "description": "the whole"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "https://example.com/schema.json"},
    ],
    ids=str,
)
def test_what_is_in_doubt_is_not_made_strict(part):
    """Neither allowed nor forbidden by the documents: yours to ask for, not ours to add."""
    schema = closed(a=part)
    assert list(strict_problems(schema)) == []
    assert not fits_strict(schema)
