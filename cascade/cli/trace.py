"""`cascade trace`: list, show and export kept traces."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from cascade.cli.files import refuse_same_file, store_file, writing
from cascade.cli.output import (
    WRONG_RUN,
    JsonOption,
    StoreOption,
    UsageError,
    existing,
    moment,
    nearest_of,
    print_json,
    say,
    show,
    write,
)
from cascade.core.trace import Status, Trace
from cascade.errors import TraceError

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["trace"]

STATUSES: tuple[str, ...] = get_args(Status)

NEWEST = 1000
"""Traces looked through for the tiers there are, when one of them was mistyped."""

DEFAULT_STORE = "traces.sqlite3"

trace = typer.Typer(no_args_is_help=True, help="List, show and export kept traces.")

StatusOption = Annotated[
    str | None, typer.Option(help=f"Only requests that ended so: {', '.join(STATUSES)}.")
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

    _check_status(status)
    begun, damaged = moment(since), _Damaged()
    with _open(store) as opened:
        rows = opened.list(limit, status, tier, begun, on_damaged=damaged)
        total = opened.count()
        if not rows:
            _say_no_tier(opened, tier)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        show(summary_table(rows))
        say(f"{len(rows)} of {total} traces in {store}; `cascade trace show ID` shows one")
    damaged.end()


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
    line: Annotated[
        int | None,
        typer.Option(min=1, help="Which trace of a .jsonl file; the first unless given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: who was asked, what each scorer said, what every call cost."""
    if _is_file(which):
        found = _from_file(Path(which), line)
    elif line is None:
        found = _from_store(which, store)
    else:
        raise UsageError("--line goes with a .jsonl file")
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
    """Write whole traces as JSON lines, oldest first.

    A damaged trace is named, passed over, and makes the command end with 1.
    """
    _check_status(status)
    refuse_same_file(output, {"--store": store_file(store)})
    begun, damaged, count = moment(since), _Damaged(), 0
    with _open(store) as opened, writing(output) as file:
        for item in opened.iter_traces(status=status, tier=tier, since=begun, on_damaged=damaged):
            line = json.dumps(item.to_dict())
            count += 1
            if file is None:
                write(f"{line}\n")
            else:
                file.write_text(line)
        if file is not None:
            file.finish()
        if not count:
            _say_no_tier(opened, tier)
    if output is not None and as_json:
        print_json({"traces": count, "damaged": damaged.count, "output": str(output)})
    elif output is not None:
        say(f"{count} traces written to {output}")
    damaged.end()


class _Damaged:
    """Names the traces that cannot be read, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, trace_id: str, error: TraceError) -> None:
        self.count += 1
        words = str(error)
        named = words if trace_id in words else f"trace {trace_id}: {words}"
        say(f"error: {named}; left out", style="red")

    def end(self) -> None:
        """End with 1 where there were any."""
        if self.count:
            say(f"{self.count} damaged traces left out", style="yellow")
            raise typer.Exit(WRONG_RUN)


def _check_status(status: str | None) -> None:
    if status is None or status in STATUSES:
        return
    near = nearest_of(status, STATUSES)
    hint = f"did you mean {near!r}?" if near else f"expected one of {', '.join(STATUSES)}"
    raise UsageError(f"--status {status!r} is no status; {hint}")


def _say_no_tier(store: TraceStore, tier: str | None) -> None:
    """Where a tier answered nothing at all, say which ones did: its name may be mistyped."""
    if tier is None or store.list(1, tier=tier, on_damaged=_ignore):
        return
    newest = store.list(NEWEST, on_damaged=_ignore)
    known = sorted({row.tier for row in newest if row.tier is not None})
    say(
        f"no request in {store.where} was answered by a tier {tier!r}; "
        f"those that answered: {', '.join(known) or 'none'}",
        style="yellow",
    )


def _ignore(_trace_id: str, _error: TraceError) -> None:
    """Damaged rows were told already."""


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


def _from_file(path: Path, line: int | None) -> Trace:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"trace file {str(path)!r} cannot be read: {error}") from error
    where = str(path)
    if path.suffix == ".jsonl":
        lines = [item for item in text.split("\n") if item.strip()]
        wanted = line or 1
        if wanted > max(1, len(lines)):
            raise UsageError(f"--line {wanted}: {where!r} holds {len(lines)} traces")
        if line is None and len(lines) > 1:
            say(f"the first of {len(lines)} traces in {where}; --line 2 shows the second")
        text = lines[wanted - 1] if lines else ""
        where = f"{where}, line {wanted}"
    elif line is not None:
        raise UsageError("--line goes with a .jsonl file")
    try:
        return Trace.from_json(text)
    except TraceError as error:
        raise type(error)(f"{where}: {error}") from error
