"""`cascade record`: ask every tier of a chain on a data set, and keep what each said and cost."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cascade.cli.files import check_place, refuse_recording, refuse_same_file
from cascade.cli.output import (
    INTERRUPTED,
    WRONG_RUN,
    JsonOption,
    UsageError,
    print_json,
    say,
    show,
    warn,
    words_of,
)
from cascade.cli.recording_bar import recording_bar
from cascade.cli.stopping import Stop, stop_on_interrupt
from cascade.config import load_chain
from cascade.errors import ConfigError, RequestError
from cascade.traces.lines import short_dollars

if TYPE_CHECKING:
    from cascade.calibration import Recorder

__all__ = ["record"]

CONCURRENCY = 8
DOUBLE_CALLS = 100
"""As in `cascade.calibration`, which loads numpy."""

ContentName = Literal["full", "hashed", "none"]


def record(
    examples: Annotated[
        Path,
        typer.Argument(
            help="Requests to record: JSON lines, CSV or Parquet with prompt or messages, and "
            'where they are known reference, id, group, weight, slice; "-" reads JSON lines.'
        ),
    ],
    *,
    chain: Annotated[Path, typer.Option(help="Chain as TOML: every tier of it is asked.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the recording, e.g. support.parquet. What is paid is kept beside it as "
            "it comes; after an interruption the same command goes on.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="How answers are graded: exact, normalised, f1, numeric[:0.01], option, json, "
            "'command:...', 'code:...', 'judge:MODEL:CRITERION'. Unless given: normalised where "
            "there are references, else agreement with the last tier.",
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            help="A model, or a tier of the chain, that is asked for evidence alone; may be given "
            "more than once."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column holds, e.g. reference=gold; may be given more than once."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="Requests under way at once.")
    ] = CONCURRENCY,
    max_cost: Annotated[
        str | None,
        typer.Option(
            help="US dollars that the whole recording may cost, earlier runs included; no request "
            "is begun that could break it."
        ),
    ] = None,
    content: Annotated[
        ContentName, typer.Option(help="What is kept of requests and answers.")
    ] = "full",
    double_calls: Annotated[
        int,
        typer.Option(
            min=0,
            help="Without references: requests that the last tier answers twice, to see how often "
            "it disagrees with itself.",
        ),
    ] = DOUBLE_CALLS,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be asked and what it costs; ask nobody."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask every tier of a chain, and run every scorer, on a data set; keep it as a recording.

    Prompts go to all tiers, whatever the thresholds, so that plans can be searched and certified
    afterwards without asking again.

    Ends with 0 where everything was recorded, with 1 where something is missing (the same command
    fills it in), with 2 where the call, the chain or the data cannot work, with 130 after Ctrl-C.
    The first Ctrl-C lets what is under way finish, the second leaves it; both keep all of it.
    """
    from cascade.calibration import Recorder, read_examples  # noqa: PLC0415  loads numpy

    if output is None and not dry_run:
        raise UsageError("give the file of the recording with -o, e.g. -o support.parquet")
    refuse_same_file(output, {"EXAMPLES": examples, "--chain": chain})
    check_place(output)
    try:
        known = read_examples(examples, columns=_columns(column or []), unused=_tell_unused)
    except RequestError:
        refuse_recording(examples, "requests to ask")
        raise
    recorder = Recorder(
        load_chain(chain),
        known,
        output=output,
        metric=metric,
        witnesses=witness or [],
        max_cost=max_cost,
        content=content,
        double_calls=double_calls,
    )
    if dry_run:
        try:
            _foretell(recorder, as_json=as_json)
        finally:
            recorder.close()
        return
    code = _run(recorder, concurrency, output, chain, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _columns(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        what, equals, name = text.partition("=")
        if not equals or not what or not name:
            raise UsageError(f"--column {text!r}: expected e.g. reference=gold")
        found[what] = name
    return found


def _tell_unused(names: Sequence[str]) -> None:
    listed = ", ".join(map(repr, names))
    warn(
        f"columns that are not used: {listed}; --column reference={names[0]} would give one a part"
    )


# Before ------------------------------------------------------------------------------------------


def _foretell(recorder: Recorder, *, as_json: bool) -> None:
    """Say what would be asked, and what it costs."""
    from cascade.calibration.recorder.outlay import EXPECTED_OUTPUT, outlay_of  # noqa: PLC0415

    outlay = outlay_of(recorder)
    standing = recorder.standing
    if as_json:
        data = {name: getattr(outlay, name) for name in outlay.__slots__}
        print_json({"examples": standing.total, "recorded": standing.done, **data})
        return
    have = f", {standing.done} of {standing.total} are there" if standing.done else ""
    print(f"requests   {outlay.requests} to ask{have}")
    print(f"calls      {outlay.calls}, retries and scorers' questions aside")
    print(f"cost       about {_amount(outlay.expected_usd)}")
    print(f"at least   {_amount(outlay.least_usd)} (answers of one token)")
    print(f"at worst   {_amount(outlay.most_usd)} (the longest answers that are allowed)")
    print(f"assumed    4 bytes a token; answers as recorded so far, else {EXPECTED_OUTPUT} tokens")
    for note in (*outlay.notes, *_unready(recorder)):
        print(f"note       {note}")


def _unready(recorder: Recorder) -> Iterator[str]:
    """What stands in the way of asking at all."""
    try:
        recorder.check_clients()
    except ConfigError as error:
        yield words_of(error)


def _amount(amount: Any) -> str:
    return "unknown" if amount is None else short_dollars(amount)


# The run -----------------------------------------------------------------------------------------


def _run(
    recorder: Recorder, concurrency: int, output: Path | None, chain: Path, *, as_json: bool
) -> int:
    """Record what is missing, write it, and say what it came to; the exit code."""
    from cascade.calibration.recorder.outlay import outlay_of  # noqa: PLC0415  loads numpy
    from cascade.cli.recorded import recorded_data, recorded_tables  # noqa: PLC0415

    stop = Stop(lambda: say("finishing what is under way; Ctrl-C again leaves it", style="dim"))
    stop.many = recorder
    for note in outlay_of(recorder).notes:
        warn(note)
    try:
        with stop_on_interrupt(stop), recording_bar(recorder.standing) as tell:
            recorder.run(concurrency=concurrency, progress=tell)
        if stop.interrupted and not recorder.journal.entries:
            say("interrupted before anything was recorded", style="yellow")
            return INTERRUPTED
        made = recorder.finish()
    finally:
        recorder.close()
    left = outlay_of(recorder)
    if recorder.existing is not None:
        say(f"{str(output)!r} is complete; nothing to do", style="dim")
    if as_json:
        print_json(recorded_data(made, recorder, output, left))
    else:
        show(recorded_tables(made, recorder, output))
        print()
        print(_next_step(recorder, output, chain, stopped=stop.interrupted))
    if stop.interrupted:
        say("interrupted: all that was paid is kept; the same command goes on", style="yellow")
    if recorder.why_stopped:
        say(f"stopped: {recorder.why_stopped}", style="yellow")
    if left.requests:
        words = f"{left.requests} of {len(recorder.task.examples)} examples are not complete"
        cost = f"about {_amount(left.expected_usd)}, at worst {_amount(left.most_usd)}"
        calls = "1 call" if left.calls == 1 else f"{left.calls} calls"
        say(f"{words}: {calls}, {cost}; the same command asks for the rest", style="yellow")
    if stop.interrupted:
        return INTERRUPTED
    return WRONG_RUN if left.requests else 0


def _next_step(recorder: Recorder, output: Path | None, chain: Path, *, stopped: bool) -> str:
    if recorder.remaining:
        return f"next: {_repair(recorder, stopped=stopped)}the same command again{_command()}"
    if len(recorder.task.chain) == 1:
        return "next: one tier alone has no plan; add a cheaper one to the chain, and record it"
    return f"next: cascade certify {output} --chain {chain}"


def _repair(recorder: Recorder, *, stopped: bool) -> str:
    """What to do before the same command can get further."""
    if stopped:
        return ""
    if recorder.cap is not None and recorder.why_stopped:
        return "raise --max-cost, or the limits that are named below, then "
    return "repair what failed, then "


def _command() -> str:
    """The command as it was given, where this process was started by it."""
    given = sys.argv[1:]
    return f": cascade {shlex.join(given)}" if given[:1] == ["record"] else ""
