"""The model of one state of evidence: numbers in, a calibrated probability out. Needs numpy only.

log-odds = intercept + Σ weight · (number - mean) / scale        numbers held within 5 scales
         + Σ weight of each missing block                        a missing block gives nothing else
         then, where trees won: (1 - share) · that + share · trees
         then the maps, one after the other, each with the shift of the request's slice
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.calibration_maps import ScoreMap
from cascade.calibration.learning.states import Block, State
from cascade.calibration.learning.trees import Trees

__all__ = ["BOUND", "FittedBlock", "MapStage", "StateModel", "Verdict", "rounded"]

Floats = NDArray[np.float64]

CLIP = 5.0
"""Numbers are held within so many standard deviations: one wild answer must not decide alone."""

BOUND = 1e6
"""Infinite numbers become this."""

DECIMALS = 1e6
"""Probabilities are rounded to millionths, so that a request judged alone and the same request
judged among many others get one score to the last digit."""


@dataclass(frozen=True, slots=True)
class FittedBlock:
    """A block with what was learned about it.

    Attributes:
        block: which numbers.
        mean: of each number where it is there.
        scale: its standard deviation; 0 for a number that never changes, which counts nothing.
        weights: per scale.
        missing_rows: requests learned from in which it was missing.
        missing_weight: log-odds that its absence adds.
        knots: for a signal: quantiles by which its rank is read.
    """

    block: Block
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    missing_rows: int = 0
    missing_weight: float = 0.0
    knots: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class MapStage:
    """A map for all requests, and shifts on top of it for some slices."""

    everyone: ScoreMap
    slices: Mapping[str, float] = field(default_factory=dict)


class Verdict(NamedTuple):
    """What a state model says of one answer.

    Attributes:
        p: the probability that it is right; NaN where there is no signal.
        reason: the strongest contributions in words, or why there is no signal.
    """

    p: float
    reason: str


@dataclass(frozen=True, eq=False)
class StateModel:
    """See the module.

    Attributes:
        state: whose answer, beside which others.
        labels: answers it was learned from.
        right: their mean quality; NaN without labels.
        note: what to know about it, e.g. that it is a prior alone; "" for nothing.
        blocks: in the order of the numbers.
        intercept: log-odds at the mean of all numbers.
        trees: `None` where logistic regression is better alone.
        tree_share: how much the trees count, in [0, 1].
        maps: applied in order.
    """

    state: State
    labels: int
    right: float
    note: str
    blocks: tuple[FittedBlock, ...]
    intercept: float
    trees: Trees | None = None
    tree_share: float = 0.0
    maps: tuple[MapStage, ...] = ()

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        mean = np.array([number for block in self.blocks for number in block.mean], float)
        scale = np.array([number for block in self.blocks for number in block.scale], float)
        weight = np.array([number for block in self.blocks for number in block.weights], float)
        each = np.where(scale > 0, weight / np.where(scale > 0, scale, 1.0), 0.0)
        return mean - CLIP * scale, mean + CLIP * scale, mean, each

    @cached_property
    def _labels(self) -> list[str]:
        return [
            f"{block.block.label} {name}" if name != block.block.of else name
            for block in self.blocks
            for name in block.block.fields
        ]

    def judge(self, numbers: list[Sequence[float] | None], slice_name: str) -> Verdict:
        """The probability for one answer.

        Args:
            numbers: of each block, `None` where it is missing. A draft has no recorded signals, so
                those are missing always.
            slice_name: the request's slice, "" for none.
        """
        row: list[float] = []
        missing = 0.0
        for block, values in zip(self.blocks, numbers, strict=True):
            if values is None:
                if not block.missing_rows:
                    return Verdict(nan, f"{block.block.label} is missing, and never was before")
                missing += block.missing_weight
                row += [nan] * len(block.mean)
            else:
                row += values
        low, high, mean, each = self._arrays
        given = np.array(row)
        parts = (np.minimum(np.maximum(given, low), high) - mean) * each
        listed = parts.tolist()
        total = sum(listed)
        if isnan(total):
            whole = [_whole(values) for values in numbers]
            if whole != numbers:
                return self.judge(whole, slice_name)
            parts = np.nan_to_num(parts)
            listed = parts.tolist()
            total = sum(listed)
        z = self.intercept + total + missing
        if self.trees is not None:
            bounded = np.minimum(np.maximum(given, -BOUND), BOUND).tolist()
            z = (1.0 - self.tree_share) * z + self.tree_share * self.trees.log_odds(bounded)
        for stage in self.maps:
            z = stage.everyone.one(z) + stage.slices.get(slice_name, 0.0)
        p = 1.0 / (1.0 + exp(-z)) if z > -700 else 0.0  # noqa: PLR2004  the range of exp
        return Verdict(round(p * DECIMALS) / DECIMALS, self._reason(parts, listed))

    def _reason(self, parts: Floats, given: list[float]) -> str:
        labels = self._labels
        order = np.abs(parts).argsort()[:-4:-1].tolist()
        return ", ".join([f"{labels[at]} {given[at]:+.2f}" for at in order if given[at]])

    def log_odds(self, x: Floats, missing: NDArray[np.bool_]) -> Floats:
        """Log-odds before the maps, for many answers at once.

        Args:
            x: numbers of all blocks, ranks of signals included, (n, numbers); NaN where missing.
            missing: which blocks are missing, (n, blocks).

        Returns:
            Shape (n,); NaN where a block is missing that never was while learning.
        """
        low, high, mean, each = self._arrays
        parts = (np.minimum(np.maximum(x, low), high) - mean) * each
        absent = np.array([block.missing_weight for block in self.blocks], float)
        z = self.intercept + np.nan_to_num(parts).sum(axis=1) + missing @ absent
        if self.trees is not None:
            z = (1.0 - self.tree_share) * z + self.tree_share * self.trees.all_log_odds(x)
        never = np.array([not block.missing_rows for block in self.blocks], bool)
        z[(missing & never).any(axis=1)] = np.nan
        return np.asarray(z)

    def mapped(self, z: Floats, slices: NDArray[np.object_]) -> Floats:
        """Log-odds after the maps, (n,)."""
        for stage in self.maps:
            z = np.asarray(stage.everyone(z))
            if stage.slices:
                z = z + np.array([stage.slices.get(name, 0.0) for name in slices])
        return z


def rounded(z: Floats) -> Floats:
    """Log-odds as probabilities, rounded as `judge` rounds; NaN stays."""
    with np.errstate(over="ignore"):
        return np.asarray(np.rint(DECIMALS / (1.0 + np.exp(-z))) / DECIMALS)


def _whole(values: Sequence[float] | None) -> Sequence[float] | None:
    """A block with a NaN in it is missing."""
    return None if values is None or any(isnan(value) for value in values) else values
