"""Parameters laid over a request's own: a tier's over a payload, in either API's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cascade.forms.api import Api
from cascade.forms.params import OTHER_NAMES, params_for
from cascade.forms.tools import choice_for, tools_for

__all__ = ["laid_over", "lay_over", "without"]

Params = dict[str, Any]
Data = Mapping[str, Any]

PARTED = frozenset({"reasoning", "text"})
"""Objects that hold several settings of Responses."""

PARTED_AS = {"reasoning_effort": "effort", "response_format": "format", "verbosity": "verbosity"}
"""Parameters of Chat and the part of such an object that each of them is."""

LIMITS = (("max_completion_tokens", "max_tokens"), ("max_tokens", "max_completion_tokens"))
"""Two names of one limit on Chat, which refuses a request that holds both."""

SAME_AS: Mapping[Api, Mapping[str, tuple[str, ...]]] = {
    "responses": {
        "max_completion_tokens": ("max_output_tokens",),
        "max_tokens": ("max_output_tokens",),
        "reasoning_effort": ("reasoning.effort",),
        "response_format": ("text.format",),
        "verbosity": ("text.verbosity",),
    },
    "chat": {
        "max_output_tokens": ("max_completion_tokens", "max_tokens"),
        "reasoning": ("reasoning_effort",),
        "text": ("response_format", "verbosity"),
        "include": ("logprobs",),
    },
    "decisions": {},
}
"""What a name of the other API is called in this one."""


def lay_over(payload: Data, params: Data, api: Api) -> Params:
    """A payload of one API with parameters in either API's names laid over it.

    Objects that hold several settings (`text`, `reasoning`) are laid over part by part: a tier's
    verbosity leaves the caller's schema alone.

    Raises:
        NoEquivalent: a parameter of the other API cannot be said here.
    """
    foreign = {name: value for name, value in params.items() if name in OTHER_NAMES[api]}
    own = {name: value for name, value in params.items() if name not in foreign}
    if own.get("tools"):
        own["tools"] = tools_for(own["tools"], api, meant=True)
    if isinstance(own.get("tool_choice"), Mapping):
        own["tool_choice"] = choice_for(own["tool_choice"], api, meant=True)
    laid = laid_over(payload, own)
    for name, value in params_for(foreign, api).items():
        before = laid.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            laid[name] = {**before, **value}
        elif name == "include":
            laid[name] = list(dict.fromkeys([*(before or ()), *value]))
        else:
            laid[name] = value
    return {name: value for name, value in laid.items() if value is not None}


def laid_over(payload: Data, params: Data) -> Params:
    """Parameters laid over a payload of the same API; `None` takes a parameter, or a part, out."""
    laid = {**payload, **params}
    for name in PARTED & params.keys():
        before, value = payload.get(name), params[name]
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            both = {**before, **value}
            laid[name] = {part: given for part, given in both.items() if given is not None} or None
    for limit, other in LIMITS:
        if params.get(limit) is not None and other not in params:
            laid.pop(other, None)
    return {name: value for name, value in laid.items() if value is not None}


def without(payload: Data, params: Data, api: Api) -> Params:
    """A payload of one API without what parameters, in either API's names, will be put for."""
    left = dict(payload)
    for name, value in params.items():
        places = SAME_AS[api].get(name, ())
        if name in PARTED and isinstance(value, Mapping):
            places = tuple(place for place in places if PARTED_AS.get(place) in value)
            places += tuple(f"{name}.{part}" for part in value)
        else:
            left.pop(name, None)
        for place in places:
            key, _, inner = place.partition(".")
            held = left.get(key)
            if not inner:
                left.pop(key, None)
            elif isinstance(held, Mapping):
                left[key] = {part: given for part, given in held.items() if part != inner}
    return left
