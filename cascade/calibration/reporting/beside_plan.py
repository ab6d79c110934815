"""The comparison that a report rests on, or what is left of one where the recording knows less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cascade.calibration.comparing.comparison import Comparison, compare
from cascade.calibration.comparing.complete import complete_part, source_of_rows
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.comparing.points import Point
from cascade.calibration.comparing.question import compared_with
from cascade.calibration.comparing.shares import mean_of
from cascade.calibration.comparing.whatif import what_if
from cascade.calibration.money import in_usd
from cascade.calibration.plan import ScoreSource
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.basis import Basis
from cascade.calibration.search.plan_path import PlanPath
from cascade.errors import RecordingError

__all__ = ["compared"]


def compared(
    recording: Recording,
    basis: Basis,
    path: PlanPath | None,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> tuple[Recording, ScoreSource | None, Comparison]:
    """The comparison, with the requests that it rests on and their scores, where any were given.

    Where some answers have no label or no price, it rests on the requests that have all; where none
    has, or tiers were not asked, the plan's costs stand alone.

    Raises:
        RecordingError: the plan that was asked for cannot be told from the recording.
        ConfigError: settings that cannot work.
    """
    settings: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    try:
        return _simpler(recording, basis, path, settings)
    except RecordingError as error:
        notes = (*basis.notes, f"nothing simpler is compared: {error}")
    found = None
    if basis.chosen is not None:
        found = what_if(
            basis.chosen, recording, source=basis.source, against=basis.against, **settings
        )
    top = compared_with(None, recording, basis.against) if found is None else found.top
    made = _costs_alone(recording, found, top)
    return recording, basis.source, replace(made, notes=(*notes, *made.notes))


def _simpler(
    recording: Recording, basis: Basis, path: PlanPath | None, settings: dict[str, Any]
) -> tuple[Recording, ScoreSource | None, Comparison]:
    """Everything compared, on the requests of which everything is known."""
    kept, rows, notes = complete_part(recording)
    source = source_of_rows(basis.source, rows, len(recording))
    made = compare(kept, source, chosen=basis.chosen, against=basis.against, path=path, **settings)
    return kept, source, replace(made, notes=(*basis.notes, *notes, *made.notes))


def _costs_alone(recording: Recording, found: WhatIf | None, top: str) -> Comparison:
    """What can be said without comparing: what each tier costs, and how good it is if known."""
    costs, weights = in_usd(recording.cost_pusd), recording.weights
    singles = tuple(
        Point(
            mean_of(costs[:, place], weights),
            mean_of(recording.quality[:, place], weights),
            recording.names[place],
        )
        for place in recording.ladder
    )
    return Comparison(
        chosen=found,
        path=(),
        singles=singles,
        baselines=(),
        mixing=(),
        oracle_router=(),
        oracle_cascade=(),
        scorers=(),
        reliability=(),
        metrics={},
        harm_rows=(),
        gain_rows=(),
        top=top,
        notes=() if found is None else found.notes,
    )
