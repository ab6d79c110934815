"""Parting requests so that what belongs together stays together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["group_folds"]


def group_folds(groups: NDArray[np.object_], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each request, equal within a group, folds about equally large.

    Args:
        groups: what belongs together, shape (n,).
        folds: how many, from 2; fewer are made where there are fewer groups.
        seed: of the shuffle.

    Returns:
        Shape (n,), from 0; all 0 where there is one group only.
    """
    names, place, sizes = np.unique(groups.astype(str), return_inverse=True, return_counts=True)
    count = max(1, min(folds, len(names)))
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the large groups first
    load, fold_of = np.zeros(count, np.int64), np.zeros(len(names), np.int64)
    for name in order:
        fold_of[name] = fold = int(np.argmin(load))
        load[fold] += sizes[name]
    found: NDArray[np.int64] = fold_of[place.ravel()]
    return found
