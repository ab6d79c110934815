"""How the report's numbers were measured, what the recording does not hold, and the prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.money import UNKNOWN
from cascade.calibration.proof.losses import is_graded
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.view import Fact, PriceLine
from cascade.calibration.reporting.words import count, percent

__all__ = ["gaps_of", "method_of", "prices_of"]

TOP_TIER = "top tier"
"""`About.quality` where quality is agreement with the top tier's answer."""


def method_of(recording: Recording, comparison: Comparison) -> tuple[Fact, ...]:
    """How quality, costs and intervals came about, and which requests they rest on."""
    about, judge = recording.about, recording.names[recording.top]  # whose answers grade others
    facts = [
        Fact("recording", about.source or "unknown"),
        Fact("made", about.created_at or "unknown"),
        Fact("chain", f"{about.chain} {about.chain_digest}".strip() or "none"),
        Fact("quality", _quality_words(recording, judge)),
        Fact("self-disagreement d0", _self_disagreement(recording, judge)),
        Fact("requests", _requests(recording)),
        Fact("content", f"policy “{about.content}”"),
    ]
    if comparison.chosen is not None:
        facts += _of_chosen(comparison.chosen, exact=_is_exact(recording))
    return tuple(facts)


def _quality_words(recording: Recording, top: str) -> str:
    name = recording.about.quality
    if np.isnan(recording.quality).all():
        return "unknown: no answer is labelled"
    if name == TOP_TIER:
        return f"agreement with {top}: an answer counts as right where it equals that of {top}"
    graded = ", graded in [0, 1]" if is_graded(recording) else ""
    return f"{name or 'as the source gives it'}{graded}"


def _self_disagreement(recording: Recording, top: str) -> str:
    about = recording.about
    if about.self_disagreement is None:
        return f"not measured: how often {top} contradicts itself is unknown"
    calls = count(about.self_disagreement_calls, "double call")
    return f"{percent(about.self_disagreement)} of {calls} of {top} gave two different answers"


def _requests(recording: Recording) -> str:
    parts = [count(len(recording), "request")]
    groups = len(set(recording.groups))
    if groups != len(recording):
        parts.append(f"in {count(groups, 'group')}")
    parts += [_named("slices", recording.slices), _named("splits", recording.splits)]
    if np.ptp(recording.weights) > 0:
        parts.append("weighted")
    return ", ".join(part for part in parts if part)


def _named(what: str, names: Iterable[str]) -> str:
    """How many requests carry each name, where any does."""
    found, counts = np.unique([str(name) for name in names], return_counts=True)
    if list(found) == [""]:
        return ""
    shown = [f"{name or 'none'} {number:,}" for name, number in zip(found, counts, strict=True)]
    return f"{what}: {'; '.join(shown[:12])}{' …' if len(shown) > 12 else ''}"  # noqa: PLR2004


def _is_exact(recording: Recording) -> bool:
    """Whether harm and gain are counts of independent requests; see `differences`."""
    alone = len(set(recording.groups)) == len(recording) and np.ptp(recording.weights) == 0
    return bool(alone and not is_graded(recording))


def _of_chosen(found: WhatIf, *, exact: bool) -> list[Fact]:
    drawn = f"whole groups ({found.resamples:,} resamples, seed {found.seed})"
    words = f"by paired bootstrap over {drawn}"
    return [
        Fact("prices", found.prices),
        Fact(
            "intervals",
            f"{percent(found.confidence, 0)}, "
            f"{f'of cost and quality {words}, of harm and gain exact' if exact else words}",
        ),
        Fact("replay", f"digest of every decision and cost: {found.digest}"),
    ]


def gaps_of(recording: Recording) -> tuple[str, ...]:
    """What is unknown, tier by tier; nothing of it counts as 0 anywhere."""
    gaps = []
    for j, tier in enumerate(recording.tiers):
        answered = recording.answered[:, j]
        silent = int((~answered).sum())
        unlabelled = int(np.isnan(recording.quality[:, j]).sum())
        unpriced = int((recording.cost_pusd[:, j] == UNKNOWN).sum())
        failed = int(((recording.score_kind[:, j] > 1) & answered).sum())
        for number, words in (
            (silent, "no answer to"),
            (unlabelled, "unknown quality of"),
            (unpriced, "unknown cost of"),
            (failed, "a scorer that abstained or failed on"),
        ):
            if number:
                gaps.append(f"{tier.name}: {words} {number:,} of {len(recording):,} requests")
    return tuple(gaps)


def prices_of(recording: Recording) -> tuple[PriceLine, ...]:
    """What each tier was charged by."""
    return tuple(_price(tier.name, tier.model, tier.price) for tier in recording.tiers)


def _price(name: str, model: str, price: Mapping[str, Any] | None) -> PriceLine:
    rates = (price or {}).get("standard")
    if not isinstance(rates, Mapping):
        rates = {}
    return PriceLine(
        tier=name,
        model=model,
        id=str((price or {}).get("id", "")),
        input=str(rates.get("input", "")),
        cached=str(rates.get("cached_input", "")),
        output=str(rates.get("output", "")),
    )
