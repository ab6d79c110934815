"""Fitting the model of one state: out of fold for every request, and once on all for serving.

Logistic regression with a prior that already trusts agreement; boosted trees beside it from 500
labels, where held-out log-loss says so; then a map to probabilities. What is chosen (the prior's
width, the trees' share, the kind of map) is chosen by held-out log-loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.boosting import TREES_FROM, fit_trees
from cascade.calibration.learning.calibration_maps import best_map
from cascade.calibration.learning.evidence_table import EvidenceTable
from cascade.calibration.learning.learned_source import wide_numbers
from cascade.calibration.learning.logistic import fit_logistic, log_loss
from cascade.calibration.learning.pooling import slice_shifts
from cascade.calibration.learning.priors import prior_of
from cascade.calibration.learning.state_model import BOUND, CLIP, FittedBlock, MapStage, StateModel
from cascade.calibration.learning.states import Block, State, blocks_of, numbers_of
from cascade.calibration.learning.trees import Trees
from cascade.calibration.learning.word_fits import WordFits

__all__ = ["Labels", "StateFit", "TreesWanted"]

Floats = NDArray[np.float64]
TreesWanted = Literal["auto", "never", "always"]

SPREADS = (0.03, 0.1, 0.3, 1.0)
"""Widths of the prior that are tried: standard deviations of a weight per scale."""

FEW = 60
"""Labels below which nothing is tried, and the prior has its usual width."""

USUAL = 0.1

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the trees that are tried."""

WIN = 5e-4
"""Log-loss by which trees must win."""

PINNED = 1e-4
"""How near to 0 a weight is pinned that would have a sign it cannot have."""

RARELY = 20
"""Requests below which the lack of a block teaches nothing: an answer without it gets no score."""

KNOTS = 33


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of n requests, for fitting.

    Attributes:
        quality: (n, k); NaN where unknown.
        weights: mean 1, (n,).
        folds: (n,).
        groups: numbers of the groups, (n,).
        slices: (n,).
        named: slices that get a level of their own.
        place: column of each tier.
        trees: whether to try trees.
        seed: of everything random.
    """

    quality: Floats
    weights: Floats
    folds: NDArray[np.int64]
    groups: NDArray[np.int64]
    slices: NDArray[np.object_]
    named: tuple[str, ...]
    place: dict[str, int]
    trees: TreesWanted
    seed: int


class StateFit:
    """The fit of one state; parts are made when they are first needed.

    Args:
        state: which.
        table: the evidence.
        labels: what is known.
        words: fits of the requests' words.
    """

    def __init__(self, state: State, table: EvidenceTable, labels: Labels, words: WordFits) -> None:
        self.state = state
        self._labels, self._word_fits = labels, words
        self._judged = labels.place[state.judged]
        beside = [labels.place[name] for name in state.beside]
        if state.from_request:
            self.rows = np.arange(len(table))
        else:
            self.rows = np.flatnonzero(table.usable[:, [self._judged, *beside]].all(axis=1))
        columns = self._columns(table)
        self._leave_out(columns)
        self.quality = labels.quality[self.rows, self._judged]
        self.known = ~np.isnan(self.quality)
        self.weights = labels.weights[self.rows]
        self._folds = labels.folds[self.rows]
        self._read(columns)

    # What there is --------------------------------------------------------------------------------

    def _columns(self, table: EvidenceTable) -> list[tuple[Block, Floats]]:
        """Numbers of all blocks that are there in some request."""
        found = []
        for block in blocks_of(self.state, table, self._labels.named):
            if block.kind == "words" and not self._word_fits.speak(self._judged):
                continue
            numbers = self._numbers(block, table)
            gone = np.asarray(np.isnan(numbers).any(axis=1))
            if not gone.all():
                found.append((block, np.where(gone[:, None], np.nan, numbers)))
        return found

    def _leave_out(self, columns: list[tuple[Block, Floats]]) -> None:
        """Drop requests that lack what hardly any lacks: there is no signal, then or later."""
        keep = np.ones(len(self.rows), bool)
        for _, numbers in columns:
            gone = np.isnan(numbers[:, 0])
            if gone.sum() < RARELY:
                keep &= ~gone
        self.rows = self.rows[keep]
        columns[:] = [(block, numbers[keep]) for block, numbers in columns]

    def _read(self, of_blocks: list[tuple[Block, Floats]]) -> None:
        """Mean, scale and ranks of all numbers; they need no labels."""
        self._blocks: list[FittedBlock] = []
        columns, absent = [], []
        for block, numbers in of_blocks:
            gone = np.isnan(numbers[:, 0])
            there = numbers[~gone]
            if not len(there):
                continue
            knots = _knots(block, there[:, 0])
            values = wide_numbers(numbers, knots)
            there = values[~gone]
            mean, scale = there.mean(axis=0), there.std(axis=0)
            scale = np.where(scale > 1e-9 * np.maximum(1.0, np.abs(mean)), scale, 0.0)
            if not gone.any() and not scale.any():
                continue  # it says the same of every answer
            self._blocks.append(
                FittedBlock(
                    block,
                    _tuple(mean),
                    _tuple(scale),
                    (0.0,) * len(mean),
                    missing_rows=int(gone.sum()),
                    knots=_tuple(knots),
                )
            )
            columns.append(values)
            absent.append(gone)
        n = len(self.rows)
        self._x = np.hstack(columns) if columns else np.zeros((n, 0))
        self._absent = np.column_stack(absent) if absent else np.zeros((n, 0), bool)
        kinds = [part.block.kind for part in self._blocks for _ in part.mean]
        self._word_column = kinds.index("words") if "words" in kinds else None
        self._prior = prior_of(self._blocks, self.state)

    @property
    def sees_anything(self) -> bool:
        """Whether any of its numbers differs between requests."""
        return any(scale > 0 for part in self._blocks for scale in part.scale)

    def _numbers(self, block: Block, table: EvidenceTable) -> Floats:
        if block.kind == "words":
            return self._word_fits.held_out(self._judged)[self.rows, None]
        return numbers_of(block, self.state, table, self._labels.place)[self.rows]

    def _with_words(self, fold: int | None) -> Floats:
        """The numbers as a model outside a fold may see them."""
        if self._word_column is None or fold is None:
            return self._x
        x = self._x.copy()
        x[:, self._word_column] = self._word_fits.outside(self._judged, fold)[self.rows]
        return x

    def _design(self, x: Floats) -> Floats:
        """Standardised numbers, indicators of missing blocks, and a one."""
        mean = np.array([number for part in self._blocks for number in part.mean], float)
        scale = np.array([number for part in self._blocks for number in part.scale], float)
        z = (x - mean) / np.where(scale > 0, scale, np.inf)
        z = np.nan_to_num(np.clip(z, -CLIP, CLIP))
        return np.hstack([z, self._absent.astype(float), np.ones((len(x), 1))])

    # Held out -------------------------------------------------------------------------------------

    @cached_property
    def _held_out_linear(self) -> tuple[float, Floats]:
        """The prior's width that does best on held-out requests, and log-odds with it."""
        spreads = SPREADS if self.known.sum() >= FEW else (USUAL,)
        tried = {spread: np.zeros(len(self.rows)) for spread in spreads}
        for fold in np.unique(self._folds):
            design = self._design(self._with_words(int(fold)))
            mine, start = self._folds == fold, None
            for spread in spreads:
                start = self._linear(design, ~mine & self.known, spread, start)
                tried[spread][mine] = design[mine] @ start
        losses = {spread: self._loss(z) for spread, z in tried.items()}
        best = min(spreads, key=lambda spread: (losses[spread], spread))
        return best, tried[best]

    @property
    def held_out_linear(self) -> Floats:
        """Log-odds of logistic regression alone, each by a model that never saw its group."""
        return self._held_out_linear[1]

    def _linear(
        self, design: Floats, rows: NDArray[np.bool_], spread: float, start: Floats | None
    ) -> Floats:
        mean, width = self._prior.at(spread)
        x, quality, weights = design[rows], self.quality[rows], self.weights[rows]
        found = fit_logistic(x, quality, weights, mean=mean, spread=width, start=start)
        while (wrong := self._prior.sign * found < -PINNED).any():  # pinned ones stay pinned
            mean, width = np.where(wrong, 0.0, mean), np.where(wrong, PINNED / 10, width)
            start = np.where(wrong, 0.0, found)
            found = fit_logistic(x, quality, weights, mean=mean, spread=width, start=start)
        return np.where(self._prior.sign * found < 0, 0.0, found)

    def _loss(self, z: Floats) -> float:
        known = self.known
        if not known.any():
            return 0.0
        return log_loss(z[known], self.quality[known], self.weights[known])

    @cached_property
    def _held_out_trees(self) -> Floats | None:
        wanted, count = self._labels.trees, int(self.known.sum())
        if wanted == "never" or not self._x.shape[1] or self._is_one_sided:
            return None
        if wanted == "auto" and count < TREES_FROM:
            return None
        found = np.zeros(len(self.rows))
        for fold in np.unique(self._folds):
            x, mine = self._with_words(int(fold)), self._folds == fold
            found[mine] = self._trees(x, ~mine & self.known).all_log_odds(x[mine])
        return found

    def _trees(self, x: Floats, rows: NDArray[np.bool_]) -> Trees:
        quality, weights = self.quality[rows], self.weights[rows]
        return fit_trees(x[rows], quality, weights, seed=self._labels.seed, signs=self._signs)

    @property
    def _signs(self) -> list[int]:
        return [int(sign) for sign in self._prior.sign[: self._x.shape[1]]]

    @property
    def _is_one_sided(self) -> bool:
        known = self.quality[self.known]
        return not len(known) or bool((known == known[0]).all())

    @cached_property
    def tree_share(self) -> float:
        """How much the trees count."""
        trees, (_, linear) = self._held_out_trees, self._held_out_linear
        if trees is None:
            return 0.0
        losses = {share: self._loss((1 - share) * linear + share * trees) for share in SHARES}
        best = min(losses, key=lambda share: losses[share])
        return best if losses[best] < self._loss(linear) - WIN else 0.0

    @cached_property
    def held_out_raw(self) -> Floats:
        """Log-odds before the map, each by models that never saw its group, (rows,)."""
        _, linear = self._held_out_linear
        share, trees = self.tree_share, self._held_out_trees
        return linear if not share or trees is None else (1 - share) * linear + share * trees

    @cached_property
    def held_out(self) -> Floats:
        """Log-odds after the map, the map fitted on other folds as well, (rows,)."""
        found = np.array(self.held_out_raw)
        for fold in np.unique(self._folds):
            mine = self._folds == fold
            stage = self._stage(~mine & self.known)
            shifts = [stage.slices.get(name, 0.0) for name in self._slices[mine]]
            found[mine] = stage.everyone(found[mine]) + np.array(shifts)
        return found

    @property
    def _slices(self) -> NDArray[np.object_]:
        return self._labels.slices[self.rows]

    def _stage(self, rows: NDArray[np.bool_]) -> MapStage:
        z, quality, weights = self.held_out_raw[rows], self.quality[rows], self.weights[rows]
        groups = self._labels.groups[self.rows][rows]
        everyone = best_map(z, quality, weights, groups, seed=self._labels.seed, at_home=True)
        if not self._labels.named:
            return MapStage(everyone)
        return MapStage(everyone, slice_shifts(everyone(z), quality, weights, self._slices[rows]))

    # For serving ----------------------------------------------------------------------------------

    @cached_property
    def model(self) -> StateModel:
        """The model fitted on all requests, with the map that held-out log-odds gave."""
        spread, _ = self._held_out_linear
        design = self._design(self._x)
        weights = self._linear(design, self.known, spread, None)
        trees = self._trees(self._x, self.known) if self.tree_share else None
        blocks, at, count = [], 0, self._x.shape[1]
        for place, part in enumerate(self._blocks):
            width = len(part.mean)
            absent = float(weights[count + place]) if part.missing_rows else 0.0
            blocks.append(
                FittedBlock(
                    part.block,
                    part.mean,
                    part.scale,
                    _tuple(weights[at : at + width]),
                    part.missing_rows,
                    _short(absent),
                    part.knots,
                )
            )
            at += width
        known = self.quality[self.known]
        right = (
            _short(np.average(known, weights=self.weights[self.known])) if len(known) else np.nan
        )
        return StateModel(
            self.state,
            len(known),
            right,
            self.note,
            tuple(blocks),
            _short(weights[-1]),
            trees,
            self.tree_share,
            (self._stage(self.known),),
        )

    @property
    def note(self) -> str:
        """What a reader should know about it; "" for nothing."""
        known = self.quality[self.known]
        if not len(known):
            return "no labels: prior knowledge about agreement alone"
        if (known == known[0]).all() and known[0] in (0.0, 1.0):
            word = "right" if known[0] else "wrong"
            return f"all {len(known)} labelled answers are {word}: nothing to rank answers by"
        if len(known) < FEW:
            return f"{len(known)} labels: mostly prior knowledge"
        return ""


def _knots(block: Block, values: Floats) -> Floats:
    """Quantiles by which a signal's rank is read; its scale may be anything.

    A signal that is infinite lies a quarter of the others' range beyond them.
    """
    if block.kind != "signal":
        return np.zeros(0)
    finite = values[np.abs(values) < BOUND]
    if not len(finite):
        return np.array([-1.0, 1.0])
    found = np.unique(np.quantile(finite, np.linspace(0, 1, KNOTS)))
    room = 0.25 * (found[-1] - found[0]) or 1.0
    below, above = (values <= -BOUND).any(), (values >= BOUND).any()
    low = [found[0] - room] if below or len(found) == 1 else []
    return np.concatenate([low, found, [found[-1] + room] if above else []])


def _short(number: float) -> float:
    return float(f"{number:.7g}")


def _tuple(numbers: Floats | Sequence[float]) -> tuple[float, ...]:
    return tuple(_short(float(number)) for number in numbers)
