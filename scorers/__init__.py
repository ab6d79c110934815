"""Scorers: how sure can we be that a draft is right?

They use what any scorer may use: the public names of `cascade`.

    from scorers import JsonSchema, LogprobConfidence, first_reject

    gate = first_reject(JsonSchema(TICKET), LogprobConfidence(over="json_values"))

In a chain's TOML a scorer has its name in small letters, `{ use = "json_schema", ... }`; the parts
of a combination, and the scorer that is `calibrated`, are in `scorers = [...]`.

Names are loaded when they are first used: only `JsonSchema`, `ToolCalls` and the rules load their
libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scorers.agreement import Agreement
    from scorers.calibration import calibrated
    from scorers.canonical import canonical_json, canonical_number, canonical_option, canonical_text
    from scorers.combine import all_of, any_of, first_reject, weighted
    from scorers.command import Command
    from scorers.decision import Decision
    from scorers.earlier import AgreesWithEarlier
    from scorers.grounded import Grounded
    from scorers.json_schema import JsonSchema
    from scorers.judge import Judge
    from scorers.learned import Learned, LearnedEntry
    from scorers.logprob import LogprobConfidence
    from scorers.reference import Reference
    from scorers.rules import Forbids, LengthBetween, Matches, NoRefusal
    from scorers.self_check import SelfCheck
    from scorers.surface import SurfaceFeatures, surface_features
    from scorers.token_features import LogprobFeatures, logprob_features
    from scorers.tool_calls import ToolCalls

_HOMES = {
    "scorers.agreement": ("Agreement",),
    "scorers.calibration": ("calibrated",),
    "scorers.canonical": (
        "canonical_json",
        "canonical_number",
        "canonical_option",
        "canonical_text",
    ),
    "scorers.combine": ("all_of", "any_of", "first_reject", "weighted"),
    "scorers.command": ("Command",),
    "scorers.decision": ("Decision",),
    "scorers.earlier": ("AgreesWithEarlier",),
    "scorers.grounded": ("Grounded",),
    "scorers.json_schema": ("JsonSchema",),
    "scorers.judge": ("Judge",),
    "scorers.learned": ("Learned", "LearnedEntry"),
    "scorers.logprob": ("LogprobConfidence",),
    "scorers.token_features": (
        "LogprobFeatures",
        "logprob_features",
    ),
    "scorers.reference": ("Reference",),
    "scorers.rules": ("Forbids", "LengthBetween", "Matches", "NoRefusal"),
    "scorers.self_check": ("SelfCheck",),
    "scorers.surface": (
        "SurfaceFeatures",
        "surface_features",
    ),
    "scorers.tool_calls": ("ToolCalls",),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Agreement",
    "AgreesWithEarlier",
    "Command",
    "Decision",
    "Forbids",
    "Grounded",
    "JsonSchema",
    "Judge",
    "Learned",
    "LearnedEntry",
    "LengthBetween",
    "LogprobConfidence",
    "LogprobFeatures",
    "Matches",
    "NoRefusal",
    "Reference",
    "SelfCheck",
    "SurfaceFeatures",
    "ToolCalls",
    "all_of",
    "any_of",
    "calibrated",
    "canonical_json",
    "canonical_number",
    "canonical_option",
    "canonical_text",
    "first_reject",
    "logprob_features",
    "surface_features",
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
