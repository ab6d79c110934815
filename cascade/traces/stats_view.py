"""What many requests came to, as tables in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from cascade.core.dollars import dollars, saved_or_lost
from cascade.core.trace_text import ending_words
from cascade.percent import percent
from cascade.traces.lines import line, seconds, short_dollars
from cascade.traces.stats import Amount, ScorerStats, Stats, TierStats
from cascade.traces.summary import STATUSES
from cascade.traces.tables import SHORTEST_NAME, Column, fitted

__all__ = ["stats_tables"]

BAR = 12
"""Characters of a whole bar."""

EIGHTHS = " ▏▎▍▌▋▊▉█"

Cell = Callable[[Any], Text | str]

NARROW = 120
"""Below this width there are no bars."""


def stats_tables(stats: Stats) -> RenderableType:
    """Totals, then a table of tiers and one of scorers."""
    return _Tables(stats)


class _Tables:
    """Laid out when it is printed: only then the width is known."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        wide = options.max_width >= NARROW
        yield from _totals(self._stats)
        if self._stats.tiers:
            yield Text()
            yield _tiers(self._stats.tiers, wide=wide)
        if self._stats.scorers:
            yield Text()
            yield _scorers(self._stats.scorers, wide=wide)


def _totals(stats: Stats) -> Iterator[Text]:
    head = Text(f"{stats.requests:,} {'request' if stats.requests == 1 else 'requests'}", "bold")
    if stats.first and stats.last:
        begun, ended = _when(stats.first), _when(stats.last)
        head.append(
            f" · {begun}" if begun == ended else f" · {begun} to {ended}", "default not bold"
        )
    yield head
    if not stats.requests:
        return
    endings = Text()
    for status, count in stats.statuses.items():
        endings.append(" · " if endings else "")
        endings.append(f"{count:,} {ending_words(status)}", STATUSES.get(status, "red"))
    yield endings
    yield Text()
    yield _labelled("cost", _amount(stats.cost), f"{_mean(stats.cost, stats.requests)} a request")
    yield _saved(stats)
    yield _labelled("scoring", _amount(stats.scoring), "of the cost")
    if stats.retries:
        tries = "try" if stats.retries == 1 else "tries"
        words = f"of the cost, for {stats.retries:,} {tries} that had to be made again"
        yield _labelled("retries", _amount(stats.retried), words)
    yield _labelled("time", f"p50 {_time(stats.time.p50_s)}", f"p95 {_time(stats.time.p95_s)}")


def _saved(stats: Stats) -> Text:
    saved, top = stats.saved, stats.top_tier
    known = stats.requests - saved.unknown
    if not known:
        return _labelled("saved", "unknown", "no request with an answer whose cost is known")
    word = saved_or_lost(saved.known_usd)
    words = f"against the last tier alone, {_dollars(top.known_usd)}"
    if saved.unknown:
        words += f"; of {known:,} requests, unknown for {saved.unknown:,}"
    return _labelled(word, _dollars(abs(saved.known_usd)), words)


def _labelled(label: str, value: str, words: str) -> Text:
    text = Text(f"{label:<9}", "dim").append(value, "bold not dim")
    return text.append(f" · {words}", "default not bold not dim")


class _Said(NamedTuple):
    """A column: its head, what it says of a row, and its rank; see `Column`."""

    name: str
    cell: Cell
    rank: int = 0
    shown: bool = True


def _tiers(tiers: Sequence[TierStats], *, wide: bool) -> RenderableType:
    most = max(tier.share for tier in tiers)
    return _table(
        tiers,
        [
            _Said("tier", lambda tier: line(tier.tier, "bold")),
            _Said("reached", lambda tier: f"{tier.reached:,}"),
            _Said("answered", lambda tier: f"{tier.answered:,}", 2),
            _Said("share", lambda tier: _share(tier.share)),
            _Said("", lambda tier: Text(_bar(tier.share, most), "green"), 3, wide),
            _Said("accepted", lambda tier: _share(tier.acceptance)),
            _Said("escalated", lambda tier: f"{tier.escalated:,}", 0, _any(tiers, "escalated")),
            _Said("failed", lambda tier: _alarming(tier.failed), 0, _any(tiers, "failed")),
            _Said("left", lambda tier: f"{tier.left:,}", 0, _any(tiers, "left")),
            _Said("skipped", lambda tier: f"{tier.skipped:,}", 0, _any(tiers, "skipped")),
            _Said("not asked", lambda tier: f"{tier.not_asked:,}", 0, _any(tiers, "not_asked")),
            _Said("cost", lambda tier: _amount(tier.cost)),
            _Said("each", lambda tier: _mean(tier.cost, tier.reached), 1),
            _Said("p50", lambda tier: _time(tier.time.p50_s)),
            _Said("p95", lambda tier: _time(tier.time.p95_s)),
        ],
    )


def _scorers(scorers: Sequence[ScorerStats], *, wide: bool) -> RenderableType:
    calls = _any(scorers, "calls")
    return _table(
        scorers,
        [
            _Said("tier", lambda row: line(row.tier, "bold")),
            _Said("scorer", lambda row: Text("  " * len(row.within)).append_text(line(row.scorer))),
            _Said("runs", lambda row: f"{row.runs:,}"),
            _Said("mean", lambda row: _score(row.mean)),
            _Said("", lambda row: Text(_bar(row.mean or 0.0, 1.0), "cyan"), 3, wide),
            _Said("below", lambda row: _share(row.below)),
            _Said("abstained", lambda row: f"{row.abstained:,}", 0, _any(scorers, "abstained")),
            _Said("failed", lambda row: _alarming(row.failed), 0, _any(scorers, "failed")),
            _Said("calls", lambda row: f"{row.calls:,}" if not row.within else "", 2, calls),
            _Said("cost", lambda row: _amount(row.cost) if not row.within else "", 0, calls),
            _Said("p50", lambda row: _time(row.time.p50_s) if not row.within else "", 1, calls),
            _Said("p95", lambda row: _time(row.time.p95_s) if not row.within else "", 1, calls),
        ],
    )


def _table(rows: Sequence[Any], columns: Sequence[_Said]) -> RenderableType:
    return fitted(
        [
            Column(
                column.name,
                [column.cell(row) for row in rows],
                rank=column.rank,
                least=SHORTEST_NAME if column.name in ("tier", "scorer") else None,
                drawn=not column.name,
            )
            for column in columns
            if column.shown
        ]
    )


def _any(rows: Sequence[Any], name: str) -> bool:
    """Whether a count has a story to tell."""
    return any(getattr(row, name) for row in rows)


def _bar(value: float, whole: float) -> str:
    eighths = round(8 * BAR * value / whole) if whole else 0
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _alarming(count: int) -> Text:
    return Text(f"{count:,}", "red" if count else "")


def _amount(amount: Amount) -> str:
    if amount.usd is None:
        return f">= {_dollars(amount.known_usd)} ({amount.unknown:,} unknown)"
    return _dollars(amount.usd)


def _dollars(amount: Decimal) -> str:
    """Cents and more in four places, less in nine: sums of thousands need no billionths."""
    if abs(amount) >= 1:
        return dollars(amount.quantize(Decimal("0.0001")))
    return short_dollars(amount)


def _mean(amount: Amount, count: int) -> str:
    mean = amount.per(count)
    return "-" if mean is None else short_dollars(mean)


def _time(value: float | None) -> str:
    return "-" if value is None else seconds(value)


def _when(started_at: str) -> str:
    try:
        return datetime.fromisoformat(started_at).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return line(started_at).plain
