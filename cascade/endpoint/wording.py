"""What is wrong with a call, in the words and with the codes of the API: for JSON, not for Python.

A request is checked where it is made, for callers of either kind; what that finds is told here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cascade.core.plain_json import NotJson
from cascade.endpoint.faults import BadCall, shown
from cascade.errors import RequestError

__all__ = ["missing", "told", "unknown", "wrong_type"]

LONGEST_WORDS = 1_000
"""Characters of a message, which may repeat what it is about."""

KINDS: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
}
"""What JSON calls what it was read as; anything else is an object."""

Finder = Callable[[str, Any], BadCall | None]


def missing(name: str) -> BadCall:
    """A parameter that must be there."""
    words = f"Missing required parameter: '{name}'."
    return BadCall(words, param=name, code="missing_required_parameter")


def unknown(name: str, hint: str = "") -> BadCall:
    """A parameter that an endpoint does not have."""
    words = f"Unknown parameter: '{name}'.{hint}"
    return BadCall(words, param=name, code="unknown_parameter")


def wrong_type(name: str, expected: str, value: object) -> BadCall:
    """A value of another kind than its parameter takes."""
    found = KINDS.get(type(value), "an object")
    words = f"Invalid type for '{name}': expected {expected}, but got {found} instead."
    return BadCall(words, param=name, code="invalid_type")


def told(error: RequestError, payload: Mapping[str, Any]) -> BadCall:
    """What a request's fault is called where its body came over HTTP."""
    param = error.param
    if isinstance(error, NotJson):  # of what was read from JSON, only a number like 1e999 can be
        words = f"Invalid value for '{param}': a number in it is too large to be passed on."
        return BadCall(words, param=param)
    if param is not None and param in FINDERS:
        found = FINDERS[param](param, payload.get(param))
        if found is not None:
            return found
    words = error.why
    if len(words) > LONGEST_WORDS:
        words = f"{words[:LONGEST_WORDS]}..."
    return BadCall(words, param=param, code=error.code)


def _messages(name: str, value: Any) -> BadCall | None:
    if not isinstance(value, list):
        return wrong_type(name, "an array of objects", value)
    if not value:
        words = f"Invalid '{name}': expected at least one message, but got an empty array instead."
        return BadCall(words, param=name, code="empty_array")
    for index, message in enumerate(value):
        place = f"{name}[{index}]"
        if not isinstance(message, Mapping):
            return wrong_type(place, "an object", message)
        role = message.get("role")
        if role is None:
            return missing(f"{place}.role")
        if not isinstance(role, str):
            return wrong_type(f"{place}.role", "a string", role)
    return None


def _input(name: str, value: Any) -> BadCall | None:
    if not isinstance(value, str | list):
        return wrong_type(name, "a string or an array of objects", value)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        place = f"{name}[{index}]"
        if not isinstance(item, Mapping):
            return wrong_type(place, "an object", item)
        if not ({"role", "type"} & item.keys()):
            return missing(f"{place}.role")
    return None


def _number(name: str, value: Any) -> BadCall | None:
    return None if type(value) is int else wrong_type(name, "an integer", value)


def _answers(name: str, value: Any) -> BadCall | None:
    if type(value) is not int:
        return wrong_type(name, "an integer", value)
    if value < 1:
        words = (
            f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got "
            f"{shown(value)} instead."
        )
        return BadCall(words, param=name, code="integer_below_min_value")
    words = (
        f"Unsupported value: '{name}' does not support {shown(value)} with this model, which gives "
        "one answer at a time. Leave it out, and call again for more."
    )
    return BadCall(words, param=name, code="unsupported_value")


def _format(name: str, value: Any) -> BadCall | None:
    if not isinstance(value, Mapping):
        return wrong_type(name, "an object", value)
    return None if "type" in value else missing(f"{name}.type")


def _background(name: str, value: Any) -> BadCall | None:
    if not isinstance(value, bool):
        return wrong_type(name, "a boolean", value)
    words = (
        f"Unsupported value: '{name}' does not support true with this model, which answers at once."
        " Leave it out."
    )
    return BadCall(words, param=name, code="unsupported_value")


FINDERS: Mapping[str, Finder] = {
    "background": _background,
    "input": _input,
    "max_completion_tokens": _number,
    "max_output_tokens": _number,
    "max_tokens": _number,
    "messages": _messages,
    "n": _answers,
    "response_format": _format,
    "text_format": _format,
}
"""Who finds what is wrong with a parameter; `None` where it is nothing that JSON has words for."""
