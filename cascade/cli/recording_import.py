"""`cascade recording import`: a recording of a table of answers, or of kept traces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cascade.cli.files import check_place, refuse_recording, refuse_same_file, store_file
from cascade.cli.import_options import names_in, pairs_in, prices_in, scale_in
from cascade.cli.kept import (
    Damaged,
    ParentOption,
    SinceOption,
    TagOption,
    UntilOption,
    filters,
    opened,
    say_nothing_found,
)
from cascade.cli.output import JsonOption, UsageError, print_json, say, show, times
from cascade.config import load_chain
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.calibration import Recording

__all__ = ["import_recording"]

Options = Mapping[str, Any]
"""Values of options by their names on the command line."""


def import_recording(
    responses: Annotated[
        Path | None,
        typer.Argument(
            help="A row per request and model: Parquet, CSV, JSON lines, or a folder with "
            "responses and queries in it."
        ),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the recording.")],
    queries: Annotated[
        Path | None, typer.Option(help="A row per request, joined by its id.")
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="One row per request, with columns like MODEL_correct.")
    ] = False,
    tiers: Annotated[
        str | None,
        typer.Option(
            help="Models in order, e.g. small,big or nano=small,top=big; all, unless given."
        ),
    ] = None,
    witnesses: Annotated[
        str | None, typer.Option(help="Models asked only to compare their answers.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help='JSON of USD per million tokens: {"small": {"in": 0.2, "out": 1.25}}.'),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="What a column holds, e.g. quality=judged; may be given more than once."),
    ] = None,
    signal: Annotated[
        list[str] | None,
        typer.Option(help="A numeric column to keep as evidence; may be given more than once."),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Worst and best grade, e.g. 1,5, where quality is a grade.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only rows with that value, e.g. split=test; may be given more than once."
        ),
    ] = None,
    estimate_tokens: Annotated[
        bool,
        typer.Option(
            "--estimate-tokens", help="A quarter of the characters where none is counted."
        ),
    ] = False,
    store: Annotated[
        str | None, typer.Option(help="A trace store, in place of a table of answers.")
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(help="With --store: labelled requests; only traces that ask one are taken."),
    ] = None,
    chain: Annotated[
        Path | None, typer.Option(help="With --store: the chain that was asked, as TOML.")
    ] = None,
    any_chain: Annotated[
        bool, typer.Option("--any-chain", help="With --store: mix traces of several chains.")
    ] = False,
    group_key: Annotated[
        str | None, typer.Option(help="With --store: metadata key of what belongs together.")
    ] = None,
    slice_key: Annotated[
        str | None, typer.Option(help="With --store: metadata key of the slice.")
    ] = None,
    tag: TagOption = None,
    parent: ParentOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a recording of answers that others have recorded, or of requests that were served.

    Columns are found by their usual names (query_id, model, output, correct, prompt_tokens,
    cost_usd, ...); what was not used is said. Tiers that a served request never reached are gaps. A
    damaged trace is named, passed over, and makes the command end with 1.
    """
    table = {
        "--queries": queries,
        "--wide": wide,
        "--tiers": tiers,
        "--witnesses": witnesses,
        "--prices": prices,
        "--column": column,
        "--signal": signal,
        "--scale": scale,
        "--where": where,
        "--estimate-tokens": estimate_tokens,
    }
    served = {
        "--examples": examples,
        "--chain": chain,
        "--any-chain": any_chain,
        "--group-key": group_key,
        "--slice-key": slice_key,
        "--tag": tag,
        "--parent": parent,
        "--since": since,
        "--until": until,
    }
    files = {"RESPONSES": responses, "--queries": queries, "--prices": prices, "--chain": chain}
    refuse_same_file(output, {**files, "--examples": examples, "--store": store_file(store)})
    check_place(output)
    if responses is not None and store is None:
        _refuse(served, "a table of answers; it is for --store")
        _finish(_from_table(responses, table), output, as_json=as_json)
        say(f"next: cascade recording chain {output} -o chain.toml writes a chain of these models")
    elif store is not None and responses is None:
        _refuse({n: v for n, v in table.items() if n != "--witnesses"}, "--store")
        made, damaged = _from_store(store, {**served, "--witnesses": witnesses})
        _finish(made, output, as_json=as_json)
        damaged.end()
    else:
        raise UsageError("give a table of answers, or --store with a trace store: one of them")


def _refuse(options: Options, beside: str) -> None:
    for name, value in options.items():
        if value:
            raise UsageError(f"{name} does not go with {beside}")


def _from_table(responses: Path, options: Options) -> Recording:
    from cascade.calibration import import_long_form, import_wide  # noqa: PLC0415  loads numpy

    tiers, witnesses, scale = options["--tiers"], options["--witnesses"], options["--scale"]
    given: dict[str, Any] = {
        "tiers": None if tiers is None else names_in(tiers),
        "witnesses": {} if witnesses is None else names_in(witnesses),
        "prices": prices_in(options["--prices"]),
        "columns": pairs_in("--column", options["--column"]),
        "signals": options["--signal"],
        "scale": None if scale is None else scale_in(scale),
        "tokens": "estimate" if options["--estimate-tokens"] else "recorded",
        "where": pairs_in("--where", options["--where"]),
    }
    if options["--wide"] and options["--queries"] is not None:
        raise UsageError("--queries does not go with --wide, whose rows are requests")
    try:
        if options["--wide"]:
            return import_wide(responses, **given)
        return import_long_form(responses, options["--queries"], **given)
    except RecordingError:
        refuse_recording(responses, "a table of answers")
        raise


def _from_store(store: str, options: Options) -> tuple[Recording, Damaged]:
    from cascade.calibration import import_traces, read_examples  # noqa: PLC0415  loads numpy

    examples, asked = options["--examples"], options["--chain"]
    chain = None if asked is None else load_chain(asked)
    wanted = filters(
        tag=options["--tag"],
        parent=options["--parent"],
        since=options["--since"],
        until=options["--until"],
        chain=None if chain is None else chain.name,
    )
    known = None if examples is None else read_examples(examples)
    damaged = Damaged()
    with opened(store) as kept:
        if not kept.count(**wanted):
            say_nothing_found(kept, wanted)
        made = import_traces(
            kept.iter_traces(on_damaged=damaged, **wanted),
            examples=known,
            chain=chain,
            witnesses=[*names_in(options["--witnesses"] or "")],
            group_key=options["--group-key"],
            slice_key=options["--slice-key"],
            any_chain=bool(options["--any-chain"]),
        )
    return made, damaged


def _finish(made: Recording, output: Path, *, as_json: bool) -> None:
    from cascade.calibration import write_recording  # noqa: PLC0415  loads pyarrow
    from cascade.cli.recording_view import recording_data, recording_tables  # noqa: PLC0415

    write_recording(made, output)
    if as_json:
        print_json({"recording": str(output), **recording_data(made)})
        return
    show(recording_tables(made))
    many = f"{times(len(made), 'request')} by {times(len(made.tiers), 'tier')}"
    say(f"{many} written to {output}")
