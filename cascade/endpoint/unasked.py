"""Log-probabilities that a scorer asked for, and the caller did not.

The API gives none to whoever does not ask, and they are most of an answer's bytes: the caller is
shown what the API would have written. The trace keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_not
from typing import Any

from cascade.forms.api import Api
from cascade.forms.params import LOGPROBS
from cascade.wire.faults import OBJECT

__all__ = ["asks_logprobs", "without_logprobs"]

Data = Mapping[str, Any]


def asks_logprobs(api: Api, payload: Data) -> bool:
    """Whether a request asks for log-probabilities."""
    if api == "chat":
        return bool(payload.get("logprobs"))
    include = payload.get("include")
    return isinstance(include, list | tuple) and LOGPROBS in include


def without_logprobs(api: Api, data: Data) -> Data:
    """An answer, a chunk or an event as it comes to whoever did not ask for log-probabilities.

    The very same data where it holds none.
    """
    return _chat(data) if api == "chat" else _responses(data)


def _chat(data: Data) -> Data:
    choices = data.get("choices")
    if not isinstance(choices, list):
        return data
    new = [_silent(choice) for choice in choices]
    return {**data, "choices": new} if any(map(is_not, new, choices)) else data


def _silent(choice: Any) -> Any:
    if isinstance(choice, OBJECT) and choice.get("logprobs") is not None:
        return {**choice, "logprobs": None}
    return choice


def _responses(data: Data) -> Data:
    """A response, an event, an item or a part: each may hold some itself, or in a smaller one."""
    made: dict[str, Any] = {}
    if data.get("logprobs"):
        made["logprobs"] = []
    for name in ("response", "item", "part", "output", "content"):
        held = data.get(name)
        new = _held(held)
        if new is not held:
            made[name] = new
    return {**data, **made} if made else data


def _held(held: Any) -> Any:
    if isinstance(held, OBJECT):
        return _responses(held)
    if not isinstance(held, list):
        return held
    new = [_held(part) for part in held]
    return new if any(map(is_not, new, held)) else held
