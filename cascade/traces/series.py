"""What the requests of a store came to hour by hour, day by day or month by month.

Made of the columns that stand beside each trace, so that ten thousand take a tenth of a second.
Amounts are exact; where one is unknown, what is known of it counts, and how many are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Unpack, get_args

from sqlalchemy import Connection, select

from cascade.core.price import EXACT
from cascade.errors import ConfigError
from cascade.traces import queries
from cascade.traces.filters import Wanted, checked
from cascade.traces.schema import charges, traces
from cascade.traces.store import TraceStore
from cascade.traces.sums import Amount, Clock, Sum, Times

__all__ = ["Series", "Span", "Step", "series"]

Step = Literal["hour", "day", "month"]

STEPS: tuple[Step, ...] = get_args(Step)

LENGTHS = {"hour": 13, "day": 10, "month": 7}
"""Characters of a moment in ISO 8601 that name the step it lies in."""

MOST = 2_000
"""Steps between the first and the last request; empty ones are left out of a longer series."""

COLUMNS = (
    *("id", "started_at", "status", "tier", "chain", "attempts"),
    *("cost_usd", "saved_usd", "duration_s"),
)


@dataclass(frozen=True, slots=True)
class Span:
    """What the requests of some time came to.

    Attributes:
        requests: how many.
        answers: how many of them each tier answered; under "" those that got no answer.
        statuses: how many ended how.
        escalated: how many asked more than one tier.
        cost: all they cost.
        saved: against the chain's last tier, of those where that is known.
        top_tier: what those cost on the chain's last tier of which both costs are known.
        time: of whole requests.
    """

    requests: int
    answers: Mapping[str, int]
    statuses: Mapping[str, int]
    escalated: int
    cost: Amount
    saved: Amount
    top_tier: Decimal
    time: Times

    @property
    def escalation(self) -> float | None:
        """The share that asked more than one tier, in [0, 1]; `None` without requests."""
        return self.escalated / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Series:
    """Requests over time.

    Attributes:
        step: how long each span is.
        spans: what came of each, by the moment it begins, without gaps: between the first request
            and the last, or from `since` to now where that alone was given.
        whole: all of them together.
        chains: the same by chain, the busiest first.
        tiers: those that answered, in the order in which requests came to them on average.
    """

    step: Step
    spans: Mapping[datetime, Span]
    whole: Span
    chains: Mapping[str, Span]
    tiers: tuple[str, ...]


def series(store: TraceStore, *, step: Step = "day", **wanted: Unpack[Wanted]) -> Series:
    """Add requests up by time, and by chain.

    Args:
        store: where their traces are kept.
        step: "hour", "day" or "month", in UTC.
        **wanted: what narrows the requests, as in `TraceStore.list`.

    Raises:
        ConfigError: a step or filter that cannot be meant.
        StoreError: the store cannot be read.
    """
    if step not in STEPS:
        raise ConfigError(f"step {step!r}: expected one of {', '.join(STEPS)}")
    where = queries.conditions(wanted)
    window = _window(wanted, step)
    length = LENGTHS[step]
    whole, spans, chains = _Adding(), dict[str, _Adding](), dict[str, _Adding]()
    with store.reading() as connection:
        known = _known(connection, where)
        rows = connection.execute(select(*(traces.c[name] for name in COLUMNS)).where(*where))
        for row in rows:
            found = _read(row, known)
            if found is None:
                continue
            moment, chain = str(row[1])[:length], str(row[4])
            for part in (
                whole,
                spans.setdefault(moment, _Adding()),
                chains.setdefault(chain, _Adding()),
            ):
                part.add(found)
    busiest = sorted(chains.items(), key=lambda item: (-item[1].requests, item[0]))
    return Series(
        step,
        dict(_without_gaps(spans, step, window)),
        whole.span(),
        {name: part.span() for name, part in busiest},
        whole.tiers(),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    status: str
    tier: str
    attempts: int
    cost: Decimal | None
    known: Decimal
    saved: Decimal | None
    duration_s: float


class _Adding:
    def __init__(self) -> None:
        self.requests = self.escalated = 0
        self.answers: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.statuses: dict[str, int] = {}
        self.cost, self.saved = Sum(), Sum()
        self.top = Decimal(0)
        self.clock = Clock()

    def add(self, row: _Row) -> None:
        self.requests += 1
        self.escalated += row.attempts > 1
        self.answers[row.tier] = self.answers.get(row.tier, 0) + 1
        self.asked[row.tier] = self.asked.get(row.tier, 0) + row.attempts
        self.statuses[row.status] = self.statuses.get(row.status, 0) + 1
        self.cost.add(row.cost, row.known)
        self.saved.add(row.saved)
        if row.saved is not None and row.cost is not None:
            self.top = EXACT.add(self.top, EXACT.add(row.saved, row.cost))
        self.clock.add(row.duration_s)

    def tiers(self) -> tuple[str, ...]:
        found = [name for name in self.answers if name]
        return tuple(sorted(found, key=lambda name: (self.asked[name] / self.answers[name], name)))

    def span(self) -> Span:
        return Span(
            self.requests,
            dict(sorted(self.answers.items())),
            dict(sorted(self.statuses.items(), key=lambda item: -item[1])),
            self.escalated,
            self.cost.amount(),
            self.saved.amount(),
            self.top,
            self.clock.times(),
        )


def _known(connection: Connection, where: queries.Conditions) -> dict[str, Decimal]:
    """What is known of the costs of those traces that do not know it all."""
    unknown = select(traces.c.id).where(traces.c.cost_usd.is_(None), *where)
    query = select(charges.c.trace_id, charges.c.cost_usd).where(
        charges.c.trace_id.in_(unknown), charges.c.cost_usd.is_not(None)
    )
    found: dict[str, Decimal] = {}
    for trace_id, cost in connection.execute(query):
        amount = _amount(cost)
        if isinstance(amount, Decimal):
            found[trace_id] = EXACT.add(found.get(trace_id, Decimal(0)), amount)
    return found


def _read(row: Any, known: Mapping[str, Decimal]) -> _Row | None:
    """A row as values; `None` where somebody put something else into it."""
    trace_id, _, status, tier, _, attempts, cost, saved, duration = row
    try:
        return _Row(
            str(status),
            tier or "",
            int(attempts),
            _amount(cost),
            known.get(trace_id, Decimal(0)),
            _amount(saved),
            float(duration),
        )
    except (TypeError, ValueError, ArithmeticError):
        return None


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _window(wanted: Wanted, step: Step) -> list[datetime]:
    """The steps in which since and now lie: a time that was chosen is shown in full."""
    since = checked(wanted).get("since")
    if not isinstance(since, datetime) or wanted.get("until") is not None:
        return []
    ends = (since.replace(tzinfo=since.tzinfo or UTC), datetime.now(UTC))
    named = [moment.astimezone(UTC).isoformat()[: LENGTHS[step]] for moment in ends]
    return [moment for name in named if (moment := _moment(name)) is not None]


def _without_gaps(
    spans: Mapping[str, _Adding], step: Step, window: Sequence[datetime]
) -> Iterator[tuple[datetime, Span]]:
    """Spans in order, empty ones among them; a moment that is none has no place in time."""
    dated = {moment: name for name in spans if (moment := _moment(name)) is not None}
    if not dated:
        return
    ends = [*dated, *window]
    for moment in _every(min(ends), max(ends), step) or sorted(dated):
        name = dated.get(moment)
        yield moment, (spans[name] if name is not None else _Adding()).span()


def _every(first: datetime, last: datetime, step: Step) -> Iterable[datetime]:
    """Every step from the first to the last; none where they are too many."""
    found = [first]
    while found[-1] < last:
        found.append(_next(found[-1], step))
        if len(found) > MOST:
            return ()
    return found


def _next(moment: datetime, step: Step) -> datetime:
    if step == "month":
        return (moment + timedelta(days=31)).replace(day=1)
    return moment + (timedelta(hours=1) if step == "hour" else timedelta(days=1))


def _moment(name: str) -> datetime | None:
    try:
        whole = f"{name}-01" if len(name) == LENGTHS["month"] else name
        return datetime.fromisoformat(whole).replace(tzinfo=UTC)
    except ValueError:
        return None
