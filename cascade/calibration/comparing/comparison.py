"""A plan beside everything simpler, in one value: what a report and a table are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cascade.calibration.checked_recording import checked_recording
from cascade.calibration.comparing.as_data import as_data
from cascade.calibration.comparing.baselines import Baseline, Simpler, baselines
from cascade.calibration.comparing.bootstrap import Bootstrap, bootstrap_of
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.comparing.measures import metrics_of
from cascade.calibration.comparing.net_value import NetValue, net_values
from cascade.calibration.comparing.oracles import Oracle
from cascade.calibration.comparing.points import Curve, Point
from cascade.calibration.comparing.price_list import Prices
from cascade.calibration.comparing.question import Question, compared_with, question_of
from cascade.calibration.comparing.reliability import Reliability, reliability
from cascade.calibration.comparing.repricing import missing_rates, reprice
from cascade.calibration.comparing.shares import mean_of
from cascade.calibration.comparing.whatif import what_if
from cascade.calibration.money import in_usd
from cascade.calibration.plan import Floats, Outcomes, Plan, ScoreSource, Step, simulate
from cascade.calibration.recording import Recording
from cascade.core.chain import Chain
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.calibration.comparing.findings import Estimate
    from cascade.calibration.search.plan_path import PlanPath

__all__ = ["Comparison", "compare", "compare_again"]

CORNERS = 200
"""Points of an oracle's curve that are kept: more cannot be told apart in a picture."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A recording's plans, baselines and scorers side by side.

    Attributes:
        chosen: the plan in question; `None` where none was given.
        path: the searched plans from the cheapest to always-top, as priced on this recording.
        singles: every tier alone, in the recording's order.
        baselines: everything simpler, at equal cost and at equal quality, and the oracles.
        mixing: the hull of all single models: what random mixing reaches.
        oracle_router: what hindsight reaches that asks one tier per request.
        oracle_cascade: what hindsight reaches that pays for every tier up to the one that is right.
        scorers: net value of each scorer of the chosen plan.
        reliability: how far the scores of each of its steps can be believed.
        metrics: numbers by name; `cascade.calibration.comparing.measures.DEFINITIONS` says what
            each means. `None` where it is not defined on this recording.
        harm_rows: indices of requests that the chosen plan answers worse than the top tier, the
            worst first.
        gain_rows: indices of requests that it answers better.
        top: name of the top tier: the one that the chosen plan is compared with.
        notes: what a reader must know.
        no_pairs: the same: why tiers begin no pair of the baselines.
    """

    chosen: WhatIf | None
    path: Curve
    singles: Curve
    baselines: tuple[Baseline, ...]
    mixing: Curve
    oracle_router: Curve
    oracle_cascade: Curve
    scorers: tuple[NetValue, ...]
    reliability: tuple[Reliability, ...]
    metrics: Mapping[str, float | None]
    harm_rows: tuple[int, ...]
    gain_rows: tuple[int, ...]
    top: str
    notes: tuple[str, ...]
    no_pairs: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data; amounts are `Decimal`."""
        return {spec.name: as_data(getattr(self, spec.name)) for spec in fields(self)}


def compare(
    recording: Recording,
    source: ScoreSource | None = None,
    *,
    chosen: Chain | Plan | None = None,
    path: PlanPath | None = None,
    thresholds: Mapping[str, float] | None = None,
    prices: Prices | None = None,
    batch: bool = False,
    cached: float | None = None,
    against: str | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Put a plan beside everything simpler, on the same requests and the same draws.

    Args:
        recording: what the tiers answered, with quality.
        source: scores, e.g. those of `learn(...)`; the chain's own scorers' unless given.
        chosen: the chain or plan in question; without one, baselines stand beside always-top.
        path: the searched plans; they are priced again on this recording.
        thresholds: as in `what_if`.
        prices: as in `what_if`.
        batch: as in `what_if`.
        cached: as in `what_if`.
        against: as in `what_if`.
        confidence: of all intervals.
        resamples: of the paired bootstrap.
        seed: of the bootstrap.

    Raises:
        RecordingError: as `what_if`; or a tier's cost or quality is not known for every request.
        ConfigError: as `what_if`.
    """
    checked_recording(recording, "compare")
    priced = reprice(recording, prices=prices, batch=batch, cached=cached)
    boot = bootstrap_of(priced, confidence=confidence, resamples=resamples, seed=seed)
    asked = Plan((Step(compared_with(None, priced, against)),)) if chosen is None else chosen
    question = question_of(asked, priced, thresholds=thresholds, source=source, against=against)
    rates = missing_rates(recording, prices=prices, batch=batch)
    simpler = Simpler(
        priced,
        question.source,
        rates,
        plan=question.plan,
        stands=question.stands,
        top=question.top,
        unjudged=question.unjudged,
    )
    found = what_if(
        asked,
        recording,
        thresholds=thresholds,
        prices=prices,
        batch=batch,
        cached=cached,
        source=source,
        against=against,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
    quality = cast("Estimate", found.quality)  # `Simpler` has found every quality known
    curve, notes = _path(path, priced, question.source)
    beside = baselines(simpler, cost=found.cost.value, quality=quality.value, boot=boot)
    shown = None if chosen is None else found
    harm, gain = _changed(found.outcomes, priced, priced.index(found.top))
    return Comparison(
        chosen=shown,
        path=curve,
        singles=_singles(simpler),
        baselines=beside,
        mixing=_curve(simpler.mixing.cost, simpler.mixing.quality),
        oracle_router=_oracle(simpler.router),
        oracle_cascade=_oracle(simpler.cascade),
        scorers=_scorers(question, simpler, found) if chosen is not None else (),
        reliability=_reliability(question, priced, found, boot) if chosen is not None else (),
        metrics=metrics_of(simpler, question.source, shown, curve),
        harm_rows=harm,
        gain_rows=gain,
        top=found.top,
        notes=(*found.notes, *notes),
        no_pairs=simpler.pairs.reasons,
    )


def compare_again(
    comparison: Comparison,
    recording: Recording,
    source: ScoreSource,
    found: WhatIf,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Comparison:
    """The same comparison, its baselines beside another plan and their pairs by other scores.

    Args:
        comparison: of the recording.
        recording: that it was made of, at its own prices.
        source: scores of first answers, for the pairs.
        found: what the plan does that the baselines are to stand beside.
        confidence: as for `compare`.
        resamples: as for `compare`.
        seed: as for `compare`.
    """
    boot = bootstrap_of(recording, confidence=confidence, resamples=resamples, seed=seed)
    simpler = Simpler(recording, source, plan=found.plan, top=comparison.top)
    quality = cast("Estimate", found.quality)
    beside = baselines(simpler, cost=found.cost.value, quality=quality.value, boot=boot)
    return replace(comparison, baselines=beside, no_pairs=simpler.pairs.reasons)


def _scorers(question: Question, simpler: Simpler, found: WhatIf) -> tuple[NetValue, ...]:
    values = net_values(
        question.plan,
        simpler.recording,
        question.source,
        found.outcomes,
        stands=question.stands,
        pairs=simpler.pairs,
    )
    return tuple(one for one in values if one.step not in question.unjudged)


def _reliability(
    question: Question, recording: Recording, found: WhatIf, boot: Bootstrap
) -> tuple[Reliability, ...]:
    made = reliability(question.plan, recording, question.source, found.outcomes, boot)
    return tuple(one for one in made if one.step not in question.unjudged)


def _path(
    path: PlanPath | None, recording: Recording, source: ScoreSource
) -> tuple[Curve, tuple[str, ...]]:
    """The searched plans, decided on this recording; those that it cannot decide are named."""
    points, notes = [], []
    for searched in path.points if path is not None else ():
        plan = searched.plan
        try:
            found = simulate(plan, recording, source)
        except RecordingError as error:
            notes.append(f"plan {plan}: {error}")
            continue
        cost = mean_of(in_usd(found.cost_pusd), recording.weights)
        quality = mean_of(found.quality, recording.weights)
        if np.isnan(cost) or np.isnan(quality):
            notes.append(f"plan {plan}: a cost or a quality on its way is not known")
            continue
        points.append(Point(cost, quality, str(plan), plan))
    return tuple(points), tuple(notes)


def _singles(simpler: Simpler) -> Curve:
    return tuple(
        Point(float(cost), float(quality), name, Plan((Step(name),)))
        for name, cost, quality in zip(
            simpler.names, simpler.mean_cost, simpler.mean_quality, strict=True
        )
    )


def _curve(cost: Floats, quality: Floats) -> Curve:
    return tuple(Point(float(c), float(q)) for c, q in zip(cost, quality, strict=True))


def _oracle(oracle: Oracle) -> Curve:
    """An oracle's curve, thinned."""
    kept = np.unique(np.linspace(0, len(oracle.cost) - 1, CORNERS).round().astype(np.int64))
    return _curve(oracle.cost[kept], oracle.quality[kept])


def _changed(
    found: Outcomes, recording: Recording, top: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Requests answered worse than by the top tier, and better; the largest difference first."""
    loss = recording.quality[:, top] - found.quality
    order = np.argsort(-loss, kind="stable")
    harm = tuple(int(row) for row in order if loss[row] > 0)
    order = np.argsort(loss, kind="stable")
    return harm, tuple(int(row) for row in order if loss[row] < 0)
