"""Short hashes of what decides an answer or a score, to notice that it has changed since."""

from __future__ import annotations

import hashlib
import json

from cascade.core.chain import settings_of_scorer
from cascade.core.tier import Tier

__all__ = ["fingerprint", "scorer_fingerprint", "tier_fingerprint"]


def tier_fingerprint(tier: Tier) -> str:
    """What decides a tier's answers: model, parameters (schema, effort), preamble, API."""
    return fingerprint([tier.model, dict(tier.params), tier.preamble, tier.api, tier.base_model])


def scorer_fingerprint(scorer: object) -> str:
    """What decides a scorer's scores: its kind, its settings and its parts; "" for none."""
    return "" if scorer is None else fingerprint(settings_of_scorer(scorer))


def fingerprint(data: object) -> str:
    """16 hexadecimal digits of the SHA-256 of data as canonical JSON."""
    text = json.dumps(data, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
