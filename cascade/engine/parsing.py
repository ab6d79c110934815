"""An answer as the value that was asked for: a pydantic instance, or JSON that fits its schema.

Validating comes after paying, so whatever is wrong with an answer is an `InvalidAnswer` that holds
it. Only the library that is needed is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cascade.errors import InvalidAnswer

if TYPE_CHECKING:
    from cascade.engine.completion import Completion

__all__ = ["parsed"]

CUT = frozenset({"length", "content_filter"})

Schema = Mapping[str, Any]


def parsed(completion: Completion) -> Any:
    """The value of an answer; see `Completion.parsed`.

    Raises:
        InvalidAnswer: it declined, was cut, is no JSON, or does not fit.
    """
    reply = completion.reply
    if reply.refusal:
        raise InvalidAnswer(f"the model declined: {reply.refusal[:200]!r}", completion)
    if reply.finish_reason in CUT:
        raise InvalidAnswer(f"the answer was cut ({reply.finish_reason})", completion)
    if not reply.text.strip():
        what = "calls tools" if reply.tool_calls else "is empty"
        raise InvalidAnswer(f"the answer {what}: there is no JSON in it", completion)
    if completion.answer_type is not None:
        return _instance(completion, completion.answer_type)
    value = _decoded(completion)
    if completion.answer_schema is not None:
        _check(completion, value, completion.answer_schema)
    return value


def _instance(completion: Completion, kind: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415  a class of its was given

    read = getattr(kind, "model_validate_json", None) or getattr(kind, "validate_json", None)
    try:
        return (read or TypeAdapter(kind).validate_json)(completion.text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = _path(first["loc"])
        name = getattr(kind, "__name__", "the type asked for")
        words = f"the answer is no {name}: {path}: {first['msg']}"
        raise InvalidAnswer(words, completion, path) from error


def _decoded(completion: Completion) -> Any:
    try:
        return json.loads(
            completion.text, parse_constant=_no_number, object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(f"the answer is no JSON: {error}", completion) from error


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON's")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return made


def _check(completion: Completion, value: Any, schema: Schema) -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  0.1 s, for those who ask
    from jsonschema.exceptions import best_match  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    # An empty registry: a schema may come from a user, and nothing is fetched on its behalf.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        found = best_match(validator.iter_errors(value))
    except (Unresolvable, RecursionError) as error:
        words = f"the answer cannot be checked: {type(error).__name__}: {error}"
        raise InvalidAnswer(words, completion) from error
    if found is not None:
        path = _path(found.absolute_path)
        words = f"the answer does not fit its schema: {path}: {found.message[:300]}"
        raise InvalidAnswer(words, completion, path)


def _path(steps: Any) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
