"""Boosted trees as plain numbers: walked here, without any learning library.

A tree is a list of nodes, parents before children. A leaf is `[value]`; a node
`[feature, threshold, left, right, missing]`, where `missing` says where NaN goes (0 left, 1 right).
Children stand behind their parent, so every walk ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Trees"]

Floats = NDArray[np.float64]
Node = Sequence[float]

MAX_DEPTH = 40
"""Deepest tree that is read; leaves are few, so a real one is far below."""


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of trees, in log-odds.

    Attributes:
        base: log-odds before the first tree.
        nodes: the trees.

    Raises:
        ValueError: a node that is none, or a child before its parent.
    """

    base: float
    nodes: tuple[tuple[Node, ...], ...]

    def check(self, features: int) -> None:
        """Raise `ValueError` unless every walk over so many features ends in a number."""
        for number, tree in enumerate(self.nodes):
            depth = [0] * len(tree)
            for at, node in enumerate(tree):
                _check_node(node, at, len(tree), features, f"tree {number}, node {at}")
                for child in node[2:4] if len(node) > 1 else ():
                    depth[int(child)] = depth[at] + 1
                    if depth[int(child)] > MAX_DEPTH:
                        raise ValueError(f"tree {number} is deeper than {MAX_DEPTH} nodes")
            if not tree:
                raise ValueError(f"tree {number} is empty")

    @cached_property
    def _nested(self) -> tuple[Any, ...]:
        """Each tree as nested tuples: a few steps of plain Python each."""
        return tuple(_nest(tree) for tree in self.nodes)

    def log_odds(self, x: Sequence[float]) -> float:
        """The log-odds of one answer; a feature that is missing is NaN."""
        total = self.base
        for node in self._nested:
            while type(node) is tuple:
                feature, threshold, left, right, missing = node
                value = x[feature]
                if value <= threshold:
                    node = left  # noqa: PLW2901
                elif value > threshold:
                    node = right  # noqa: PLW2901
                else:
                    node = missing  # noqa: PLW2901
            total += node
        return total

    def all_log_odds(self, x: Floats) -> Floats:
        """The log-odds of many answers, x of shape (n, features), result (n,)."""
        total = np.full(len(x), self.base)
        rows = np.arange(len(x))
        for tree in self.nodes:
            table = np.array([node if len(node) > 1 else (-1, 0, 0, 0, 0) for node in tree], float)
            values = np.array([0.0 if len(node) > 1 else node[0] for node in tree])
            at = np.zeros(len(x), np.int64)
            while True:
                feature = table[at, 0].astype(np.int64)
                going = feature >= 0
                if not going.any():
                    break
                value = x[rows, np.maximum(feature, 0)]
                right = np.where(np.isnan(value), table[at, 4] == 1, value > table[at, 1])
                step = np.where(right, table[at, 3], table[at, 2]).astype(np.int64)
                at = np.where(going, step, at)
            total += values[at]
        return total


def _nest(tree: Sequence[Node]) -> Any:
    made: list[Any] = [None] * len(tree)
    for at in range(len(tree) - 1, -1, -1):  # children first: they stand behind
        node = tree[at]
        if len(node) == 1:
            made[at] = float(node[0])
            continue
        left, right = made[int(node[2])], made[int(node[3])]
        made[at] = (int(node[0]), float(node[1]), left, right, right if node[4] else left)
    return made[0]


def _check_node(node: Node, at: int, size: int, features: int, where: str) -> None:
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in node)
    if not numeric or len(node) not in (1, 5) or not np.isfinite(np.array(node, float)).all():
        raise ValueError(f"{where} is {str(node)[:60]!r}: expected one number, or five")
    if len(node) == 1:
        return
    feature, _, left, right, missing = node
    if feature != int(feature) or not 0 <= feature < features:
        raise ValueError(f"{where} asks for feature {feature!r}: there are {features}")
    for child in (left, right):
        if child != int(child) or not at < child < size:
            raise ValueError(f"{where} leads to node {child!r}: expected a later one below {size}")
    if missing not in (0, 1):
        raise ValueError(f"{where} sends missing values to {missing!r}: expected 0 or 1")
