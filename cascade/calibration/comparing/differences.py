"""A plan beside the top tier on the same requests, paired: cost, quality, harm and gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.bootstrap import Bootstrap, bootstrap_of
from cascade.calibration.comparing.findings import Estimate
from cascade.calibration.comparing.shares import mean_of
from cascade.calibration.money import in_usd
from cascade.calibration.plan import Outcomes
from cascade.calibration.proof.intervals import clopper_pearson, net_harm_interval
from cascade.calibration.recording import Recording

__all__ = ["Differences", "differences"]

Floats = NDArray[np.float64]


class Numbers(TypedDict):
    """Those fields of a `WhatIf`."""

    cost: Estimate
    cost_ratio: Estimate | None
    top_cost: Estimate | None
    quality: Estimate | None
    top_quality: Estimate | None
    quality_difference: Estimate | None
    retention: float | None
    harm: Estimate | None
    gain: Estimate | None
    net: Estimate | None
    graded: bool


@dataclass(frozen=True, slots=True)
class Differences:
    """What was found, and what could not be."""

    numbers: Numbers
    notes: tuple[str, ...]


def differences(
    recording: Recording,
    found: Outcomes,
    against: str,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Differences:
    """Compare a plan with always asking the top tier.

    Intervals are paired bootstrap intervals over groups. Those of harm, gain and net harm are exact
    where quality is 0 or 1 and requests are independent and weigh the same.

    Args:
        recording: what was answered.
        found: what the plan made of it; its costs are known.
        against: the top tier's name.
        confidence: of the intervals.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    top = recording.index(against)
    boot = bootstrap_of(recording, confidence=confidence, resamples=resamples, seed=seed)
    columns = {
        "cost": in_usd(found.cost_pusd),
        "top_cost": in_usd(recording.cost_pusd[:, top]),
        "quality": found.quality,
        "top_quality": recording.quality[:, top],
    }
    unknown = {name: int(np.isnan(column).sum()) for name, column in columns.items()}
    notes = (*_unknown(len(recording), against, unknown), *_one_group(boot))
    known = {name: column for name, column in columns.items() if not unknown[name]}
    if {"quality", "top_quality"} <= known.keys():
        loss = known["top_quality"] - known["quality"]
        known |= {"harm": np.maximum(loss, 0), "gain": np.maximum(-loss, 0), "net": loss}
    drawn = boot.means(np.stack(list(known.values())).T)
    draws = dict(zip(known, drawn.T, strict=True))
    means = {name: mean_of(column, recording.weights) for name, column in known.items()}
    made = {name: boot.estimate(means[name], draws[name]) for name in known}
    if "harm" in known and not boot.is_one_group and _is_exact(boot, known["harm"], known["gain"]):
        made |= _exact(known["harm"], known["gain"], confidence)
    ratio = None
    if "top_cost" in known and means["top_cost"] > 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = draws["cost"] / draws["top_cost"]
        ratio = boot.estimate(means["cost"] / means["top_cost"], shares)
    difference = retention = None
    if "net" in known:
        difference = boot.estimate(-means["net"], -draws["net"])
        retention = means["quality"] / means["top_quality"] if means["top_quality"] else None
    return Differences(
        Numbers(
            cost=made["cost"],
            cost_ratio=ratio,
            top_cost=made.get("top_cost"),
            quality=made.get("quality"),
            top_quality=made.get("top_quality"),
            quality_difference=difference,
            retention=retention,
            harm=made.get("harm"),
            gain=made.get("gain"),
            net=made.get("net"),
            graded="harm" in known and not _are_shares(known["harm"], known["gain"]),
        ),
        notes,
    )


def _unknown(n: int, top: str, count: dict[str, int]) -> tuple[str, ...]:
    """What the recording does not know, in words; `count` says of how many of n requests."""
    remedy = "label them, or leave them out, to see"
    words = {
        "top_cost": f"what {top!r} cost is not known for {count['top_cost']} of {n} requests: "
        "there is no cost ratio",
        "quality": f"the quality of {count['quality']} of {n} returned answers is not known: "
        f"{remedy} quality, harm and gain",
        "top_quality": f"the quality of {count['top_quality']} of {n} answers of {top!r} is not "
        f"known: {remedy} harm and gain",
    }
    return tuple(note for name, note in words.items() if count[name])


ONE_GROUP = (
    "all requests are one group: nothing tells how far numbers would vary, so that they have no "
    "intervals; two groups at least are needed"
)


def _one_group(boot: Bootstrap) -> tuple[str, ...]:
    if not boot.is_one_group:
        return ()
    return (ONE_GROUP,)


def _is_exact(boot: Bootstrap, harm: Floats, gain: Floats) -> bool:
    """Whether counts tell all: quality 0 or 1, independent requests, equal weights."""
    independent = boot.count == len(harm) and bool((boot.weights == boot.weights[0]).all())
    return independent and _are_shares(harm, gain)


def _are_shares(harm: Floats, gain: Floats) -> bool:
    """Whether an answer is worse or better by all of its quality: means of them are shares."""
    return all(bool(((column == 0) | (column == 1)).all()) for column in (harm, gain))


def _exact(harm: Floats, gain: Floats, confidence: float) -> dict[str, Estimate]:
    n, harms, gains = len(harm), int(harm.sum()), int(gain.sum())
    return {
        "harm": Estimate(harms / n, *clopper_pearson(harms, n, confidence)),
        "gain": Estimate(gains / n, *clopper_pearson(gains, n, confidence)),
        "net": Estimate((harms - gains) / n, *net_harm_interval(harms, gains, n, confidence)),
    }
