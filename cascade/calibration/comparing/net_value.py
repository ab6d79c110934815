"""The net value of a scorer: what it costs, what it catches, and what would be without it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from cascade.calibration.comparing.curves import CLOSE, hull_of
from cascade.calibration.comparing.named_judges import judge_of
from cascade.calibration.comparing.pairs import Pairs
from cascade.calibration.comparing.shares import mean_of, turns
from cascade.calibration.money import UNKNOWN, Pico, in_usd, known_usd, total_of
from cascade.calibration.plan import Asked, Bools, Floats, Outcomes, Plan, ScoreSource, simulate
from cascade.calibration.recording import Recording
from cascade.errors import CascadeError

__all__ = ["Alternative", "NetValue", "net_values"]

DECIMALS = 12
"""Of a difference of dollars: beyond picodollars it is noise of floating sums, which has a sign."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """The plan without one scorer.

    Attributes:
        what: "accept all at nano", "drop nano" or the like.
        cost_usd: USD per request; `None` where the recording cannot tell.
        quality: mean quality.
        reason: why it cannot be told.
    """

    what: str
    cost_usd: float | None
    quality: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NetValue:
    """What the scorer of one step is worth. Wrong and right weigh by quality where it is graded.

    Attributes:
        step: the tier or witness whose step it judges at.
        returns: the tier whose answer is judged.
        scorer: its name, "" where it is not known.
        judged: requests whose answer it judged.
        accepted: requests whose answer it accepted.
        cost_usd: exact cost of its own calls, and for a witness of the answers bought, in all.
        caught: wrong answers that it rejected.
        false_rejects: right answers that it rejected.
        false_accepts: wrong answers that it accepted.
        alternatives: the plan without it.
        cost_without_usd: cheapest way to the plan's quality without this scorer, in USD per
            request: a random mix of the alternatives and of single models, or the best pair that
            does not use it; `None` where nothing reaches it.
        net_usd: `cost_without_usd` minus the plan's cost: what it saves per request at equal
            quality; negative where the plan is cheaper without it.
        without: what that cheapest way is, in words; "" where there is none.
    """

    step: str
    returns: str
    scorer: str
    judged: int
    accepted: int
    cost_usd: Decimal
    caught: float
    false_rejects: float
    false_accepts: float
    alternatives: tuple[Alternative, ...]
    cost_without_usd: float | None
    net_usd: float | None
    without: str = ""

    @property
    def is_worth_it(self) -> bool:
        """Whether equal quality without it costs more, or cannot be had."""
        return self.net_usd is None or self.net_usd > 0


def net_values(
    plan: Plan,
    recording: Recording,
    source: ScoreSource,
    found: Outcomes,
    *,
    stands: Bools | None = None,
    pairs: Pairs | None = None,
) -> tuple[NetValue, ...]:
    """The net value of every scorer of a plan, in its order.

    Args:
        plan: what was simulated.
        recording: on what, with known costs and qualities of what the plan reaches.
        source: with whose scores.
        found: what came of it.
        stands: see `simulate`.
        pairs: plans of two tiers, which a scorer has to be worth more than as well.
    """
    told = _Told(plan, recording, source, found, stands, pairs)
    return tuple(_of_step(place, told) for place in range(len(plan.steps) - 1))


@dataclass(frozen=True, eq=False)
class _Told:
    """A simulated plan with all it was simulated from."""

    plan: Plan
    recording: Recording
    source: ScoreSource
    found: Outcomes
    stands: Bools | None
    pairs: Pairs | None


def _judge(source: ScoreSource, recording: Recording, asks: int, returns: int) -> str:
    """The name of what judges a step: as its source says, else as it was recorded."""
    named = judge_of(source, asks)
    return recording.tiers[returns].scorer if named is None else named


def _of_step(place: int, told: _Told) -> NetValue:
    plan, recording, source, found = told.plan, told.recording, told.source, told.found
    step = plan.steps[place]
    asks, returns = recording.index(step.asks), recording.index(step.returns)
    judged, cost = np.zeros(len(recording), bool), 0
    for turn in turns(plan, recording, found):
        if turn.place != place:
            continue
        judged |= turn.judged
        cost += total_of(source.cost_pusd(turn.asked, turn.returns)[turn.judged])
        if step.is_witness:
            cost += total_of(recording.cost_pusd[turn.rows, asks])
    accepted = judged & (found.stop == place) & (found.returned == returns)
    right = np.nan_to_num(recording.quality[:, returns])
    rejected = judged & ~accepted
    others = _without(place, told)
    plan_cost = mean_of(in_usd(found.cost_pusd), recording.weights)
    quality = mean_of(found.quality, recording.weights)
    without, way = _cheapest_without("" if step.is_witness else step.asks, others, told, quality)
    return NetValue(
        step=step.asks,
        returns=step.returns,
        scorer=_judge(source, recording, asks, returns),
        judged=int(judged.sum()),
        accepted=int(accepted.sum()),
        cost_usd=known_usd(cost),
        caught=float((1 - right[rejected]).sum()),
        false_rejects=float(right[rejected].sum()),
        false_accepts=float((1 - right[accepted]).sum()),
        alternatives=others,
        cost_without_usd=without,
        net_usd=None if without is None else round(without - plan_cost, DECIMALS),
        without=way,
    )


def _without(place: int, told: _Told) -> tuple[Alternative, ...]:
    """The plan with everything accepted at a step, and without the step."""
    plan, step = told.plan, told.plan.steps[place]
    made = []
    if not step.is_witness:
        everything = _AllAt(told.source, told.recording.index(step.asks))
        made.append(_priced(f"accept all at {step.asks}", plan, told, everything))
    rest = tuple(one for one in plan.steps if step.asks not in (one.asks, one.returns))
    gate = plan.gate
    if gate is not None and (place == 0 or gate.start_at not in [one.asks for one in rest[1:]]):
        gate = None
    made.append(_priced(f"drop {step.asks}", Plan(rest, gate), told, told.source))
    return tuple(made)


def _priced(what: str, plan: Plan, told: _Told, source: ScoreSource) -> Alternative:
    try:
        found = simulate(plan, told.recording, source, stands=told.stands)
    except CascadeError as error:
        return Alternative(what, None, None, str(error))
    if (found.cost_pusd == UNKNOWN).any() or np.isnan(found.quality).any():
        return Alternative(what, None, None, "a cost or a quality on its way is not known")
    weights = told.recording.weights
    cost = mean_of(in_usd(found.cost_pusd), weights)
    return Alternative(what, cost, mean_of(found.quality, weights))


def _cheapest_without(
    judged: str, others: tuple[Alternative, ...], told: _Told, quality: float
) -> tuple[float | None, str]:
    """The least cost of a quality without a scorer, and what costs that; `None` for nothing.

    Args:
        judged: the tier whose own answers the scorer judges; "" for the scorer of a witness.
        others: the plan without it.
        told: the plan.
        quality: to be reached.
    """
    ways = [_mixed(others, told.recording, quality)]
    if told.pairs is not None and (pair := told.pairs.without(judged, quality)) is not None:
        ways.append((pair[1], str(pair[0])))
    known = [way for way in ways if way is not None]
    return min(known, key=lambda way: way[0], default=(None, ""))


def _mixed(
    others: tuple[Alternative, ...], recording: Recording, quality: float
) -> tuple[float, str] | None:
    """The cheapest random mix of the alternatives and of single models with a quality."""
    points = [
        (other.cost_usd, other.quality, other.what)
        for other in others
        if other.cost_usd is not None and other.quality is not None
    ]
    for tier in recording.ladder:
        cost, right = recording.cost_pusd[:, tier], recording.quality[:, tier]
        if not (cost == UNKNOWN).any() and not np.isnan(right).any():
            weights = recording.weights
            mean = mean_of(in_usd(cost), weights), mean_of(right, weights)
            points.append((*mean, f"{recording.names[tier]} alone"))
    if not points:
        return None
    costs, rights, words = zip(*points, strict=True)
    mix = hull_of(costs, rights).mix_at(quality)
    if mix is None:
        return None
    first, second, share = mix
    cost = (1 - share) * costs[first] + share * costs[second]
    if share <= CLOSE or share >= 1 - CLOSE:
        return cost, words[first if share <= CLOSE else second]
    return cost, f"{words[first]} or {words[second]}, by lot"


class _AllAt:
    """Scores under which one tier's every usable answer is accepted, unjudged."""

    def __init__(self, source: ScoreSource, tier: int) -> None:
        self._source = source
        self._tier = tier

    def scores(self, asked: Asked, returns: int) -> Floats:
        """1 for that tier, else the source's."""
        if (asked[-1], returns) == (self._tier, self._tier):
            return np.ones(len(self._source.cost_pusd(asked, returns)))
        return self._source.scores(asked, returns)

    def cost_pusd(self, asked: Asked, returns: int) -> Pico:
        """Nothing for that tier, else the source's."""
        cost = self._source.cost_pusd(asked, returns)
        return np.zeros_like(cost) if asked[-1] == self._tier else cost

    def gate(self, tier: int) -> Floats:
        """The source's."""
        return self._source.gate(tier)
