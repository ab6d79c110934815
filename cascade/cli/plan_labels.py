"""`cascade plan-labels`: how many labels a promise needs, before they are paid for."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cascade.cli.output import JsonOption, UsageError, print_json, say, show
from cascade.cli.shares import certainty_of, margin_of, points_of
from cascade.errors import NotCertifiable
from cascade.percent import percent

if TYPE_CHECKING:
    from cascade.calibration import LabelPlan

__all__ = ["plan_labels"]

CERTIFY = 0.4
"""Share of a recording that certifies unless told otherwise; a test holds it to `SHARES`."""

MARGINS = (0.05, 0.03, 0.02, 0.01, 0.005)
"""Shown beside the margin asked for, to see what a narrower promise costs."""


def plan_labels(
    *,
    epsilon: Annotated[
        str, typer.Option(help="Points of quality that may be lost against the last tier.")
    ] = "2",
    harm: Annotated[
        str,
        typer.Option(help="Percent of requests that only the last tier gets right, as you guess."),
    ] = "0.5",
    gain: Annotated[
        str, typer.Option(help="Percent of requests that only the cheaper plan gets right.")
    ] = "0",
    confidence: Annotated[str, typer.Option(help="Of the promise, in percent.")] = "95",
    power: Annotated[
        str, typer.Option(help="Chance that the labels are enough if the guess is right, percent.")
    ] = "80",
    acceptance: Annotated[
        str,
        typer.Option(help="Percent of requests kept below the last tier; only they need a label."),
    ] = "100",
    attempt: Annotated[
        int, typer.Option(min=0, help="Plan for this attempt of a ledger; 0 for a single one.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Say how many labels certify a plan, by the exact test.

    Guess harm and gain from the learn part or from a pilot. Requests that the last tier answers
    need no label: there, nothing can be lost.
    """
    from cascade.calibration.proof.attempts import attempt_delta  # noqa: PLC0415  loads numpy
    from cascade.calibration.proof.labels import plan_labels as planned  # noqa: PLC0415

    wanted = margin_of(epsilon, "--epsilon", zero=False)
    sure = certainty_of(confidence, "--confidence")
    delta = round(1 - sure, 12)
    if attempt:
        delta = attempt_delta(delta, attempt)
    given: dict[str, Any] = {
        **_guesses(harm, gain),
        "delta": delta,
        "power": certainty_of(power, "--power"),
        "acceptance": _kept(acceptance),
    }
    found = planned(wanted, **given)
    if as_json:
        print_json(asdict(found))
        return
    margins = sorted({*MARGINS, wanted}, reverse=True)
    show(_table(wanted, [_row(margin, wanted, found, given) for margin in margins]))
    say(_advice(found))
    say(
        f"by default {percent(CERTIFY, None)} of a recording certify: record some "
        f"{math.ceil(found.requests / CERTIFY - 1e-9):,} requests for that"
    )


def _guesses(harm: str, gain: str) -> dict[str, float]:
    guesses = {"harm": points_of(harm, "--harm"), "gain": points_of(gain, "--gain")}
    if sum(guesses.values()) > 1 or max(guesses.values()) == 1:
        raise UsageError(
            f"--harm {harm!r} and --gain {gain!r}: expected percent of requests, each below 100 "
            "and 100 together at most"
        )
    return guesses


def _kept(acceptance: str) -> float:
    kept = points_of(acceptance, "--acceptance")
    if not kept:
        raise UsageError(
            f"--acceptance {acceptance!r}: expected percent of requests above 0: where nothing is "
            "kept nothing can be lost"
        )
    return kept


def _row(
    margin: float, wanted: float, found: LabelPlan, given: dict[str, Any]
) -> tuple[float, LabelPlan | None]:
    from cascade.calibration.proof.labels import plan_labels as planned  # noqa: PLC0415

    if margin == wanted:
        return margin, found
    try:
        return margin, planned(margin, **given)
    except NotCertifiable:
        return margin, None


def _table(wanted: float, rows: list[tuple[float, LabelPlan | None]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("points lost at most", "requests", "labels", "if no harm is seen"):
        table.add_column(name, justify="right", no_wrap=True)
    for margin, plan in rows:
        style = "bold" if margin == wanted else ""
        if plan is None:
            table.add_row(f"{100 * margin:g}", "no number", "-", "-", style=style)
            continue
        numbers = (plan.requests, plan.labels, plan.without_harm)
        table.add_row(f"{100 * margin:g}", *(f"{number:,}" for number in numbers), style=style)
    return table


def _advice(found: LabelPlan) -> str:
    kept = "" if found.acceptance == 1 else f", of which {found.labels:,} need a label"
    how = "by a formula; enumeration would take long" if found.power_reached is None else "exactly"
    return (
        f"certify on {found.requests:,} requests{kept}: with {percent(found.harm, None)} harm and "
        f"{percent(found.gain, None)} gain they carry {100 * found.epsilon:g} points in "
        f"{percent(found.power_reached or found.power, 0)} of cases ({how}, error allowed "
        f"{percent(found.delta, 2)})"
    )
