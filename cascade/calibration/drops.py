"""Why a plan does without a tier or a witness, in words and numbers.

Break-even: asking a tier of relative price r in front of something dearer saves money only where it
keeps a share of more than r of the requests that reach it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cascade.calibration.fitted import Spot
from cascade.calibration.layout import Seen
from cascade.calibration.money import PER_USD
from cascade.calibration.plan import Plan, simulate
from cascade.calibration.plan_path import Dropped
from cascade.calibration.shapes import Shape

__all__ = ["drops"]


def drops(
    plan: Plan, seen: Seen, spots: Mapping[Shape, Sequence[Spot]], refused: Mapping[str, str]
) -> tuple[Dropped, ...]:
    """Every tier and witness that a plan does without, in the recording's order.

    Args:
        plan: the one chosen.
        seen: the requests searched on.
        spots: all that was tried, by shape.
        refused: tiers that could not be tried, with the reason.
    """
    names = seen.recording.names
    missing = [tier for tier, name in enumerate(names) if name not in plan.tiers]
    if not missing:
        return ()
    weights = seen.recording.weights[seen.rows]
    found = simulate(plan, seen.recording, seen.source)
    value = float(found.quality[seen.rows] @ weights)
    cost = float(found.cost_pusd[seen.rows] @ weights)
    made = []
    for tier in missing:
        if names[tier] in refused:
            made.append(Dropped(names[tier], "refused", refused[names[tier]]))
            continue
        tried = [spot for one, listed in spots.items() if tier in one.asked for spot in listed]
        made.append(_reason(tier, seen, tried, value, cost))
    return tuple(made)


def _reason(tier: int, seen: Seen, tried: Sequence[Spot], value: float, cost: float) -> Dropped:
    name = seen.recording.names[tier]
    is_witness = tier in seen.recording.witnesses
    better = None if is_witness else _dominating(tier, seen)
    if not tried:
        what = "no plan with it could be tried: the front has no answer left to compare it with"
        return Dropped(name, "no gain", what)
    enough = [spot for spot in tried if spot.value >= value - 1e-9 * abs(value)]
    if not enough:
        most = max(tried, key=lambda spot: spot.value)
        total = seen.recording.weights[seen.rows].sum()
        return Dropped(
            name,
            "no gain",
            f"no plan with it is as good: {most.value / total:.4f} at best, this one has "
            f"{value / total:.4f}",
        )
    best = min(enough, key=lambda spot: spot.cost)
    more = (best.cost / cost - 1) if cost else 0.0
    extra = f"the cheapest plan with it that is as good costs {_more(more)}"
    numbers = _break_even(tier, seen, best)
    if numbers is not None and numbers[1] <= numbers[0]:
        price, keeps = numbers
        return Dropped(
            name,
            "break-even",
            f"it costs {price:.1%} of what comes after it and keeps {keeps:.1%} of the requests "
            f"that reach it, too few to pay for asking; {extra}",
            price,
            keeps,
        )
    if better is not None:
        return Dropped(name, "dominated", f"{better}; {extra}", *(numbers or ()))
    return Dropped(name, "no gain", extra, *(numbers or ()))


def _more(share: float) -> str:
    if abs(share) < 0.0005:  # noqa: PLR2004  would be written as 0.0 %
        return "as much, and asks more"
    return f"{share:.1%} more" if share > 0 else f"{-share:.1%} less, and asks more"


def _dominating(tier: int, seen: Seen) -> str | None:
    """Another tier that is no worse and costs no more, in words."""
    recording, rows = seen.recording, seen.rows
    weights = recording.weights[rows] / recording.weights[rows].sum()
    quality = weights @ recording.quality[rows]
    cost = weights @ recording.cost_pusd[rows] / PER_USD
    for other in recording.ladder:
        no_worse = quality[other] >= quality[tier] and cost[other] <= cost[tier]
        if other != tier and no_worse and cost[other] >= 0:
            return (
                f"{recording.names[other]!r} is no worse (quality {quality[other]:.4f} against "
                f"{quality[tier]:.4f}) and costs {cost[other]:.3g} USD per request against "
                f"{cost[tier]:.3g}"
            )
    return None


def _break_even(tier: int, seen: Seen, spot: Spot) -> tuple[float, float] | None:
    """Its price relative to what comes after it, and the share it keeps; `None` where it is last.

    Both over the requests that reach it under a plan, at measured cost, signals included.
    """
    recording = seen.recording
    place = spot.shape.asked.index(tier)
    if place == len(spot.shape.steps) - 1:
        return None
    plan = spot.shape.plan(recording.names, spot.thresholds)
    if plan is None:
        return None
    found = simulate(plan, recording, seen.source)
    begin = found.stop - found.calls + 1
    reached = np.zeros(len(recording), bool)
    reached[seen.rows] = True
    reached &= (begin <= place) & (found.stop >= place)
    weights = recording.weights * reached
    if not weights.any():
        return None
    kept = float(weights @ (found.stop == place)) / float(weights.sum())
    asked = spot.shape.asked[: place + 1]
    own = recording.cost_pusd[:, tier] + seen.source.cost_pusd(asked, spot.shape.steps[place][1])
    price = float(weights @ own) / float(weights.sum())
    after = _after(spot.shape, place, seen, weights * (found.stop > place))
    return (price / after, kept) if after else None


def _after(shape: Shape, place: int, seen: Seen, weights: np.ndarray) -> float:
    """Mean cost of the next tier that answers, for requests that go on; for all where none does."""
    recording = seen.recording
    asks = next(a for a, returns in shape.steps[place + 1 :] if a == returns)
    counts = weights if weights.any() else recording.weights
    return float(counts @ recording.cost_pusd[:, asks]) / float(counts.sum())
