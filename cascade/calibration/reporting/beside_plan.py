"""The comparison that a report rests on, or what is left of one where the recording knows less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.comparison import Comparison, Point, compare
from cascade.calibration.comparing.findings import WhatIf
from cascade.calibration.comparing.question import compared_with
from cascade.calibration.comparing.shares import mean_of
from cascade.calibration.comparing.whatif import what_if
from cascade.calibration.money import UNKNOWN, Pico, in_usd
from cascade.calibration.plan import Asked, Floats, ScoreSource
from cascade.calibration.recording import Recording
from cascade.calibration.reporting.basis import Basis
from cascade.calibration.search.plan_path import PlanPath
from cascade.calibration.unasked import gaps
from cascade.errors import RecordingError

__all__ = ["compared"]

Whole = NDArray[np.int64]

PARTLY = (
    "everything rests on the {:,} of {:,} requests whose answers all have a label and a price{}; "
    "where labels were not given at random, it speaks of those alone"
)


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
    rows = _complete(recording)
    try:
        return _simpler(recording, rows, basis, path, settings)
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
    recording: Recording,
    rows: Whole,
    basis: Basis,
    path: PlanPath | None,
    settings: dict[str, Any],
) -> tuple[Recording, ScoreSource | None, Comparison]:
    """Everything compared, on some requests."""
    kept, source, notes = recording, basis.source, basis.notes
    if 0 < len(rows) < len(recording):
        kept = recording.rows(rows)
        source = None if source is None else _OfRows(source, rows)
        notes = (*notes, PARTLY.format(len(rows), len(recording), _lacking(recording)))
    made = compare(kept, source, chosen=basis.chosen, against=basis.against, path=path, **settings)
    return kept, source, replace(made, notes=(*notes, *made.notes))


def _complete(recording: Recording) -> Whole:
    """The requests whose every answer has a label and a price.

    All, where a tier was not asked some of them: which ones it was asked is no chance, and those
    alone would say something else.
    """
    ladder = list(recording.ladder)
    if gaps(recording)[:, ladder].any():
        return np.arange(len(recording))
    known = ~np.isnan(recording.quality[:, ladder]) & (recording.cost_pusd[:, ladder] != UNKNOWN)
    return np.flatnonzero(known.all(axis=1))


def _lacking(recording: Recording) -> str:
    """How many requests lack a label, and how many a price, in brackets."""
    ladder = list(recording.ladder)
    found = {
        "label": int(np.isnan(recording.quality[:, ladder]).any(axis=1).sum()),
        "price": int((recording.cost_pusd[:, ladder] == UNKNOWN).any(axis=1).sum()),
    }
    words = [f"{number:,} lack a {what}" for what, number in found.items() if number]
    return f" ({', '.join(words)})" if words else ""


class _OfRows:
    """A `ScoreSource` for some requests of the recording that it was made for."""

    def __init__(self, source: ScoreSource, rows: Whole) -> None:
        self._source = source
        self._rows = rows

    def scores(self, asked: Asked, returns: int) -> Floats:
        """Theirs, shape (n,)."""
        return self._source.scores(asked, returns)[self._rows]

    def cost_pusd(self, asked: Asked, returns: int) -> Pico:
        """Theirs, shape (n,)."""
        return self._source.cost_pusd(asked, returns)[self._rows]

    def gate(self, tier: int) -> Floats:
        """Theirs, shape (n,)."""
        return self._source.gate(tier)[self._rows]


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
