"""The requests of a file for `cascade run`: answered at once, written as they come, added up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cascade.cli.answers import Answer, Tally, reached_a_model
from cascade.cli.files import Lines
from cascade.cli.output import (
    INTERRUPTED,
    WRONG_CALL,
    WRONG_RUN,
    OutputError,
    plain,
    print_json,
    say,
    show,
    warn,
    words_of,
    write,
)
from cascade.cli.overrides import Overrides
from cascade.cli.requests import Line, count_lines, read_lines
from cascade.cli.stopping import Stop, stop_on_interrupt
from cascade.core.dollars import dollars
from cascade.core.request import Asked
from cascade.core.trace import Trace
from cascade.engine import Cascade, Many, ManyResult
from cascade.engine.options import OwnOptions
from cascade.errors import BillingStopped, CascadeError, ConfigError, RequestError, RunError

__all__ = ["FileRun"]


class FileRun:
    """One pass over a file."""

    def __init__(
        self, llm: Cascade, output: Lines | None, overrides: Overrides, *, as_json: bool
    ) -> None:
        self._llm = llm
        self._overrides = overrides
        self._output = output
        self._as_json = as_json
        self._tally = Tally()
        self._results: list[dict[str, Any]] = []
        self._under_way: dict[int, Line] = {}
        self._advance: Callable[[], object] = lambda: None
        self._misconfigured: ConfigError | None = None
        self._unwritten: OutputError | None = None

    def run(self, source: Path, system: str | None, concurrency: int) -> int:
        """Answer all of it.

        Returns:
            The exit code.

        Raises:
            ConfigError: nothing could be asked at all, such as without a key.
            OutputError: answers cannot be written; the summary was.
        """
        stop = Stop(lambda: say("finishing what is under way; Ctrl-C again leaves it", style="dim"))
        console = Console(stderr=True)
        bar = _bar(console) if console.is_terminal else None
        with stop_on_interrupt(stop), bar or nullcontext():
            if bar is not None:
                task = bar.add_task("requests", total=count_lines(source))
                self._advance = partial(bar.advance, task)
            lines = stop.reading(read_lines(source, system))
            asked = self._asked(lines, stop)
            with self._llm.complete_many(
                asked, concurrency=concurrency, ordered=False, **self._overrides
            ) as many:
                self._ask(many, stop)
        self._leave(many, stop)
        if self._misconfigured is not None and not self._tally.requests:
            raise self._misconfigured
        return self._end(stop)

    # One request ---------------------------------------------------------------------------------

    def _ask(self, many: Many, stop: Stop) -> None:
        stop.many = many
        try:
            for result in many:
                self._take(self._answer(result), stop)
        except KeyboardInterrupt:
            stop.interrupted = True
        except ConfigError as error:  # its request, if it had begun, was among the results
            self._misconfigured = self._misconfigured or error

    def _asked(self, lines: Iterator[Line], stop: Stop) -> Iterator[Asked]:
        """What the lines ask; a line that asks nothing is counted at once."""
        begun = 0
        for line in lines:
            if line.asked is None:
                self._take(Answer(line.number, line.custom_id, error=line.error), stop)
            else:
                self._under_way[begun] = line
                begun += 1
                own = OwnOptions(line.asked, line.options) if line.options else line.asked
                yield cast("Asked", own)  # the engine's own form, which its public types leave out

    def _answer(self, result: ManyResult) -> Answer:
        line = self._under_way.pop(result.index)
        if result.error is not None:
            return _without(line, result.error)
        return Answer(line.number, line.custom_id, result.completion, None, result.trace)

    def _take(self, answer: Answer, stop: Stop) -> None:
        """Add an answer up and write it."""
        self._advance()
        cause = answer.cause
        misconfigured = isinstance(cause, ConfigError) and not isinstance(cause, RequestError)
        if isinstance(cause, ConfigError) and misconfigured:
            self._misconfigured = self._misconfigured or cause  # the same for every line
            stop()
            if not reached_a_model(answer.trace):
                return
        elif isinstance(cause, BillingStopped) and not stop.asked:
            warn("the account cannot pay: no further request is begun")
            stop()
        self._tally.count(answer)
        if answer.error is not None and not misconfigured:
            where = f"line {answer.number}: " if answer.trace is not None else ""
            say(f"error: {where}{answer.error}", style="red")
        self._write(answer, stop)

    def _write(self, answer: Answer, stop: Stop | None = None) -> None:
        data = answer.to_dict()
        try:
            if self._unwritten is not None:
                return
            if self._output is not None:
                self._output.write(data)
            elif self._as_json:
                self._results.append(data)
            else:
                write(json.dumps(plain(data), ensure_ascii=False) + "\n")
        except OutputError as error:
            self._unwritten = error
            if stop is not None:
                stop()

    # The end -------------------------------------------------------------------------------------

    def _leave(self, many: Many, stop: Stop) -> None:
        """Take what has finished, and count what was left: it may cost more than is known of it."""
        for result in many.finished():
            self._take(self._answer(result), stop)
        for result in many.left:
            line = self._under_way.pop(result.index)
            words = "left under way by a second interrupt"
            answer = Answer(line.number, line.custom_id, None, words, result.trace, left=True)
            self._tally.count(answer)
            self._write(answer)
        if many.left:
            known = dollars(self._tally.known_cost_usd)
            say(f"{len(many.left)} left under way: the cost is at least {known}", style="yellow")

    def _end(self, stop: Stop) -> int:
        """Say what it came to; the exit code."""
        try:
            if self._output is not None and self._unwritten is None:
                self._output.finish()
            self._summarise(err=self._output is None or self._unwritten is not None)
        except OutputError as error:
            self._unwritten = self._unwritten or error
            show(self._tally, err=True)
        if not self._tally.requests and self._misconfigured is None and not stop.asked:
            say("the input holds no request: every line is blank, or there is none", style="yellow")
        if self._misconfigured is not None:
            say(f"error: {words_of(self._misconfigured)}", style="red")
        if self._unwritten is not None:
            say(f"error: {self._unwritten}", style="red")
        if stop.interrupted:
            say("interrupted: finished answers were kept", style="yellow")
            return INTERRUPTED
        if self._misconfigured is not None:
            return WRONG_CALL
        return WRONG_RUN if self._tally.failed or self._unwritten is not None else 0

    def _summarise(self, *, err: bool) -> None:
        if not self._as_json:
            show(self._tally, err=err)
            return
        data: dict[str, Any] = {} if self._output is not None else {"results": self._results}
        data["summary"] = self._tally.to_dict()
        trouble = self._misconfigured or self._unwritten
        if trouble is not None:
            data["error"] = words_of(trouble)
        print_json(data)


def _without(line: Line, error: BaseException) -> Answer:
    """Why a line has no answer, and what was paid for it all the same."""
    if isinstance(error, RunError):
        words = words_of(error)
    elif isinstance(error, CascadeError):
        words = f"line {line.number}: {error}"
    else:
        words = f"line {line.number}: {type(error).__name__}: {error}"
    trace: Trace | None = getattr(error, "trace", None)
    return Answer(line.number, line.custom_id, None, words, trace, error)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
