"""`cascade certify`: the cheapest plan whose quality a recording's labels promise."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cascade.cli.chain_files import RecordingArgument
from cascade.cli.files import check_place, refuse_same_file
from cascade.cli.output import JsonOption, UsageError, print_json, say, write
from cascade.cli.shares import certainty_of, margin_of, target_of
from cascade.config import load_chain

__all__ = ["certify"]

Missing = Literal["harm", "drop"]
Scores = Literal["auto", "learned", "recorded"]


def certify(
    recording: RecordingArgument,
    *,
    chain: Annotated[Path, typer.Option(help="The recorded chain as TOML.")],
    target: Annotated[
        str | None,
        typer.Option(help="Share of the last tier's quality to keep, e.g. 98%; the usual one."),
    ] = None,
    epsilon: Annotated[
        str | None,
        typer.Option(help="Points of quality that may be lost instead: 2 is 90 % to 88 %."),
    ] = None,
    confidence: Annotated[str, typer.Option(help="Of the promise, in percent.")] = "95",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File for the certificate, e.g. certificate.json."),
    ] = None,
    chain_output: Annotated[
        Path | None,
        typer.Option(
            help="File for the chain to ask, e.g. certified.toml; a learned model goes beside it."
        ),
    ] = None,
    slices: Annotated[
        bool, typer.Option("--slices", help="The promise must hold on every slice by itself.")
    ] = False,
    scores: Annotated[
        Scores,
        typer.Option(
            help="Whose scores decide: learned ones, the chain's own (recorded: also where a file "
            "of another tool brought them), or the cheaper."
        ),
    ] = "auto",
    key: Annotated[
        str | None,
        typer.Option(
            envvar="CASCADE_SPLIT_KEY",
            help="Decides which requests are learnt from and which certify. Kept as a hash only.",
        ),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option(help="Where attempts are counted; RECORDING.attempts unless given."),
    ] = None,
    single: Annotated[
        bool,
        typer.Option(
            "--single",
            help="This is the only attempt on these requests: count nothing, spend all of the "
            "error that the confidence leaves. Refused where the ledger counts others.",
        ),
    ] = False,
    missing: Annotated[
        Missing,
        typer.Option(
            help="What a kept answer of unknown quality does: count as wrong, or leave out the "
            "requests that were not graded, as if they were like the others."
        ),
    ] = "harm",
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Learn, search and certify the cheapest plan whose quality the labels promise.

    One part of the requests is learnt from, another is tested on. Every attempt is counted, and a
    later one may err less: the first has 61 % of the error to itself. The same command again is
    the same attempt.

    Ends with 0 where a plan is certified and with 1 where none is, saying what these labels carry
    and about how many more the promise needs.
    """
    if single and ledger is not None:
        raise UsageError("--single counts no attempts: leave --ledger out")
    if target is not None and epsilon is not None:
        raise UsageError("--target and --epsilon both say how much may be lost: give one")
    asked: dict[str, Any] = {
        "target": None if target is None else target_of(target, "--target"),
        "epsilon": None if epsilon is None else margin_of(epsilon, "--epsilon"),
        "confidence": certainty_of(confidence, "--confidence"),
    }
    taken = {"RECORDING": recording, "--chain": chain, "--ledger": ledger}
    refuse_same_file(output, taken)
    refuse_same_file(chain_output, {**taken, "--output": output}, "--chain-output")
    check_place(output)
    check_place(chain_output, "--chain-output")
    check_place(ledger, "--ledger")
    from cascade.calibration import (  # noqa: PLC0415  loads numpy
        calibrate,
        read_recording,
        write_certified_chain,
    )

    made = calibrate(
        load_chain(chain),
        read_recording(recording),
        **asked,
        key=key,
        scores=scores,
        slices=slices,
        attempts=ledger or Path(f"{recording}.attempts"),
        single=single,
        missing=missing,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        progress=say if sys.stderr.isatty() else None,
    )
    files = []  # before anything is printed: whoever reads may stop early
    if output is not None:
        made.save(output)
        files.append(output)
    if chain_output is not None:
        files += write_certified_chain(made, chain, chain_output)
    if as_json:
        print_json(made.to_dict())
    else:
        write(f"{made}\n")
    for file in files:
        say(f"written: {file}")
    if chain_output is None:  # a certificate holds no learned model: it cannot be asked by itself
        say("next: the same command with --chain-output certified.toml writes the chain to ask")
    elif output is not None:
        as_asked = " --scores recorded" if scores == "recorded" else ""
        files_of = f"{recording} --certificate {output} --chain {chain_output}"
        say(f"next: cascade report {files_of}{as_asked}")
