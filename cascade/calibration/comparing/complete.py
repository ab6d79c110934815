"""The requests that a comparison can rest on: those of which everything is known."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.comparing.named_judges import judge_of
from cascade.calibration.money import UNKNOWN, Pico
from cascade.calibration.plan import Asked, Floats, ScoreSource
from cascade.calibration.recording import Recording
from cascade.calibration.unasked import gaps

__all__ = [
    "OfRows",
    "OfTiers",
    "complete_part",
    "known_rows",
    "source_of_rows",
    "source_of_tiers",
    "without_few_gaps",
    "without_unasked_tiers",
]

Whole = NDArray[np.int64]

FEW = 0.05
"""Share of requests with a gap up to which they are left out. Beyond, which requests a tier was
asked is seldom chance (a served chain asks its last tier what the others could not answer), and
what is left would say something else."""

PARTLY = (
    "everything rests on the {:,} of {:,} requests whose answers all have a label and a price "
    "({}); where {} are not missing at random, it speaks of those alone"
)

GAPS = "left out: {:,} of {:,} requests, because not every tier was asked them"


ABSENT = (
    "compared without tier {!r}: the chain does not ask it, and {:,} of {:,} requests were never "
    "put to it"
)


def without_unasked_tiers(
    recording: Recording, needed: Collection[str]
) -> tuple[Recording, tuple[str, ...]]:
    """The recording without tiers that nobody needs and that many requests were not put to.

    Everything simpler is then made of the other tiers, as if these had never been recorded. The top
    tier stays: all is compared with it.

    Args:
        recording: with gaps.
        needed: names of the tiers that the plan may ask.

    Returns:
        The recording, and a note on each tier that is left out.
    """
    counts = dict(zip(recording.names, gaps(recording).sum(axis=0).tolist(), strict=True))
    names, n = [recording.names[tier] for tier in recording.ladder], len(recording)
    stays = {*needed, recording.names[recording.top]}
    absent = [name for name in names if name not in stays and counts[name] > FEW * n]
    if not absent:
        return recording, ()
    kept = [name for name in names if name not in absent]
    made = recording.with_tiers(kept, [recording.names[i] for i in recording.witnesses])
    return made, tuple(ABSENT.format(name, counts[name], n) for name in absent)


def without_few_gaps(recording: Recording) -> tuple[Recording, Whole, tuple[str, ...]]:
    """The requests that every tier was asked, where no more than a few others are lost.

    Returns:
        The recording of them (of all, where many have a gap), their rows, and a note on the others.
    """
    missing = gaps(recording)[:, list(recording.ladder)].any(axis=1)
    count, n = int(missing.sum()), len(recording)
    if not 0 < count <= FEW * n:
        return recording, np.arange(n), ()
    rows = np.flatnonzero(~missing)
    return recording.rows(rows), rows, (GAPS.format(count, n),)


def complete_part(recording: Recording) -> tuple[Recording, Whole, tuple[str, ...]]:
    """The requests whose every answer has a label and a price.

    All, where none has, or where a tier was not asked some of them.

    Returns:
        The recording of them, their rows, and a note on the others.
    """
    n, rows = len(recording), known_rows(recording)
    asked_all = not gaps(recording)[:, list(recording.ladder)].any()
    if not asked_all or not 0 < len(rows) < n:
        return recording, np.arange(n), ()
    lacking = _lacking(recording)
    words = ", ".join(f"{number:,} lack a {what}" for what, number in lacking.items())
    note = PARTLY.format(len(rows), n, words, " and ".join(f"{what}s" for what in lacking))
    return recording.rows(rows), rows, (note,)


def known_rows(recording: Recording) -> Whole:
    """The requests of which every tier's answer has a label and a price."""
    ladder = list(recording.ladder)
    known = ~np.isnan(recording.quality[:, ladder]) & (recording.cost_pusd[:, ladder] != UNKNOWN)
    return np.flatnonzero(known.all(axis=1))


def _lacking(recording: Recording) -> dict[str, int]:
    """How many requests lack a label, and how many a price, as far as any does."""
    ladder = list(recording.ladder)
    found = {
        "label": int(np.isnan(recording.quality[:, ladder]).any(axis=1).sum()),
        "price": int((recording.cost_pusd[:, ladder] == UNKNOWN).any(axis=1).sum()),
    }
    return {what: number for what, number in found.items() if number}


def source_of_rows(source: ScoreSource | None, rows: Whole, n: int) -> ScoreSource | None:
    """Scores of some of the n requests that a source speaks of; the source itself for all."""
    return source if source is None or len(rows) == n else OfRows(source, rows)


def source_of_tiers(
    source: ScoreSource | None, part: Recording, whole: Recording
) -> ScoreSource | None:
    """Scores of a part's tiers by a source that speaks of the whole; the source itself for all."""
    if source is None or part.names == whole.names:
        return source
    return OfTiers(source, tuple(whole.index(name) for name in part.names))


class OfTiers:
    """A `ScoreSource` for some tiers of the recording that it was made for.

    Args:
        source: of the recording.
        places: where each of the tiers stands in it.
    """

    def __init__(self, source: ScoreSource, places: Asked) -> None:
        self._source = source
        self._places = places

    def scores(self, asked: Asked, returns: int) -> Floats:
        """Theirs, shape (n,)."""
        return self._source.scores(self._there(asked), self._places[returns])

    def cost_pusd(self, asked: Asked, returns: int) -> Pico:
        """Theirs, shape (n,)."""
        return self._source.cost_pusd(self._there(asked), self._places[returns])

    def judge(self, asks: int) -> str | None:
        """Theirs."""
        return judge_of(self._source, self._places[asks])

    def gate(self, tier: int) -> Floats:
        """Theirs, shape (n,)."""
        return self._source.gate(self._places[tier])

    def _there(self, asked: Asked) -> Asked:
        return tuple(self._places[tier] for tier in asked)


class OfRows:
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

    def judge(self, asks: int) -> str | None:
        """Theirs."""
        return judge_of(self._source, asks)

    def gate(self, tier: int) -> Floats:
        """Theirs, shape (n,)."""
        return self._source.gate(tier)[self._rows]
