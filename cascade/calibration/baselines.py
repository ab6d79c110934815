"""What a plan must be compared with: everything simpler, and what no plan can beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cascade.calibration.findings import Estimate
from cascade.calibration.plan import Plan

__all__ = ["Baseline", "Kind"]

Kind = Literal["single", "mix", "pair", "oracle"]
"""One model for all requests; two models at random; two tiers and one threshold; hindsight."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Something simpler than the plan (or, for an oracle, out of its reach) on the same requests.

    Attributes:
        name: e.g. "always top", "best pair at equal quality", "oracle router".
        kind: what sort of thing it is.
        what: its definition, in words, with the tiers it uses.
        cost: USD per request; `None` where there is no such thing on this recording.
        quality: mean quality.
        plan: the plan that it is, where it is one.
        reason: why there is none.
    """

    name: str
    kind: Kind
    what: str
    cost: Estimate | None
    quality: Estimate | None
    plan: Plan | None = None
    reason: str = ""
