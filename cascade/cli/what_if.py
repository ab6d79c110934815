"""`cascade what-if`: what a chain would have cost and answered on recorded requests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cascade.cli.chain_files import RecordingArgument
from cascade.cli.output import JsonOption, UsageError, print_json, say, show
from cascade.cli.price_file import read_prices
from cascade.cli.score_options import ScoresOption, recorded_scores, with_notes
from cascade.cli.shares import share_of
from cascade.config import load_chain
from cascade.errors import RecordingError

if TYPE_CHECKING:
    from cascade.calibration import Comparison, Recording, WhatIf
    from cascade.core.chain import Chain

__all__ = ["what_if"]


def what_if(
    recording: RecordingArgument,
    *,
    chain: Annotated[
        Path, typer.Option(help="Chain as TOML: any of the recorded tiers, in any order.")
    ],
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="TIER=VALUE", help="Another threshold; once for each tier."),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help="Other prices: JSON by model, or what `cascade prices --json` prints."),
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="At the prices of the Batch API.")] = False,
    cached: Annotated[
        str | None,
        typer.Option(help="Share of each prompt that is read from the cache, e.g. 80%."),
    ] = None,
    scores: ScoresOption = "auto",
    confidence: Annotated[str, typer.Option(help="Of all intervals, in percent.")] = "95",
    resamples: Annotated[int, typer.Option(help="Draws of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Price a chain on recorded answers: no model is asked.

    Beside it stands everything simpler: single models at equal cost and at equal quality, random
    mixing, the best pair, and what hindsight could reach; then what each scorer is worth. Where the
    recording cannot tell, the command says why and ends with 2.
    """
    from cascade.calibration import read_recording  # noqa: PLC0415  loads numpy
    from cascade.calibration.comparing.complete import (  # noqa: PLC0415
        without_few_gaps,
        without_unasked_tiers,
    )
    from cascade.cli.what_if_view import comparison_tables, what_if_tables  # noqa: PLC0415

    thresholds = dict(_threshold(given) for given in threshold or [])
    asked: dict[str, Any] = {
        "thresholds": thresholds,
        "prices": None if prices is None else read_prices(prices),
        "batch": batch,
        "cached": None if cached is None else share_of(cached, "--cached"),
        "confidence": share_of(confidence, "--confidence"),
        "resamples": resamples,
        "seed": seed,
    }
    made = load_chain(chain)
    needed = {tier.name for tier in made.tiers}
    whole, absent = without_unasked_tiers(read_recording(recording), needed)
    read, _, left_out = without_few_gaps(whole)
    left_out = (*absent, *left_out)
    asked["source"] = recorded_scores(scores, made, read)
    beside = _compared(made, read, asked)
    if isinstance(beside, RecordingError):
        from cascade.calibration import what_if as price  # noqa: PLC0415

        found = price(made, read, **asked)
        found = with_notes(found, asked["source"])
        found = replace(found, notes=(*left_out, *found.notes))
        if as_json:
            print_json({"chosen": found.to_dict(), "no_baselines": str(beside)})
            return
        show(what_if_tables(found))
        say(f"no baselines: {beside}", style="yellow")
        return
    beside = with_notes(beside, asked["source"])
    beside = replace(beside, notes=(*left_out, *beside.notes))
    if as_json:
        print_json(beside.to_dict())
    else:
        show(comparison_tables(beside, cast("WhatIf", beside.chosen)))


def _compared(
    chain: Chain, recording: Recording, asked: dict[str, Any]
) -> Comparison | RecordingError:
    """The chain beside everything simpler, or why the recording does not hold enough for that."""
    from cascade.calibration import compare, reprice  # noqa: PLC0415
    from cascade.calibration.comparing.complete import complete_part, source_of_rows  # noqa: PLC0415

    prices = {name: asked[name] for name in ("prices", "batch", "cached")}
    try:
        _, rows, left_out = complete_part(reprice(recording, **prices))
        kept = recording.rows(rows) if left_out else recording
        source = source_of_rows(asked["source"], rows, len(recording))
        found = compare(kept, chosen=chain, **{**asked, "source": source})
    except RecordingError as error:
        return error
    return replace(found, notes=(*left_out, *found.notes))


def _threshold(given: str) -> tuple[str, float]:
    name, sign, value = given.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not sign or not name or not 0 <= number <= 1:
        raise UsageError(
            f"--threshold {given!r}: expected TIER=VALUE with a value from 0 to 1, e.g. "
            "gpt-5.4-nano=0.8"
        )
    return name, number
