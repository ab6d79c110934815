"""Learning from a recording: out-of-fold probabilities for its requests, and a model to serve.

```python
learning = learn(recording)
path = search_plans(recording, learning.source)   # scores no request saw its own label for
model = learning.model_for([point.plan for point in path.points])
model.save("support.json")                         # scorers.Learned("support.json") serves it
held_back = model.on(certify_part)                 # a ScoreSource for fresh requests
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.checked_recording import checked_recording
from cascade.calibration.learning.evidence_table import EvidenceTable, gather
from cascade.calibration.learning.folds import group_folds
from cascade.calibration.learning.learned import LearnedModel
from cascade.calibration.learning.learned_source import bought_rows
from cascade.calibration.learning.state_fit import Labels, StateFit, TreesWanted
from cascade.calibration.learning.state_model import FittedBlock, rounded
from cascade.calibration.learning.states import State
from cascade.calibration.learning.word_fits import WordFits
from cascade.calibration.plan import Plan
from cascade.calibration.recording import Recording
from cascade.errors import ConfigError

__all__ = ["Learning", "OutOfFold", "learn"]

Floats = NDArray[np.float64]

RARE = 0.01
"""Share of requests below which a pattern of missing answers gets no model of its own: there an
answer is judged alone."""

MAX_SLICES = 40
"""More slices than this are no slices but labels of another kind."""

MIN_SLICE = 25


def learn(
    recording: Recording,
    *,
    evidence: Iterable[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    trees: TreesWanted = "auto",
    slices: Literal["auto", "never"] = "auto",
    table: EvidenceTable | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Learning:
    """Learn how likely answers are to be right, from a recording with quality.

    Nothing is fitted yet: each state of evidence is fitted when its scores are asked for.

    Args:
        recording: what to learn from; rows of unknown quality get scores and teach nothing.
        evidence: names of what to use, as in `gather`; all there is unless given.
        folds: parts for out-of-fold scores, from 2; groups are not split.
        seed: of the folds and of all that is fitted.
        trees: "auto" tries boosted trees from 500 labels on, "always" at any number; they are kept
            where they win. "never" does without.
        slices: "auto" gives slices of 25 requests and more a level of their own. A served request
            must then say its slice in its metadata, under "slice", as one of an unknown slice gets
            no score. "never" does without.
        table: the recording's evidence, if it was gathered before.
        progress: as in `gather`.

    Raises:
        ConfigError: evidence that is not registered, or fewer than two folds.
        RecordingError: evidence raised.
    """
    checked_recording(recording, "learn")
    if folds < 2:  # noqa: PLR2004
        raise ConfigError(f"learn: folds={folds!r}: expected 2 or more")
    read = gather(recording, evidence, progress=progress) if table is None else table
    if len(read) != len(recording):
        raise ConfigError(
            f"learn: the table holds {len(read):,} requests, the recording {len(recording):,}"
        )
    return Learning(recording, read, folds=folds, seed=seed, trees=trees, slices=slices)


class Learning:
    """What `learn` gives; fits are made once and kept.

    Attributes:
        recording: learned from.
        table: its evidence.
        source: a `ScoreSource` for the same recording. Every score comes from models and maps that
            saw no label of the request's group.
    """

    def __init__(
        self,
        recording: Recording,
        table: EvidenceTable,
        *,
        folds: int,
        seed: int,
        trees: TreesWanted,
        slices: Literal["auto", "never"],
    ) -> None:
        self.recording, self.table = recording, table
        names = np.unique(recording.groups.astype(str), return_inverse=True)[1].ravel()
        self._labels = Labels(
            quality=recording.quality,
            weights=recording.weights / recording.weights.mean(),
            folds=group_folds(recording.groups, folds, seed),
            groups=names,
            slices=recording.slices,
            named=() if slices == "never" else _named_slices(recording),
            place={name: at for at, name in enumerate(recording.names)},
            trees=trees,
            seed=seed,
        )
        self._words = WordFits(
            table.words, recording.quality, self._labels.weights, self._labels.folds
        )
        self._fits: dict[State, StateFit] = {}
        self.source = OutOfFold(self)

    @property
    def fits(self) -> tuple[StateFit, ...]:
        """All fits made so far, in the order they were asked for."""
        return tuple(self._fits.values())

    def fit(self, state: State) -> StateFit:
        """The fit of a state, made on first use."""
        if state not in self._fits:
            self._fits[state] = StateFit(state, self.table, self._labels, self._words)
        return self._fits[state]

    def state_of(self, asked: Iterable[int], returns: int) -> State:
        """The state in which `returns`'s answer is judged once `asked` have answered."""
        names = self.recording.names
        beside = tuple(names[at] for at in sorted({*asked} - {returns}))
        return State(names[returns], beside)

    @property
    def model(self) -> LearnedModel:
        """The model of all states that were used so far; of the ladder's where none was."""
        if not self._fits:
            ladder = self.recording.ladder
            steps = [ladder[: at + 1] for at in range(max(1, len(ladder) - 1))]
            return self._model([self.state_of(asked, asked[-1]) for asked in steps])
        return self._model(list(self._fits))

    def model_for(self, plans: Iterable[Plan]) -> LearnedModel:
        """The model that serves some plans, and each answer in them judged alone."""
        wanted: dict[State, None] = {}
        for plan in plans:
            places = [self.recording.index(name) for name in plan.tiers]
            for at, step in enumerate(plan.steps[:-1]):
                returns = self.recording.index(step.returns)
                for _, state in self.parts(places[: at + 1], returns):
                    wanted[state] = None
                wanted[self.state_of(places[: at + 1], returns)] = None
            if plan.gate is not None:
                wanted[State(plan.steps[0].asks, (), from_request=True)] = None
        return self._model(list(wanted))

    def parts(self, asked: Iterable[int], returns: int) -> list[tuple[NDArray[np.int64], State]]:
        """Which requests are judged in which state: whole answers only count as bought."""
        found = []
        for rows, beside in bought_rows(self.table, list(asked), returns):
            full = len(beside) == len({*asked} - {returns})
            rare = not full and len(rows) < RARE * len(self.recording)
            found.append((rows, self.state_of(() if rare else beside, returns)))
        return found

    def _model(self, states: list[State]) -> LearnedModel:
        alone = [State(state.judged) for state in states if not state.from_request]
        order = {**dict.fromkeys(states), **dict.fromkeys(alone)}
        models = tuple(self.fit(state).model for state in order)
        used = {(part.block.kind, part.block.of) for model in models for part in model.blocks}
        pairs = self.table.pairs.items()
        tiers = {model.state.judged for model in models if _uses_words(model.blocks)}
        place = self._labels.place
        about = self.recording.about.source or "a recording"
        return LearnedModel(
            tiers=self.recording.names,
            own={name: f for name, (f, _) in self.table.own.items() if ("own", name) in used},
            pairs={name: f for name, (f, _) in pairs if ("pair", name) in used},
            words={name: self._words.final(place[name]) for name in sorted(tiers)},
            states=models,
            about=f"learned from {len(self.recording):,} requests: {about}",
        )


class OutOfFold:
    """Scores of a recording by models that did not see the request; see `Learning.source`."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._kept: dict[tuple[frozenset[int], int], Floats] = {}

    def scores(self, asked: tuple[int, ...], returns: int) -> Floats:
        """See `ScoreSource`: (n,) in [0, 1]; NaN where there is no whole answer to judge."""
        key = frozenset(asked), returns
        if key not in self._kept:
            found = np.full(len(self._learning.recording), np.nan)
            for rows, state in self._learning.parts(asked, returns):
                found[rows] = self._held_out(state)[rows]
            self._kept[key] = found
        return self._kept[key].copy()

    def judge(self, asks: int) -> str:
        """The name of what judges every step, for people."""
        del asks
        return "Learned"

    def cost_pusd(self, asked: tuple[int, ...], returns: int) -> NDArray[np.int64]:
        """Nothing: the evidence is bought with the answers."""
        del asked, returns
        return np.zeros(len(self._learning.recording), np.int64)

    def gate(self, tier: int) -> Floats:
        """See `ScoreSource`; NaN where requests and slices say nothing."""
        state = State(self._learning.recording.names[tier], (), from_request=True)
        if not self._learning.fit(state).sees_anything:
            return np.full(len(self._learning.recording), np.nan)
        return self._held_out(state)

    def _held_out(self, state: State) -> Floats:
        fit = self._learning.fit(state)
        found = np.full(len(self._learning.recording), np.nan)
        found[fit.rows] = rounded(fit.held_out)
        return found


def _uses_words(blocks: Iterable[FittedBlock]) -> bool:
    return any(part.block.kind == "words" for part in blocks)


def _named_slices(recording: Recording) -> tuple[str, ...]:
    names, counts = np.unique(recording.slices.astype(str), return_counts=True)
    kept = [str(n) for n, count in zip(names, counts, strict=True) if n and count >= MIN_SLICE]
    return tuple(kept) if 1 < len(kept) <= MAX_SLICES else ()
