"""`cascade trace`: list, show and export kept traces."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cascade.cli.output import (
    JsonOption,
    StoreOption,
    UsageError,
    existing,
    moment,
    print_json,
    say,
    show,
    write,
)
from cascade.core.trace import Trace

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["trace"]

DEFAULT_STORE = "traces.sqlite3"

trace = typer.Typer(no_args_is_help=True, help="List, show and export kept traces.")

StatusOption = Annotated[
    str | None, typer.Option(help="Only requests that ended so, e.g. accepted or exhausted.")
]
TierOption = Annotated[str | None, typer.Option(help="Only requests that this tier answered.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Only requests since then: 2026-11-22, 12h, 7d.")
]


@trace.command("list")
def list_traces(
    *,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    status: StatusOption = None,
    tier: TierOption = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List traces, newest first: how each request ended, at what cost, and what it saved."""
    from cascade.traces.terminal import summary_table  # noqa: PLC0415  rich only where it is shown

    with _open(store) as opened:
        rows = opened.list(limit, status, tier, moment(since))
        total = opened.count()
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    show(summary_table(rows))
    say(f"{len(rows)} of {total} traces in {store}; `cascade trace show ID` shows one")


@trace.command("show")
def show_trace(
    which: Annotated[
        str,
        typer.Argument(
            metavar="ID|FILE",
            help='An id, the beginning of one, "last", or a file with the JSON of a trace.',
        ),
    ] = "last",
    *,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: who was asked, what each scorer said, what every call cost."""
    found = _from_file(Path(which)) if _is_file(which) else _from_store(which, store)
    if as_json:
        print_json(found.to_dict())
        return
    show(found)


@trace.command("export")
def export_traces(
    *,
    store: StoreOption = DEFAULT_STORE,
    output: Annotated[
        Path | None, typer.Option(help="File to write; standard output unless given.")
    ] = None,
    status: StatusOption = None,
    tier: TierOption = None,
    since: SinceOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print how many were written as JSON (with --output).")
    ] = False,
) -> None:
    """Write whole traces as JSON lines, oldest first."""
    with _open(store) as opened:
        traces = opened.iter_traces(status=status, tier=tier, since=moment(since))
        if output is None:
            for item in traces:
                write(f"{json.dumps(item.to_dict())}\n")
            return
        count = _write_lines(traces, output)
    if as_json:
        print_json({"traces": count, "output": str(output)})
    else:
        say(f"{count} traces written to {output}")


def _open(store: str) -> TraceStore:
    from cascade.traces.store import TraceStore  # noqa: PLC0415  loads SQLAlchemy

    return TraceStore(existing(store))


def _from_store(which: str, store: str) -> Trace:
    with _open(store) as opened:
        return opened.get(opened.resolve(which))


def _is_file(which: str) -> bool:
    return which.endswith((".json", ".jsonl")) or (
        Path(which).suffix != "" and Path(which).is_file()
    )


def _from_file(path: Path) -> Trace:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"trace file {str(path)!r} cannot be read: {error}") from error
    first = text.strip().partition("\n")[0] if path.suffix == ".jsonl" else text
    return Trace.from_json(first)


def _write_lines(traces: Iterable[Trace], output: Path) -> int:
    count = 0
    try:
        with output.open("w", encoding="utf-8") as file:
            for item in traces:
                file.write(f"{json.dumps(item.to_dict())}\n")
                count += 1
    except OSError as error:
        raise UsageError(f"--output {str(output)!r} cannot be written: {error.strerror}") from error
    return count
