"""Chains of two to five Llama models against published numbers: normalised area above the curve.

    python -m benchmarks.rational --data DIR           # DIR: rational-cascades

The protocol is the publishers' own (DIR/../README.md): one chain of models, learned on the train
split, read on the test split. A request costs the mean test cost of every model it asks. Mean error
over the interval of cost that the publishers give for the chain is what counts; between points
straight lines, beyond the last point its error stays.

`grid` here is a plain reimplementation of the publishers' grid search, to show that the protocol is
read as they read it. `plans` learns from the train split with `learn`, searches plans within the
chain with `search_plans` (skips and gates allowed) and reads them on the test split. GSM8K comes
without a test split: it is learned on four fifths and read on the fifth left out, in turn, and its
costs are raised until the cheapest model costs what the publishers' cheapest point does.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cascade.calibration import Recording, ScoreSource, import_long_form, learn, simulate
from cascade.calibration.learning.folds import group_folds
from cascade.calibration.search.searching import search_plans
from cascade.calibration.search.thresholds import endings_of_chain, pareto, tabulate

MODELS = ("llama3.2-1b", "llama3.2-3b", "llama3.1-8b", "llama3.1-70b", "llama3.1-405b")
QUANTILES = np.arange(0.01, 0.99, 0.025)
METHODS = ("gridsearch", "continuous_optimization")
PARTS = 5
SELF_CHECKED = ("triviaqa", "gsm8k")
"""Tasks whose models were asked whether they are right; in MMLU the letter's own probability is
taken."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Published:
    """A chain with the interval it is compared on, and the published errors by method."""

    chain: tuple[str, ...]
    low: float
    high: float
    error: dict[str, float]


@dataclass(frozen=True)
class Half:
    """What to learn from and what to read on; each model costs its mean in either."""

    learn: Recording
    read: Recording


def published(path: Path, task: str) -> list[Published]:
    """The published numbers of a task, one entry per chain."""
    found: dict[tuple[str, ...], Published] = {}
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["task"] != task:
                continue
            chain = tuple(row["cascade"].split(">"))
            low, high = float(row["cost_lo"]), float(row["cost_hi"])
            entry = found.setdefault(chain, Published(chain, low, high, {}))
            entry.error[row["method"]] = float(row["area_err_norm"])
    return list(found.values())


def halves(data: Path, task: str, cheapest: float) -> list[Half]:
    """The train and test split; where there is no test split, parts of the train split in turn.

    Args:
        data: the folder.
        task: which requests.
        cheapest: least cost that is published for the task.
    """
    recording = with_confidence(import_long_form(data, tiers=MODELS, where={"task": task}), task)
    is_test = recording.splits == "test"
    if is_test.any():
        return [Half(at_mean(recording.rows(~is_test)), at_mean(recording.rows(is_test)))]
    scale = cheapest * 1e6 / recording.cost_pusd[:, 0].mean()
    priced = at_mean(recording, scale)
    parts = group_folds(recording.groups, PARTS, seed=0)
    return [Half(priced.rows(parts != part), priced.rows(parts == part)) for part in range(PARTS)]


def at_mean(recording: Recording, scale: float = 1.0) -> Recording:
    """The recording with each model's mean cost in place of each request's."""
    mean = np.rint(scale * recording.cost_pusd.mean(0)).astype(np.int64)
    return replace(recording, cost_pusd=np.tile(mean, (len(recording), 1)))


def with_confidence(recording: Recording, task: str) -> Recording:
    """The recorded log-probability on the publishers' scale, on which certainty has no end."""
    sure = np.minimum(np.exp(recording.signals["conf_logprob"]), 1 - 1e-9)
    scale = -np.log1p(-sure)
    if task in SELF_CHECKED:
        scale = np.where(sure >= 0.5, scale, np.log(2) + np.log(np.maximum(sure, 1e-12)))
    return replace(recording, signals={"confidence": scale})


# Curves ------------------------------------------------------------------------------------------


def mean_error(cost: Floats, quality: Floats, low: float, high: float) -> float:
    """Mean of 1 - quality over an interval of cost, straight lines between points."""
    order = np.argsort(cost, kind="stable")
    cost, quality = cost[order], quality[order]
    places = np.unique(np.concatenate(([low, high], cost[(cost > low) & (cost < high)])))
    error = 1 - np.interp(places, cost, quality)
    return float(((error[1:] + error[:-1]) / 2 * np.diff(places)).sum() / (high - low))


def grid_curve(half: Half, chain: Sequence[str]) -> tuple[Floats, Floats]:
    """Cost and quality of the publishers' grid search, on the requests to read on."""
    train, test = (part.with_tiers(list(chain)) for part in (half.learn, half.read))
    sure, fresh = (np.empty(part.quality.shape) for part in (train, test))
    for tier in range(len(chain)):
        model = Logistic(train.signals["confidence"][:, tier], train.quality[:, tier])
        sure[:, tier] = model.p(train.signals["confidence"][:, tier])
        fresh[:, tier] = model.p(test.signals["confidence"][:, tier])
    axes = [np.nextafter(np.quantile(sure[:, k], QUANTILES), 2) for k in range(len(chain) - 1)]
    cost = np.cumsum(train.cost_pusd, 1).astype(float)
    table = tabulate(endings_of_chain(sure[:, :-1], sure, cost), [np.unique(axis) for axis in axes])
    endings = endings_of_chain(
        fresh[:, :-1], test.quality, np.cumsum(test.cost_pusd, 1).astype(float)
    )
    points = []
    for cell in pareto(table.cost.ravel(), table.value.ravel()).tolist():
        thresholds = table.at(cell)
        kept = [ending.holds(thresholds) for ending in endings]
        points.append(
            [
                sum(
                    float(getattr(ending, what)[rows].sum())
                    for ending, rows in zip(endings, kept, strict=True)
                )
                for what in ("cost", "value")
            ]
        )
    read = np.array(points) / len(test)
    return read[:, 0] / 1e6, read[:, 1]


class Logistic:
    """P(right) of a nearly unregularised logistic regression on one number."""

    def __init__(self, number: Floats, right: Floats) -> None:
        self._weights = np.zeros(2)
        x = np.column_stack([np.ones(len(number)), number])
        for _ in range(100):  # Newton's steps
            p = 1 / (1 + np.exp(-x @ self._weights))
            bend = (x.T * (p * (1 - p))) @ x + 1e-6 * np.eye(2)
            self._weights += np.linalg.solve(bend, x.T @ (right - p) - 1e-6 * self._weights)

    def p(self, number: Floats) -> Floats:
        """The probability at some numbers."""
        return 1 / (1 + np.exp(-self._weights[0] - self._weights[1] * number))


@dataclass(frozen=True)
class Within:
    """Scores of a chain's models out of those of all models."""

    source: ScoreSource
    places: tuple[int, ...]

    def scores(self, asked: tuple[int, ...], returns: int) -> Floats:
        """See `ScoreSource`."""
        return self.source.scores(tuple(self.places[at] for at in asked), self.places[returns])

    def cost_pusd(self, asked: tuple[int, ...], returns: int) -> NDArray[np.int64]:
        """See `ScoreSource`."""
        return self.source.cost_pusd(tuple(self.places[at] for at in asked), self.places[returns])

    def gate(self, tier: int) -> Floats:
        """See `ScoreSource`."""
        return self.source.gate(self.places[tier])


def plan_curves(half: Half, chains: Sequence[Sequence[str]]) -> Iterator[tuple[Floats, Floats]]:
    """Cost and quality of the searched plans of each chain, on the requests to read on."""
    learning = learn(half.learn)
    paths = []
    for chain in chains:
        within = Within(learning.source, tuple(half.learn.index(name) for name in chain))
        paths.append(search_plans(half.learn.with_tiers(list(chain)), within, max_steps=4))
    model = learning.model_for([point.plan for path in paths for point in path.points])
    fresh = model.on(half.read)
    for path in paths:
        read = [simulate(point.plan, half.read, fresh) for point in path.points]
        cost = np.array([found.cost_pusd.mean() / 1e6 for found in read])
        yield cost, np.array([found.quality.mean() for found in read])


# Printing ----------------------------------------------------------------------------------------


def compare(data: Path, task: str, lengths: Sequence[int]) -> None:
    """Print a task's table: mean error by length of chain, method by method."""
    known = published(data / "published_llama_chain_results.csv", task)
    cheapest = min(entry.low for entry in known)
    chosen = [entry for entry in known if len(entry.chain) in lengths]
    errors: dict[tuple[int, str], list[float]] = defaultdict(list)
    parts = halves(data, task, cheapest)
    for half in parts:
        curves = plan_curves(half, [entry.chain for entry in chosen])
        for entry, plans in zip(chosen, curves, strict=True):
            for name, curve in (("grid", grid_curve(half, entry.chain)), ("plans", plans)):
                errors[len(entry.chain), name].append(mean_error(*curve, entry.low, entry.high))
    for entry in chosen:
        for method in METHODS:
            errors[len(entry.chain), method].append(entry.error[method])
    for length in lengths:
        row = [float(np.mean(errors[length, name])) for name in (*METHODS, "grid", "plans")]
        below = "yes" if row[3] < min(row[:2]) else "no"
        print(f"{task:9}{length:3}  " + "".join(f"{value:12.5f}" for value in row) + f"   {below}")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="mmlu,triviaqa,gsm8k")
    parser.add_argument("--lengths", default="2,3,4,5")
    chosen = parser.parse_args()
    print(
        "mean normalised error area, over all chains of a length; published, then on this machine"
    )
    names = ("pub. grid", "pub. cont.", "grid", "plans")
    print(f"{'task':9}len  " + "".join(f"{name:>12}" for name in names) + "   below both")
    for task in chosen.tasks.split(","):
        compare(chosen.data, task, [int(length) for length in chosen.lengths.split(",")])


if __name__ == "__main__":
    main()
