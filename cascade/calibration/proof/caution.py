"""The order in which a path is certified: from plans that risk least to plans that save most.

A path found by searching begins with the plan that looked best on the learn part, which is not the
one that is safest: it may keep many answers, and have been lucky. Testing in a fixed order costs
nothing for further plans in front, so safer ones are put there. All of it is read off the learn
part; the certify part is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cascade.calibration.plan import Plan, ScoreSource, Step, simulate
from cascade.calibration.proof.losses import path_losses
from cascade.calibration.proof.saving import cost_share, saves
from cascade.calibration.recording import Recording

__all__ = ["cautious_order"]

DEVIATIONS = 2.0
"""How many standard errors of its loss are held against a plan."""

KEEP = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the first plan's accepted answers, the surest, that the plans put in front keep."""


def cautious_order(
    plans: Sequence[Plan], recording: Recording, source: ScoreSource, *, in_front: bool = True
) -> tuple[Plan, ...]:
    """Order plans for certifying, the top tier alone first.

    Plans that cost no less than the top tier (see `saves`) are left out, and those that are dearer
    than another and risk no less. In front come variants of the first that accept its surest
    answers only.

    Args:
        plans: in any order.
        recording: the learn part.
        source: its scores, by a model that did not see the labels of the request it scores.
        in_front: put safer plans in front. Leave it out where the certify part holds fewer
            requests than `labels_without_harm`: what does next to nothing cannot pass there, and
            would keep a plan that gains from being tested.

    Raises:
        RecordingError: the recording cannot tell, or has no labels.
    """
    top = Plan((Step(recording.names[recording.top]),))
    ordered = _safest_first([plan for plan in plans if plan != top], recording, source)
    if not ordered or not in_front:
        return (top, *ordered)
    return (top, *_more_careful(ordered[0], recording, source), *ordered)


def _safest_first(
    plans: Sequence[Plan], recording: Recording, source: ScoreSource
) -> tuple[Plan, ...]:
    """Plans that nothing beats in both risk and cost, the dearest first."""
    if not plans:
        return ()
    found = path_losses(plans, recording, source)
    weights = recording.weights[found.kept]
    spread = np.sqrt((found.loss**2 * weights**2).sum(1) + 1)  # one more: none seen is not none
    risk = (found.loss * weights).sum(1) + DEVIATIONS * spread
    cost = np.array([cost_share(outcome, recording) or 0.0 for outcome in found.outcomes])
    chosen: list[int] = []
    for place in np.lexsort((risk, cost)):  # cheapest first: a dearer one must risk less
        safer = not chosen or risk[place] < risk[chosen[-1]]
        if safer and saves(found.outcomes[place], recording):
            chosen.append(int(place))
    return tuple(found.plans[place] for place in reversed(chosen))


def _more_careful(plan: Plan, recording: Recording, source: ScoreSource) -> Iterator[Plan]:
    """The same plan with higher thresholds, the most careful first, as far as they save money."""
    found = simulate(plan, recording, source)
    before = None
    for share in KEEP:
        steps = []
        for place, step in enumerate(plan.steps[:-1]):
            accepted = found.score[(found.stop == place) & ~np.isnan(found.score)]
            surest = np.quantile(accepted, 1 - share, method="higher") if len(accepted) else 0.0
            steps.append(replace(step, threshold=max(step.threshold, float(surest))))
        made = Plan((*steps, plan.steps[-1]), plan.gate)
        if made not in (plan, before) and saves(simulate(made, recording, source), recording):
            yield made
        before = made
