"""The words at the top of the report: what is saved, at what quality, on how many requests."""

from __future__ import annotations

from collections.abc import Callable

from cascade.calibration.comparing.comparison import Comparison
from cascade.calibration.comparing.findings import Estimate, Latency, WhatIf
from cascade.calibration.plan import Plan
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.view import Line
from cascade.calibration.reporting.words import between, count, money, percent, share
from cascade.traces.page.waterfall import seconds

__all__ = [
    "SAME",
    "about_words",
    "better_words",
    "facts_of",
    "gate_words",
    "headline",
    "simpler_words",
]

SAME = 0.005
"""A difference in cost that is printed as 0 %."""

HARM = ("worse than the top tier", "mean loss beside the top tier")
GAIN = ("better than the top tier", "mean gain beside the top tier")
"""What a share of requests means, and what a mean of graded answers does."""

EQUAL_QUALITY = "at equal quality"
"""How the names of baselines end that are as good as the plan."""


def about_words(recording: Recording) -> str:
    """Size and date of the recording."""
    ladder, witnesses = len(recording.ladder), len(recording.witnesses)
    words = [count(len(recording), "request"), count(ladder, "tier")]
    words += [count(witnesses, "witness", "witnesses")] if witnesses else []
    if recording.about.created_at:
        words.append(f"recorded {recording.about.created_at[:10]}")
    return ", ".join(words)


def headline(
    recording: Recording, comparison: Comparison, *, untold: bool = False, of: int = 0
) -> str:
    """The saving and the quality in one sentence.

    Args:
        recording: the requests that the comparison rests on.
        comparison: of them.
        untold: there is a plan, and nothing can be said of it.
        of: requests recorded, where the comparison rests on fewer of them.
    """
    found, top = comparison.chosen, comparison.top
    if len(recording.ladder) == 1:
        return f"Only {top} is recorded: there is no cheaper tier to compare it with"
    if found is None:
        words = "the plan cannot be told from this alone" if untold else "no plan was chosen"
        return f"{count(len(recording.ladder), 'tier')} compared; {words}"
    if found.plan.is_constant:
        words = _constant(found, top)
    else:
        words = f"{_cost_words(found, top)}{_quality_words(found)}"
    if len(recording) < of:
        words += f", on the {len(recording):,} of {of:,} requests with labels and prices"
    return words


def _constant(found: WhatIf, top: str) -> str:
    """A plan that asks one model is said to be that."""
    name = found.plan.tiers[0]
    if name == top:
        return f"Always asking {top} is what this recording supports: nothing cheaper keeps up"
    cost = _cost_words(found, top)
    return f"Always asking {name} is enough: it {cost[0].lower()}{cost[1:]}{_quality_words(found)}"


def _cost_words(found: WhatIf, top: str) -> str:
    if found.cost_ratio is None:
        return f"What it saves against always asking {top} is unknown"
    saved = 1 - found.cost_ratio.value
    if abs(saved) < SAME:
        return f"Costs as much as always asking {top}"
    return f"Costs {share(abs(saved))} {'less' if saved > 0 else 'more'} than always asking {top}"


def _quality_words(found: WhatIf) -> str:
    if found.quality is None:
        return "; its quality is unknown"
    if found.retention is None:
        return f", at {percent(found.quality.value)} quality"
    return f", at {percent(found.retention)} of its quality"


def gate_words(plan: Plan) -> str:
    """What a plan's gate does, in a sentence; "" where it has none."""
    if plan.gate is None:
        return ""
    return (
        f"The gate: requests of which the words alone say that the chance of a right answer from "
        f"{plan.tiers[0]} is below {plan.gate.threshold:.4g} begin at {plan.gate.start_at}; "
        f"all others begin at {plan.tiers[0]}."
    )


def simpler_words(comparison: Comparison) -> str:
    """That something simpler reaches the plan's quality for less, where it does."""
    found = comparison.chosen
    if found is None or found.plan.is_constant:
        return ""
    cost = found.cost.value
    there = [
        (line.cost.value, line)
        for line in comparison.baselines
        if line.cost is not None and line.kind != "oracle" and line.name.endswith(EQUAL_QUALITY)
    ]
    least, line = min(there, key=lambda one: one[0], default=(cost, None))
    if line is None or least >= cost * (1 - SAME):
        return ""
    what = line.what if line.plan is None else str(line.plan)
    return (
        f"Simpler and cheaper on these requests: {line.name} ({what}) costs "
        f"{money(1000 * least)} per 1,000, {share(1 - least / cost)} less than the plan. It was "
        "picked in hindsight, on the very requests it is measured on."
    )


def better_words(comparison: Comparison) -> str:
    """That the top tier is not the best model, where a cheaper one is better; else ""."""
    top = next(one for one in comparison.singles if one.name == comparison.top)
    better = [one for one in comparison.singles if one.quality > top.quality]
    best = max(better, key=lambda one: one.quality, default=top)
    if not best.cost_usd < top.cost_usd:
        return ""
    return (
        f"the top tier {top.name!r} is not the best model: {best.name!r} is better "
        f"({percent(best.quality)} against {percent(top.quality)}) and costs "
        f"{share(1 - best.cost_usd / top.cost_usd)} less. Quality is compared with the last tier, "
        "which is the dearest unless `cascade recording import --tiers` names the order"
    )


def facts_of(comparison: Comparison) -> tuple[Line, ...]:
    """The few numbers at the top, each with its interval."""
    found = comparison.chosen
    if found is None:
        return ()
    top = comparison.top
    return (
        Line("Cost per 1,000", money(1000 * found.cost.value), _cost(found, top)),
        _saved(found),
        _quality(found, top),
        _share("Harm", found.harm, HARM[found.graded]),
        _share("Gain", found.gain, GAIN[found.graded]),
        _time(found.latency),
    )


def _cost(found: WhatIf, top: str) -> str:
    other = "" if found.top_cost is None else f"{top} {money(1000 * found.top_cost.value)}"
    return _beside(found.cost, money, 1000, other)


def _saved(found: WhatIf) -> Line:
    ratio = found.cost_ratio
    if ratio is None:
        return Line("Saved", "unknown")
    name = "Saved" if ratio.value <= 1 else "Costs more"
    sign = 1 if ratio.value <= 1 else -1
    ends = sorted((sign * (1 - ratio.low), sign * (1 - ratio.high)))
    beside = "" if ratio.low == ratio.high else between((ends[0], ends[1]), share)
    return Line(name, share(abs(1 - ratio.value)), beside)


def _quality(found: WhatIf, top: str) -> Line:
    if found.quality is None:
        return Line("Quality", "unknown", "no labels")
    other = "" if found.top_quality is None else f"{top} {percent(found.top_quality.value)}"
    return Line("Quality", percent(found.quality.value), _beside(found.quality, percent, 1, other))


def _share(name: str, found: Estimate | None, means: str) -> Line:
    if found is None:
        return Line(name, "unknown", "no labels")
    return Line(name, percent(found.value), f"{between((found.low, found.high))}; {means}")


def _time(latency: Latency | None) -> Line:
    if latency is None:
        return Line("Time per request", "unknown", "not recorded")
    beside = f"95 % within {seconds(latency.p95_s)}"
    return Line("Time per request", seconds(latency.mean_s), beside)


def _beside(found: Estimate, shown: Callable[[float], str], factor: float, other: str) -> str:
    ends = factor * found.low, factor * found.high
    words = between(ends, shown) if found.low != found.high else ""
    return "; ".join(part for part in (words, other) if part)
