"""What a table says of answers: quality, text, tokens, cost, time and signals of each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.imports.column_names import Columns, is_signal
from cascade.calibration.imports.tables import Table
from cascade.errors import RecordingError

__all__ = ["AnswerColumns", "TokenSource"]

TokenSource = Literal["recorded", "estimate"]
"""Where token counts come from: the table alone, or else the length of the texts."""

CHARACTERS_PER_TOKEN = 4
"""OpenAI's rule of thumb for English text; an estimate, good to some tens of per cent."""

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)

HELD = ("quality", "text", "cost_usd", "input_tokens", "output_tokens", "latency")
"""What a row may hold of an answer."""

SCALES = (10, 100)
"""Ends of the scales that a grade above 5 may be on; up to 5 it might be on either of several."""

AMBIGUOUS = 5

SAY_SCALE = (
    "say on which scale it is: on the command line --scale WORST,BEST, in Python "
    "scale=(worst, best)"
)

Floats = NDArray[np.float64]


class AnswerColumns:
    """The columns of answers, one value per row of the table.

    Args:
        table: a row per request and model.
        columns: which column means what.

    Attributes:
        used: the names of the columns that were read.
    """

    def __init__(self, table: Table, columns: Columns) -> None:
        self._table = table
        self._columns = columns
        self.used: set[str] = set()

    def quality(self, scale: tuple[float, float] | None) -> tuple[Floats, str]:
        """Quality in [0, 1], NaN where unknown, and in words what it is.

        Args:
            scale: worst and best grade; found where every grade is in [0, 1], or one above 5 tells
                that it is out of 10 or 100.

        Raises:
            RecordingError: no such column, or grades that are on no such scale.
        """
        name = self._columns.needed("quality")
        self.used.add(name)
        grades = self._table.numbers(name)
        low, high = scale or self._scale(grades, name)
        bad = ~np.isnan(grades) & ~((grades >= low) & (grades <= high))
        if high <= low or bad.any():
            row = int(np.flatnonzero(bad)[0]) if bad.any() else 0
            raise RecordingError(
                f"{self._table.name}: {name!r} in {self._table.place(row)} is "
                f"{grades[row].item()}; expected "
                f"a grade from {low:g} to {high:g}; {SAY_SCALE}"
            )
        words = name if (low, high) == (0, 1) else f"{name} from {low:g} to {high:g}"
        return (grades - low) / (high - low), words

    def _scale(self, grades: Floats, name: str) -> tuple[float, float]:
        most = float(np.nanmax(grades, initial=0))
        if most <= 1:
            return 0, 1
        fitting = [end for end in SCALES if most <= end]
        if most <= AMBIGUOUS or not fitting:
            raise RecordingError(f"{self._table.name}: {name!r} goes up to {most:g}; {SAY_SCALE}")
        return 0, fitting[0]

    def blank(self) -> NDArray[np.bool_]:
        """The rows that hold nothing of an answer: the model was not asked.

        Where quality is all that a table has of answers, one that is missing may as well be an
        answer that nobody graded; no row is blank then.
        """
        names = [name for name in map(self._columns.answer, HELD) if name is not None]
        if len(names) < 2:  # noqa: PLR2004  quality and something beside it
            return np.zeros(len(self._table), bool)
        blank = np.ones(len(self._table), bool)
        for name in names:
            blank &= self._table.is_empty(name)
        return blank

    def texts(self) -> NDArray[np.object_] | None:
        """The answers; `None` where the table has none."""
        name = self._named("text")
        return None if name is None else self._table.texts(name)

    def tokens(
        self, source: TokenSource, prompts: Any, texts: NDArray[np.object_] | None
    ) -> Floats:
        """The five token counts of each row, shape (rows, 5), NaN where unknown.

        A prompt of no token is a count that nobody made. A broken number is rounded up.

        Args:
            source: whether lengths of texts stand in for missing counts.
            prompts: what was asked, as text, for each row.
            texts: the answers.

        Raises:
            RecordingError: a count is below 0.
        """
        found = np.stack([self._count(name) for name in COUNTS], axis=1)
        found[~(found[:, 0] > 0)] = np.nan
        if source == "estimate" and texts is not None:
            for place, values in enumerate((prompts, texts)):
                missing = np.isnan(found[:, place])
                found[missing, place] = _estimated(values[missing])
        return np.ceil(found)

    def _count(self, meaning: str) -> Floats:
        known = meaning != "cache_write_tokens"  # no table has been seen with it
        name = self._named(meaning) if known else None
        if name is None:
            return np.full(len(self._table), np.nan)
        counts = self._table.numbers(name)
        if (counts < 0).any():
            row = int(np.flatnonzero(counts < 0)[0])
            raise RecordingError(
                f"{self._table.name}: {name!r} in {self._table.place(row)} is {counts[row]:g}; "
                "expected a "
                "count of tokens, 0 or more, or nothing where it is not known"
            )
        return counts

    def cost_pusd(self) -> NDArray[np.int64] | None:
        """The recorded cost; `None` where the table has none."""
        name = self._named("cost_usd")
        return None if name is None else self._table.money(name)

    def latency_s(self) -> Floats:
        """Seconds; NaN where unknown."""
        name = self._named("latency")
        if name is None:
            return np.full(len(self._table), np.nan)
        return self._table.numbers(name) / (1000 if name.endswith("_ms") else 1)

    def signals(self, wanted: Sequence[str] | None) -> dict[str, Floats]:
        """Further numbers; those whose name says that they are evidence, unless some are wanted.

        Raises:
            RecordingError: one is no column, or no number.
        """
        names = self._evident() if wanted is None else list(wanted)
        if unknown := [name for name in names if name not in self._table.columns]:
            raise RecordingError(f"{self._table.name}: there is no column {unknown[0]!r} to signal")
        self.used |= set(names)
        return {name: self._table.numbers(name) for name in names}

    def _evident(self) -> list[str]:
        names = [n for n in self._table.columns if n not in self.used and is_signal(n)]
        return [name for name in names if self._table.is_numeric(name)]

    def _named(self, meaning: str) -> str | None:
        name = self._columns.answer(meaning)
        if name is not None:
            self.used.add(name)
        return name


def _estimated(texts: NDArray[np.object_]) -> Floats:
    return np.array(
        [np.nan if text is None else max(1, len(text) / CHARACTERS_PER_TOKEN) for text in texts]
    )
