"""What a report does not say: the sentences that keep its numbers honest."""

from __future__ import annotations

import numpy as np

from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.method import TOP_TIER
from cascade.calibration.reporting.words import percent

__all__ = ["limits_of"]

FRESH = (
    "The plans found were searched on other requests than these. The promise is of the chosen one "
    "alone: to pick another from the line by what it shows here would be choosing on the test."
)

FLATTERED = (
    "The line of plans found may be measured on requests that plans were searched on, which "
    "flatters them. Only a certificate rests on requests that nothing was chosen on."
)


def limits_of(
    recording: Recording, comparison: Comparison, *, certified: bool, fresh: bool = False
) -> tuple[str, ...]:
    """The limits that apply to this recording, the most important ones first.

    Args:
        recording: reported on.
        comparison: of it.
        certified: there is a certificate that holds.
        fresh: its requests are those that the certificate was tested on.
    """
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
        limits.append(FRESH if fresh else FLATTERED)
    limits += _about_quality(recording, recording.names[recording.top])
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
