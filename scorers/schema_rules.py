"""Checking a JSON document against a schema with bounded work.

`jsonschema` is complete and trusting: patterns run in `re`, which cannot be interrupted, some
schemas take exponential time on deep documents, and every error prints the whole value. Here each
rule is charged to a count of steps, the same in every run, patterns run under a time allowance, and
values print briefly. Knows no drafts and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jsonschema
import regex
from jsonschema.exceptions import ValidationError, best_match

from scorers.patterns import PatternTimeout, PatternTimer, compile_pattern
from scorers.strict_json import json_path

__all__ = ["first_error", "limited"]

MAX_STEPS = 200_000
"""Steps for one document; a nested one of 20 items takes under 2,000. A step takes 1 to 3 µs."""

LOOKUP_STEPS = 8
"""What following a reference or trying a branch counts: it costs as much as 8 simple rules."""

SHOWN = 60
"""Characters of a value that a reason shows."""

Rule = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class OutOfSteps(Exception):  # noqa: N818  an outcome, put into words by `first_error`
    """The document needs more steps than are allowed."""


@dataclass(slots=True)
class _Work:
    """What is left to spend on one document."""

    steps: int = MAX_STEPS
    timer: PatternTimer = field(default_factory=PatternTimer)


_WORK: ContextVar[_Work] = ContextVar("work")


def limited(validator_class: Any) -> Any:
    """The same validator class with counted rules and patterns that end."""
    own: dict[str, Rule] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "format": _format,
    }
    rules = {
        keyword: _counted(
            own.get(keyword, rule), _weight(keyword), squared=keyword.startswith("unevaluated")
        )
        for keyword, rule in validator_class.VALIDATORS.items()
    }
    extend: Any = jsonschema.validators.extend  # has no types of its own
    return extend(validator_class, validators=rules)


def first_error(validator: Any, document: Any) -> str | None:
    """What is wrong with a document: place, problem and rule; `None` when nothing is.

    Work that exceeds a bound is reported as an error too: what cannot be checked must not pass.
    """
    token = _WORK.set(_Work())
    try:
        error = next(validator.iter_errors(_brief(document)), None)
    except PatternTimeout:
        return "a pattern took too long on this answer, so it was not checked"
    except OutOfSteps:
        return f"checking stopped after {MAX_STEPS:,} steps"
    except RecursionError:
        return "nested too deep for this schema"
    finally:
        _WORK.reset(token)
    if error is None:
        return None
    best = best_match(iter([error])) or error  # inside anyOf, the branch that came closest
    message = best.message if len(best.message) <= 2 * SHOWN else f"{best.message[:117]}..."
    rule = f" ({best.validator})" if best.validator else ""
    return f"{json_path(best.absolute_path)}: {message}{rule}"


def _counted(rule: Rule, weight: int, *, squared: bool) -> Rule:
    """A rule that pays before it runs. No generator: deep documents need every stack frame."""

    def paid(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        steps = weight
        if isinstance(instance, dict | list):
            steps += len(instance)
        if isinstance(value, list):
            steps += len(value) * weight  # the branches of anyOf and its like
        elif isinstance(value, dict):
            steps += len(value)
        _spend(steps)
        return rule(validator, value, instance, schema)

    def paid_squared(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        if isinstance(instance, dict | list):
            _spend(len(instance) ** 2 // 50)  # looks every member up in a list; measured
        return paid(validator, value, instance, schema)

    return paid_squared if squared else paid


def _weight(keyword: str) -> int:
    heavy = ("anyOf", "oneOf", "allOf", "not", "if", "contains", "items", "dependentSchemas")
    return LOOKUP_STEPS if "Ref" in keyword or keyword in ("$ref", *heavy) else 1


def _spend(steps: int) -> None:
    work = _WORK.get()
    work.steps -= steps
    if work.steps < 0:
        raise OutOfSteps


# Rules of our own ------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> regex.Pattern[str]:
    return compile_pattern(pattern, "JsonSchema")


def _found(pattern: str, text: str) -> bool:
    return _WORK.get().timer.search(_compiled(pattern), text)


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _found(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern[:SHOWN]!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in patterns.items():
        for key, value in instance.items():
            if _found(pattern, key):
                yield from validator.descend(value, schema, path=key, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(_found(pattern, key) for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError(f"property {_Text(key)!r} is not allowed")
        elif allowed is not True:
            yield from validator.descend(value, allowed, path=key)


def _unique_items(_: Any, unique: bool, instance: Any, __: Any) -> Iterator[ValidationError]:
    if not unique or not isinstance(instance, list):
        return
    seen: dict[Any, int] = {}
    for index, item in enumerate(instance):
        key = _identity(item)
        if key in seen:
            yield ValidationError(f"items {seen[key]} and {index} are equal")
            return
        seen[key] = index


def _identity(value: Any) -> Any:
    """A hashable stand-in: equal for equal JSON values (1 and 1.0 are, 1 and true are not)."""
    _spend(1)
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("array", tuple(_identity(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, _identity(item)) for key, item in value.items()))
    return value


def _format(validator: Any, name: str, instance: Any, _: Any) -> Iterator[ValidationError]:
    if validator.format_checker is None or not isinstance(instance, str):
        return
    if len(instance) > 1_000:  # noqa: PLR2004  no format is that long; compiling a "regex" is slow
        yield ValidationError(f"{instance!r} is too long for a {name}")
    elif not validator.format_checker.conforms(instance, name):
        yield ValidationError(f"{instance!r} is not a {name}")


# Values that print briefly ---------------------------------------------------------------------


class _Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str.__repr__(self if len(self) <= SHOWN else f"{self[:SHOWN]}...")


class _Array(list[Any]):
    __slots__ = ()

    def __repr__(self) -> str:
        if len(self) <= 4 and not any(isinstance(item, dict | list) for item in self):  # noqa: PLR2004
            return super().__repr__()
        return f"[... {len(self)} items]"


class _Object(dict[str, Any]):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"{{... {len(self)} properties}}" if self else "{}"


def _brief(value: Any) -> Any:
    """The same document made of values that print briefly. Nesting is bounded by the reader."""
    if isinstance(value, str):
        return _Text(value)
    if isinstance(value, list):
        return _Array(map(_brief, value))
    if isinstance(value, dict):
        return _Object((key, _brief(item)) for key, item in value.items())
    return value
