"""What a chain or plan would have done with recorded requests: cost, quality, harm, gain, time.

Decides every request as the engine would have and asks nobody. Where the recording cannot tell it
says so and refuses, with the next step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np

from cascade.calibration.checked_recording import checked_recording
from cascade.calibration.comparing.differences import differences
from cascade.calibration.comparing.findings import Latency, WhatIf
from cascade.calibration.comparing.price_list import PRICES, PriceList, Prices
from cascade.calibration.comparing.question import Question, notes_on_prices, question_of
from cascade.calibration.comparing.repricing import missing_rates, reprice, uncached
from cascade.calibration.comparing.shares import mean_of, tier_shares, turns
from cascade.calibration.fingerprint import scorer_fingerprint
from cascade.calibration.money import UNKNOWN, Pico, known_usd, total_of
from cascade.calibration.plan import Outcomes, Plan, ScoreSource, simulate
from cascade.calibration.recording import Recording
from cascade.calibration.unasked import gaps
from cascade.core.chain import Chain
from cascade.core.few import few
from cascade.core.tier import Tier
from cascade.errors import RecordingError

__all__ = ["what_if"]

SLOW = 0.95
"""The quantile of times that is shown beside the mean."""


def what_if(
    asked: Chain | Plan | Iterable[Tier],
    recording: Recording,
    *,
    thresholds: Mapping[str, float] | None = None,
    prices: Prices | None = None,
    batch: bool = False,
    cached: float | None = None,
    source: ScoreSource | None = None,
    against: str | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> WhatIf:
    """Price a chain on recorded answers.

    Args:
        asked: a chain (any of the recorded tiers, in any order), its tiers, or a plan.
        recording: what the tiers answered.
        thresholds: other thresholds by tier name.
        prices: another price list: a model table, or prices by model or tier name.
        batch: at Batch API prices.
        cached: share of each prompt read from the cache, in [0, 1], instead of what was.
        source: scores of the steps, e.g. those of `learn(...)`; the chain's own scorers' unless
            given.
        against: the tier that it is compared with: a chain's own last tier, and for a plan or one
            model alone the recording's, unless given.
        confidence: of all intervals.
        resamples: of the paired bootstrap.
        seed: of the bootstrap.

    Returns:
        What would have come of it. Quality, harm and gain are `None` where the recording knows too
        little of them, and a note says what is missing.

    Raises:
        ConfigError: no chain or recording, or thresholds, prices or settings that cannot be meant.
        RecordingError: the recording cannot answer: a tier that is missing or has changed, requests
            a tier was never asked, a cost that nobody knows, scores that cannot be told.
    """
    checked_recording(recording, "what_if")
    priced = reprice(recording, prices=prices, batch=batch, cached=cached)
    question = question_of(asked, priced, thresholds=thresholds, source=source, against=against)
    found = simulate(question.plan, priced, question.source, stands=question.stands)
    rates = missing_rates(recording, prices=prices, batch=batch)
    _refuse_silence(question, priced, found, rates)
    top_scorer = _top_scorer(question, priced, found)
    if top_scorer is not None:
        found = replace(found, cost_pusd=found.cost_pusd + top_scorer)
    tiers = tier_shares(question.plan, priced, question.source, found, top_scorer=top_scorer)
    paired = differences(
        priced, found, question.top, confidence=confidence, resamples=resamples, seed=seed
    )
    latency = None if batch else _latency(question.plan, priced, found)
    return WhatIf(
        plan=question.plan,
        chain="" if question.chain is None else question.chain.name,
        n=len(priced),
        prices=_prices(recording, priced),
        top=question.top,
        total_usd=known_usd(total_of(found.cost_pusd)),
        **paired.numbers,
        tiers=tiers,
        calls=mean_of(found.calls, priced.weights),
        scorer_cost_usd=sum((tier.scorer_cost_usd for tier in tiers), Decimal(0)),
        latency=latency,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        notes=(
            *question.notes,
            *_on_prices(question, recording, prices),
            *(() if cached is None else _on_cached(recording, prices, batch=batch)),
            *paired.notes,
            *_notes(question, priced, batch=batch),
        ),
        outcomes=found,
    )


def _prices(recording: Recording, priced: Recording) -> str:
    if priced is not recording:
        return priced.about.price_table
    table = recording.about.price_table
    return f"as recorded ({table})" if table else "as recorded"


def _on_prices(question: Question, recording: Recording, prices: Prices | None) -> tuple[str, ...]:
    """What to know of the prices that were applied."""
    if prices is None:
        return notes_on_prices(question.chain, recording)
    kept = [name for name in PriceList(recording.tiers, prices).kept if name in question.plan.tiers]
    note = f"the prices given hold none for {', '.join(map(repr, kept))}: as recorded"
    return (note,) if kept else ()


def _on_cached(recording: Recording, prices: Prices | None, *, batch: bool) -> tuple[str, ...]:
    """Where a share read from the cache changes nothing."""
    names = uncached(recording, prices=prices, batch=batch)
    if not names:
        return ()
    named = few([repr(name) for name in names])
    return (f"no cached rate is known for {named}: what is read from the cache costs all the same",)


def _notes(question: Question, recording: Recording, *, batch: bool) -> tuple[str, ...]:
    notes = []
    if batch:
        notes.append("batch prices: answers come within a day, so that no latency is shown")
    top = question.chain.top if question.chain is not None else None
    if top is not None and top.scorer is not None and not _judges_top(question, recording):
        notes.append(
            f"the scorer of the last tier {top.name!r} changes nothing; it is not the recorded one "
            "and its cost is not counted"
        )
    return tuple(notes)


# Where the recording is silent -------------------------------------------------------------------


def _refuse_silence(
    question: Question, recording: Recording, found: Outcomes, rates: Mapping[str, str]
) -> None:
    """Raise where a decision or a cost on the way is not in the recording."""
    missing = gaps(recording)
    policy = question.policy
    for turn in turns(question.plan, recording, found):
        name = recording.names[turn.tier]
        _refuse_rows(
            recording,
            turn.rows & missing[:, turn.tier],
            f"tier {name!r} was never asked",
            "record them, or leave them out",
        )
        _refuse_rows(
            recording,
            turn.rows & (recording.cost_pusd[:, turn.tier] == UNKNOWN),
            rates.get(name, f"nobody knows what {name!r} cost"),
            f"give its price ({PRICES}), or leave them out",
        )
        if not turn.judged.any():
            continue
        cost = question.source.cost_pusd(turn.asked, turn.returns)
        _refuse_rows(
            recording,
            turn.judged & (cost == UNKNOWN),
            f"nobody knows what judging {name!r} cost",
            f"give the price of what its scorer asks ({PRICES}), or leave them out",
        )
        if "accept" in (policy.on_abstain, policy.on_scorer_failure):
            silent = np.isnan(question.source.scores(turn.asked, turn.returns))
            _refuse_rows(
                recording,
                turn.judged & silent,
                f"the scorer of {name!r} gave no score, which the chain's policy may accept",
                "a what-if never takes a missing signal for acceptance: ask with "
                "on_abstain='escalate' and on_scorer_failure='escalate'",
            )


def _refuse_rows(recording: Recording, rows: np.ndarray, what: str, next_step: str) -> None:
    count = int(rows.sum())
    if count:
        first = recording.ids[int(np.flatnonzero(rows)[0])]
        raise RecordingError(
            f"{what}: {count} of {len(recording)} requests that this plan sends there, e.g. "
            f"{first!r}; {next_step}"
        )


# The last tier's scorer, which changes nothing and costs ------------------------------------------


def _judges_top(question: Question, recording: Recording) -> bool:
    """Whether the chain's last tier has the scorer that it was recorded with."""
    if question.chain is None or question.chain.top.scorer is None:
        return False
    recorded = recording.tiers[recording.index(question.chain.top.name)]
    return scorer_fingerprint(question.chain.top.scorer) == recorded.scorer_settings


def _top_scorer(question: Question, recording: Recording, found: Outcomes) -> Pico | None:
    """What judging the last tier's answers cost, shape (n,); `None` where nothing was paid."""
    if not _judges_top(question, recording):
        return None
    tier = recording.index(question.plan.steps[-1].asks)
    reached = (found.stop == len(question.plan.steps) - 1) & recording.usable[:, tier]
    cost = recording.score_cost_pusd[:, tier]
    _refuse_rows(
        recording,
        reached & (cost == UNKNOWN),
        f"nobody knows what judging {recording.names[tier]!r} cost",
        "take the scorer off the last tier, where it changes nothing",
    )
    paid = np.where(reached, cost, 0)
    return paid if paid.any() else None


# Time --------------------------------------------------------------------------------------------


def _latency(plan: Plan, recording: Recording, found: Outcomes) -> Latency | None:
    total = np.zeros(len(recording))
    for turn in turns(plan, recording, found):
        times = recording.latency_s[:, turn.tier][turn.rows]
        if np.isnan(times).any():
            return None
        total[turn.rows] += times
    order = np.argsort(total, kind="stable")
    reached = np.cumsum(recording.weights[order])
    slow = np.searchsorted(reached, SLOW * reached[-1])
    return Latency(
        mean_of(total, recording.weights),
        float(total[order[min(int(slow), len(order) - 1)]]),
        mean_of(found.calls > 1, recording.weights),
    )
