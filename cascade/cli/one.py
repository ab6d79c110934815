"""One prompt of `cascade run`: asked, shown, and accounted for however it ends."""

from __future__ import annotations

import json

from cascade.cli.answers import Answer, reached_a_model
from cascade.cli.files import Lines
from cascade.cli.output import (
    INTERRUPTED,
    OutputError,
    exit_code,
    print_json,
    say,
    show,
    warn,
    words_of,
    write,
)
from cascade.cli.overrides import Overrides
from cascade.core.request import Request
from cascade.core.trace import Trace
from cascade.core.trace_text import headline
from cascade.engine import Cascade
from cascade.errors import CascadeError, RunError
from cascade.traces.lines import line as on_one_line

__all__ = ["ask_one"]


def ask_one(
    llm: Cascade,
    request: Request,
    file: Lines | None,
    overrides: Overrides,
    *,
    stream: bool,
    as_json: bool,
    show_trace: bool,
) -> int:
    """Ask, show the answer and what it cost.

    Returns:
        The exit code.

    Raises:
        CascadeError: nothing was asked, or the answer could not be written.
    """
    answer = (_streamed if stream else _whole)(llm, request, overrides)
    unwritten: OutputError | None = None
    try:
        if file is not None:
            file.write(answer.to_dict())
    except OutputError as error:
        unwritten = error
    try:
        _show_answer(answer, as_json=as_json, streamed=stream)
    except OutputError as error:
        unwritten = error
    _show_costs(answer, as_json=as_json, show_trace=show_trace)
    if unwritten is not None:
        raise unwritten
    if isinstance(answer.cause, KeyboardInterrupt):
        return INTERRUPTED
    return exit_code(answer.cause) if isinstance(answer.cause, Exception) else 0


def _whole(llm: Cascade, request: Request, overrides: Overrides) -> Answer:
    try:
        done = llm.complete(request, **overrides)
    except (CascadeError, KeyboardInterrupt) as error:
        return _without(error)
    return Answer(completion=done, trace=done.trace)


def _streamed(llm: Cascade, request: Request, overrides: Overrides) -> Answer:
    streamed = llm.stream(request, **overrides)
    try:
        with streamed:
            for chunk in streamed:
                write(chunk.text)
        write("\n")
    except OutputError as error:
        return Answer(error=str(error), trace=streamed.trace, cause=error)
    except (CascadeError, KeyboardInterrupt) as error:
        write("\n")
        return _without(error, streamed.trace)
    return Answer(completion=streamed.completion, trace=streamed.trace)


def _without(error: CascadeError | KeyboardInterrupt, trace: Trace | None = None) -> Answer:
    """No answer, and what was paid until then; one that asked nobody is raised."""
    trace = getattr(error, "trace", trace)
    if isinstance(error, KeyboardInterrupt):
        return Answer(error="interrupted", trace=trace, cause=error)
    if not isinstance(error, RunError) and not reached_a_model(trace):
        raise error
    return Answer(error=words_of(error), trace=trace, cause=error)


def _show_answer(answer: Answer, *, as_json: bool, streamed: bool) -> None:
    if as_json:
        print_json(answer.to_dict(whole=True))
    elif answer.completion is not None and not streamed:
        write(f"{_words(answer)}\n")


def _show_costs(answer: Answer, *, as_json: bool, show_trace: bool) -> None:
    if isinstance(answer.cause, KeyboardInterrupt):
        say("interrupted", style="yellow")
    elif answer.error is not None:
        say(f"error: {answer.error}", style="red")
    if answer.trace is not None and show_trace:
        show(answer.trace, err=True)
    elif answer.trace is not None and not as_json:
        say(on_one_line(headline(answer.trace)).plain, style="dim")
    if answer.completion is not None and not answer.completion.accepted:
        warn("no tier accepted its answer; this is the best draft")


def _words(answer: Answer) -> str:
    """The answer's text, or its tool calls where it has none."""
    reply = answer.completion.reply if answer.completion else None
    if reply is None or reply.text or not reply.tool_calls:
        return reply.text if reply else ""
    return json.dumps(list(reply.tool_calls), ensure_ascii=False)
