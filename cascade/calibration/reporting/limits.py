"""What a report does not say: the sentences that keep its numbers honest."""

from __future__ import annotations

import numpy as np

from cascade.calibration.comparison import Comparison
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.method import TOP_TIER
from cascade.calibration.reporting.words import percent

__all__ = ["limits_of"]


def limits_of(recording: Recording, comparison: Comparison, *, certified: bool) -> tuple[str, ...]:
    """The limits that apply to this recording, the most important ones first."""
    top = comparison.top
    limits = []
    if certified:
        limits.append(
            "The promise is about the average over requests like the recorded ones. Single "
            f"requests do get a worse answer than {top} gives; some are shown above."
        )
    elif comparison.chosen is not None:
        limits.append(
            "Nothing here is a promise. The numbers describe the recorded requests; a plan that "
            "was chosen on the same requests looks better on them than it will be."
        )
    if comparison.path:
        limits.append(
            "The line of plans found is measured on requests that plans were searched on, and "
            "flatters them. Only the certificate rests on requests that nothing was chosen on."
        )
    limits += _about_quality(recording, top)
    limits.append(
        "Other requests than the recorded ones, another model behind the same name, another prompt "
        "or schema can change everything; costs follow the prices of the day they were recorded."
    )
    if comparison.chosen is not None and len(comparison.chosen.plan.steps) > 1:
        limits.append(
            "Requests that climb wait for every tier on their way: the time saved or lost is the "
            "mean of what was recorded, tiers asked one after another."
        )
    if comparison.oracle_cascade:
        limits.append("The oracles know the right answers beforehand. They are no target.")
    return tuple(limits)


def _about_quality(recording: Recording, top: str) -> list[str]:
    if np.isnan(recording.quality).all():
        return ["Quality is unknown: this report says what requests cost, not what they are worth."]
    limits = []
    about = recording.about
    if about.quality == TOP_TIER:
        limits.append(
            f"Quality is agreement with {top}. A right answer that differs from that of {top} "
            f"counts as wrong, and where {top} is wrong, agreeing with it counts as right."
        )
    if about.self_disagreement:
        limits.append(
            f"{top} itself answers differently in {percent(about.self_disagreement)} of double "
            "calls: differences smaller than that mean nothing."
        )
    return limits
