"""`cascade demo`: real models are asked, scored, accepted and escalated, and the bill is shown."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cascade.cli.files import writing
from cascade.cli.output import OutputError, write
from cascade.cli.spending import Keeper, end_early
from cascade.core.chain import Chain
from cascade.core.trace import Trace
from cascade.core.trace_text import dollars
from cascade.demo.job import (
    STANDS_IN_FOR,
    Answered,
    Summary,
    TierShare,
    local_chain,
    openai_chain,
    run,
    summarise,
    tickets,
)
from cascade.demo.servers import local_models
from cascade.engine import Cascade
from cascade.errors import ConfigError
from cascade.traces.terminal import trace_panel

__all__ = ["demo"]


def demo(
    *,
    openai: Annotated[
        bool,
        typer.Option("--openai", help="Ask OpenAI's models; needs OPENAI_API_KEY and spends."),
    ] = False,
    limit: Annotated[int, typer.Option(help="How many of the tickets to ask.", min=1)] = 60,
    output: Annotated[
        Path | None, typer.Option(help="Write every trace to this JSONL file, as it ends.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Sort labelled support tickets with a cascade of real models, and show what it cost.

    Without --openai the models run on this machine: no key, no network, no configuration.
    """
    if openai:
        _check_key()
    keeper = Keeper()
    try:
        with writing(output) as file:
            keeper.file = file
            _demo(keeper, openai=openai, limit=limit, as_json=as_json)
            if file is not None:
                file.finish()
    except (KeyboardInterrupt, OutputError) as error:
        end_early(error, keeper, as_json=as_json)


def _demo(keeper: Keeper, *, openai: bool, limit: int, as_json: bool) -> None:
    console = Console(stderr=as_json)
    with ExitStack() as stack:
        if openai:
            chain = openai_chain()
        else:
            with console.status("Starting two local language models ..."):
                models = stack.enter_context(local_models())
            chain = local_chain(models)
        work = tickets(limit)
        console.print(_introduction(chain, len(work)))
        began = time.perf_counter()
        llm = Cascade(chain, observers=[keeper.keep])
        answered = _ask(console, llm, chain, work, "cascade", keeper=keeper)
        wall_s = time.perf_counter() - began
        top_chain = Chain((chain.top,), name="top", table=chain.table)
        began = time.perf_counter()
        llm = Cascade(top_chain, observers=[keeper.count])
        top = _ask(console, llm, chain, work, f"{chain.top.name} alone", keeper=keeper)
        top_wall_s = time.perf_counter() - began
    summary = summarise(chain, answered, wall_s, top, top_wall_s)
    if as_json:
        write(json.dumps(_plain(summary)) + "\n")
        return
    shown = _telling(answered)
    if shown is not None:
        console.print(Text("\nOne request, from its trace:"), trace_panel(shown))
    console.print(_table(summary))
    console.print(_verdict(summary))


def _check_key() -> None:
    if not os.environ.get("OPENAI_API_KEY"):
        raise ConfigError(
            "--openai needs OPENAI_API_KEY; without it, `cascade demo` runs models on this machine"
        )


def _introduction(chain: Chain, count: int) -> Text:
    lines = [f"{count} labelled support tickets, one category each. The tiers, cheapest first:"]
    for tier in chain.tiers:
        priced = STANDS_IN_FOR.get(tier.name)
        note = f" with {len(tier.preamble) // 2} worked examples" if tier.preamble else ""
        as_if = f", at the list price of {priced}" if priced else ""
        lines.append(f"  {tier.name}: {tier.model}{note}{as_if}")
    return Text("\n".join(lines))


def _ask(
    console: Console,
    llm: Cascade,
    chain: Chain,
    work: Sequence[Any],
    title: str,
    *,
    keeper: Keeper,
) -> list[Answered]:
    """Run the job under a progress bar that shows which tier answers."""
    answered: list[Answered] = []
    bar = Progress(
        TextColumn("{task.description:14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[shares]}"),
        console=console,
    )
    with bar:
        task = bar.add_task(title, total=len(work), shares="")
        for item in run(llm, work):
            keeper.check()
            answered.append(item)
            bar.update(task, advance=1, shares=_shares(answered, chain))
    return answered


def _shares(answered: Sequence[Answered], chain: Chain) -> str:
    counts = dict.fromkeys((tier.name for tier in chain.tiers), 0)
    for item in answered:
        if item.completion is not None:
            counts[item.completion.tier] += 1
    return "  ".join(f"{name} {count}" for name, count in counts.items() if count)


def _telling(answered: Sequence[Answered]) -> Trace | None:
    """The trace that shows most: one that climbed furthest, and was right in the end."""
    candidates = [item for item in answered if item.completion is not None]
    if not candidates:
        return None
    best = max(candidates, key=lambda item: (len(item.completion.trace.attempts), item.right))  # type: ignore[union-attr]  # filtered above
    return best.completion.trace if best.completion else None


def _table(summary: Summary) -> Table:
    together = summary.tiers
    columns = (
        ("tier", "", [tier.name for tier in together], "together"),
        ("asked", "right", [str(tier.asked) for tier in together], ""),
        ("answered", "right", [_part(tier, summary) for tier in together], str(summary.requests)),
        (
            "right",
            "right",
            [f"{tier.right}/{tier.answered}" for tier in together],
            f"{summary.right}/{summary.requests}",
        ),
        (
            "in",
            "right",
            [f"{tier.input_tokens:,}" for tier in together],
            f"{sum(tier.input_tokens for tier in together):,}",
        ),
        (
            "out",
            "right",
            [f"{tier.output_tokens:,}" for tier in together],
            f"{sum(tier.output_tokens for tier in together):,}",
        ),
        (
            "cost",
            "right",
            [dollars(tier.cost_usd) for tier in together],
            dollars(summary.cost_usd),
        ),
    )
    table = Table(title="The bill", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True)
    for title, justify, _, footer in columns:
        table.add_column(title, justify="right" if justify else "left", footer=footer, no_wrap=True)
    for row in zip(*(cells for _, _, cells, _ in columns), strict=True):
        table.add_row(*row)
    return table


def _part(tier: TierShare, summary: Summary) -> str:
    """How many a tier answered, and its share."""
    return f"{tier.answered} ({tier.answered / max(1, summary.requests):.0%})"


def _verdict(summary: Summary) -> Group:
    """The cascade beside its last tier alone: quality, cost, time."""
    rows = (
        ("cascade", summary.right, summary.cost_usd, summary.wall_s),
        (f"{summary.top_tier} alone", summary.top_right, summary.top_cost_usd, summary.top_wall_s),
    )
    lines = [
        f"{name:18} {right / max(1, summary.requests):6.1%} right "
        f"{dollars(cost):>14} {wall_s:6.1f} s"
        for name, right, cost, wall_s in rows
    ]
    if summary.saved is not None:
        what = "saved" if summary.saved >= 0 else "paid more"
        more = summary.right - summary.top_right
        right = f"{abs(more)} {'fewer' if more < 0 else 'more'}" if more else "as many"
        lines.append(
            f"{abs(summary.saved):.0%} {what} and {right} right answers against "
            f"{summary.top_tier} alone: a demonstration on {summary.requests} tickets, no proof."
        )
    return Group(*(Text(line) for line in lines))


def _plain(summary: Summary) -> dict[str, Any]:
    def value(item: Any) -> Any:
        if isinstance(item, Decimal):
            return format(item, "f")
        if isinstance(item, dict):
            return {key: value(part) for key, part in item.items()}
        return [value(part) for part in item] if isinstance(item, list | tuple) else item

    plain: dict[str, Any] = value(asdict(summary))
    plain["saved"] = round(float(summary.saved), 4) if summary.saved is not None else None
    return plain
