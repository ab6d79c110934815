"""The plan of a path that the labels carry, and what they say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.plan import Outcomes, Plan
from cascade.calibration.proof.attempts import Attempt

__all__ = ["CertifiedPoint", "SlicePromise", "Test"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

Test = Literal["exact", "betting"]
"""The exact matched-pairs test for right and wrong, or the betting martingale for all else."""


@dataclass(frozen=True, slots=True)
class SlicePromise:
    """The promise on one slice of the traffic.

    Attributes:
        name: of the slice.
        n: requests.
        harm: requests that the plan answers worse than the top tier.
        gain: requests that it answers better.
        p: of the certified plan.
        spent: error that this slice may make.
    """

    name: str
    n: int
    harm: int
    gain: int
    p: float
    spent: float


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedPoint:
    """The last plan of a path that the labels carry.

    Attributes:
        plan: certified.
        index: its place on the path.
        outcomes: what it does with the requests.
        loss: quality of the top tier minus that of its answers, of the kept requests.
        unknown: kept requests that count as harm because a quality is not known.
        kept: requests that were tested, shape (n,).
        units: independent observations among them: requests, or groups.
        share: how much each kept request counts in the promised mean; adds up to 1.
        net_harm: that mean, as seen.
        heaviest: the weight above which none counted more; `None` where all counted the same.
        test: that was used.
        p: of the certified plan; the largest where slices have promises of their own.
        p_values: of all plans that were tested, in order; nothing for slices.
        epsilon: margin, a share.
        delta: error allowed.
        spent: error this attempt may make, over all slices.
        attempt: as the ledger counts it; `None` without one.
        slices: promises of their own.
    """

    plan: Plan
    index: int
    outcomes: Outcomes
    loss: Floats
    unknown: int
    kept: Bools
    units: int
    share: Floats
    net_harm: float
    heaviest: float | None
    test: Test
    p: float
    p_values: tuple[float, ...]
    epsilon: float
    delta: float
    spent: float
    attempt: Attempt | None
    slices: tuple[SlicePromise, ...]
