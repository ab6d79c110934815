"""What a call says to the cascade itself, beside what it asks of a model.

It rides in the body's `cascade` object (the SDK's `extra_body={"cascade": {...}}`), or in headers
`x-cascade-...` of the same names. Neither is sent upstream. Where both say something the body wins;
tags are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from cascade.core.budget import Budget
from cascade.core.labels import MAX_TAG, parent_id_of, tags_of
from cascade.core.tier import is_positive
from cascade.endpoint.faults import BadCall, shown
from cascade.errors import ConfigError, RequestError
from cascade.wire.faults import MalformedReply, decode

__all__ = ["FIELD", "NAMES", "own_options"]

FIELD = "cascade"
"""The key of the body that holds them, and under which an answer tells what it cost."""

PREFIX = "x-cascade-"

MOST_TAGS = 64
"""Each is a row of its own wherever traces are kept."""

LONGEST_AMOUNT = 60
"""Characters of an amount; a budget of more digits is not meant."""


def own_options(given: object, headers: Mapping[str, str]) -> dict[str, Any]:
    """The options of a call, checked.

    Args:
        given: the body's `cascade` object, or `None`.
        headers: headers of the call.

    Raises:
        BadCall: an option nobody knows, or a value that cannot be meant.
    """
    said = {
        lowered[len(PREFIX) :].replace("-", "_"): value
        for name, value in headers.items()
        if (lowered := name.lower()).startswith(PREFIX)
    }
    if not said and given is None:
        return {}
    if given is not None and not isinstance(given, Mapping):
        raise BadCall(f"cascade is {shown(given)}: expected an object", param=FIELD)
    options = {name: _read(name, value, "header") for name, value in said.items()}
    for name, value in (given or {}).items():
        if value is None:
            continue
        read = _read(name, value, "body")
        options[name] = (*options.get(name, ()), *read) if name == "tags" else read
    return options


def _read(name: str, value: Any, place: str) -> Any:
    where = f"{FIELD}.{name[:MAX_TAG]}"
    if name not in READERS:
        known = ", ".join(sorted(NAMES))
        raise BadCall(f"Unknown parameter: '{where}'. There are {known}.", param=where)
    if place == "header" and name in SPELLED:
        value = SPELLED[name](value)
    try:
        return READERS[name](value)
    except (ConfigError, RequestError, MalformedReply) as error:
        raise BadCall(f"Invalid value for '{where}': {error}", param=where) from error


def _budget(value: Any) -> Budget:
    if not isinstance(value, str | int | float) or len(str(value)) > LONGEST_AMOUNT:
        raise ConfigError(f"{shown(value)} is no amount in US dollars; expected e.g. '0.05'")
    return Budget(cast("str", value))  # a float is refused there, with the reason


def _seconds(value: Any) -> float:
    try:
        if is_positive(value):
            return float(value)
    except OverflowError:  # a whole number that is larger than any other
        pass
    raise ConfigError(f"{shown(value)} is not a number of seconds above 0")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TAG:
        raise ConfigError(f"{shown(value)} is no text of 1 to {MAX_TAG} characters")
    return value


def _parent(value: Any) -> str:
    return parent_id_of(_name(value))


def _tags(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{shown(value)} is no list of short texts")
    if len(value) > MOST_TAGS:
        raise ConfigError(f"{len(value)} tags are too many; expected at most {MOST_TAGS}")
    return tags_of([_name(tag) for tag in value])


def _labels(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{shown(value)} is no object of labels")
    return value


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text  # refused as it stands


def _listed(text: str) -> list[str]:
    return [tag.strip() for tag in text.split(",") if tag.strip()]


def _decoded(text: str) -> Any:
    try:
        return decode(text, "the header")
    except MalformedReply:
        return text


READERS: Mapping[str, Callable[[Any], Any]] = {
    "budget": _budget,
    "deadline_s": _seconds,
    "start_at": _name,
    "stop_at": _name,
    "conversation": _name,
    "tags": _tags,
    "parent": _parent,
    "metadata": _labels,
}

SPELLED: Mapping[str, Callable[[str], Any]] = {
    "deadline_s": _number,
    "tags": _listed,
    "metadata": _decoded,
}
"""How a header spells what is no text."""

NAMES = frozenset(READERS)
