"""`cascade demo`: real models are asked, scored, accepted and escalated, and the bill is shown."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cascade.core.chain import Chain
from cascade.core.trace import Trace
from cascade.core.trace_text import dollars
from cascade.demo.job import Answered, Summary, local_chain, openai_chain, run, summarise, tickets
from cascade.demo.servers import local_models
from cascade.engine import Cascade
from cascade.errors import ConfigError
from cascade.traces.terminal import trace_panel

__all__ = ["demo"]


def demo(
    *,
    openai: Annotated[
        bool,
        typer.Option("--openai", help="Ask OpenAI's models (needs OPENAI_API_KEY; costs about a cent)."),
    ] = False,
    limit: Annotated[int, typer.Option(help="How many of the tickets to ask.", min=1)] = 60,
    output: Annotated[
        Path | None, typer.Option(help="Write every trace to this JSONL file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Sort labelled support tickets with a cascade of real models, and show what it cost.

    Without --openai the models run on this machine: no key, no network, no configuration.
    """
    console = Console(stderr=as_json)
    with ExitStack() as stack:
        if openai:
            chain = _with_key(openai_chain)
        else:
            with console.status("Starting two local language models ..."):
                models = stack.enter_context(local_models())
            chain = local_chain(models)
        work = tickets(limit)
        console.print(_introduction(chain, len(work)))
        began = time.perf_counter()
        answered = _ask(console, Cascade(chain), chain, work, "cascade")
        wall_s = time.perf_counter() - began
        top_chain = Chain((chain.top,), name="top", table=chain.table)
        began = time.perf_counter()
        top = _ask(console, Cascade(top_chain), chain, work, f"{chain.top.name} alone")
        top_wall_s = time.perf_counter() - began
    summary = summarise(chain, answered, wall_s, top, top_wall_s)
    if output is not None:
        traces = [item.completion.trace for item in answered if item.completion]
        output.write_text("".join(f"{trace.to_json()}\n" for trace in traces), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(_plain(summary)))
        return
    shown = _telling(answered)
    if shown is not None:
        console.print(Panel(trace_panel(shown), title="One request, from its trace", expand=False))
    console.print(_table(summary))
    console.print(_verdict(summary))


def _with_key(build: Any) -> Chain:
    import os  # noqa: PLC0415

    if not os.environ.get("OPENAI_API_KEY"):
        raise ConfigError(
            "--openai needs OPENAI_API_KEY; without it, `cascade demo` runs models on this machine"
        )
    chain: Chain = build()
    return chain


def _introduction(chain: Chain, count: int) -> Text:
    tiers = " → ".join(f"{tier.name} ({tier.model})" for tier in chain.tiers)
    return Text(f"{count} support tickets, one category each. Tiers: {tiers}.")


def _ask(
    console: Console, llm: Cascade, chain: Chain, work: Sequence[Any], title: str
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
    table = Table(title="The bill", title_justify="left", show_footer=True)
    top_note = Text(f"{summary.right}/{summary.requests}")
    table.add_column("tier", footer="together", no_wrap=True)
    table.add_column("priced as")
    table.add_column("asked", justify="right")
    table.add_column("answered", justify="right", footer=str(summary.requests))
    table.add_column("share", justify="right")
    table.add_column("right", justify="right", footer=top_note)
    tokens_in = sum(tier.input_tokens for tier in summary.tiers)
    tokens_out = sum(tier.output_tokens for tier in summary.tiers)
    table.add_column("tokens in", justify="right", footer=f"{tokens_in:,}")
    table.add_column("out", justify="right", footer=f"{tokens_out:,}")
    table.add_column("cost", justify="right", footer=dollars(summary.cost_usd))
    for tier in summary.tiers:
        table.add_row(
            tier.name,
            tier.stands_in_for,
            str(tier.asked),
            str(tier.answered),
            f"{tier.answered / max(1, summary.requests):.0%}",
            f"{tier.right}/{tier.answered}",
            f"{tier.input_tokens:,}",
            f"{tier.output_tokens:,}",
            dollars(tier.cost_usd),
        )
    return table


def _verdict(summary: Summary) -> Group:
    lines = [
        f"cascade             {summary.right / max(1, summary.requests):6.1%} right   "
        f"{dollars(summary.cost_usd):>12}   {summary.wall_s:5.1f} s",
        f"{summary.top_tier + ' alone':18}  {summary.top_right / max(1, summary.requests):6.1%} right   "
        f"{dollars(summary.top_cost_usd):>12}   {summary.top_wall_s:5.1f} s",
    ]
    if summary.saved is not None:
        what = "saved" if summary.saved >= 0 else "paid more"
        lines.append(
            f"{abs(summary.saved):.0%} {what}, {summary.right - summary.top_right:+d} right answers "
            f"against {summary.top_tier} alone, on {summary.requests} tickets: a demonstration, no proof"
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
