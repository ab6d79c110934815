"""Making a validator from a schema, once, and refusing at birth what could go wrong later.

Refused: schemas the standard rejects, references that lead to the network or nowhere, references
that lead back to themselves on the same value, patterns that do not compile, formats nobody checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.exceptions import SchemaError
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012, specification_with

from cascade import ConfigError
from scorers.patterns import compile_pattern
from scorers.schema_rules import limited
from scorers.strict_json import json_path

__all__ = ["copied", "validator_of"]

DRAFTS: Mapping[str, Any] = {
    "https://json-schema.org/draft/2020-12/schema": jsonschema.Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema.Draft201909Validator,
    "http://json-schema.org/draft-07/schema": jsonschema.Draft7Validator,
    "http://json-schema.org/draft-06/schema": jsonschema.Draft6Validator,
    "http://json-schema.org/draft-04/schema": jsonschema.Draft4Validator,
}
LATEST = "https://json-schema.org/draft/2020-12/schema"

MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose keys are names, each with a schema."""

DATA = ("const", "enum", "default", "examples", "required")
"""Keywords that hold data, not schemas."""

SAME_VALUE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas")
"""Keywords that apply a schema to the very value at hand, without going deeper into it."""

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

Place = tuple[str | int, ...]


def copied(schema: object) -> Any:
    """A copy that nobody else can change.

    Raises:
        ConfigError: it is no JSON object or boolean.
    """
    if isinstance(schema, str):
        raise ConfigError(
            f"JsonSchema: the schema is text {schema[:40]!r}; pass the decoded object, "
            "e.g. json.loads(text)"
        )
    if not isinstance(schema, Mapping | bool):
        raise ConfigError(
            f"JsonSchema: the schema is {type(schema).__name__} {str(schema)[:40]!r}; pass a dict, "
            "e.g. {'type': 'object'} (of a pydantic model: Model.model_json_schema())"
        )
    try:
        plain = dict(schema) if isinstance(schema, Mapping) else schema
        return json.loads(json.dumps(plain, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"JsonSchema: the schema is no JSON ({error}); use plain dicts, lists, strings, "
            "finite numbers, booleans and None, without cycles"
        ) from error


def validator_of(schema: Any, *, formats: bool) -> Any:
    """A validator with bounded work that fetches nothing.

    Args:
        schema: what `copied` returned.
        formats: whether `format` is asserted.

    Raises:
        ConfigError: see the module; the message names the place in the schema.
    """
    named = schema.get("$schema", LATEST) if isinstance(schema, dict) else LATEST
    draft = named.rstrip("#") if isinstance(named, str) else ""
    standard = DRAFTS.get(draft)
    if standard is None:
        raise ConfigError(
            f"JsonSchema: $.$schema is {named!r}, which is not known here; leave it out "
            f"(draft 2020-12) or use one of {', '.join(DRAFTS)}"
        )
    try:
        standard.check_schema(schema, format_checker=None)  # patterns are compiled below
    except SchemaError as error:
        raise ConfigError(
            f"JsonSchema: the schema breaks a rule at {json_path(error.absolute_path)}: "
            f"{error.message[:120]} ({error.validator})"
        ) from error
    except RecursionError as error:
        raise ConfigError("JsonSchema: the schema is nested too deep") from error
    if isinstance(schema, dict):  # a "$schema" would bring the unbounded class back in a reference
        schema = {key: value for key, value in schema.items() if key != "$schema"}
    specification = specification_with(draft, default=DRAFT202012)
    resource: Resource[Any] = specification.create_resource(schema)
    empty: Registry[Any] = Registry()  # retrieves nothing
    registry = empty.with_resource(resource.id() or "", resource)
    checker = standard.FORMAT_CHECKER if formats else None
    _check(schema, registry.crawl(), resource, checker)
    return limited(standard)(schema, registry=registry, format_checker=checker)


def _check(schema: Any, registry: Registry[Any], resource: Resource[Any], checker: Any) -> None:
    """Look at every subschema; then look for references that never get anywhere."""
    same_value: dict[int, list[Any]] = {}
    places: dict[int, Place] = {}
    todo: list[tuple[Any, Place, Any]] = [(schema, (), registry.resolver_with_root(resource))]
    while todo:
        part, place, resolver = todo.pop()
        if not isinstance(part, dict) or id(part) in places:
            continue
        places[id(part)] = place
        if place:
            resolver = resolver.in_subresource(resource._specification.create_resource(part))  # noqa: SLF001  no public way
        _check_keywords(part, place, checker)
        targets = [_target(part[key], (*place, key), resolver) for key in REFERENCES if key in part]
        same_value[id(part)] = [
            *targets,
            *(sub for key, sub in _children(part) if key[0] in SAME_VALUE),
        ]
        todo.extend((sub, (*place, *key), resolver) for key, sub in _children(part))
    _check_cycles(same_value, places)


def _children(part: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    for key, value in part.items():
        if key in DATA:
            continue
        if isinstance(value, dict) and (key in MAPS or key == "dependencies"):
            yield from (((key, name), sub) for name, sub in value.items())
        elif isinstance(value, dict):
            yield (key,), value
        elif isinstance(value, list):
            yield from (((key, index), sub) for index, sub in enumerate(value))


def _check_keywords(part: Mapping[str, Any], place: Place, checker: Any) -> None:
    where = f"JsonSchema at {json_path(place)}"
    if place and "$schema" in part:
        raise ConfigError(f"{where}: $schema below the root would change the rules; remove it")
    patterns = part.get("patternProperties")
    for pattern in [part.get("pattern"), *(patterns if isinstance(patterns, dict) else ())]:
        if isinstance(pattern, str):
            compile_pattern(pattern, where)
    if patterns and "unevaluatedProperties" in part:
        raise ConfigError(
            f"{where}: patternProperties with unevaluatedProperties cannot be given a time limit; "
            "use additionalProperties"
        )
    name = part.get("format")
    if checker is not None and isinstance(name, str) and name not in checker.checkers:
        raise ConfigError(
            f"{where}: nothing installed checks format {name!r}; "
            "pip install 'jsonschema[format]', or leave formats=False"
        )


def _target(reference: Any, place: Place, resolver: Any) -> Any:
    """What a reference leads to."""
    try:
        return resolver.lookup(str(reference)).contents
    except Unresolvable as error:
        remote = "://" in str(reference)
        raise ConfigError(
            f"JsonSchema at {json_path(place)}: {str(reference)!r} "
            + (
                "leads to the network, and schemas are never fetched; copy it into $defs"
                if remote
                else "leads nowhere; references look like '#/$defs/name'"
            )
        ) from error


def _check_cycles(same_value: Mapping[int, list[Any]], places: Mapping[int, Place]) -> None:
    """Refuse a schema that comes back to itself without going deeper into the value."""
    done: set[int] = set()
    for start in same_value:
        walk, open_nodes = [(start, iter(same_value[start]))], {start}
        while walk and start not in done:
            node, targets = walk[-1]
            target = next(
                (id(t) for t in targets if isinstance(t, dict) and id(t) not in done), None
            )
            if target is None:
                done.add(node)
                open_nodes.discard(node)
                walk.pop()
            elif target in open_nodes:
                raise ConfigError(
                    f"JsonSchema at {json_path(places.get(target, ()))}: the schema refers to "
                    "itself for the same value and would never end; refer to it from a property "
                    "or an item"
                )
            else:
                open_nodes.add(target)
                walk.append((target, iter(same_value.get(target, ()))))
