"""Fitting boosted trees with scikit-learn, and taking them out of it as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cascade.calibration.learning.one_thread import one_thread
from cascade.calibration.learning.trees import Trees
from cascade.calibration.needs import needed

__all__ = ["TREES_FROM", "fit_trees"]

Floats = NDArray[np.float64]

TREES_FROM = 500
"""Labels from which trees may enter the contest with logistic regression."""

MAX_TREES, MAX_LEAVES, MAX_BINS = 120, 8, 64
LEARNING_RATE = 0.06

FAR = 1e300
"""In place of the infinite threshold that parts what is missing from what is there."""


def fit_trees(
    x: Floats,
    quality: Floats,
    weights: Floats,
    *,
    seed: int,
    signs: Sequence[int] | None = None,
) -> Trees:
    """Boosted trees for quality.

    Args:
        x: features, (n, d); NaN is missing, and a branch of its own decides where it goes.
        quality: in [0, 1], (n,); a graded answer counts as partly right and partly wrong.
        weights: of the requests, (n,).
        seed: of the binning.
        signs: for each feature 1 where more of it cannot lower the odds, -1 where it cannot raise
            them, 0 for any.

    Returns:
        At most 120 trees of at most 8 leaves; without both right and wrong answers, none.
    """
    boosting = needed("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=MAX_TREES,
        max_leaf_nodes=MAX_LEAVES,
        max_bins=MAX_BINS,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=min(40, max(10, len(x) // 60)),
        l2_regularization=5.0,
        early_stopping=False,
        monotonic_cst=None if signs is None else list(signs),
        random_state=seed,
    )
    rows, labels, parts = _as_votes(quality, weights)
    if len(set(labels.tolist())) < 2:  # noqa: PLR2004
        share = (weights @ quality + 0.5) / (weights.sum() + 1.0)
        return Trees(float(np.log(share / (1.0 - share))), ())
    edges = [_edges(column) for column in x.T]
    codes = np.column_stack([_codes(column, at) for column, at in zip(x.T, edges, strict=True)])
    with one_thread():
        boosting.fit(codes[rows], labels, sample_weight=parts)
    stages = boosting._predictors  # noqa: SLF001  no public way to the numbers
    nodes = tuple(tuple(_node(node, edges) for node in stage[0].nodes) for stage in stages)
    trees = Trees(float(f"{boosting._baseline_prediction.ravel()[0]:.9g}"), nodes)  # noqa: SLF001
    trees.check(x.shape[1])
    return trees


def _edges(column: Floats) -> Floats:
    """Where a feature is cut: between its values, or at its quantiles where it has many.

    scikit-learn would find them itself, weighted and many times slower.
    """
    values = np.unique(column[~np.isnan(column)])
    if len(values) < MAX_BINS:
        return (values[1:] + values[:-1]) / 2
    found: Floats = np.quantile(column[~np.isnan(column)], np.linspace(0, 1, MAX_BINS)[1:-1])
    return np.unique(found)


def _codes(column: Floats, edges: Floats) -> Floats:
    """How many edges lie below each value; NaN stays, unless there is nothing else."""
    codes = np.searchsorted(edges, column, side="left").astype(float)
    gone = np.isnan(column)
    codes[gone] = 0.0 if gone.all() else np.nan  # scikit-learn stumbles over a column of NaN
    return codes


def _as_votes(
    quality: Floats, weights: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Rows, 0/1 labels and weights that say the same as graded quality."""
    right, wrong = np.flatnonzero(quality > 0), np.flatnonzero(quality < 1)
    rows = np.concatenate([right, wrong])
    labels = np.concatenate([np.ones(len(right), np.int64), np.zeros(len(wrong), np.int64)])
    parts = np.concatenate([weights[right] * quality[right], weights[wrong] * (1 - quality[wrong])])
    return rows, labels, parts


def _node(node: Any, edges: Sequence[Floats]) -> tuple[float, ...]:
    """A node of scikit-learn's, whose thresholds are codes, as one of ours."""
    if node["is_leaf"]:
        return (float(f"{node['value']:.7g}"),)
    feature, threshold = int(node["feature_idx"]), float(node["num_threshold"])
    at = edges[feature]
    return (
        feature,
        float(at[int(threshold)]) if threshold < len(at) else FAR,  # exact: a value may equal it
        int(node["left"]),
        int(node["right"]),
        0 if node["missing_go_to_left"] else 1,
    )
