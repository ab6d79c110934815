"""`cascade run`: ask a chain one question, or every request of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cascade.cli.files import check_place, refuse_same_file, store_file, writing
from cascade.cli.many import FileRun
from cascade.cli.one import ask_one
from cascade.cli.output import JsonOption, UsageError, warn
from cascade.cli.overrides import Overrides
from cascade.cli.requests import check_readable
from cascade.config import load_chain, openai_chain
from cascade.core.asked import with_system
from cascade.core.chain import Chain
from cascade.core.request import Request
from cascade.core.route import Route
from cascade.engine import Cascade
from cascade.errors import RequestError, StoreError

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["run"]

CONCURRENCY = 8
"""Requests of a file under way at once: fast, and below the limits of a new account."""

ContentName = Literal["full", "hashed", "none"]


def run(
    prompt: Annotated[
        str | None, typer.Argument(help='What to ask; "-" reads it from standard input.')
    ] = None,
    *,
    chain: Annotated[
        Path | None,
        typer.Option(help="Chain as TOML; OpenAI's four tiers unless given."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help="File with one request per line as JSON: a string, an object with prompt, "
            'messages or a whole payload, or a line for the Batch API; "-" is standard input.',
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the answers, one JSON object per line, written as they come.",
        ),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Keep every trace here: an SQLite file or an SQLAlchemy URL.")
    ] = None,
    content: Annotated[
        ContentName | None,
        typer.Option(help="What --store keeps of requests and answers; full unless given."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="US dollars that each request may cost, e.g. 0.01.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds that each request may take.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System message put before each request.")
    ] = None,
    start_at: Annotated[
        str | None, typer.Option(help="Tier to begin with; lower ones are skipped.")
    ] = None,
    stop_at: Annotated[
        str | None, typer.Option(help="Last tier that may be asked; its answer stands.")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Mark of the traces, to find them by; may be given more than once."),
    ] = None,
    parent: Annotated[
        str | None, typer.Option(help="Id of the trace or run that this is asked for.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the answer while it is written.")
    ] = False,
    show_trace: Annotated[
        bool, typer.Option("--show-trace", help="Show who was asked and what it cost.")
    ] = False,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help=f"Requests of a file under way at once; {CONCURRENCY} unless given.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a chain of models: one PROMPT, or every request of a file.

    Prints the answer on standard output and what it cost on standard error.

    Ends with 0 where every request was answered, with 1 where one got no answer or an answer could
    not be written, with 2 where the call or the chain cannot work, with 130 after Ctrl-C. The first
    Ctrl-C lets the requests of a file that are under way finish, the second leaves them.
    """
    _check_ways(prompt, source, stream=stream, show_trace=show_trace, as_json=as_json)
    if content is not None and store is None:
        raise UsageError("--content says what --store keeps; give --store as well")
    if concurrency is not None and source is None:
        raise UsageError("--concurrency goes with --input, not with a PROMPT")
    refuse_same_file(output, {"--input": source, "--chain": chain, "--store": store_file(store)})
    check_place(output)
    if source is not None:
        check_readable(source)
    built = load_chain(chain) if chain is not None else openai_chain()
    for note in built.notes():  # allowed, and rarely meant
        warn(note)
    request = None
    if source is None:
        asked = sys.stdin.read() if prompt == "-" else str(prompt)
        request = Request.build(with_system(asked, system))
    # A setting that cannot work is found here, before a store or a file is made.
    overrides: Overrides = {
        "start_at": start_at,
        "stop_at": stop_at,
        "tags": tag or (),
        "parent": parent,
    }
    _check_overrides(built, overrides)
    chain_of_today = Cascade(built, budget=budget, deadline_s=deadline).chain
    with _kept(store, content or "full") as kept, writing(output) as file:
        llm = Cascade(chain_of_today, budget=budget, deadline_s=deadline, store=kept)
        if source is not None:
            many = FileRun(llm, file, overrides, as_json=as_json)
            code = many.run(source, system, concurrency or CONCURRENCY)
        elif request is not None:
            code = ask_one(
                llm, request, file, overrides, stream=stream, as_json=as_json, show_trace=show_trace
            )
    if code:
        raise typer.Exit(code)


def _check_overrides(chain: Chain, overrides: Overrides) -> None:
    try:
        Route(overrides["start_at"], overrides["stop_at"]).check(chain)
        Request.build("?").marked(overrides["tags"], overrides["parent"])
    except RequestError as error:
        raise UsageError(str(error)) from error


def _check_ways(
    prompt: str | None, source: Path | None, *, stream: bool, show_trace: bool, as_json: bool
) -> None:
    if (prompt is None) == (source is None):
        raise UsageError("give either a PROMPT or --input FILE; `cascade run --help` shows both")
    if source is not None and (stream or show_trace):
        raise UsageError("--stream and --show-trace go with a PROMPT, not with --input")
    if stream and as_json:
        raise UsageError("--stream and --json exclude each other")


@contextmanager
def _kept(where: str | None, content: ContentName) -> Iterator[TraceStore | None]:
    if where is None:
        yield None
        return
    from cascade.traces.store import TraceStore  # noqa: PLC0415  loads SQLAlchemy

    try:
        store = TraceStore(where, content=content)
    except StoreError as error:
        raise UsageError(f"--store: {error}") from error
    with store:
        yield store
