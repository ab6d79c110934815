"""Whether an answer calls the offered tools sensibly, as numbers for learned scorers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import log1p
from typing import Any, NamedTuple

from cascade import Draft
from scorers.answers import calls_of, decoded
from scorers.call_text import Call, canonical_call, written_calls
from scorers.source_text import source_text

__all__ = ["CallFeatures", "call_features"]


class CallFeatures(NamedTuple):
    """How an answer uses the tools that its request offers; shares are in [0, 1].

    Attributes:
        log_tools: log(1 + tools offered).
        log_calls: log(1 + calls made); 0 where the answer is in words.
        declared: share of calls whose name is offered.
        missing: required arguments left out, over all calls.
        unknown: arguments that the tool does not have.
        mistyped: arguments of another kind than declared, or outside a list of values.
        optional: share of optional arguments that are given.
        grounded: share of argument values that occur in the request.
        ungrounded: argument values that do not.
        named: share of the called names' words that occur in the request.
        offered: the same share for the best of the tools offered.
        repeated: calls that stood before.
    """

    log_tools: float
    log_calls: float
    declared: float
    missing: float
    unknown: float
    mistyped: float
    optional: float
    grounded: float
    ungrounded: float
    named: float
    offered: float
    repeated: float


MOST_CALLS, MOST_TOOLS = 50, 200
"""How many calls and tools are looked at."""

_WORD = re.compile(r"[a-z]{3,}|\d+(?:\.\d+)?")
_NUMERIC = frozenset({"integer", "number", "float", "int", "double", "long"})


def call_features(draft: Draft) -> CallFeatures | None:
    """How an answer uses the tools that its request offers; `None` where it offers none.

    Calls that are written as text count as well.
    """
    tools = _tools(draft.request.payload)
    if not tools:
        return None
    calls = _calls(draft)
    asked = source_text(draft.request, ("user", "tool", "system")).lower()
    words = set(_WORD.findall(asked))
    known = {_plain(name): schema for name, schema in tools[:MOST_TOOLS]}
    counts = _Counts()
    for place, (name, arguments) in enumerate(calls):
        counts.repeated += (name, arguments) in calls[:place]
        counts.look(known.get(name), dict(arguments), asked, words)
    values = max(1, counts.grounded + counts.ungrounded)
    many = max(1, len(calls))
    return CallFeatures(
        log1p(len(tools)),
        log1p(len(calls)),
        counts.declared / many if calls else 1.0,
        float(counts.missing),
        float(counts.unknown),
        float(counts.mistyped),
        counts.optional / max(1, counts.optionals),
        counts.grounded / values if calls else 1.0,
        float(counts.ungrounded),
        sum(_named(name, words) for name, _ in calls) / many,
        max(_named(name, words) for name in known),
        float(counts.repeated),
    )


class _Counts:
    """What is counted over the calls of an answer."""

    def __init__(self) -> None:
        self.declared = self.missing = self.unknown = self.mistyped = self.repeated = 0
        self.optional = self.optionals = self.grounded = self.ungrounded = 0

    def look(self, schema: Any, arguments: Mapping[str, str], asked: str, words: set[str]) -> None:
        """Count one call; `schema` is `None` where its name is not offered."""
        if schema is not None:
            self.declared += 1
            self._against(schema, arguments)
        for value in arguments.values():
            found = _WORD.findall(_unwritten(value))
            there = bool(found) and all(word in words or word in asked for word in found)
            self.grounded += there
            self.ungrounded += bool(found) and not there

    def _against(self, schema: Any, arguments: Mapping[str, str]) -> None:
        inner = schema if isinstance(schema, Mapping) else {}
        listed = inner.get("properties")
        properties = listed if isinstance(listed, Mapping) else {}
        needed = inner.get("required")
        required = {str(name) for name in needed} if isinstance(needed, list | tuple) else set()
        self.missing += len(required - arguments.keys())
        for name, value in arguments.items():
            if name not in properties:
                self.unknown += not name.isdigit()  # one given by its place has no name
            else:
                self.mistyped += not _fits(properties[name], value)
        optional = properties.keys() - required
        self.optionals += len(optional)
        self.optional += len(optional & arguments.keys())


def _tools(payload: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and schemas of the functions that a request offers."""
    found = []
    for key in ("tools", "functions"):
        listed = payload.get(key)
        for tool in listed if isinstance(listed, list | tuple) else ():
            inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
            if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
                found.append((inner["name"], inner.get("parameters")))
    return found


def _calls(draft: Draft) -> Sequence[Call]:
    reply = draft.reply
    if reply.tool_calls:
        return [canonical_call(name, decoded(given)) for name, given in calls_of(reply)][
            :MOST_CALLS
        ]
    return (written_calls(reply.text) or ())[:MOST_CALLS]


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).lower()


def _unwritten(value: str) -> str:
    """A canonical value as words: numbers in digits again."""
    return re.sub(
        r"number:(-?\d+)e(-?\d+)", lambda found: _digits(found[1], int(found[2])), value.lower()
    )


def _digits(digits: str, scale: int) -> str:
    if abs(scale) > 40:  # noqa: PLR2004  no such number stands in a request
        return digits
    return digits + "0" * scale if scale >= 0 else f"{float(f'{digits}e{scale}'):g}"


def _fits(schema: Any, value: str) -> bool:
    """Whether a canonical value is of the declared kind; what is unclear fits."""
    if not isinstance(schema, Mapping):
        return True
    allowed = schema.get("enum")
    if isinstance(allowed, list | tuple) and allowed:
        return value in {canonical_call("", {"": item})[1][0][1] for item in allowed}
    kind = schema.get("type")
    if kind in _NUMERIC:
        return value.startswith('"number:')
    if kind in ("array", "list", "tuple"):
        return value.startswith("[")
    if kind in ("object", "dict"):
        return value.startswith("{")
    return kind not in ("boolean", "bool") or value in ("true", "false")


def _named(name: str, words: set[str]) -> float:
    parts = re.findall(r"[a-z]{3,}", name)
    return sum(part in words for part in parts) / len(parts) if parts else 0.0
