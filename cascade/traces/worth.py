"""What the scorer of each tier is worth, as far as traces can tell: its cost, and what it stops.

A trace shows what was paid and what was rejected; it does not show whether a rejected draft was
wrong. So two things are told apart: what accepting every draft would have saved, at the price of
sending out what was rejected; and what leaving the tier out would have cost or saved, where no
answer gets worse than the later tiers' own. With a recording, `cascade.calibration` knows quality
too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from cascade.core.price import EXACT
from cascade.core.trace import Attempt, ScoreRecord, Trace, known_usd, total_usd
from cascade.traces.sums import Amount, Sum

__all__ = ["BINS", "Mean", "PartWorth", "TierWorth", "Worth"]

BINS = 20
"""Of a histogram of scores over [0, 1]."""

MOST_UNKNOWN = 0.1
"""Of the costs that an estimate is made of, so large a share may be unknown: the others stand for
them. A larger one could turn the answer round."""


@dataclass(frozen=True, slots=True)
class PartWorth:
    """A part of a combination.

    Attributes:
        scorer: its name.
        runs: how often it ran.
        below: how often its score was below the tier's threshold.
        alone: how often no other part's was: drafts that would have passed without it.
    """

    scorer: str
    runs: int
    below: int
    alone: int


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of those costs that are wholly known.

    Attributes:
        of: how many costs there were.
        known: how many of them are wholly known.
        usd: what these come to.
    """

    of: int
    known: int
    usd: Decimal

    @property
    def unknown(self) -> int:
        """How many costs have an unknown part."""
        return self.of - self.known

    @property
    def is_telling(self) -> bool:
        """Whether the known ones may stand for all of them."""
        return bool(self.known) and self.unknown <= MOST_UNKNOWN * self.of

    def times(self, count: int) -> Decimal:
        """What so many cost at that mean."""
        return self.usd * count / self.known


@dataclass(frozen=True, slots=True)
class TierWorth:
    """A tier's scorer, and the tier itself.

    Attributes:
        tier: whose drafts it judges.
        scorer: its name, as it was last.
        threshold: the last one; `None` where there never was one.
        thresholds: how many different ones there were.
        scores: how many of its scores lie in each of `BINS` parts of [0, 1].
        judged: drafts that it scored, or could not.
        rejected: drafts that moved on because of it.
        draft: what the tier's drafts cost.
        scoring: what the scorer's own calls cost.
        onward: what the later tiers cost where it rejected.
        own_mean: what a turn cost, draft and scoring together.
        onward_mean: what the later tiers cost for a rejected draft.
        below: drafts whose score was below the threshold; also where they stood all the same, as
            the last tier's do.
        parts: of a combination.
    """

    tier: str
    scorer: str
    threshold: float | None
    thresholds: int
    scores: tuple[int, ...]
    judged: int
    rejected: int
    draft: Amount
    scoring: Amount
    onward: Amount
    own_mean: Mean
    onward_mean: Mean
    below: int
    parts: tuple[PartWorth, ...]

    @property
    def accepted(self) -> int:
        """Drafts that it let through."""
        return self.judged - self.rejected

    @property
    def saved_if_all_accepted(self) -> Amount:
        """What accepting every draft would have saved: its calls, and all that followed."""
        both = (self.scoring, self.onward)
        known = EXACT.add(self.scoring.known_usd, self.onward.known_usd)
        unknown = sum(part.unknown for part in both)
        return Amount(None if unknown else known, known, unknown)

    @property
    def dearer_without_tier_usd(self) -> Decimal | None:
        """About how much more the later tiers alone would have cost; negative where less.

        Each accepted draft is taken to cost there what the rejected ones did on average. `None`
        where there were none, where the later tiers cost nothing, or where too many costs are
        unknown.
        """
        own, onward = self.own_mean, self.onward_mean
        if not (onward.usd and onward.is_telling and own.is_telling):
            return None
        return onward.times(self.accepted) - own.times(self.judged)


@dataclass(slots=True)
class _Part:
    runs: int = 0
    below: int = 0
    alone: int = 0


@dataclass(slots=True)
class _Tier:
    scorer: str = ""
    seen_at: str = ""
    threshold: float | None = None
    thresholds: set[float] = field(default_factory=set)
    scores: list[int] = field(default_factory=lambda: [0] * BINS)
    judged: int = 0
    rejected: int = 0
    below_threshold: int = 0
    draft: Sum = field(default_factory=Sum)
    scoring: Sum = field(default_factory=Sum)
    onward: Sum = field(default_factory=Sum)
    own_whole: Sum = field(default_factory=Sum)
    onward_whole: Sum = field(default_factory=Sum)
    parts: dict[str, _Part] = field(default_factory=dict)


class Worth:
    """Takes traces as they come; replays are passed over."""

    def __init__(self) -> None:
        self._tiers: dict[str, _Tier] = {}

    def add(self, trace: Trace) -> None:
        """Count one trace."""
        if trace.replayed:
            return
        for place, attempt in enumerate(trace.attempts):
            if attempt.asked and attempt.score is not None:
                tier = self._tiers.setdefault(attempt.tier, _Tier())
                _add(tier, attempt, trace.started_at)
                if attempt.verdict == "escalated":
                    later = trace.attempts[place + 1 :]
                    _add_onward(tier, later)

    def tiers(self) -> tuple[TierWorth, ...]:
        """What was counted so far, in the order in which the tiers were met."""
        return tuple(
            TierWorth(
                name,
                found.scorer,
                found.threshold,
                len(found.thresholds),
                tuple(found.scores),
                found.judged,
                found.rejected,
                found.draft.amount(),
                found.scoring.amount(),
                found.onward.amount(),
                _mean(found.own_whole, found.judged),
                _mean(found.onward_whole, found.rejected),
                found.below_threshold,
                tuple(
                    PartWorth(scorer, part.runs, part.below, part.alone)
                    for scorer, part in found.parts.items()
                ),
            )
            for name, found in self._tiers.items()
        )


def _add(tier: _Tier, attempt: Attempt, started_at: str) -> None:
    record = attempt.score
    if record is None:
        return
    if started_at >= tier.seen_at:
        tier.scorer, tier.threshold, tier.seen_at = record.scorer, attempt.threshold, started_at
    if attempt.threshold is not None:
        tier.thresholds.add(attempt.threshold)
    tier.judged += 1
    tier.rejected += attempt.verdict == "escalated"
    if record.value is not None:
        tier.scores[min(BINS - 1, max(0, int(record.value * BINS)))] += 1
        below = attempt.threshold is not None and record.value < attempt.threshold
        tier.below_threshold += below
    tier.own_whole.add(attempt.cost_usd)
    for purpose, amount in (("draft", tier.draft), ("scorer", tier.scoring)):
        some = tuple(charge for charge in attempt.charges if charge.purpose == purpose)
        amount.add(total_usd(some), known_usd(some))
    if record.parts and attempt.threshold is not None:
        _add_parts(tier, record, attempt.threshold)


def _add_parts(tier: _Tier, record: ScoreRecord, threshold: float) -> None:
    below = [leaf for leaf in record.leaves() if leaf.value is not None and leaf.value < threshold]
    for leaf in record.leaves():
        part = tier.parts.setdefault(leaf.scorer, _Part())
        part.runs += 1
        part.below += leaf in below
        part.alone += below == [leaf]


def _add_onward(tier: _Tier, later: Iterable[Attempt]) -> None:
    charges = tuple(charge for attempt in later for charge in attempt.charges)
    total = total_usd(charges)
    tier.onward.add(total, known_usd(charges))
    tier.onward_whole.add(total)


def _mean(whole: Sum, of: int) -> Mean:
    """Of a sum to which only whole costs were added."""
    amount = whole.amount()
    return Mean(of, of - amount.unknown, amount.known_usd)
