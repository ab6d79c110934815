"""Whose scores a plan is priced with: the option, and what it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

if TYPE_CHECKING:
    from cascade.calibration import Comparison, Recording, WhatIf
    from cascade.calibration.comparing.chain_scores import ChainScores
    from cascade.core.chain import Chain

__all__ = ["Scores", "ScoresOption", "recorded_scores", "with_notes"]

Scores = Literal["auto", "recorded"]

ScoresOption = Annotated[
    Scores,
    typer.Option(
        help="Whose scores decide: the chain's own scorers', or the recorded ones, also where a "
        "file of another tool brought them and the chain's scorer only holds their place."
    ),
]

Found = TypeVar("Found", "Comparison", "WhatIf")


def recorded_scores(scores: Scores, chain: Chain, recording: Recording) -> ChainScores | None:
    """The recorded scores, where they were asked for; `None` for those of the chain's own scorers.

    Raises:
        RecordingError: a tier has recorded scores, and no scorer in the chain.
    """
    if scores == "auto":
        return None
    from cascade.calibration.comparing.chain_scores import ChainScores  # noqa: PLC0415  loads numpy

    return ChainScores(chain, recording, trusted=True)


def with_notes(found: Found, source: ChainScores | None) -> Found:
    """What was found, with what was taken on trust for it."""
    trusted: tuple[str, ...] = () if source is None else source.notes
    return replace(found, notes=(*trusted, *found.notes))
