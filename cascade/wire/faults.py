"""What is no answer, and reading JSON that servers write in many ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from cascade.core.usage import Usage

__all__ = [
    "OBJECT",
    "ErrorFrame",
    "MalformedReply",
    "decode",
    "error_in",
    "kind_of",
    "text_or_none",
]

OBJECT = (dict, Mapping)
"""For `isinstance` where every event of a stream is looked at: asking the abstract class first
takes ten times as long."""

NO_NUMBERS = {"NaN": None, "Infinity": None, "-Infinity": -9999.0}
"""What Python's writers put where JSON has no number, and how it is read: as none, or as OpenAI's
own marker for "no probability to speak of"."""


class MalformedReply(ValueError):  # noqa: N818  becomes a failure of kind "malformed"
    """A 200 that holds no answer.

    Attributes:
        usage: what it says was used, where it says so: it is paid all the same.
        service_tier: the tier it names.
        error: the error object it carries instead of an answer.
    """

    def __init__(self, message: str, error: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.error = error


class ErrorFrame(MalformedReply):
    """An error inside a stream that had begun with a 200: the server stopped working on it."""


def decode(data: bytes | str, what: str = "the reply") -> Any:
    """Decode JSON from a server.

    Raises:
        MalformedReply: it is no JSON, or nested too deep to be one's answer.
    """
    try:
        return _parser()(data if isinstance(data, bytes) else data.encode(), allow_inf_nan=False)
    except ValueError:  # it reads less than json does, the same way, in a third of the time
        return _decode_slowly(data, what)


@cache  # an import, even of what is there, takes as long as reading the event of a stream
def _parser() -> Callable[..., Any]:
    from jiter import from_json  # noqa: PLC0415  with the first reply; the SDK's own parser

    return from_json


def _decode_slowly(data: bytes | str, what: str) -> Any:
    try:
        return json.loads(data, parse_constant=NO_NUMBERS.__getitem__)
    except (ValueError, RecursionError):
        start = data[:60].decode(errors="replace") if isinstance(data, bytes) else data[:60]
        raise MalformedReply(f"{what} is no JSON: {start!r}") from None


def error_in(body: Mapping[str, Any], words: str) -> tuple[str, Mapping[str, Any]]:
    """An error object where an answer was expected: in words, and as data."""
    error = body["error"]
    inner = error if isinstance(error, Mapping) else {"message": str(error)}
    return f"{words}: {str(inner.get('message') or inner)[:200]}", inner


def text_or_none(value: object) -> str | None:
    """Text that is not empty; anything else is none."""
    return value if isinstance(value, str) and value else None


def kind_of(value: object) -> str:
    """What was found where something else was expected, in words."""
    if isinstance(value, str):
        return f"text {value.strip()[:60]!r}"
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:60]}"
