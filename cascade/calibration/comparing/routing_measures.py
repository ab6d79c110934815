"""The measures by which routers are compared in print, each as its paper defines it."""

from __future__ import annotations

from math import log2

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.curves import area

__all__ = ["apgr", "cpt", "gap_recovered", "ibc", "ibc_lift", "recovery_curve", "routerarena_score"]

Floats = NDArray[np.float64]

BETA, DEAREST, CHEAPEST = 0.1, 200.0, 0.0044
"""RouterArena's weight of cost, and its cost range in USD per 1,000 requests."""


def gap_recovered(quality: float, weak: float, strong: float) -> float | None:
    """PGR: the share of the gap between a weak and a strong model that is recovered.

    `None` where the two are equally good.

    Source:
        Ong et al., RouteLLM, arXiv 2406.18665, section 3.
    """
    return None if strong == weak else (quality - weak) / (strong - weak)


def recovery_curve(scores: Floats, weak: Floats, strong: Floats) -> tuple[Floats, Floats] | None:
    """PGR against the share of requests that the strong model answers.

    Requests with the lowest score go to the strong model first; equal scores go in random order,
    whose expectation is a straight line.

    Args:
        scores: how sure the weak model's answer is, shape (n,); NaN ranks lowest.
        weak: quality of the weak model's answers, shape (n,).
        strong: of the strong one's.

    Returns:
        Shares from 0 to 1 and PGR there, at the ends of ties; `None` where both are equally good.
    """
    gap = float(strong.sum() - weak.sum())
    if gap == 0:
        return None
    order = np.argsort(np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    ranked = np.where(np.isnan(scores), -np.inf, scores)[order]
    gains = np.concatenate([[0.0], np.cumsum((strong - weak)[order])])
    ends = np.concatenate([[0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, [len(ranked)]])
    return ends / len(ranked), gains[ends] / gap


def apgr(scores: Floats, weak: Floats, strong: Floats) -> float | None:
    """APGR: the area under `recovery_curve`; random routing has 0.5.

    Source:
        Ong et al., RouteLLM, arXiv 2406.18665, section 3. For two models only; it counts strong
        calls, not money, and ignores the cheap calls that a cascade pays.
    """
    curve = recovery_curve(scores, weak, strong)
    return None if curve is None else area(*curve)


def cpt(share: float, scores: Floats, weak: Floats, strong: Floats) -> float | None:
    """CPT(x): the smallest share of strong calls that recovers a share of the gap.

    Args:
        share: of the gap, e.g. 0.5.
        scores: as in `recovery_curve`; so are the others.
        weak: quality of the weak model's answers.
        strong: quality of the strong model's.

    Returns:
        In [0, 1]; `None` where the share is never recovered or there is no gap.

    Source:
        Ong et al., RouteLLM, arXiv 2406.18665, section 3.
    """
    curve = recovery_curve(scores, weak, strong)
    if curve is None:
        return None
    calls, recovered = curve
    reached = np.flatnonzero(recovered >= share)
    if not len(reached):
        return None
    at = int(reached[0])
    if at == 0:
        return 0.0
    low, high = recovered[at - 1], recovered[at]
    return float(calls[at - 1] + (calls[at] - calls[at - 1]) * (share - low) / (high - low))


def ibc(quality: float, cost: float, weak_quality: float, weak_cost: float) -> float | None:
    """IBC: quality gained over the small model per dollar spent beyond it.

    `None` where nothing more is spent; unstable near it.

    Source:
        Aggarwal et al., AutoMix, arXiv 2310.12963, section 4.
    """
    return None if cost == weak_cost else (quality - weak_quality) / (cost - weak_cost)


def ibc_lift(found: float | None, base: float | None) -> float | None:
    """The lift of a plan's IBC over that of the line from the small to the large model, as a share.

    Source:
        Aggarwal et al., AutoMix, arXiv 2310.12963, section 4 (there in per cent).
    """
    return None if found is None or not base else (found - base) / base


def routerarena_score(accuracy: float, cost_usd: float) -> float | None:
    """RouterArena's score: accuracy and the logarithm of cost, with most weight on accuracy.

    Args:
        accuracy: A, mean quality in [0, 1].
        cost_usd: c, USD per 1,000 requests; costs outside the range 0.0044 to 200 count as its
            ends.

    Returns:
        (1 + b) A C / (b A + C) with b = 0.1, C = log2(200 / c) / log2(200 / 0.0044); in [0, 1].
        `None` for a cost below 0.

    Source:
        RouterArena, arXiv 2510.00202.
    """
    if cost_usd < 0:
        return None
    cost = min(max(cost_usd, CHEAPEST), DEAREST)
    cheap = log2(DEAREST / cost) / log2(DEAREST / CHEAPEST)
    below = BETA * accuracy + cheap
    return (1 + BETA) * accuracy * cheap / below if below else 0.0
