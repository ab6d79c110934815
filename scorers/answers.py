"""Reading replies as answers: their text, their record, whether they are whole. Knows no tiers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cascade import ConfigError, Reply
from scorers.canonical import canonical_value
from scorers.strict_json import JsonTextError, json_body, read_json

__all__ = [
    "MISSING",
    "answer_text",
    "calls_of",
    "decoded",
    "field_names",
    "flaw_of",
    "record_in",
    "record_of",
    "same_field",
    "shown_answer",
    "value_at",
    "without_fields",
]

MISSING = object()
"""What a record holds at a place that it does not have."""


def flaw_of(reply: Reply) -> str | None:
    """Why a reply is no whole answer; `None` where it is one."""
    if reply.refusal:
        return "refused"
    if reply.finish_reason in ("length", "content_filter"):
        return f"cut off ({reply.finish_reason})"
    return "empty" if reply.is_empty else None


def answer_text(reply: Reply) -> str:
    """The answer's text; of tool calls, JSON of their names and arguments.

    What a model says before it calls a tool is no part of what it answers.
    """
    if not reply.tool_calls:
        return reply.text
    return json.dumps([[name, decoded(given)] for name, given in calls_of(reply)])


def shown_answer(reply: Reply) -> str:
    """The answer in words for another reader; calls are written out."""
    calls = [
        f"[calls {name}({given if isinstance(given, str) else json.dumps(given)})]"
        for name, given in calls_of(reply)
    ]
    return "\n".join(part for part in (reply.text or reply.refusal or "", *calls) if part)


def calls_of(reply: Reply) -> list[tuple[object, Any]]:
    """The tool calls of an answer as (name, arguments as they came)."""
    found = []
    for call in reply.tool_calls:
        inner = call.get("function") or call.get("custom")
        inner = inner if isinstance(inner, Mapping) else {}
        given = inner.get("arguments", inner.get("input", ""))
        found.append((inner.get("name", call.get("type")), given))
    return found


def decoded(arguments: Any) -> Any:
    """The arguments of a call, decoded where they are JSON."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return read_json(arguments) if arguments.strip() else {}
    except JsonTextError:
        return arguments


def record_of(reply: Reply) -> dict[str, Any] | None:
    """The JSON object that an answer is, with canonical leaves; `None` where it is none."""
    return record_in(answer_text(reply))


def record_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, with canonical leaves; `None` where it is none."""
    try:
        found = canonical_value(read_json(json_body(text), raw_newlines=True))
    except JsonTextError:
        return None
    return found if isinstance(found, dict) else None


def value_at(record: Any, name: str) -> Any:
    """The value of a field, named "total" or "customer.name"; `MISSING` where there is none."""
    if isinstance(record, dict) and name in record:
        return record[name]
    for step in name.split("."):
        if not isinstance(record, dict) or step not in record:
            return MISSING
        record = record[step]
    return record


def same_field(one: dict[str, Any], two: dict[str, Any], name: str) -> bool:
    """Whether two records agree on a field; a field that neither has agrees."""
    mine, other = value_at(one, name), value_at(two, name)
    if mine is MISSING or other is MISSING:
        return mine is other
    return json.dumps(mine, sort_keys=True) == json.dumps(other, sort_keys=True)


def without_fields(records: Iterable[dict[str, Any] | None], names: Sequence[str]) -> str | None:
    """Why records cannot be compared by fields that none of them has: the names may be wrong."""
    if any(value_at(record, name) is not MISSING for record in records for name in names):
        return None
    return f"no answer has any of the fields {', '.join(names)[:80]}"


def field_names(owner: str, fields: object) -> tuple[str, ...]:
    """A list of field names, checked.

    Raises:
        ConfigError: it is none; the message names `owner`.
    """
    names = tuple(fields) if isinstance(fields, Sequence) and not isinstance(fields, str) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{owner}: fields {fields!r} is no list of names; write fields=['total']")
    return names
