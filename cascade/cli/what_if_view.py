"""A what-if in the terminal: the plan, everything simpler, its steps and its scorers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from cascade.calibration.reporting.words import money, percent, weighed
from cascade.cli.output import times
from cascade.core.clean import on_one_line
from cascade.core.dollars import dollars
from cascade.traces.tables import SHORTEST_NAME, Column, fitted

if TYPE_CHECKING:
    from cascade.calibration import Baseline, Comparison, Estimate, NetValue, WhatIf

__all__ = ["comparison_tables", "what_if_tables"]

THOUSAND = 1_000

SAVES = (
    "saves per 1,000: what the cheapest way without this scorer costs more at equal quality "
    "(hindsight picks it on these requests); negative: it costs less"
)

FINE = 12
"""Decimals that a mean of floating dollars has; the rest is noise that would show as digits."""


def comparison_tables(found: Comparison, chosen: WhatIf) -> RenderableType:
    """A plan beside everything simpler, its steps, and what each of its scorers is worth."""
    parts: list[RenderableType] = [*_head(chosen), Text(), _policies(chosen, found.baselines)]
    parts += [*_models(found.baselines), Text(), _steps(chosen)]
    if found.scorers:
        parts += [Text(), _scorers(found.scorers), Text(SAVES, "dim")]
    return Group(*parts, *_notes((*found.notes, *found.no_pairs)))


def what_if_tables(found: WhatIf) -> RenderableType:
    """A plan alone, where there is nothing to put beside it."""
    return Group(*_head(found), Text(), _policies(found, ()), Text(), _steps(found),
                 *_notes(found.notes))  # fmt: skip


def _head(found: WhatIf) -> Iterator[Text]:
    """The plan in words, what it costs, and how it differs from the top tier."""
    yield Text(on_one_line(str(found.plan)), "bold")
    yield Text(
        on_one_line(
            f"{times(found.n, 'request')} · {dollars(found.total_usd)} in all, of which "
            f"{dollars(found.scorer_cost_usd)} for judging · prices {found.prices}"
        )
    )
    if found.harm is not None and found.gain is not None:
        harm, gain = _range(found.harm), _range(found.gain)
        words = f"worse than {found.top} on {harm} of requests, better on {gain}"
        if found.graded:
            words = f"mean loss beside {found.top} {harm}, mean gain {gain}, over all requests"
        yield Text(on_one_line(f"{words}; {percent(found.confidence, 0)} intervals"))
    if found.latency is not None:
        slow = found.latency
        yield Text(
            f"{slow.mean_s:.2f} s on average, 95 % within {slow.p95_s:.2f} s; "
            f"{percent(slow.sequential)} of requests ask more than one tier"
        )


def _policies(chosen: WhatIf, beside: Sequence[Baseline]) -> RenderableType:
    top = None if chosen.top_cost is None else chosen.top_cost.value
    rows: list[tuple[str, Estimate | None, Estimate | None, str, str]] = [
        ("this plan", chosen.cost, chosen.quality, "bold", "")
    ]
    rows += [
        (one.name, one.cost, one.quality, "dim" if one.cost is None else "", one.reason or one.what)
        for one in beside
    ]
    return fitted(
        (
            Column("", [Text(name, style) for name, *_, style, _ in rows], left=True),
            Column("per 1,000", [_thousand(cost) for _, cost, *_ in rows]),
            Column("interval", [_money_range(cost) for _, cost, *_ in rows], rank=2),
            Column(_of(chosen.top), [_of_top(cost, top) for _, cost, *_ in rows]),
            Column("quality", [_share(quality) for _, _, quality, *_ in rows]),
            Column("interval", [_ends(quality) for _, _, quality, *_ in rows], rank=1),
            Column("what", [Text(on_one_line(what), "dim") for *_, what in rows], 3, 20, left=True),
        )
    )


def _models(beside: Sequence[Baseline]) -> Iterator[Text]:
    """Which models those are that stand alone: a narrow table leaves that out."""
    single = [one for one in beside if one.kind == "single" and one.cost is not None]
    if single:
        told = (f"{one.name}: {on_one_line(one.what)}" for one in single)
        yield Text(" · ".join(told), "dim")


def _steps(found: WhatIf) -> RenderableType:
    return fitted(
        (
            Column("step", [on_one_line(t.name) for t in found.tiers], 0, SHORTEST_NAME, left=True),
            Column("asked", [percent(tier.asked) for tier in found.tiers]),
            Column("returned", [percent(tier.returned) for tier in found.tiers]),
            Column(
                "quality",
                ["-" if tier.quality is None else percent(tier.quality) for tier in found.tiers],
            ),
            Column("answers", [dollars(tier.cost_usd) for tier in found.tiers]),
            Column("judging", [dollars(tier.scorer_cost_usd) for tier in found.tiers], rank=1),
        )
    )


def _scorers(values: Sequence[NetValue]) -> RenderableType:
    return fitted(
        (
            Column("scorer at", [_at(one) for one in values], 0, SHORTEST_NAME, left=True),
            Column("judged", [f"{one.judged:,}" for one in values]),
            Column("caught", [weighed(one.caught) for one in values]),
            Column("false rejects", [weighed(one.false_rejects) for one in values], rank=2),
            Column("false accepts", [weighed(one.false_accepts) for one in values], rank=2),
            Column("costs", [dollars(one.cost_usd) for one in values], rank=1),
            Column("saves per 1,000", [_saves(one) for one in values]),
            Column(
                "cheapest without it",
                [Text(on_one_line(one.without), "dim") for one in values],
                3,
                20,
                left=True,
            ),
        )
    )


def _at(value: NetValue) -> str:
    of = "" if value.step == value.returns else f" on {value.returns}"
    scorer = f" ({value.scorer})" if value.scorer else ""
    return on_one_line(f"{value.step}{of}{scorer}")


def _saves(value: NetValue) -> Text:
    """At equal quality, against the plan without it."""
    if value.net_usd is None:
        return Text("none is so good", "dim")  # without it
    style = "green" if value.net_usd > 0 else "red"
    return Text(money(THOUSAND * value.net_usd), style)


def _notes(notes: Sequence[str]) -> Iterator[Text]:
    if notes:
        yield Text()
    for note in notes:
        yield Text(on_one_line(f"note: {note}"), "yellow")


def _thousand(cost: Estimate | None) -> str:
    return "-" if cost is None else money(THOUSAND * cost.value)


def _money_range(cost: Estimate | None) -> str:
    if cost is None or not cost.is_known:
        return ""
    low, high = (money(round(THOUSAND * end, FINE)) for end in (cost.low, cost.high))
    return f"{low} to {high}"


def _of(top: str) -> str:
    """The head of the shares of its cost; a long name stands above the table."""
    name = on_one_line(top)
    return f"of {name}" if len(name) <= SHORTEST_NAME else "of top"


def _of_top(cost: Estimate | None, top: float | None) -> str:
    return "-" if cost is None or not top else percent(cost.value / top)


def _share(quality: Estimate | None) -> str:
    return "-" if quality is None else percent(quality.value)


def _ends(quality: Estimate | None) -> str:
    if quality is None or not quality.is_known:
        return ""
    return f"{percent(quality.low)} to {percent(quality.high)}"


def _range(share: Estimate) -> str:
    beside = f" ({percent(share.low)} to {percent(share.high)})" if share.is_known else ""
    return f"{percent(share.value)}{beside}"
