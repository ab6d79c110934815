"""What each step of a plan contributes: how often it is asked, what it returns, what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.findings import TierShare
from cascade.calibration.money import Pico, known_usd, total_of
from cascade.calibration.plan import Asked, Bools, Outcomes, Plan, ScoreSource
from cascade.calibration.recording import Recording

__all__ = ["Turn", "mean_of", "tier_shares", "turns"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Turn:
    """The requests that a step was reached by along one way.

    Attributes:
        place: index of the step.
        tier: index of the recorded tier it asks.
        returns: index of the tier whose answer it judges.
        asked: tiers asked so far, in order, the current one last.
        rows: mask of the requests that reached it, shape (n,).
        judged: mask of those whose answer a scorer got to see; none at the last step.
    """

    place: int
    tier: int
    returns: int
    asked: Asked
    rows: Bools
    judged: Bools


def turns(plan: Plan, recording: Recording, found: Outcomes) -> Iterator[Turn]:
    """Every step of a plan along every way into it, in the plan's order."""
    begin = found.stop - found.calls + 1
    last = len(plan.steps) - 1
    starts = [0] if plan.gate is None else [0, plan.tiers.index(plan.gate.start_at)]
    for place, step in enumerate(plan.steps):
        tier, returns = recording.index(step.asks), recording.index(step.returns)
        for start in starts:
            rows = (begin == start) & (found.stop >= place)
            if start > place:
                continue
            asked = tuple(recording.index(one.asks) for one in plan.steps[start : place + 1])
            judged = rows & recording.usable[:, returns] & recording.answered[:, tier]
            if place == last:
                judged = np.zeros(len(rows), bool)
            yield Turn(place, tier, returns, asked, rows, judged)


def tier_shares(
    plan: Plan,
    recording: Recording,
    source: ScoreSource,
    found: Outcomes,
    *,
    top_scorer: Pico | None = None,
) -> tuple[TierShare, ...]:
    """The contribution of each tier and witness of a plan, in its order.

    Args:
        plan: what was simulated.
        recording: on what.
        source: with whose scores.
        found: what came of it.
        top_scorer: what judging the last tier's answers costs, where a chain pays for that.
    """
    asked = np.zeros((len(plan.steps), len(recording)), bool)
    scoring = [0] * len(plan.steps)
    for turn in turns(plan, recording, found):
        asked[turn.place] |= turn.rows
        if turn.judged.any():
            scoring[turn.place] += total_of(source.cost_pusd(turn.asked, turn.returns)[turn.judged])
    if top_scorer is not None:
        scoring[-1] += total_of(top_scorer)
    shares = []
    for place, step in enumerate(plan.steps):
        tier = recording.index(step.asks)
        returned = found.returned == tier
        quality = found.quality[returned]
        is_known = len(quality) > 0 and not np.isnan(quality).any()
        shares.append(
            TierShare(
                step.asks,
                mean_of(asked[place], recording.weights),
                mean_of(returned, recording.weights),
                known_usd(total_of(recording.cost_pusd[:, tier][asked[place]])),
                known_usd(scoring[place]),
                mean_of(quality, recording.weights[returned]) if is_known else None,
            )
        )
    return tuple(shares)


def mean_of(values: NDArray[np.generic], weights: Floats) -> float:
    """The weighted mean."""
    return float(np.average(np.asarray(values, float), weights=weights))
