"""What the commands over kept traces share: filters, opening a store, finding one trace."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from cascade.cli.output import WRONG_RUN, UsageError, existing, say
from cascade.core.trace import Status, Trace
from cascade.errors import TraceError
from cascade.traces.filters import Wanted, checked

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = [
    "DEFAULT_STORE",
    "WHICH",
    "ChainOption",
    "Damaged",
    "LineOption",
    "ParentOption",
    "SinceOption",
    "StatusOption",
    "TagOption",
    "TierOption",
    "UntilOption",
    "filters",
    "found_trace",
    "named_store",
    "opened",
    "say_nothing_found",
]

STATUSES: tuple[str, ...] = get_args(Status)

SQLITE = b"SQLite format 3\0"
"""What such files begin with."""

NEWEST = 1000
"""Traces looked through for the names there are, when one of them was mistyped."""

DEFAULT_STORE = "traces.sqlite3"

WHICH = 'An id, the beginning of one, "last", or a file with the JSON of a trace.'

StatusOption = Annotated[
    str | None, typer.Option(help=f"Only requests that ended so: {', '.join(STATUSES)}.")
]
TierOption = Annotated[str | None, typer.Option(help="Only requests that this tier answered.")]
SinceOption = Annotated[
    str | None, typer.Option(help="Only requests since then: 2026-11-22, 12h, 7d.")
]
UntilOption = Annotated[str | None, typer.Option(help="Only requests before then.")]
ChainOption = Annotated[str | None, typer.Option(help="Only requests of the chain of that name.")]
TagOption = Annotated[str | None, typer.Option(help="Only requests with this tag.")]
ParentOption = Annotated[
    str | None, typer.Option(help="Only requests made for the trace or run of that id.")
]
LineOption = Annotated[
    int | None,
    typer.Option(min=1, help="Which trace of a .jsonl file; the first unless given."),
]


def filters(
    *,
    status: str | None = None,
    tier: str | None = None,
    since: str | None = None,
    until: str | None = None,
    chain: str | None = None,
    tag: str | None = None,
    parent: str | None = None,
) -> Wanted:
    """What a command was told to look at.

    Raises:
        ConfigError: a status that there is not, or a moment that is none.
    """
    wanted: Wanted = {
        "status": status,
        "tier": tier,
        "since": since,
        "until": until,
        "chain": chain,
        "tag": tag,
        "parent": parent,
    }
    return checked(wanted, before="--")


class Damaged:
    """Names the traces that cannot be read, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, trace_id: str, error: TraceError) -> None:
        """Say that a trace is left out."""
        self.count += 1
        words = str(error)
        named = words if trace_id in words else f"trace {trace_id}: {words}"
        say(f"error: {named}; left out", style="red")

    def end(self) -> None:
        """End with 1 where there were any."""
        if self.count:
            say(f"{self.count} damaged traces left out", style="yellow")
            raise typer.Exit(WRONG_RUN)


def named_store(ctx: typer.Context, argument: str | None, option: str) -> str:
    """The store that a command was told, by its argument or by --store.

    Raises:
        UsageError: both, and they differ.
    """
    if argument is None:
        return option
    source = ctx.get_parameter_source("store")  # else it is the environment's, or the usual one
    if source is not None and source.name == "COMMANDLINE" and argument != option:
        raise UsageError(f"STORE is {argument!r} and --store {option!r}: give one of them")
    return argument


def opened(store: str) -> TraceStore:
    """A store that exists."""
    from cascade.traces.store import TraceStore  # noqa: PLC0415  loads SQLAlchemy

    return TraceStore(existing(store))


def say_nothing_found(store: TraceStore, wanted: Wanted) -> None:
    """Say which names there are where nothing has the one asked for: it may be mistyped."""
    tier, chain, tag, parent = (wanted.get(name) for name in ("tier", "chain", "tag", "parent"))
    missing = {
        f"was answered by a tier {tier!r}": tier and not store.count(tier=wanted.get("tier")),
        f"went to a chain {chain!r}": chain and not store.count(chain=wanted.get("chain")),
        f"has a tag {tag!r}": tag and not store.count(tag=wanted.get("tag")),
    }
    if any(missing.values()):
        newest = store.list(NEWEST, on_damaged=_ignore)
        known: Iterable[set[str | None]] = (
            {row.tier for row in newest},
            {row.chain for row in newest},
            {mark for row in newest for mark in row.tags},
        )
        for (words, is_missing), names in zip(missing.items(), known, strict=True):
            if is_missing:
                there_are = ", ".join(sorted(name for name in names if name is not None))
                say(
                    f"no request in {store.where} {words}; there are: {there_are or 'none'}",
                    style="yellow",
                )
    if parent is not None and not store.count(parent=wanted.get("parent")):
        say(
            f"no request in {store.where} was made for {parent!r}; give the whole id of a trace or "
            "run, as `cascade trace list --json` shows it",
            style="yellow",
        )


def found_trace(which: str, store: str, line: int | None = None) -> Trace:
    """One trace of a store or a file.

    Raises:
        UsageError: the file cannot be read, has fewer lines, or holds answers.
        StoreError: the store holds none, or several, of that id.
        TraceError: what is there is no trace.
    """
    if _is_file(which):
        return _from_file(Path(which), line)
    if line is not None:
        raise UsageError("--line goes with a .jsonl file")
    with opened(store) as kept:
        return kept.get(kept.resolve(which))


def _ignore(_trace_id: str, _error: TraceError) -> None:
    """Damaged rows were told already."""


def _is_file(which: str) -> bool:
    return which.endswith((".json", ".jsonl")) or (
        Path(which).suffix != "" and Path(which).is_file()
    )


def _from_file(path: Path, line: int | None) -> Trace:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        if _is_store(path):
            why = f"it is a trace store; name a trace, or leave it out, and give --store {path}"
        raise UsageError(f"trace file {str(path)!r} cannot be read: {why}") from error
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
        _refuse_answers(text, where)
        raise type(error)(f"{where}: {error}") from error


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False


def _refuse_answers(text: str, where: str) -> None:
    """What `cascade run --output` writes holds the ids of traces.

    Raises:
        UsageError: it is an answer.
    """
    try:
        data = json.loads(text)
    except ValueError:
        return
    if not isinstance(data, dict) or "trace_id" not in data or "format" in data:
        return
    way = "it has no trace, as nobody was asked"
    if data["trace_id"] is not None:
        way = (
            f"if the run had --store, `cascade trace show {data['trace_id']} --store ...` shows "
            "its trace"
        )
    raise UsageError(f"{where} is an answer that `cascade run` wrote, not a trace; {way}")
