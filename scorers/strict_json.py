"""Reading JSON from a model strictly, and naming places in it.

Python's reader keeps the last of two equal keys, takes NaN, turns 1e999 into infinity and gives up
on deep nesting with a `RecursionError`. All of that is refused here, in words. Knows no schema.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

__all__ = ["JsonTextError", "broken_prefix", "json_body", "json_path", "read_json"]

MAX_CHARS = 1_000_000
"""Longest text that is read: twice the longest answer of a current model (128,000 tokens)."""

MAX_DEPTH = 100
"""Deepest nesting. Structured outputs allow 10; a recursive schema needs about 7 Python frames per
level, of the 1,000 there are."""

MAX_DIGITS = 308
"""Longest whole number: what a double can still hold. Converting digits takes quadratic time."""

_MARKS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class JsonTextError(ValueError):
    """A text that is not JSON as the standard (RFC 8259) means it; says why and where."""


def read_json(text: str, *, raw_newlines: bool = False) -> Any:
    """Read a JSON text with nothing but white space around it.

    Args:
        text: at most `MAX_CHARS` characters, nested at most `MAX_DEPTH` deep.
        raw_newlines: let line breaks and tabs stand unescaped inside strings, as small models
            write them.

    Raises:
        JsonTextError: it is malformed, repeats a key, holds NaN or Infinity, or exceeds a bound.
    """
    if len(text) > MAX_CHARS:
        raise JsonTextError(f"{len(text):,} characters long; at most {MAX_CHARS:,} are read")
    _check_depth(text)
    if raw_newlines and (found := _CONTROL.search(text)):
        raise JsonTextError(f"control character {found[0]!r} at character {found.start()}")
    try:
        return json.loads(
            text,
            strict=not raw_newlines,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except json.JSONDecodeError as error:
        raise JsonTextError(
            f"not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None


def broken_prefix(text: str) -> str | None:
    """Why no JSON text begins like this; `None` where one may.

    Late rather than wrong: a key that stands twice, say, is found only when all is there.
    """
    import jiter  # noqa: PLC0415  the SDK's own reader, which knows of JSON that is not complete

    data = text.lstrip(" \t\r\n").encode(errors="replace")
    try:
        jiter.from_json(data, partial_mode=True, allow_inf_nan=False, cache_mode="none")
    except ValueError as error:
        # Half of a surrogate pair is one to be completed, or a text that `json` takes as it is.
        unsure = str(error).startswith("EOF") or "hex escape" in str(error)
        return None if unsure else f"not JSON: {error}"
    return None


def json_body(text: str) -> str:
    """The text inside a Markdown code fence (bare or marked `json`), else the text; stripped.

    White space and one fence may surround JSON. Prose may not: guessing where an answer begins
    would find one where there is none.
    """
    body = text.strip()
    if not (body.startswith("```") and body.endswith("```")):
        return body
    mark, newline, rest = body[3:-3].partition("\n")
    return rest.strip() if newline and mark.strip().lower() in ("", "json") else body


def json_path(path: Iterable[str | int]) -> str:
    """A place in a document as `$.items[0].name`; the middle of a very long one is left out."""
    written = ["$"]
    for step in path:
        if isinstance(step, int):
            written.append(f"[{step}]")
        else:
            key = step if len(step) <= 40 else f"{step[:37]}..."  # noqa: PLR2004  keys are untrusted
            written.append(f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{key!r}]")
    place = "".join(written)
    return place if len(place) <= 120 else f"{place[:57]} ... {place[-57:]}"  # noqa: PLR2004


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _MARKS.finditer(text):
        mark = text[found.start()]
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonTextError(f"nested deeper than {MAX_DEPTH} levels")
        elif mark in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise JsonTextError(f"key {key[:40]!r} stands twice in one object")
    return found


def _constant(name: str) -> float:
    raise JsonTextError(f"{name} is no JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonTextError(f"number {digits[:20]} is out of range")
    return value


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise JsonTextError(f"a whole number of {len(digits):,} digits; at most {MAX_DIGITS}")
    return int(digits)
