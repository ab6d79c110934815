"""A tier of a chain as a recording remembers it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import CodeType
from typing import Any

from cascade.calibration.fingerprint import scorer_fingerprint, tier_fingerprint
from cascade.calibration.recording import RecordedTier, Role
from cascade.core.chain import Chain
from cascade.core.scoring import parts_of, scorer_name
from cascade.core.tier import Tier

__all__ = ["reads_earlier", "recorded_tier"]


def recorded_tier(chain: Chain, tier: Tier, role: Role = "tier") -> RecordedTier:
    """What of a tier must stay the same for its recorded answers and scores to hold."""
    price = chain.price(tier)
    scored = tier.scorer is not None
    return RecordedTier(
        name=tier.name,
        model=tier.model,
        role=role,
        settings=tier_fingerprint(tier),
        scorer=scorer_name(tier.scorer) if scored else "",
        scorer_settings=scorer_fingerprint(tier.scorer),
        threshold=float(tier.threshold) if scored else None,
        scorer_reads_earlier=reads_earlier(tier.scorer),
        price=price.to_dict() if price is not None else None,
    )


def reads_earlier(scorer: object) -> bool:
    """Whether a scorer, or one that it holds, looks at the answers of lower tiers.

    A scorer may say so itself, with an attribute `reads_earlier`; else its code tells, as far as it
    names `earlier` in the function that is called. What a helper reads further down is not seen.
    """
    if scorer is None:
        return False
    said = getattr(scorer, "reads_earlier", None)
    if isinstance(said, bool):
        return said
    return any(map(reads_earlier, parts_of(scorer))) or any(
        "earlier" in code.co_names for code in _codes(_code_of(scorer))
    )


def _code_of(scorer: Any) -> CodeType | None:
    if isinstance(scorer, partial):
        return _code_of(scorer.func)
    own = hasattr(scorer, "__code__")
    called = scorer if own else getattr(type(scorer), "__call__", None)  # noqa: B004  its code
    return getattr(called, "__code__", None)


def _codes(code: CodeType | None) -> Iterator[CodeType]:
    """A function's code and that of the functions within."""
    if code is None:
        return
    yield code
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _codes(item)
