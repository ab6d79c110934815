"""What a request's words say about a tier's chance to be right: tf-idf and logistic weights.

Serving is a look-up per word. Inside one task words tell little (AUROC about 0.6), between tasks
much. Knows texts only; fitting needs scipy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.needs import needed
from cascade.core.request import Request

__all__ = [
    "Vocabulary",
    "WordWeights",
    "fit_words",
    "request_text",
    "vocabulary_of",
    "words_of",
]

Floats = NDArray[np.float64]

MAX_WORDS = 4_000
"""Words kept, the most frequent ones: more gain little and make the file long."""

MIN_TEXTS = 3
"""Texts a word must occur in."""

L2 = 2.0
"""Strength of the penalty on weights, per request."""

READ_CHARS = 20_000
"""How much of a request is read, from its end."""

MAX_CHARS = 24
"""Longest word that is kept: longer ones are no words."""

_PLAIN = str.maketrans(
    {chr(code): " " for code in range(128) if not chr(code).isalnum()}
    | dict.fromkeys("123456789", "0")
)


def request_text(request: Request) -> str:
    """The words of a request, instructions and earlier turns included, cut at 20,000 characters."""
    payload = request.payload
    pieces = [payload["instructions"]] if isinstance(payload.get("instructions"), str) else []
    for key in ("messages", "input"):
        listed = payload.get(key)
        if isinstance(listed, str):
            pieces.append(listed)
            continue
        for message in listed if isinstance(listed, list | tuple) else ():
            content = message.get("content") if isinstance(message, Mapping) else None
            if isinstance(content, str):
                pieces.append(content)
            elif isinstance(content, list | tuple):
                parts = (part.get("text") for part in content if isinstance(part, Mapping))
                pieces.extend(part for part in parts if isinstance(part, str))
    return "\n".join(pieces)[-READ_CHARS:]


def words_of(text: str) -> set[str]:
    """The different words of a text, in small letters; all digits are 0, so that lengths remain."""
    return set(text.lower().translate(_PLAIN).split())


@dataclass(frozen=True)
class Vocabulary:
    """The words that count, and how rare each is.

    Attributes:
        rarity: the inverse document frequency of each word, above 0.
    """

    rarity: Mapping[str, float]

    def matrix(self, texts: Sequence[str]) -> Any:
        """Texts as a sparse matrix (texts, words), rows of length 1."""
        sparse = needed("scipy.sparse")
        place = {word: at for at, word in enumerate(self.rarity)}
        rarity = np.array(list(self.rarity.values()))
        starts, columns = [0], []
        for text in texts:
            columns.extend(sorted(place[word] for word in words_of(text) if word in place))
            starts.append(len(columns))
        at = np.array(columns, np.int64)
        data, rows = rarity[at], np.repeat(np.arange(len(texts)), np.diff(starts))
        length = np.sqrt(np.bincount(rows, data**2, minlength=len(texts)))
        data = data / np.maximum(length, 1e-12)[rows]
        return sparse.csr_matrix((data, at, starts), shape=(len(texts), len(place)))


@dataclass(frozen=True)
class WordWeights:
    """Weights of words for one tier.

    Attributes:
        bias: log-odds of a request none of whose words is known.
        words: by word: its rarity, and its weight times its rarity.
    """

    bias: float
    words: Mapping[str, tuple[float, float]] = field(repr=False)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.words)

    def log_odds(self, text: str) -> float:
        """The log-odds that the tier is right, as far as the words of the request tell."""
        known, found = self.words, self._names & words_of(text)
        if not found:
            return self.bias
        pairs = [known[word] for word in found]
        total = fsum([weight for _, weight in pairs])  # exact: sets have no order
        return self.bias + total / sqrt(fsum([rarity * rarity for rarity, _ in pairs]))


def vocabulary_of(texts: Sequence[str]) -> Vocabulary:
    """The most frequent words that do not stand in every text."""
    counts = Counter(word for text in texts for word in words_of(text))
    n = len(texts)
    kept = [w for w, count in counts.items() if MIN_TEXTS <= count < n and len(w) <= MAX_CHARS]
    kept.sort(key=lambda word: (-counts[word], word))
    return Vocabulary({word: log((1 + n) / (1 + counts[word])) for word in kept[:MAX_WORDS]})


def fit_words(
    matrix: Any, quality: Floats, weights: Floats, *, l2: float = L2
) -> tuple[float, Floats]:
    """Bias and weights of an L2 logistic regression of quality on words.

    Args:
        matrix: sparse, (requests, words).
        quality: in [0, 1], shape (requests,).
        weights: of the requests, mean 1.
        l2: half the penalty on the sum of squared weights.
    """
    optimize = needed("scipy.optimize")
    transposed = matrix.T.tocsr()
    count = matrix.shape[1]

    def loss(point: Floats) -> tuple[float, Floats]:
        z = matrix @ point[1:] + point[0]
        value = weights @ (np.logaddexp(0.0, z) - quality * z)
        rest = weights * (_sigmoid(z) - quality)
        slope = np.concatenate([[rest.sum() + 0.01 * point[0]], transposed @ rest + l2 * point[1:]])
        return value + l2 / 2 * (point[1:] @ point[1:]) + 0.005 * point[0] ** 2, slope

    found = optimize.minimize(
        loss,
        np.zeros(count + 1),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 60, "ftol": 1e-5},
    )
    return float(found.x[0]), found.x[1:]


def _sigmoid(z: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * z))
