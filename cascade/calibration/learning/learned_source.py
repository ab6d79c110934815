"""A learned model as the source of scores for a recording it was not learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.evidence_table import WORDS, EvidenceTable, gather
from cascade.calibration.learning.learned import LearnedModel
from cascade.calibration.learning.state_model import FittedBlock, StateModel, rounded
from cascade.calibration.learning.states import State, numbers_of
from cascade.calibration.recording import Recording
from cascade.errors import RecordingError

__all__ = ["LearnedSource", "bought_rows", "raw_log_odds", "wide_numbers"]

Floats = NDArray[np.float64]


class LearnedSource:
    """Scores as the model gives them when serving, for all requests at once; a `ScoreSource`.

    Args:
        model: learned elsewhere.
        recording: whose answers are scored; tiers are found by name.
        table: the recording's evidence, where it was read before.

    Raises:
        RecordingError: evidence cannot be read.
    """

    def __init__(
        self, model: LearnedModel, recording: Recording, table: EvidenceTable | None = None
    ) -> None:
        self._table = gather(recording, _used(model, recording)) if table is None else table
        _check_fields(model, self._table)
        self._model, self._recording = model, recording
        self._names = recording.names
        self._place = {name: at for at, name in enumerate(self._names)}
        self._words: dict[str, Floats] = {}

    def scores(self, asked: tuple[int, ...], returns: int) -> Floats:
        """See `ScoreSource`; NaN where nothing that was learned fits."""
        found = np.full(len(self._recording), np.nan)
        for rows, beside in bought_rows(self._table, asked, returns):
            names = [self._names[at] for at in beside]
            model = self._model.model_at(self._names[returns], [*names, self._names[returns]])
            if model is not None:
                found[rows] = self._judged(model, rows)
        return found

    def judge(self, asks: int) -> str:
        """The name of what judges every step, for people."""
        del asks
        return "Learned"

    def cost_pusd(self, asked: tuple[int, ...], returns: int) -> NDArray[np.int64]:
        """Nothing: the evidence is bought with the answers."""
        del asked, returns
        return np.zeros(len(self._recording), np.int64)

    def gate(self, tier: int) -> Floats:
        """See `ScoreSource`; NaN where no gate was learned."""
        state = State(self._names[tier], (), from_request=True)
        for model in self._model.states:
            if model.state == state:
                return self._judged(model, np.arange(len(self._recording)))
        return np.full(len(self._recording), np.nan)

    def log_odds(self, model: StateModel) -> Floats:
        """Log-odds of one state's model before its maps, for all requests, (n,)."""
        return self._raw(model, np.arange(len(self._recording)))

    def sees(self, state: State) -> NDArray[np.bool_]:
        """Which requests have all the whole answers of a state, (n,)."""
        if state.from_request:
            return np.ones(len(self._recording), bool)
        needed = [self._place[name] for name in (state.judged, *state.beside)]
        return np.asarray(self._table.usable[:, needed].all(axis=1))

    def _judged(self, model: StateModel, rows: NDArray[np.int64]) -> Floats:
        z = self._raw(model, rows)
        return rounded(model.mapped(z, self._table.slices[rows]))

    def _raw(self, model: StateModel, rows: NDArray[np.int64]) -> Floats:
        judged = model.state.judged
        if any(part.block.kind == "words" for part in model.blocks) and judged not in self._words:
            self._words[judged] = _word_log_odds(self._model, judged, self._table)
        words = self._words.get(judged)
        return raw_log_odds(model, self._table, self._place, words)[rows]


def _used(model: LearnedModel, recording: Recording) -> list[str]:
    """Names of the evidence that a model reads, as far as the recording can have it."""
    blocks = [part.block for one in model.states for part in one.blocks]
    signals = {block.of for block in blocks if block.kind == "signal"} & recording.signals.keys()
    words = [WORDS] if any(block.kind in ("words", "request") for block in blocks) else []
    return [*model.own, *model.pairs, *sorted(signals), *words]


def _check_fields(model: LearnedModel, table: EvidenceTable) -> None:
    """Raise `RecordingError` where evidence is no longer what the model learned from."""
    for of, known in ((model.own, table.own), (model.pairs, table.pairs)):
        for name, fields in of.items():
            if name in known and known[name][0] != fields:
                raise RecordingError(
                    f"evidence {name!r} has the fields {', '.join(known[name][0])[:120]} now; the "
                    f"model learned from {', '.join(fields)[:120]}: learn it again"
                )


def bought_rows(
    table: EvidenceTable, asked: Sequence[int], returns: int
) -> Iterator[tuple[NDArray[np.int64], tuple[int, ...]]]:
    """The requests with a whole answer to judge, parted by which others gave one too.

    Yields:
        Indices of requests, and the other tiers whose answers are whole there, in order.
    """
    others = sorted(set(asked) - {returns})
    can = table.usable[:, returns]
    bits = 1 << np.arange(len(others), dtype=np.int64)
    which = np.asarray(table.usable[:, others].astype(np.int64) @ bits)
    for pattern in np.unique(which[can]).tolist():
        beside = tuple(at for bit, at in enumerate(others) if pattern >> bit & 1)
        yield np.flatnonzero(can & (which == pattern)), beside


def raw_log_odds(
    model: StateModel,
    table: EvidenceTable,
    place: dict[str, int],
    words: Floats | None,
) -> Floats:
    """Log-odds of one state's model before its maps, for all requests, (n,)."""
    columns, missing = [], []
    for part in model.blocks:
        if part.block.kind == "words":
            numbers = np.full(len(table), np.nan) if words is None else words
            numbers = numbers[:, None]
        else:
            numbers = _numbers(part, model.state, table, place)
        absent = np.asarray(np.isnan(numbers).any(axis=1))
        numbers = np.where(absent[:, None], np.nan, numbers)
        columns.append(numbers)
        missing.append(absent)
    if not columns:
        return np.full(len(table), model.intercept)
    return model.log_odds(np.hstack(columns), np.column_stack(missing))


def _numbers(
    part: FittedBlock, state: State, table: EvidenceTable, place: dict[str, int]
) -> Floats:
    """A block's numbers, which is missing as a whole where the table lacks it."""
    block = part.block
    known = {"own": table.own, "signal": table.signals, "pair": table.pairs, "votes": table.pairs}
    if block.kind in known and block.of not in known[block.kind]:
        return np.full((len(table), len(part.mean)), np.nan)
    if any(name not in place for name in (state.judged, *state.beside)):
        raise RecordingError(f"the recording lacks a tier of the state {str(state)!r}")
    return wide_numbers(numbers_of(block, state, table, place), part.knots)


def wide_numbers(values: Floats, knots: Sequence[float] | Floats) -> Floats:
    """Numbers of a block, (n, numbers); of a signal the value, within its knots, and its rank."""
    if not len(knots):
        return values
    value = np.clip(values[:, 0], knots[0], knots[-1])
    return np.column_stack([value, np.interp(value, knots, np.linspace(0.0, 1.0, len(knots)))])


def _word_log_odds(model: LearnedModel, judged: str, table: EvidenceTable) -> Floats:
    weights = model.words.get(judged)
    if weights is None:
        return np.full(len(table), np.nan)
    return np.array([weights.log_odds(text) if text else np.nan for text in table.words])
