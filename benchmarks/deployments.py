"""Simulated deployments: a path is learnt on some labels, certified on others, and then we look.

The population is what is left of a recording after learning. Labels to certify on are drawn from it
with replacement, so the true loss of every plan is known exactly, and so is every broken promise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cascade.calibration import Plan, Recording, ScoreSource, Step
from cascade.calibration.money import in_usd
from cascade.calibration.proof.betting import betting_p
from cascade.calibration.proof.caution import cautious_order
from cascade.calibration.proof.intervals import clopper_pearson
from cascade.calibration.proof.labels import labels_without_harm as _labels_without_harm
from cascade.calibration.proof.losses import path_losses
from cascade.calibration.proof.noninferiority import noninferiority_p
from cascade.calibration.proof.sequence import fixed_sequence
from cascade.calibration.search.thresholds import NEVER, candidates, endings_of_chain, tabulate

__all__ = ["RULES", "Deployment", "Population", "deployments", "learn_path", "rule_names"]

Floats = NDArray[np.float64]

LABELS = 1_500
"""Labels a path is learnt on, at most, and at most half of a recording."""

POINTS = 40

GRID = 65


@dataclass(frozen=True, eq=False)
class Population:
    """What is left after learning, and what each plan of the path does with it.

    Attributes:
        loss: quality of the top tier minus the plan's, shape (plans, requests).
        cost: of each plan as a share of always asking the top tier, shape (plans,). The first plan
            is the top tier alone.
        in_front: how many plans after it are only there to be safe.
    """

    loss: Floats
    cost: Floats
    in_front: int

    @property
    def true_loss(self) -> Floats:
        """The mean loss of each plan."""
        return self.loss.mean(axis=1)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One certified deployment.

    Attributes:
        rule: that chose it.
        epsilon: margin promised.
        n: labels.
        chosen: index of the plan; 0 where nothing cheaper was certified.
        cost: of it, as a share of the top tier's.
        broken: its true loss is above the margin.
    """

    rule: str
    epsilon: float
    n: int
    chosen: int
    cost: float
    broken: bool


def learn_path(recording: Recording, source: ScoreSource) -> tuple[Plan, ...]:
    """Plans over all tiers that nothing beats on these labels, the dearest first.

    Args:
        recording: what is learnt from; its tiers are asked one after another.
        source: their scores.
    """
    ladder = recording.ladder
    names = [recording.names[tier] for tier in ladder]
    scores = np.column_stack(
        [source.scores(ladder[: place + 1], tier) for place, tier in enumerate(ladder[:-1])]
    )
    costs = np.cumsum(in_usd(recording.cost_pusd)[:, ladder], axis=1)
    endings = endings_of_chain(scores, recording.quality[:, ladder], costs)
    table = tabulate(endings, [candidates(column, GRID) for column in scores.T])
    cells = table.path()[::-1]
    plans = []
    for cell in cells[np.unique(np.linspace(0, len(cells) - 1, POINTS).astype(int))]:
        steps = [
            Step(name, threshold=threshold)
            for name, threshold in zip(names, table.at(cell), strict=False)
            if threshold != NEVER
        ]
        plans.append(Plan((*steps, Step(names[-1]))))
    return tuple(plans)


def populations(
    recording: Recording, source_of: Callable[[NDArray[np.int64]], ScoreSource], seed: int
) -> Iterator[Population]:
    """Populations without end, each with a path learnt on other requests of the recording.

    Args:
        recording: of one row per request.
        source_of: the scores of some rows.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    n = len(recording)
    while True:
        order = rng.permutation(n)
        cut = min(LABELS, n // 2)
        learn, rest = recording.rows(order[:cut]), recording.rows(order[cut:])
        scores = source_of(order[:cut])
        plans = learn_path(learn, scores)
        careful = cautious_order(plans, learn, scores)
        in_front = len(careful) - len(cautious_order(plans, learn, scores, in_front=False))
        yield population_of(careful, rest, source_of(order[cut:]), in_front)


def population_of(
    path: tuple[Plan, ...], recording: Recording, source: ScoreSource, in_front: int = 0
) -> Population:
    """What the plans of a path do with a recording."""
    found = path_losses(path, recording, source)
    costs = np.array([in_usd(outcome.cost_pusd).mean() for outcome in found.outcomes])
    return Population(found.loss, costs / costs[0], in_front)


def deployments(
    population: Population,
    rng: np.random.Generator,
    *,
    sizes: tuple[int, ...],
    margins: tuple[float, ...],
    delta: float,
    rules: tuple[str, ...],
) -> Iterator[Deployment]:
    """Certify on labels drawn from a population, by each rule on the same labels."""
    truth = population.true_loss
    for n in sizes:
        drawn = population.loss[:, rng.integers(0, population.loss.shape[1], n)]
        for epsilon in margins:
            tested = np.arange(len(truth))
            if n < labels_without_harm(epsilon, delta):
                tested = np.delete(tested, slice(1, 1 + population.in_front))
            for rule in rules:
                chosen = int(tested[max(RULES[rule](drawn[tested], epsilon, delta), 0)])
                cost, broken = float(population.cost[chosen]), truth[chosen] > epsilon + 1e-12
                yield Deployment(rule, epsilon, n, chosen, cost, bool(broken))


# Rules: labels of each plan, the top tier alone first -> index of the plan chosen ----------------


@lru_cache(maxsize=100)
def labels_without_harm(epsilon: float, delta: float) -> int:
    """As in the library, remembered."""
    return _labels_without_harm(epsilon, delta)


@lru_cache(maxsize=500_000)
def _exact_p(harm: int, gain: int, n: int, epsilon: float) -> float:
    return noninferiority_p(harm, gain, n, epsilon)


def exact(loss: Floats, epsilon: float, delta: float) -> int:
    """The exact non-inferiority test, in a fixed sequence."""
    n = loss.shape[1]
    counts = zip((loss > 0).sum(1).tolist(), (loss < 0).sum(1).tolist(), strict=True)
    ps = (_exact_p(harm, gain, n, epsilon) for harm, gain in counts)
    next(ps)
    return 1 + fixed_sequence(ps, delta).certified


def betting(loss: Floats, epsilon: float, delta: float) -> int:
    """The betting martingale, in a fixed sequence."""
    return 1 + fixed_sequence((betting_p(one, epsilon) for one in loss[1:]), delta).certified


def clopper_pearson_on_harm(loss: Floats, epsilon: float, delta: float) -> int:
    """Harm alone is bounded, exactly; gains do not count."""
    n = loss.shape[1]
    bounds = (clopper_pearson(int((one > 0).sum()), n, 1 - 2 * delta)[1] for one in loss[1:])
    return (
        1 + fixed_sequence((0.0 if bound <= epsilon else 1.0 for bound in bounds), delta).certified
    )


def no_test(loss: Floats, epsilon: float, delta: float) -> int:
    """The cheapest plan that keeps the margin on the labels it is chosen on, as tuning does."""
    del delta
    return int(np.flatnonzero(loss.mean(axis=1) <= epsilon)[-1])


RULES: dict[str, Callable[[Floats, float, float], int]] = {
    "exact": exact,
    "betting": betting,
    "Clopper-Pearson": clopper_pearson_on_harm,
    "no test": no_test,
}


def rule_names() -> tuple[str, ...]:
    """The rules, the valid ones first."""
    return tuple(RULES)
