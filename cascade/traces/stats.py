"""What many requests came to, by tier and by scorer: added up one by one in constant memory.

Costs are exact. Where one is unknown, the sum is `None`, beside it the part that is known and how
many parts are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from cascade.core.trace import Attempt, Charge, ScoreRecord, Trace, known_usd
from cascade.traces.given import a_trace, some_traces
from cascade.traces.sums import Amount, Clock, Sum, Times

__all__ = ["Amount", "Counting", "ScorerStats", "Stats", "TierStats", "Times", "trace_stats"]


@dataclass(frozen=True, slots=True)
class TierStats:
    """One tier's share in the requests.

    Attributes:
        tier: its name.
        reached: requests in which it was asked: at least one call was made in its turn. These are
            `accepted`, `escalated`, `failed` and `left` together.
        answered: requests whose answer was its own.
        share: `answered` of all requests, in [0, 1].
        accepted: turns that ended so, as `escalated` and `failed`.
        left: turns cut off because the caller went away.
        acceptance: `accepted` of the turns that came to an end (`reached` less `left`), in [0, 1];
            `None` where none did.
        skipped: requests in which it was passed over without being asked.
        not_asked: requests that came to it and ended before its first call: the budget had no room
            for it, the deadline had passed, or the caller had left.
        cost: of its turns, scorers' calls included.
        time: of its turns, from the first call's start to the last one's end.
    """

    tier: str
    reached: int
    answered: int
    share: float
    accepted: int
    escalated: int
    failed: int
    left: int
    acceptance: float | None
    skipped: int
    not_asked: int
    cost: Amount
    time: Times


@dataclass(frozen=True, slots=True)
class ScorerStats:
    """What one scorer said about one tier's drafts.

    Attributes:
        tier: whose drafts.
        scorer: its name.
        within: the combinations it is part of, from the outside.
        runs: how often it ran.
        mean: of its scores, in [0, 1]; `None` where it gave none.
        below: the share of its scores below the tier's threshold, in [0, 1]; `None` for part of a
            combination, as only the whole is compared with it.
        abstained: runs without a score for lack of a signal.
        failed: runs in which it raised.
        calls: model calls that it made, counted at the outermost combination.
        cost: of these calls.
        time: of these calls.
    """

    tier: str
    scorer: str
    within: tuple[str, ...]
    runs: int
    mean: float | None
    below: float | None
    abstained: int
    failed: int
    calls: int
    cost: Amount
    time: Times


@dataclass(frozen=True, slots=True)
class Stats:
    """What many requests came to.

    Attributes:
        requests: how many.
        statuses: how many ended how, most frequent first.
        first: when the first of them began, as its trace says; `None` without any.
        last: when the last one did.
        cost: all of it.
        scoring: the part that scorers' calls caused.
        top_tier: what the answers would have cost on the chain's last tier; unknown where there
            was no answer.
        saved: `top_tier` less `cost`, of the requests where both are known; negative where the
            cascade cost more.
        retries: tries beyond the first of their call.
        retried: what the tries cost that had to be made again.
        time: of whole requests.
        tiers: in the order in which they are asked.
        scorers: in the order of tiers, each combination before its parts.
    """

    requests: int
    statuses: dict[str, int]
    first: str | None
    last: str | None
    cost: Amount
    scoring: Amount
    top_tier: Amount
    saved: Amount
    retries: int
    retried: Amount
    time: Times
    tiers: tuple[TierStats, ...]
    scorers: tuple[ScorerStats, ...]


def trace_stats(traces: Iterable[Trace]) -> Stats:
    """Add traces up.

    Args:
        traces: any traces, such as `store.iter_traces(since="2026-11-01")`; each is looked at once
            and not kept. Replays are passed over: nothing of them happened.

    Raises:
        TypeError: these are no traces, but e.g. the path of a store.
    """
    counting = Counting()
    for trace in some_traces(traces, "trace_stats"):
        counting.add(a_trace(trace, "trace_stats"))
    return counting.stats()


# Adding up --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tier:
    turns: dict[str, int] = field(default_factory=dict)
    answered: int = 0
    cost: Sum = field(default_factory=Sum)
    clock: Clock = field(default_factory=Clock)


@dataclass(slots=True)
class _Scorer:
    kinds: dict[str, int] = field(default_factory=dict)
    total: float = 0.0
    judged: int = 0
    below: int = 0
    calls: int = 0
    cost: Sum = field(default_factory=Sum)
    clock: Clock = field(default_factory=Clock)


_Path = tuple[str, ...]


class Counting:
    """Adds traces up as they come; `stats` may be asked for at any time."""

    def __init__(self) -> None:
        self.requests = 0
        self._statuses: dict[str, int] = {}
        self._first: str | None = None
        self._last: str | None = None
        self._cost, self._scoring, self._top, self._saved, self._retried = (Sum() for _ in range(5))
        self._retries = 0
        self._clock = Clock()
        self._tiers: dict[str, _Tier] = {}
        self._scorers: dict[str, dict[_Path, _Scorer]] = {}

    def add(self, trace: Trace) -> None:
        """Count one trace; a replay is passed over."""
        if trace.replayed:
            return
        self.requests += 1
        self._statuses[trace.status] = self._statuses.get(trace.status, 0) + 1
        begun = trace.started_at
        self._first = begun if self._first is None else min(self._first, begun)
        self._last = begun if self._last is None else max(self._last, begun)
        self._cost.add(trace.cost_usd, trace.known_cost_usd)
        self._scoring.add(trace.scoring_cost_usd, _known_scoring(trace))
        self._top.add(trace.top_tier_cost_usd)
        self._saved.add(trace.saved_usd)
        self._clock.add(trace.duration_s)
        answered = None
        for attempt in trace.attempts:
            tier = self._tiers.setdefault(attempt.tier, _Tier())
            self._add_attempt(tier, attempt, _turn(trace, attempt))
            if attempt.tier == trace.tier:
                answered = tier
        if answered is not None:
            answered.answered += 1

    def _add_attempt(self, tier: _Tier, attempt: Attempt, turn: str) -> None:
        tier.turns[turn] = tier.turns.get(turn, 0) + 1
        if not attempt.asked:
            return
        tier.cost.add(attempt.cost_usd, attempt.known_cost_usd)
        if attempt.charges:
            tier.clock.add(attempt.latency_s)
        scorers = self._scorers.setdefault(attempt.tier, {})
        for path, record in _records(attempt.score):
            _add_score(scorers.setdefault(path, _Scorer()), record, attempt.threshold, path)
        for charge in attempt.charges:
            if charge.purpose == "scorer":
                scorer = scorers.setdefault((charge.scorer or "scorer",), _Scorer())
                scorer.calls += 1
                scorer.cost.add(charge.cost_usd)
                scorer.clock.add(charge.latency_s)
        for charge in _retried(attempt.charges):
            self._retries += 1
            self._retried.add(charge.cost_usd)

    def stats(self) -> Stats:
        """What was counted so far."""
        return Stats(
            requests=self.requests,
            statuses=dict(sorted(self._statuses.items(), key=lambda item: -item[1])),
            first=self._first,
            last=self._last,
            cost=self._cost.amount(),
            scoring=self._scoring.amount(),
            top_tier=self._top.amount(),
            saved=self._saved.amount(),
            retries=self._retries,
            retried=self._retried.amount(),
            time=self._clock.times(),
            tiers=tuple(self._tier(name, tier) for name, tier in self._tiers.items()),
            scorers=tuple(
                _scorer(tier, path, found)
                for tier in self._tiers
                for path, found in _in_order(self._scorers.get(tier, {}))
            ),
        )

    def _tier(self, name: str, tier: _Tier) -> TierStats:
        accepted, escalated, failed, left, skipped, not_asked = (
            tier.turns.get(turn, 0) for turn in TURNS
        )
        ended = accepted + escalated + failed
        return TierStats(
            tier=name,
            reached=ended + left,
            answered=tier.answered,
            share=tier.answered / self.requests,
            accepted=accepted,
            escalated=escalated,
            failed=failed,
            left=left,
            acceptance=accepted / ended if ended else None,
            skipped=skipped,
            not_asked=not_asked,
            cost=tier.cost.amount(),
            time=tier.clock.times(),
        )


TURNS = ("accepted", "escalated", "failed", "left", "skipped", "not asked")


def _turn(trace: Trace, attempt: Attempt) -> str:
    """How a tier's turn ended, one of `TURNS`: a failure is the tier's own."""
    if attempt.verdict == "failed" and not attempt.asked:
        return "not asked"
    if (
        attempt.verdict == "failed"
        and trace.status == "cancelled"
        and attempt is trace.attempts[-1]
    ):
        return "left"
    return attempt.verdict


def _known_scoring(trace: Trace) -> Decimal:
    return known_usd(tuple(charge for charge in trace.charges if charge.purpose == "scorer"))


def _records(record: ScoreRecord | None, above: _Path = ()) -> Iterator[tuple[_Path, ScoreRecord]]:
    """A score and its parts, each with the names that lead to it."""
    if record is not None:
        path = (*above, record.scorer)
        yield path, record
        for part in record.parts:
            yield from _records(part, path)


def _add_score(scorer: _Scorer, record: ScoreRecord, threshold: float | None, path: _Path) -> None:
    scorer.kinds[record.kind] = scorer.kinds.get(record.kind, 0) + 1
    if record.value is None:
        return
    scorer.total += record.value
    if threshold is not None and len(path) == 1:
        scorer.judged += 1
        scorer.below += record.value < threshold


def _in_order(scorers: Mapping[_Path, _Scorer]) -> list[tuple[_Path, _Scorer]]:
    """Each combination before its parts, in the order in which they were first seen.

    A part that an early stop hid at first is still shown beside the others.
    """
    seen = {path: place for place, path in enumerate(scorers)}
    way = {path: [seen[path[: end + 1]] for end in range(len(path))] for path in scorers}
    return sorted(scorers.items(), key=lambda item: way[item[0]])


def _retried(charges: Iterable[Charge]) -> Iterator[Charge]:
    """The tries that were followed by another one of the same call."""
    last: dict[int, Charge] = {}
    for charge in charges:
        if charge.call in last:
            yield last[charge.call]
        last[charge.call] = charge


def _scorer(tier: str, path: _Path, found: _Scorer) -> ScorerStats:
    scored = found.kinds.get("score", 0)
    return ScorerStats(
        tier=tier,
        scorer=path[-1],
        within=path[:-1],
        runs=sum(found.kinds.values()),
        mean=found.total / scored if scored else None,
        below=found.below / found.judged if found.judged else None,
        abstained=found.kinds.get("abstained", 0),
        failed=found.kinds.get("failed", 0),
        calls=found.calls,
        cost=found.cost.amount(),
        time=found.clock.times(),
    )
