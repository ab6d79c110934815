"""`cascade run`: ask a chain one question, or every request of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cascade.cli.answers import Answer, Tally
from cascade.cli.output import JsonOption, UsageError, plain, print_json, say, show, warn, write
from cascade.cli.pool import Stop, run_all, stop_on_interrupt
from cascade.cli.requests import Line, count_lines, read_lines, with_system
from cascade.config import load_chain, openai_chain
from cascade.core.trace_text import headline
from cascade.engine import Cascade
from cascade.errors import (
    BillingStopped,
    CascadeError,
    ConfigError,
    RequestError,
    RunError,
    StoreError,
)
from cascade.traces.lines import line as on_one_line

if TYPE_CHECKING:
    from cascade.traces.store import TraceStore

__all__ = ["run"]

CONCURRENCY = 8
"""Requests of a file under way at once: fast, and below the limits of a new account."""

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

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
        typer.Option(help="File for the answers, one JSON object per line, written as they come."),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Keep every trace here: an SQLite file or an SQLAlchemy URL.")
    ] = None,
    content: Annotated[
        ContentName, typer.Option(help="What the store keeps of requests and answers.")
    ] = "full",
    budget: Annotated[
        str | None, typer.Option(help="US dollars that each request may cost, e.g. 0.01.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds that each request may take.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System message put before each request.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the answer while it is written.")
    ] = False,
    show_trace: Annotated[
        bool, typer.Option("--show-trace", help="Show who was asked and what it cost.")
    ] = False,
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="Requests of a file under way at once.")
    ] = CONCURRENCY,
    as_json: JsonOption = False,
) -> None:
    """Ask a chain of models: one PROMPT, or every request of a file.

    Prints the answer on standard output and what it cost on standard error. Ends with 1 where a
    request got no answer, with 2 where the call or the chain cannot work.
    """
    _check(prompt, source, stream=stream, show_trace=show_trace, as_json=as_json)
    built = load_chain(chain) if chain is not None else openai_chain()
    with _kept(store, content) as kept, _writing(output) as file:
        llm = Cascade(built, store=kept, budget=budget, deadline_s=deadline)
        if source is not None:
            code = _File(llm, file, as_json=as_json).run(source, system, concurrency)
        else:
            asked = sys.stdin.read() if prompt == "-" else str(prompt)
            one = _one_streamed if stream else _one
            answer = one(llm, asked, system)
            _write_line(file, answer)
            code = _show_one(answer, as_json=as_json, show_trace=show_trace, streamed=stream)
    if code:
        raise typer.Exit(code)


def _check(
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


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO | None]:
    if output is None:
        yield None
        return
    try:
        file = output.open("w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"--output {str(output)!r} cannot be written: {error.strerror}") from error
    with file:
        yield file


def _write_line(file: TextIO | None, answer: Answer) -> None:
    """Write an answer at once: what is finished stays, whatever happens next."""
    if file is not None:
        file.write(json.dumps(plain(answer.to_dict()), ensure_ascii=False) + "\n")
        file.flush()


# One prompt --------------------------------------------------------------------------------------


def _one(llm: Cascade, asked: str, system: str | None) -> Answer:
    try:
        done = llm.complete(with_system(asked, system))
    except RunError as error:
        return Answer(error=str(error), trace=error.trace, cause=error)
    return Answer(completion=done, trace=done.trace)


def _one_streamed(llm: Cascade, asked: str, system: str | None) -> Answer:
    streamed = llm.stream(with_system(asked, system))
    try:
        with streamed:
            for chunk in streamed:
                write(chunk.text)
    except RunError as error:
        return Answer(error=str(error), trace=error.trace, cause=error)
    finally:
        write("\n")
    return Answer(completion=streamed.completion, trace=streamed.trace)


def _show_one(answer: Answer, *, as_json: bool, show_trace: bool, streamed: bool) -> int:
    if as_json:
        print_json(answer.to_dict(whole=True))
    elif answer.completion is not None and not streamed:
        write(f"{_words(answer)}\n")
    if answer.error is not None:
        say(f"error: {answer.error}", style="red")
    if answer.trace is not None and show_trace:
        show(answer.trace, err=True)
    elif answer.trace is not None and not as_json:
        say(on_one_line(headline(answer.trace)).plain, style="dim")
    if answer.completion is not None and not answer.completion.accepted:
        warn("no tier accepted its answer; this is the best draft")
    return 1 if answer.error is not None else 0


def _words(answer: Answer) -> str:
    """The answer's text, or its tool calls where it has none."""
    reply = answer.completion.reply if answer.completion else None
    if reply is None or reply.text or not reply.tool_calls:
        return reply.text if reply else ""
    return json.dumps(list(reply.tool_calls), ensure_ascii=False)


# A file ------------------------------------------------------------------------------------------


class _File:
    """The requests of a file: answered at once, written as they come, added up."""

    def __init__(self, llm: Cascade, output: TextIO | None, *, as_json: bool) -> None:
        self._llm = llm
        self._output = output
        self._as_json = as_json
        self._tally = Tally()
        self._results: list[dict[str, Any]] = []
        self._error: ConfigError | None = None

    def run(self, source: Path, system: str | None, concurrency: int) -> int:
        """Answer all of it.

        Returns:
            The exit code.

        Raises:
            ConfigError: nothing can be asked at all, such as without a key.
        """
        stop = Stop(lambda: say("finishing what is under way; Ctrl-C again leaves it", style="dim"))
        console = Console(stderr=True)
        bar = _bar(console) if console.is_terminal else None
        try:
            with stop_on_interrupt(stop), bar or nullcontext():
                task = bar.add_task("requests", total=count_lines(source)) if bar else None
                work = read_lines(source, system)
                for answer in run_all(work, self._answer, concurrency=concurrency, stop=stop):
                    self._take(answer, stop)
                    if bar is not None and task is not None:
                        bar.advance(task)
        except KeyboardInterrupt:
            stop.interrupted = True
        if self._error is not None:
            raise self._error
        self._summarise()
        if stop.interrupted:
            say("interrupted: finished answers were kept", style="yellow")
            return INTERRUPTED
        return 1 if self._tally.failed else 0

    def _answer(self, line: Line) -> Answer:
        if line.asked is None:
            return Answer(line.number, line.custom_id, error=line.error)
        try:
            done = self._llm.complete(line.asked)
        except RunError as error:
            return Answer(line.number, line.custom_id, None, str(error), error.trace, error)
        except CascadeError as error:
            words = f"line {line.number}: {error}"
            return Answer(line.number, line.custom_id, None, words, None, error)
        except Exception as error:  # noqa: BLE001  plug-in border: the other lines go on
            words = f"line {line.number}: {type(error).__name__}: {error}"
            return Answer(line.number, line.custom_id, None, words, None, error)
        return Answer(line.number, line.custom_id, done, None, done.trace)

    def _take(self, answer: Answer, stop: Stop) -> None:
        cause = answer.cause
        if isinstance(cause, ConfigError) and not isinstance(cause, RequestError):
            self._error = cause  # the same for every line
            stop()
            return
        if isinstance(cause, BillingStopped) and not stop.asked:
            warn("the account cannot pay: no further request is begun")
            stop()
        self._tally.count(answer)
        _write_line(self._output, answer)
        if answer.error is not None:
            where = f"line {answer.number}: " if answer.trace is not None else ""
            say(f"error: {where}{answer.error}", style="red")
        if self._output is not None:
            return
        if self._as_json:
            self._results.append(answer.to_dict())
        else:
            write(json.dumps(plain(answer.to_dict()), ensure_ascii=False) + "\n")

    def _summarise(self) -> None:
        summary = self._tally.to_dict()
        if not self._as_json:
            show(self._tally, err=self._output is None)
        elif self._output is not None:
            print_json({"summary": summary})
        else:
            print_json({"results": self._results, "summary": summary})


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
