"""Recordings of made-up answers for tests of learning: numbers that agree or not, hedges, words."""

import numpy as np
from builders import recording

TIERS = ("nano", "mini", "top")
ACCURACY = (0.6, 0.8, 0.95)


def texts_of(n, *, seed=0, accuracy=ACCURACY):
    """Answers and their quality: right ones agree, wrong ones hedge more often."""
    rng = np.random.default_rng(seed)
    texts = np.empty((n, len(accuracy)), object)
    quality = np.zeros((n, len(accuracy)))
    hard = rng.random(n)
    for row in range(n):
        for tier, share in enumerate(accuracy):
            right = rng.random() < np.clip(share + 0.4 * (0.5 - hard[row]), 0, 1)
            quality[row, tier] = right
            value = 1000 + (row if right else (row + int(rng.integers(1, 40))) % 2000)
            hedge = "perhaps, maybe, " if rng.random() < (0.2 if right else 0.6) else ""
            texts[row, tier] = f"I worked it out, {hedge}and so the answer is {value}."
    return texts, quality, hard


def learnable(n=240, *, seed=0, accuracy=ACCURACY, slices=None, **given):
    """A recording that evidence can tell something about."""
    texts, quality, hard = texts_of(n, seed=seed, accuracy=accuracy)
    words = ["hard" if h > 0.5 else "easy" for h in hard]
    requests = [f"A rather {word} question number {row}?" for row, word in enumerate(words)]
    made = {"texts": texts, "requests": objects(requests), **given}
    if slices is not None:
        made["slices"] = objects([slices[row % len(slices)] for row in range(n)])
    quality = made.pop("quality", quality)
    return recording(quality, 1000, names=TIERS[: len(accuracy)], **made)


def objects(values):
    """Values as an array of objects."""
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found
