"""What a request's words say, fitted so that no request is described by its own answer.

A model of evidence is fitted on requests outside one fold. The log-odds that words give *those*
requests must come from outside their own fold as well, or they would look better than they are: so
words are fitted without each fold, and without each pair of folds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.query_words import (
    Vocabulary,
    WordWeights,
    fit_words,
    vocabulary_of,
)

__all__ = ["WordFits"]

Floats = NDArray[np.float64]

MIN_LABELS = 100
"""Labels of a tier below which words are not looked at."""

MIN_WORDS = 2


class WordFits:
    """Word weights of each tier, fitted when asked for.

    Args:
        texts: of the requests, (n,); "" where unknown.
        quality: of each tier's answers, (n, k); NaN where unknown.
        weights: of the requests, (n,).
        folds: of the requests, (n,).
    """

    def __init__(
        self,
        texts: NDArray[np.object_],
        quality: Floats,
        weights: Floats,
        folds: NDArray[np.int64],
    ) -> None:
        self._texts, self._quality, self._weights, self._folds = texts, quality, weights, folds
        self._known = np.array([bool(text) for text in texts], bool)
        self._vocabulary: Vocabulary | None = None
        self._matrix: Any = None
        self._left_out: dict[tuple[int, tuple[int, ...]], Floats] = {}

    def speak(self, tier: int) -> bool:
        """Whether there is enough to learn from."""
        labelled = self._known & ~np.isnan(self._quality[:, tier])
        if labelled.sum() < MIN_LABELS:
            return False
        return len(self._words().rarity) >= MIN_WORDS

    def held_out(self, tier: int) -> Floats:
        """Log-odds of every request by words of other folds, (n,); NaN for unknown texts."""
        found = np.full(len(self._texts), np.nan)
        for fold in self._all_folds():
            mine = self._folds == fold
            found[mine] = self._without(tier, (fold,))[mine]
        return found

    def outside(self, tier: int, fold: int) -> Floats:
        """The same for a model that is fitted outside a fold.

        Requests of the fold are described by words without it, the others by words without it and
        without their own fold.
        """
        found = self._without(tier, (fold,)).copy()
        for other in self._all_folds():
            if other != fold:
                mine = self._folds == other
                found[mine] = self._without(tier, tuple(sorted((fold, other))))[mine]
        return found

    def final(self, tier: int) -> WordWeights:
        """Weights from all requests, for serving."""
        bias, weights = self._fit(tier, ())
        words = {
            word: (float(f"{rarity:.6g}"), float(f"{weight * rarity:.4g}"))
            for (word, rarity), weight in zip(self._words().rarity.items(), weights, strict=True)
        }
        return WordWeights(float(f"{bias:.6g}"), words)

    def _all_folds(self) -> list[int]:
        return [int(fold) for fold in np.unique(self._folds)]

    def _words(self) -> Vocabulary:
        if self._vocabulary is None:
            self._vocabulary = vocabulary_of([text for text in self._texts if text])
        return self._vocabulary

    def _without(self, tier: int, left_out: tuple[int, ...]) -> Floats:
        key = tier, left_out
        if key not in self._left_out:
            bias, weights = self._fit(tier, left_out)
            z = self._features() @ weights + bias
            self._left_out[key] = np.where(self._known, z, np.nan)
        return self._left_out[key]

    def _fit(self, tier: int, left_out: tuple[int, ...]) -> tuple[float, Floats]:
        quality = self._quality[:, tier]
        rows = np.flatnonzero(
            self._known & ~np.isnan(quality) & ~np.isin(self._folds, list(left_out))
        )
        return fit_words(self._features()[rows], quality[rows], self._weights[rows])

    def _features(self) -> Any:  # a sparse matrix, whose library has no types
        if self._matrix is None:
            self._matrix = self._words().matrix(list(self._texts))
        return self._matrix
