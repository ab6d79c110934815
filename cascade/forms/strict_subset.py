"""The part of JSON Schema that OpenAI can enforce (`strict: true`), as of 2026-11.

A schema outside it is refused by the API with a 400, so it is compared beforehand: problems come
with their JSON path. Nothing is changed: see `cascade.forms.answer_schema` for closing a schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["fits_strict", "strict_problems"]

MAX_PROPERTIES = 5_000
MAX_LEVELS = 10
MAX_CHARS = 120_000
MAX_ENUM_VALUES = 1_000
LARGE_ENUM = 250
MAX_LARGE_ENUM_CHARS = 15_000

UNSUPPORTED = frozenset(
    {
        "allOf",
        "oneOf",
        "not",
        "dependentRequired",
        "dependentSchemas",
        "if",
        "then",
        "else",
    }
)

DOUBTFUL = frozenset(
    {
        "default",  # refused in 2024-11; a property that is required needs none
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "unevaluatedProperties",
        "unevaluatedItems",
        "prefixItems",
        "contains",
        "minContains",
        "maxContains",
        "uniqueItems",
    }
)
"""In neither of the API's lists: not refused here, and never made strict of our own accord."""

LOOKAROUND = re.compile(r"(?<!\\)(?:\\\\)*\(\?<?[=!]")
"""Refused by name ("regex lookaround is not supported"), in 2026-05 even with a 500; pydantic
before 2.14 writes it for a Decimal."""

FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)

KINDS = frozenset({"type", "anyOf", "$ref", "enum", "const"})
"""One of these says what a value is; a schema without any allows everything."""

DEEPEST = 100
"""Levels that are looked at; what is nested deeper cannot be in the subset."""


@dataclass(slots=True)
class _Totals:
    """What is counted over the whole schema."""

    properties: int = 0
    chars: int = 0
    enum_values: int = 0


def fits_strict(schema: object) -> bool:
    """Whether a schema is in the subset beyond doubt."""
    return next(strict_problems(schema, cautious=True), None) is None


def strict_problems(schema: object, *, cautious: bool = False) -> Iterator[str]:
    """Everything that keeps a schema out of the subset.

    Args:
        schema: a JSON Schema.
        cautious: also name what the API's documents neither allow nor forbid.

    Yields:
        A JSON path and the reason, e.g. "$.properties.city: 'not' is not supported".
    """
    if not isinstance(schema, Mapping):
        yield "$: the schema is no object"
        return
    if "anyOf" in schema:
        yield "$: the root cannot be anyOf; wrap it in an object"
    elif "$ref" not in schema and schema.get("type") != "object":
        yield "$: the root must be of type 'object'"
    totals = _Totals()
    yield from _walk(schema, "$", 0, totals)
    if cautious:
        yield from _doubts(schema, "$", schema)
    for name, found, most in (
        ("properties", totals.properties, MAX_PROPERTIES),
        ("characters of names, enums and consts", totals.chars, MAX_CHARS),
        ("enum values", totals.enum_values, MAX_ENUM_VALUES),
    ):
        if found > most:
            yield f"$: {found:,} {name}; at most {most:,} are allowed"


def _walk(schema: object, path: str, level: int, totals: _Totals) -> Iterator[str]:
    """Problems by the documented rules; `level` counts the objects around this place."""
    if not isinstance(schema, Mapping):
        yield f"{path}: {schema!r} is no schema object"
        return
    for key in schema:
        if key in UNSUPPORTED:
            yield f"{path}: {key!r} is not supported"
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and LOOKAROUND.search(pattern):
        yield f"{path}: a pattern that looks ahead or behind is not supported"
    yield from _enum(schema, path, totals)
    inner = level
    if _has_type(schema, "object") or "properties" in schema:
        inner += 1
        yield from _object(schema, path, totals)
        if inner > MAX_LEVELS:
            yield f"{path}: {inner} levels of objects; at most {MAX_LEVELS} are allowed"
            return
    totals.chars += sum(len(name.partition(".")[2]) for name, _ in _named(schema))
    for name, part, nested in _parts(schema):
        yield from _walk(part, f"{path}.{name}", inner if nested else 0, totals)


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """The schemas inside one: (path from it, schema, whether it counts as nested in it)."""
    for name, part in _named(schema):
        yield name, part, not name.startswith(("$defs.", "definitions."))
    items = schema.get("items")
    if items is not None:
        yield "items", items, True
    choices = schema.get("anyOf")
    for index, choice in enumerate(choices if isinstance(choices, list) else ()):
        yield f"anyOf[{index}]", choice, True


def _named(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for group in ("properties", "$defs", "definitions"):
        found = schema.get(group)
        for key, part in found.items() if isinstance(found, Mapping) else ():
            yield f"{group}.{key}", part


def _doubts(schema: object, path: str, root: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """What the API's documents leave open, and what it is known to refuse in spite of them."""
    if not isinstance(schema, Mapping):
        return
    if depth > DEEPEST:
        yield f"{path}: nested too deep"
        return
    for key in schema:
        if key in DOUBTFUL:
            yield f"{path}: {key!r} is not known to be supported"
    if not KINDS & schema.keys():
        yield f"{path}: no type is given; a schema without one allows everything"
    if _has_type(schema, "array") and "items" not in schema:
        yield f"{path}: an array needs items"
    given = schema.get("format")
    if given is not None and given not in FORMATS:
        yield f"{path}: format {given!r} is not supported"
    yield from _ref(schema, path, root)
    for name, part, _ in _parts(schema):
        yield from _doubts(part, f"{path}.{name}", root, depth + 1)


def _ref(schema: Mapping[str, Any], path: str, root: Mapping[str, Any]) -> Iterator[str]:
    ref = schema.get("$ref")
    if ref is not None and not _resolves(ref, root):
        yield f"{path}: $ref {ref!r} does not lead to a part of this schema"
    elif ref is not None and len(schema) > 1 and schema is not root:
        yield f"{path}: $ref stands beside other keys"


def _resolves(ref: object, root: Mapping[str, Any]) -> bool:
    if ref == "#":
        return True
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return False
    place: object = root
    for step in ref[2:].split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, Mapping) or key not in place:
            return False
        place = place[key]
    return isinstance(place, Mapping)


def _enum(schema: Mapping[str, Any], path: str, totals: _Totals) -> Iterator[str]:
    if "const" in schema:
        totals.chars += len(str(schema["const"]))
    values = schema.get("enum")
    if not isinstance(values, list):
        return
    chars = sum(len(str(value)) for value in values)
    totals.chars += chars
    totals.enum_values += len(values)
    if len(values) > LARGE_ENUM and chars > MAX_LARGE_ENUM_CHARS:
        yield (
            f"{path}: an enum of more than {LARGE_ENUM} values has {chars:,} characters; "
            f"at most {MAX_LARGE_ENUM_CHARS:,} are allowed"
        )


def _object(schema: Mapping[str, Any], path: str, totals: _Totals) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield f"{path}: additionalProperties must be false"
    given = schema.get("properties")
    properties = given if isinstance(given, Mapping) else {}
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    for name in properties:
        if name not in required:
            yield f"{path}.properties.{name}: not in required (make it a union with null instead)"
    totals.properties += len(properties)


def _has_type(schema: Mapping[str, Any], name: str) -> bool:
    kind = schema.get("type")
    return kind == name or (isinstance(kind, list) and name in kind)
