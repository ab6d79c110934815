"""What many requests came to, as tables in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from cascade.core.trace_text import dollars
from cascade.traces.lines import line, seconds, short_dollars
from cascade.traces.stats import Amount, ScorerStats, Stats, TierStats
from cascade.traces.summary import STATUSES

__all__ = ["stats_tables"]

BAR = 12
"""Characters of a whole bar."""

EIGHTHS = " ▏▎▍▌▋▊▉█"

Cell = Callable[[Any], Text | str]


NARROW = 120
"""Below this width there are no bars, and no columns that others imply."""


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
        endings.append(f"{count:,} {status}", STATUSES.get(status, "red"))
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
    word = "saved" if saved.known_usd >= 0 else "lost"
    words = f"against the last tier alone, {_dollars(top.known_usd)}"
    if saved.unknown:
        words += f"; of {known:,} requests, unknown for {saved.unknown:,}"
    return _labelled(word, _dollars(abs(saved.known_usd)), words)


def _labelled(label: str, value: str, words: str) -> Text:
    text = Text(f"{label:<9}", "dim").append(value, "bold not dim")
    return text.append(f" · {words}", "default not bold not dim")


def _tiers(tiers: Sequence[TierStats], *, wide: bool) -> Table:
    most = max(tier.share for tier in tiers)
    return _table(
        tiers,
        [
            ("tier", lambda tier: line(tier.tier, "bold"), True),
            ("reached", lambda tier: f"{tier.reached:,}", True),
            ("answered", lambda tier: f"{tier.answered:,}", wide),
            ("share", lambda tier: _share(tier.share), True),
            ("", lambda tier: Text(_bar(tier.share, most), "green"), wide),
            ("accepted", lambda tier: _share(tier.acceptance), True),
            ("escalated", lambda tier: f"{tier.escalated:,}", any(t.escalated for t in tiers)),
            ("failed", lambda tier: _alarming(tier.failed), any(t.failed for t in tiers)),
            ("left", lambda tier: f"{tier.left:,}", any(t.left for t in tiers)),
            ("skipped", lambda tier: f"{tier.skipped:,}", any(t.skipped for t in tiers)),
            ("not asked", lambda tier: f"{tier.not_asked:,}", any(t.not_asked for t in tiers)),
            ("cost", lambda tier: _amount(tier.cost), True),
            ("each", lambda tier: _mean(tier.cost, tier.reached), wide),
            ("p50", lambda tier: _time(tier.time.p50_s), True),
            ("p95", lambda tier: _time(tier.time.p95_s), True),
        ],
        wide=wide,
    )


def _scorers(scorers: Sequence[ScorerStats], *, wide: bool) -> Table:
    named: list[tuple[str, ScorerStats]] = []
    for scorer in scorers:
        first = not named or named[-1][1].tier != scorer.tier
        named.append((scorer.tier if first else "", scorer))
    calls = any(scorer.calls for scorer in scorers)
    return _table(
        named,
        [
            ("tier", lambda row: line(row[0], "bold"), True),
            (
                "scorer",
                lambda row: Text("  " * len(row[1].within)).append_text(line(row[1].scorer)),
                True,
            ),
            ("runs", lambda row: f"{row[1].runs:,}", True),
            ("mean", lambda row: _score(row[1].mean), True),
            ("", lambda row: Text(_bar(row[1].mean or 0.0, 1.0), "cyan"), wide),
            ("below", lambda row: _share(row[1].below), True),
            ("abstained", lambda row: f"{row[1].abstained:,}", any(s.abstained for s in scorers)),
            ("failed", lambda row: _alarming(row[1].failed), any(s.failed for s in scorers)),
            ("calls", lambda row: f"{row[1].calls:,}" if not row[1].within else "", calls and wide),
            ("cost", lambda row: _amount(row[1].cost) if not row[1].within else "", calls),
            ("p50", lambda row: _time(row[1].time.p50_s) if not row[1].within else "", calls),
            ("p95", lambda row: _time(row[1].time.p95_s) if not row[1].within else "", calls),
        ],
        wide=wide,
    )


def _table(rows: Sequence[Any], columns: Sequence[tuple[str, Cell, bool]], *, wide: bool) -> Table:
    shown = [(name, cell) for name, cell, is_shown in columns if is_shown]
    table = Table(box=None, pad_edge=False, padding=(0, 2 if wide else 1, 0, 0))
    for name, _ in shown:
        to_the_left = name in ("tier", "scorer", "")
        table.add_column(
            name,
            justify="left" if to_the_left else "right",
            no_wrap=True,
            overflow="ellipsis" if to_the_left else "fold",
            min_width=8 if name in ("tier", "scorer") else None,
            header_style="dim",
        )
    for row in rows:
        table.add_row(*(cell(row) for _, cell in shown))
    return table


def _bar(value: float, whole: float) -> str:
    eighths = round(8 * BAR * value / whole) if whole else 0
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


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
