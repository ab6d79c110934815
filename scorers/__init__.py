"""Scorers: how sure can we be that a draft is right?

They use what any scorer may use: the public names of `cascade`.

    from scorers import JsonSchema, LogprobConfidence, first_reject

    gate = first_reject(JsonSchema(TICKET), LogprobConfidence(over="json_values"))
"""

from __future__ import annotations

from scorers.canonical import (
    canonical_json,
    canonical_number,
    canonical_option,
    canonical_text,
)
from scorers.combine import all_of, any_of, first_reject, weighted
from scorers.earlier import AgreesWithEarlier
from scorers.json_schema import JsonSchema
from scorers.logprob import LogprobConfidence
from scorers.rules import Forbids, LengthBetween, Matches, NoRefusal
from scorers.self_check import SelfCheck

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
