"""Why a plan does without a tier or a witness, in words and numbers.

Break-even: asking a tier of relative price r in front of something dearer saves money only where it
keeps a share of more than r of the requests that reach it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.money import PER_USD
from cascade.calibration.plan import Plan, simulate
from cascade.calibration.search.fitted import Spot
from cascade.calibration.search.layout import Seen
from cascade.calibration.search.plan_path import Dropped
from cascade.calibration.search.shapes import Shape
from cascade.calibration.search.tried import Tried
from cascade.percent import percent

__all__ = ["drops"]


def drops(plan: Plan, spot: Spot, tried: Tried, refused: Mapping[str, str]) -> tuple[Dropped, ...]:
    """Every tier and witness that a plan does without, in the recording's order.

    Args:
        plan: the one chosen.
        spot: where it stands among what was tried.
        tried: all that was tried.
        refused: tiers that could not be tried, with the reason.
    """
    made = []
    for tier, name in enumerate(tried.seen.recording.names):
        if name in refused:
            made.append(Dropped(name, "refused", refused[name]))
        elif name not in plan.tiers:
            made.append(_reason(tier, spot, tried))
    return tuple(made)


def _reason(tier: int, chosen: Spot, tried: Tried) -> Dropped:
    seen = tried.seen
    name = seen.recording.names[tier]
    best, most = tried.cheapest_with(tier, chosen.value * (1 - 1e-9))
    if best is None and not most:
        why = "no plan with it was tried: none that it could be added to was good enough"
        return Dropped(name, "no gain", why)
    if best is None:
        total = seen.recording.weights[seen.rows].sum()
        extra = (
            f"no plan with it is as good: a quality of {most / total:.4f} may be expected at best, "
            f"of this plan {chosen.value / total:.4f}"
        )
    else:
        more = (best.cost / chosen.cost - 1) if chosen.cost else 0.0
        extra = f"the cheapest plan with it that is as good costs {_more(more)}"
    numbers = None if best is None else _break_even(tier, seen, best)
    if numbers is not None and numbers[1] <= numbers[0]:
        price, keeps = numbers
        return Dropped(
            name,
            "break-even",
            f"it costs {percent(price)} of what comes after it and keeps {percent(keeps)} of the "
            f"requests that reach it, too few to pay for asking; {extra}",
            price,
            keeps,
        )
    better = None if tier in seen.recording.witnesses else _dominating(tier, seen)
    if better is not None:
        return Dropped(name, "dominated", f"{better}; {extra}", *(numbers or ()))
    return Dropped(name, "no gain", extra, *(numbers or ()))


def _more(share: float) -> str:
    if abs(share) < 0.0005:  # noqa: PLR2004  would be written as 0.0 %
        return "as much"
    if share > 0:
        return f"{percent(share)} more"
    return f"{percent(-share)} less, too little to ask one tier more for it"


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


def _after(shape: Shape, place: int, seen: Seen, weights: NDArray[np.float64]) -> float:
    """Mean cost of the next tier that answers, for requests that go on; for all where none does."""
    recording = seen.recording
    asks = next(a for a, returns in shape.steps[place + 1 :] if a == returns)
    counts = weights if weights.any() else recording.weights
    return float(counts @ recording.cost_pusd[:, asks]) / float(counts.sum())
