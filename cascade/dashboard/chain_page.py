"""One chain: what each tier accepts and costs, and whether its scorer is worth its money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from starlette.responses import Response

from cascade.core.chain import Chain
from cascade.core.price import EXACT
from cascade.dashboard.drawing import Picture
from cascade.dashboard.ranges import RANGES, range_of
from cascade.dashboard.site import Visit
from cascade.dashboard.words import count, share
from cascade.traces.stats import Counting, Stats, TierStats
from cascade.traces.worth import BINS, TierWorth, Worth

__all__ = ["chain_page"]

MOST = 5_000
"""Traces that are read: two to four seconds' work, remembered for ten times as long. The page says
so where there are more. Fewer would leave out requests that the overview's sums have."""

FEW = 50
"""Drafts from which on it is said whether a scorer pays."""

PANELS = (
    ("Accepted, of turns that ended", "blue"),
    ("Answers given, of all", "green"),
    ("Money spent, of all", "purple"),
)


@dataclass(frozen=True, slots=True)
class Added:
    """What traces of the chain came to.

    Attributes:
        total: how many there were when they were read.
        stats: their sums.
        worth: what scorers stop and cost.
        top_tier: the chain's last tier, as the newest of them says; "" where none does.
    """

    total: int
    stats: Stats
    worth: tuple[TierWorth, ...]
    top_tier: str

    @property
    def unread(self) -> int:
        """How many of those that were looked for are damaged."""
        return max(0, min(self.total, MOST) - self.stats.requests)


def chain_page(visit: Visit) -> Response:
    """Show the chain that the address names."""
    name, chosen = visit.asked("name"), range_of(visit.asked("range") or "30d")
    wanted = {"chain": name, "since": chosen.since}
    if not visit.traces.count(chain=name) and name not in visit.site.chains:
        return visit.message("There is no such chain", "No request went to it.", status=404)
    found = visit.site.remembered.get(
        ("chain", visit.viewer, chosen.name, name), lambda: _add(visit, **wanted)
    )
    chain = visit.site.chains.get(name)
    tiers = _in_order(found.stats.tiers, chain)
    worth = [item for tier in tiers for item in found.worth if item.tier == tier.tier]
    return visit.page(
        "chain.html",
        name=name,
        chain=chain,
        ranges=RANGES.values(),
        chosen=chosen,
        total=found.total,
        most=MOST,
        unread=found.unread,
        read=found.stats.requests,
        stats=found.stats,
        tiers=tiers,
        worth=worth,
        few=FEW,
        last=chain.top.name if chain else found.top_tier,
        known=visit.site.recordings.of(name, [tier.tier for tier in tiers], found.top_tier),
        panels=PANELS,
        pictures=visit.site.draughtsman.draw(_pictures(tiers, worth)),
    )


def _add(visit: Visit, **wanted: str | None) -> Added:
    counting, worth, top_tier = Counting(), Worth(), ""
    total = visit.traces.count(**wanted)
    for trace in visit.traces.newest(MOST, **wanted):
        counting.add(trace)
        worth.add(trace)
        top_tier = trace.top_tier or top_tier  # the newest comes last
    return Added(total, counting.stats(), worth.tiers(), top_tier)


def _in_order(tiers: Sequence[TierStats], chain: Chain | None) -> list[TierStats]:
    """Tiers as the chain has them; those that it has no more, or nobody knows, as they were met."""
    order = {tier.name: place for place, tier in enumerate(chain.tiers)} if chain else {}
    return sorted(tiers, key=lambda tier: order.get(tier.tier, len(order)))


def _pictures(tiers: Sequence[TierStats], worth: Sequence[TierWorth]) -> list[Picture]:
    if not tiers:
        return []
    spent = Decimal(0)
    for tier in tiers:
        spent = EXACT.add(spent, tier.cost.known_usd)
    shares = {
        tier.tier: [
            tier.acceptance,
            tier.share,
            float(tier.cost.known_usd / spent) if spent else None,
        ]
        for tier in tiers
    }
    panels = [
        Picture(
            f"parts-{place}",
            "parts",
            {
                "rows": [{"name": name, "share": some[place]} for name, some in shares.items()],
                "colour": colour,
            },
            words,
            "; ".join(f"{name}: {share(some[place])}" for name, some in shares.items()),
        )
        for place, (words, colour) in enumerate(PANELS)
    ]
    return [*panels, *(_histogram(place, item) for place, item in enumerate(worth))]


def _histogram(place: int, item: TierWorth) -> Picture:
    said = ", ".join(
        f"{at / BINS:.2f} to {(at + 1) / BINS:.2f}: {number}"
        for at, number in enumerate(item.scores)
        if number
    )
    threshold = "" if item.threshold is None else f", threshold {item.threshold:g}"
    return Picture(
        f"scores-{place}",
        "histogram",
        {"bins": list(item.scores), "threshold": item.threshold},
        f"Scores of {item.tier}'s drafts{threshold}",
        f"{count(sum(item.scores), 'score')}: {said or 'none'}",
    )
