"""What the demo says: its tiers, the bill, and what was proved."""

from __future__ import annotations

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cascade.calibration import Certificate, Estimate, Recording, WhatIf
from cascade.core.chain import Chain
from cascade.core.dollars import dollars
from cascade.demo.job import STANDS_IN_FOR
from cascade.errors import NotCertifiable
from cascade.percent import percent

__all__ = ["bill", "introduction", "promise"]

ALMOST_ALL = 0.98
"""Of the top tier's cost; a plan that costs as much is not worth its trouble."""


def introduction(chain: Chain, count: int) -> Text:
    """What is asked of whom."""
    lines = [f"{count} labelled support tickets, one category each. The tiers, cheapest first:"]
    for tier in chain.tiers:
        priced = STANDS_IN_FOR.get(tier.name)
        note = f" with {len(tier.preamble) // 2} worked examples" if tier.preamble else ""
        as_if = f", at the list price of {priced}" if priced else ""
        lines.append(f"  {tier.name}: {tier.model}{note}{as_if}")
    lines.append("Every tier answers every ticket once; all that follows is worked out from that.")
    return Text("\n".join(lines))


def bill(found: WhatIf, recording: Recording) -> RenderableType:
    """What the chain comes to with its first thresholds, beside its top tier alone."""
    table = Table(title="The bill", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True)
    shares = found.tiers
    columns = (
        ("tier", [tier.name for tier in shares], "together"),
        ("right alone", [_percent(_alone(recording, tier.name)) for tier in shares], ""),
        ("asked", [str(round(tier.asked * found.n)) for tier in shares], ""),
        ("answered", [_part(tier.returned, found.n) for tier in shares], str(found.n)),
        ("right", [_percent(tier.quality) for tier in shares], _percent(_value(found.quality))),
        (
            "cost",
            [dollars(tier.cost_usd + tier.scorer_cost_usd) for tier in shares],
            dollars(found.total_usd),
        ),
    )
    for title, _, footer in columns:
        left = title == "tier"
        table.add_column(title, justify="left" if left else "right", footer=footer, no_wrap=True)
    for row in zip(*(cells for _, cells, _ in columns), strict=True):
        table.add_row(*row)
    return Group(table, Text(_beside_top(found)))


def _beside_top(found: WhatIf) -> str:
    """The chain against always asking its last tier, as seen: without a promise."""
    if found.cost_ratio is None or found.quality_difference is None:
        return f"What {found.top} alone comes to is not known."
    lost = -100 * found.quality_difference.value
    points = f"{abs(lost):.1f} points {'below' if lost > 0 else 'above'}"
    quality = points if round(abs(lost), 1) else "as right as"
    return (
        f"{percent(found.cost_ratio.value, 0)} of the cost of {found.top} alone, {quality} it: "
        f"seen on {found.n} tickets with thresholds that somebody guessed, and no promise."
    )


def promise(certificate: Certificate | None, refusal: NotCertifiable | None) -> Text:
    """What the labels prove, and what they do not."""
    text = Text("\n")
    if certificate is not None:
        text.append("Proved: ", style="bold green").append(certificate.sentence())
        text.append(f"\nPlan: {certificate.plan}")
        if certificate.cost is not None and certificate.cost.value > ALMOST_ALL:
            text.append(f"\nThat saves next to nothing: {certificate.top} alone is simpler.")
    if refusal is not None:
        text.append("Not proved: ", style="bold yellow").append(str(refusal))
        text.append("\nThere are 600 tickets: --limit 600 learns from more of them and tests more.")
    return text


def _alone(recording: Recording, name: str) -> float | None:
    quality = recording.quality[:, recording.index(name)]
    known = quality[~np.isnan(quality)]
    return float(known.mean()) if len(known) else None


def _part(share: float, n: int) -> str:
    """How many a tier answered, and its share."""
    return f"{round(share * n)} ({percent(share, 0)})"


def _value(found: Estimate | None) -> float | None:
    return None if found is None else found.value


def _percent(share: float | None) -> str:
    return "-" if share is None else percent(share)
