"""The structure asked of an answer: a pydantic class, a bare JSON Schema, or the wire's own form.

A class is made into a schema closed as the SDK's `parse` closes it. A schema of the user's own is
never rewritten: it is sent strict only where it is in the subset that the API can enforce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_origin

from cascade.forms.api import api_of
from cascade.forms.params import format_for
from cascade.forms.strict_subset import fits_strict, strict_problems

__all__ = [
    "BadFormat",
    "closed",
    "is_type",
    "schema_of_type",
    "with_schema",
    "with_schema_in_params",
    "with_schema_of_type",
]

Schema = dict[str, Any]
Data = Mapping[str, Any]

SCHEMA_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})

SCHEMA_KEYS = ("properties", "$ref", "anyOf", "$defs", "enum")

PLACES = ("response_format", "text_format", "text")

ODD_CHARS = re.compile(r"[^A-Za-z0-9_-]+")
LONGEST_NAME = 64


class BadFormat(ValueError):  # noqa: N818  becomes a RequestError
    """An answer format that is none, or `strict` beside a schema that the API would refuse.

    Attributes:
        param: the parameter that holds it, or the path in it; `None` where two contradict.
    """

    def __init__(self, message: str, param: str | None) -> None:
        super().__init__(message)
        self.param = param


# Types -------------------------------------------------------------------------------------------


def is_type(given: object) -> bool:
    """Whether this is a pydantic class, a pydantic dataclass or a `TypeAdapter`."""
    names = ("model_json_schema", "__pydantic_config__", "__pydantic_core_schema__")
    if isinstance(given, type):
        return any(hasattr(given, name) for name in names)
    return hasattr(given, "json_schema") and hasattr(given, "validate_json")


def with_schema_of_type(payload: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """A payload whose type is replaced by its schema, and the type.

    Returns:
        The payload, and the class or adapter that `response_format` or `text_format` held.

    Raises:
        BadFormat: both were given.
    """
    if payload.keys().isdisjoint(PLACES):
        return payload, None
    if "text_format" in payload and "response_format" in payload:
        words = "text_format and response_format mean the same; give one of them"
        raise BadFormat(words, None)
    name = "text_format" if "text_format" in payload else "response_format"
    given = payload.get(name)
    if not is_type(given):
        if isinstance(given, type) or get_origin(given) is not None:
            shown = given.__name__ if isinstance(given, type) else given
            raise BadFormat(
                f"{name} is {shown}: expected a pydantic class; for other types pass "
                f"pydantic.TypeAdapter({shown}), or a class with a field for it, since the API "
                "answers with an object",
                name,
            )
        return payload, None
    schema = schema_of_type(given)
    title = getattr(given, "__name__", None) or schema.get("title")
    return {**payload, name: _wire_format(schema, title)}, given


def schema_of_type(given: Any) -> Schema:
    """The schema of a pydantic class or a `TypeAdapter`, as it is sent."""
    return closed(_schema_of(given))


def _schema_of(given: Any) -> Schema:
    if hasattr(given, "model_json_schema"):
        return dict(given.model_json_schema())
    if isinstance(given, type):
        from pydantic import TypeAdapter  # noqa: PLC0415  a pydantic class was given

        given = TypeAdapter(given)
    return dict(given.json_schema())


def closed(schema: Schema) -> Schema:
    """A generated schema as the SDK's own `parse` sends it, without its defaults.

    Objects take no further properties, every property is required, and a `$ref` with other keys
    beside it is written out. Defaults say nothing where all is required, and the API has refused
    them ("'default' is not permitted").
    """
    whole: Schema = _closed(schema, schema, ())
    return whole


def _closed(node: Any, root: Data, open_refs: tuple[str, ...]) -> Any:  # any JSON value
    if not isinstance(node, Mapping):
        return node
    made = dict(node)
    for name in ("$defs", "definitions", "properties"):
        if isinstance(made.get(name), Mapping):
            made[name] = {key: _closed(part, root, open_refs) for key, part in made[name].items()}
    if made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    if isinstance(made.get("properties"), Mapping):
        made["required"] = list(made["properties"])
    if "items" in made:
        made["items"] = _closed(made["items"], root, open_refs)
    for name in ("anyOf", "allOf"):
        if isinstance(made.get(name), list):
            made[name] = [_closed(part, root, open_refs) for part in made[name]]
    return _written_out(_tidied(made), root, open_refs)


def _tidied(made: Schema) -> Schema:
    whole = made.get("allOf")
    if isinstance(whole, list) and len(whole) == 1:
        made.update(made.pop("allOf")[0])
    made.pop("default", None)
    return made


def _written_out(made: Schema, root: Data, open_refs: tuple[str, ...]) -> Schema:
    """Put what a `$ref` leads to in its place where it has company, which the API refuses."""
    ref = made.get("$ref")
    if not isinstance(ref, str) or len(made) == 1 or ref in open_refs:
        return made if ref is None or len(made) == 1 else {"$ref": ref}
    place: Any = root
    for step in ref.removeprefix("#/").split("/"):
        place = place[step]
    rest = {key: value for key, value in made.items() if key != "$ref"}
    whole: Schema = _closed({**place, **rest}, root, (*open_refs, ref))
    return whole


# Schemas and wire forms --------------------------------------------------------------------------


def with_schema(payload: dict[str, Any]) -> dict[str, Any]:
    """A payload whose answer format is in the form that its API takes.

    A bare JSON Schema gets a name, and strictness where it is in the subset; a wire form stays as
    it is.

    Raises:
        BadFormat: a wire form asks for `strict: true` with a schema outside the subset, or it is
            neither a schema nor a wire form.
    """
    if payload.keys().isdisjoint(PLACES):
        return payload
    made = dict(payload)
    name = "text_format" if "text_format" in made else "response_format"
    given = made.pop("response_format", None)
    given = made.pop("text_format", given)
    _check_kind(given, name)
    if given is not None and _is_schema(given):
        given = _wire_format(given, given.get("title"))
    if api_of(made) == "chat":
        where = "response_format"
        if given is not None:
            made[where] = format_for(given, "chat")
    else:
        where = "text.format"
        text = made.get("text") if isinstance(made.get("text"), Mapping) else {}
        if given is not None:
            made["text"] = {**(text or {}), "format": format_for(given, "responses")}
        else:
            given = (text or {}).get("format")
    _check_strict(given, where)
    return made


def _check_kind(given: object, name: str) -> None:
    """Refuse what is neither a class, nor a schema, nor a form of the wire."""
    if given is None or (isinstance(given, Mapping) and ("type" in given or _is_schema(given))):
        return
    raise BadFormat(
        f"response_format is {given!r:.100}: expected a pydantic class, a JSON Schema such as "
        "{'type': 'object', ...}, or a form of the wire such as {'type': 'json_object'}",
        name,
    )


def with_schema_in_params(params: Data) -> Data:
    """A tier's parameters, a bare schema in the form of the wire; raises as `with_schema`."""
    given = params.get("response_format") or params.get("text_format")
    if not isinstance(given, Mapping):
        return params
    made = with_schema({**params, "messages": ()})
    del made["messages"]
    return made


def _is_schema(given: object) -> bool:
    if not isinstance(given, Mapping):
        return False
    kind = given.get("type")
    if kind is None:
        return any(key in given for key in SCHEMA_KEYS)
    kinds = kind if isinstance(kind, list) else [kind]
    return all(isinstance(name, str) and name in SCHEMA_TYPES for name in kinds)


def _wire_format(schema: Data, title: object) -> dict[str, Any]:
    inner: dict[str, Any] = {"name": _name(title), "schema": schema}
    if fits_strict(schema):
        inner["strict"] = True
    return {"type": "json_schema", "json_schema": inner}


def _name(title: object) -> str:
    words = ODD_CHARS.sub("_", title).strip("_") if isinstance(title, str) else ""
    return words[:LONGEST_NAME] or "answer"


def _check_strict(given: object, where: str) -> None:
    inner = format_for(given, "responses")
    if not isinstance(inner, Mapping) or inner.get("strict") is not True:
        return
    nested = "json_schema.schema" if where == "response_format" else "schema"
    problem = next(strict_problems(inner.get("schema")), None)
    if problem is not None:
        raise BadFormat(
            f"{where}.{nested}: strict needs a schema that the API can enforce; {problem}. "
            "Change the schema there, or leave strict out",
            f"{where}.{nested}",
        )
