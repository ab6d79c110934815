"""Scorers: how sure can we be that a draft is right?

They use what any scorer may use: the public names of `cascade`.

    from scorers import JsonSchema, LogprobConfidence, first_reject

    gate = first_reject(JsonSchema(TICKET), LogprobConfidence(over="json_values"))

Names are loaded when they are first used: only `JsonSchema` and the rules load their libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorers.canonical import canonical_json, canonical_number, canonical_option, canonical_text
    from scorers.combine import all_of, any_of, first_reject, weighted
    from scorers.earlier import AgreesWithEarlier
    from scorers.json_schema import JsonSchema
    from scorers.logprob import LogprobConfidence
    from scorers.rules import Forbids, LengthBetween, Matches, NoRefusal
    from scorers.self_check import SelfCheck

_HOMES = {
    "scorers.canonical": (
        "canonical_json",
        "canonical_number",
        "canonical_option",
        "canonical_text",
    ),
    "scorers.combine": ("all_of", "any_of", "first_reject", "weighted"),
    "scorers.earlier": ("AgreesWithEarlier",),
    "scorers.json_schema": ("JsonSchema",),
    "scorers.logprob": ("LogprobConfidence",),
    "scorers.rules": ("Forbids", "LengthBetween", "Matches", "NoRefusal"),
    "scorers.self_check": ("SelfCheck",),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AgreesWithEarlier",
    "Forbids",
    "JsonSchema",
    "LengthBetween",
    "LogprobConfidence",
    "Matches",
    "NoRefusal",
    "SelfCheck",
    "all_of",
    "any_of",
    "canonical_json",
    "canonical_number",
    "canonical_option",
    "canonical_text",
    "first_reject",
    "weighted",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'scorers' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
