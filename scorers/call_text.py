r"""Tool calls that a model wrote as text: JSON of several shapes, or calls as in Python.

Reads `[{"name": "f", "arguments": {"a": 1}}]`, `[{"f": "{\"a\": 1}"}]` and `[f(a=1, b='x'), g()]`
into one form: names in small letters, arguments without order, values in canonical form. Nothing is
evaluated. Knows no tools: it cannot tell a default that was written out from one left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from scorers.canonical import canonical_value
from scorers.strict_json import JsonTextError, json_body, read_json

__all__ = ["Call", "canonical_call", "written_calls"]

Call = tuple[str, tuple[tuple[str, str], ...]]
"""A name, and (argument, canonical value) sorted by argument."""

MAX_CHARS = 20_000
"""Longest text that is read as calls."""

MAX_DEPTH = 40
"""Deepest nesting of brackets in a call's arguments."""

_STARTS = re.compile(r"[\s\[`]*[A-Za-z_][\w.]*\(")
_TOKENS = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\[\](){},;:=]|[^\s\[\](){},;:='"]+|\s+|.""", re.DOTALL
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_WORDS = {"true": True, "false": False, "none": None, "null": None}


class _NoCallsError(ValueError):
    """The text holds no calls."""


def canonical_call(name: object, arguments: Any) -> Call:
    """One call in canonical form; "a.b" and "a_b" are one name, as APIs that forbid dots write it.

    Args:
        name: of the function.
        arguments: a mapping, or anything else, which then counts as one argument "".
    """
    given = arguments if isinstance(arguments, Mapping) else {"": arguments}
    pairs = ((str(key), _text_of(value)) for key, value in given.items())
    return re.sub(r"\W+", "_", str(name)).lower(), tuple(sorted(pairs))


def written_calls(text: str) -> tuple[Call, ...] | None:
    """The calls that a text consists of, sorted; `None` where it is something else."""
    body = json_body(text)
    if len(body) > MAX_CHARS or not body:
        return None
    if body[0] in "[{" and '"' in body:
        found = _from_json(body)
        if found is not None:
            return found
    if not _STARTS.match(body):
        return None
    try:
        return tuple(sorted(_Reader(body).calls()))
    except _NoCallsError:
        return None


def _from_json(body: str) -> tuple[Call, ...] | None:
    try:
        document = read_json(body, raw_newlines=True)
    except JsonTextError:
        return None
    items = document if isinstance(document, list) else [document]
    calls = [_call_of(item, alone=items is not document) for item in items]
    if not calls or None in calls:
        return None
    return tuple(sorted(call for call in calls if call is not None))


def _call_of(item: Any, *, alone: bool) -> Call | None:
    """A decoded item as a call; `alone` asks for more certainty that it is one."""
    if isinstance(item, list):
        named = len(item) == 2 and isinstance(item[0], str) and isinstance(item[1], Mapping)  # noqa: PLR2004
        return canonical_call(*item) if named else None
    if not isinstance(item, Mapping):
        return None
    inner = item.get("function")
    if isinstance(inner, Mapping):
        item = inner
    name = item.get("name")
    for key in ("arguments", "parameters", "args", "input"):
        if isinstance(name, str) and key in item:
            return canonical_call(name, _decoded(item[key]))
    if len(item) == 1:
        [(name, given)] = item.items()
        arguments = _decoded(given)
        if isinstance(arguments, Mapping) and not (alone and isinstance(given, Mapping)):
            return canonical_call(name, arguments)
    return None


def _decoded(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return read_json(given, raw_newlines=True) if given.strip() else {}
    except JsonTextError:
        return given


def _text_of(value: Any) -> str:
    """A value as text, equal for equal values; text that holds JSON equals that JSON."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        value = _decoded(value)
    return json.dumps(canonical_value(value), sort_keys=True, ensure_ascii=False)


class _Reader:
    """Reads `f(a=1, b=[g(2)]); h()`, forwards only, without evaluating anything."""

    def __init__(self, text: str) -> None:
        self._tokens = [token for token in _TOKENS.findall(text.strip("` \n;")) if token.strip()]
        self._at = 0

    def calls(self) -> list[Call]:
        """All calls of the text, which may stand in one list.

        Raises:
            _NoCallsError: it is anything else.
        """
        listed = self._peek() == "["
        self._at += listed
        found = []
        while self._peek() not in ("", "]"):
            found.append(self._call())
            if self._peek() in (",", ";"):
                self._at += 1
        rest = self._tokens[self._at :]
        if not found or rest != (["]"] if listed else []):
            raise _NoCallsError
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise _NoCallsError
        self._at += 1
        return token

    def _call(self) -> Call:
        name = self._next()
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name) or self._next() != "(":
            raise _NoCallsError
        arguments: dict[str, Any] = {}
        while self._peek() != ")":
            key, following = self._peek(), self._tokens[self._at + 1 : self._at + 2]
            if following == ["="] and key.isidentifier():
                self._at += 2
            else:
                key = str(len(arguments))
            arguments[key] = self._value(0)
            if self._peek() == ",":
                self._at += 1
            elif self._peek() != ")":
                raise _NoCallsError
        self._at += 1
        return canonical_call(name, arguments)

    def _value(self, depth: int) -> Any:
        """A value up to the next comma or closing bracket; what is no literal stays as text."""
        if depth > MAX_DEPTH:
            raise _NoCallsError
        pieces: list[Any] = []
        while self._peek() not in (",", ";", ")", "]", "}", ":"):
            token = self._next()
            pieces.append(self._inside(token, depth) if token in _CLOSES else _leaf(token))
        if len(pieces) == 1:
            return pieces[0]
        return "".join(map(_shown, pieces)) if pieces else ""

    def _inside(self, opening: str, depth: int) -> Any:
        closing, items, pairs = _CLOSES[opening], [], {}
        while self._peek() != closing:
            item = self._value(depth + 1)
            if self._peek() == ":":
                self._at += 1
                pairs[_shown(item)] = self._value(depth + 1)
            else:
                items.append(item)
            if self._peek() in (",", ";"):
                self._at += 1
            elif self._peek() != closing:
                raise _NoCallsError
        self._at += 1
        return pairs if opening == "{" and not items else items


def _leaf(token: str) -> Any:
    if token[0] in "'\"" and len(token) > 1:
        return token[1:-1].replace("\\" + token[0], token[0])
    return _WORDS.get(token.lower(), token)


def _shown(piece: Any) -> str:
    return piece if isinstance(piece, str) else json.dumps(piece)
