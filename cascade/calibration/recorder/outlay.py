"""What a recording would cost, before anything is asked.

Prompts are counted at four bytes to a token. What scorers and a judge ask is not known beforehand
and is named, not counted.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any

from cascade.calibration.recorder.continued import is_answered
from cascade.calibration.recorder.journal import Entry
from cascade.calibration.recorder.quality.grading import AGREEMENT
from cascade.calibration.recorder.recording_run import Recorder
from cascade.calibration.recorder.recording_task import Task
from cascade.core.budget import estimate_usage, worst_case_usd
from cascade.core.chain import Chain
from cascade.core.payloads import payload_for
from cascade.core.price import EXACT
from cascade.core.pricing import cost_of
from cascade.core.scoring import parts_of, scorer_name
from cascade.core.tier import Tier
from cascade.forms.reading import output_limit

__all__ = ["EXPECTED_OUTPUT", "Outlay", "outlay_of"]

EXPECTED_OUTPUT = 256
"""Tokens of an answer where none was recorded yet and no limit is below it: a paragraph or two."""


@dataclass(frozen=True, slots=True)
class Outlay:
    """What is left to ask, and its price; amounts in US dollars, `None` where nobody can tell.

    Attributes:
        requests: examples of which something is left to ask.
        calls: drafts to be asked for; retries and scorers' questions come on top.
        least_usd: answers of one token.
        expected_usd: answers as long as those recorded so far, `EXPECTED_OUTPUT` where there are
            none.
        most_usd: the longest answers that limits allow, every byte of a prompt a token.
        notes: what is missing or not counted, in words.
    """

    requests: int
    calls: int
    least_usd: Decimal | None
    expected_usd: Decimal | None
    most_usd: Decimal | None
    notes: tuple[str, ...] = ()


def outlay_of(recorder: Recorder) -> Outlay:
    """What a recorder would still ask and pay; it asks nobody."""
    task, entries = recorder.task, recorder.journal.entries
    lengths = _lengths(task, entries)
    totals: list[Decimal | None] = [Decimal(0)] * 3
    calls = 0
    remaining = recorder.remaining
    for name in remaining:
        for tier in _missing(task, name, entries.get(name)):
            calls += 1
            costs = _costs(task.asked, tier, payload_for(tier, task.requests[name]), lengths)
            totals = [_add(total, cost) for total, cost in zip(totals, costs, strict=True)]
    least, expected, most = totals
    return Outlay(len(remaining), calls, least, expected, most, tuple(_notes(task)))


def _missing(task: Task, name: str, entry: Entry | None) -> Iterator[Tier]:
    """Tiers whose answer to an example is not in the journal."""
    have = set()
    if entry is not None and entry.trace.content == "full":
        have = {attempt.tier for attempt in entry.trace.attempts if is_answered(attempt)}
    wanted = task.tiers_for(name)
    return (tier for tier in task.asked.tiers if tier.name in wanted - have)


def _costs(
    chain: Chain, tier: Tier, payload: Mapping[str, Any], lengths: Mapping[str, float]
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    limit = output_limit(payload)
    expected = lengths.get(tier.name, EXPECTED_OUTPUT)
    if limit is not None:
        expected = min(expected, limit)
    price, served = chain.price(tier), payload.get("service_tier") or "default"
    least, likely = (
        cost_of(estimate_usage(payload, count), price, service_tier=str(served)).usd
        for count in (1, max(1, round(expected)))
    )
    return least, likely, worst_case_usd(chain, tier, payload)


def _lengths(task: Task, entries: Mapping[str, Entry]) -> dict[str, float]:
    """Mean tokens of the answers recorded so far, by tier."""
    found: dict[str, list[int]] = defaultdict(list)
    for entry in entries.values():
        for charge in entry.trace.charges:
            if charge.purpose == "draft" and charge.usage is not None and charge.outcome == "ok":
                found[charge.tier].append(charge.usage.output_tokens)
    lengths = {name: fmean(counts) for name, counts in found.items()}
    if task.chain.top.name in lengths:
        lengths.setdefault(task.again, lengths[task.chain.top.name])
    return lengths


def _add(total: Decimal | None, cost: Decimal | None) -> Decimal | None:
    return None if total is None or cost is None else EXACT.add(total, cost)


# Notes -------------------------------------------------------------------------------------------


def _notes(task: Task) -> Iterator[str]:
    """What is missing, and what is not counted."""
    top = task.chain.top
    unknown = sum(not task.is_gradable(name) for name in task.examples)
    if task.by_top:
        yield (
            f"no example has a reference: quality is agreement with {top.name!r}, which is asked "
            f"{len(task.doubles)} of them twice to see how often it disagrees with itself"
        )
    elif unknown:
        yield f"{unknown} of {len(task.examples)} examples have no reference: quality is unknown"
    if len(task.names) == 1:
        yield (
            f"{top.name!r} is the only tier: what it costs and how good it is can be told, but "
            "there is nothing to choose between; add a cheaper tier for a plan"
        )
    for tier in (*task.chain.tiers, *task.witnesses):
        if task.asked.price(tier) is None:
            yield f"tier {tier.name!r} has no price: its cost will be unknown"
        asking = sorted(set(_asking(tier.scorer)))
        if asking:
            names = ", ".join(map(repr, asking))
            yield f"what scorer {names} of tier {tier.name!r} may ask comes on top"
    if task.metric.name != AGREEMENT and any(_asking(task.metric.scorer)):
        yield f"what the metric {task.metric.name!r} may ask comes on top"


def _asking(scorer: object) -> Iterator[str]:
    """Names of the scorers in a scorer that are generators, and so may ask a model."""
    parts = parts_of(scorer)
    for part in parts:
        yield from _asking(part)
    call = getattr(type(scorer), "__call__", None)  # noqa: B004  the function is looked at
    is_generator = inspect.isgeneratorfunction(scorer) or inspect.isgeneratorfunction(call)
    if is_generator and not parts and scorer is not None:
        yield scorer_name(scorer)
