"""`cascade prices`: what models cost and can do, from the table shipped with Cascade."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cascade.cli.output import JsonOption, UsageError, print_json, say, show
from cascade.core.chain_checks import SHUTDOWN_NOTICE
from cascade.core.pricing import ModelInfo, ModelTable, Rates, model_table, plain

__all__ = ["prices"]

LOGPROBS = {
    "yes": "yes",
    "at_effort_none": "effort none",
    "never": "no",
    "unverified": "unverified",
}

LEGEND = (
    '"?" is not known, "-" is none; logprobs: "effort none" is only with reasoning_effort "none", '
    f'"unverified" was tried by nobody; shutdown: "soon" is within {SHUTDOWN_NOTICE.days} days'
)


def prices(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Only these models.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what models cost, in USD per million tokens, and what is known of them.

    The table is dated and kept by hand from OpenAI's published prices; a tier's own price=... wins.
    """
    table = model_table()
    chosen = [_find(table, name) for name in models or table.models]
    if as_json:
        print_json({"as_of": table.as_of, "models": [_data(info) for info in chosen]})
        return
    show(_shown(chosen, datetime.now(UTC).date()))
    say(f"USD per 1,000,000 tokens, standard service, as of {table.as_of}; --json has every tier")
    say(LEGEND, style="dim")


def _find(table: ModelTable, name: str) -> ModelInfo:
    info = table.find(name)
    if info is None:
        nearest = table.nearest(name)
        hint = f"did you mean {nearest!r}?" if nearest else "`cascade prices` lists all models"
        raise UsageError(f"model {name!r} is not in the table of {table.as_of}; {hint}")
    return info


def _data(info: ModelInfo) -> dict[str, Any]:
    return {
        "model": info.model,
        "price": info.price.to_dict() if info.price else None,
        "context_window": info.context_window,
        "max_input_tokens": info.max_input_tokens,
        "max_output_tokens": info.max_output_tokens,
        "reasoning_efforts": info.reasoning_efforts,
        "default_reasoning_effort": info.default_reasoning_effort,
        "logprobs": info.logprobs,
        "max_top_logprobs": info.max_top_logprobs,
        "shutdown_date": info.shutdown_date,
    }


def _shown(infos: list[ModelInfo], today: date) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("model", no_wrap=True)
    for name in ("input", "cached", "output", "context"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("logprobs", no_wrap=True)
    table.add_column("shutdown", no_wrap=True)
    for info in infos:
        rates = info.price.standard if info.price else None
        table.add_row(
            Text(info.model, style="bold"),
            *_rates(rates),
            _thousands(info.context_window),
            LOGPROBS[info.logprobs],
            _shutdown(info.shutdown_date, today),
        )
    return table


def _rates(rates: Rates | None) -> tuple[str, str, str]:
    if rates is None:
        return "?", "-", "?"
    cached = "-" if rates.cached_input is None else plain(rates.cached_input)
    return plain(rates.input), cached, plain(rates.output)


def _thousands(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens // 1000}k"


def _shutdown(day: date | None, today: date) -> Text:
    if day is None:
        return Text("-")
    if day <= today:
        return Text(f"{day} gone", style="red")
    soon = day - today <= SHUTDOWN_NOTICE
    return Text(f"{day} soon" if soon else str(day), style="yellow" if soon else "")
