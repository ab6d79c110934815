"""`cascade stats`: what the requests of a store came to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cascade.cli.kept import (
    DEFAULT_STORE,
    ChainOption,
    Damaged,
    ParentOption,
    SinceOption,
    StatusOption,
    TagOption,
    TierOption,
    UntilOption,
    filters,
    named_store,
    opened,
    say_nothing_found,
)
from cascade.cli.output import JsonOption, StoreArgument, StoreOption, print_json, show
from cascade.core.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["stats"]

LONG = 2_000
"""From so many traces on a bar shows how far it has come: about a second's work."""


def stats(
    ctx: typer.Context,
    place: StoreArgument = None,
    *,
    store: StoreOption = DEFAULT_STORE,
    status: StatusOption = None,
    tier: TierOption = None,
    chain: ChainOption = None,
    tag: TagOption = None,
    parent: ParentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add up the requests of a store: share, acceptance, cost and time by tier and by scorer.

    Unknown costs are counted and never taken for nothing. Times are right within one per cent. A
    damaged trace is named, passed over, and makes the command end with 1.
    """
    from cascade.traces.stats import trace_stats  # noqa: PLC0415  loads with what it needs
    from cascade.traces.stats_view import stats_tables  # noqa: PLC0415

    wanted = filters(
        status=status, tier=tier, since=since, until=until, chain=chain, tag=tag, parent=parent
    )
    damaged = Damaged()
    with opened(named_store(ctx, place, store)) as kept:
        traces = kept.iter_traces(on_damaged=damaged, **wanted)
        with _progress(traces, kept.count(**wanted)) as watched:
            found = trace_stats(watched)
        if not found.requests:
            say_nothing_found(kept, wanted)
    if as_json:
        print_json(asdict(found))
    else:
        show(stats_tables(found))
    damaged.end()


@contextmanager
def _progress(traces: Iterable[Trace], total: int) -> Iterator[Iterable[Trace]]:
    """The traces, with a bar beside them where there are many and a terminal."""
    console = Console(stderr=True)
    if total < LONG or not console.is_terminal:
        yield traces
        return
    columns = (TextColumn("adding up"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield bar.track(traces, total=total)
