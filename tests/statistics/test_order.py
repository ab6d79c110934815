"""The betting test keeps its size however a file is sorted, grouped or copied."""

import numpy as np
import pytest

from benchmarks.guarantee import tolerated
from cascade.calibration import Plan, Step
from cascade.calibration.proof.betting import betting_p
from cascade.calibration.proof.certified_path import certify_path
from cascade.calibration.proof.units import units_of
from cascade.errors import NotCertifiable
from tests.calibration.builders import Scores, recording

DELTA = 0.05
EPSILON = 0.05
RUNS = 400
N = 300

PATH = [Plan((Step("top"),)), Plan((Step("cheap"),))]


def of_tasks(count):
    """Losses task by task, from harmless to harmful; their mean over tasks is epsilon."""

    def draw(rng):
        task = np.sort(rng.integers(0, count, N))
        return (rng.random(N) < task * 2 * EPSILON / (count - 1)).astype(float)

    return draw


def by_loss(rng):
    """Graded losses of mean epsilon, the smallest first."""
    return np.sort(rng.beta(1, 1 / EPSILON - 1, N))


def harmed_last(rng):
    """Right and wrong, the wrong ones at the end."""
    return np.sort((rng.random(N) < EPSILON).astype(float))


SORTED = {
    "two tasks": of_tasks(2),
    "ten tasks": of_tasks(10),
    "graded by loss": by_loss,
    "by loss": harmed_last,
}


@pytest.mark.parametrize("draw", SORTED.values(), ids=SORTED)
def test_a_sorted_file_is_certified_in_5_percent_at_most(draw):
    """On the margin, with row numbers for ids, few deployments certify; in the order of the file more do."""
    rng = np.random.default_rng(0)
    rows = recording(np.ones((N, 2)), [10, 1_000])
    kept = file_order = 0
    for _ in range(RUNS):
        loss = draw(rng)
        kept += betting_p(units_of(loss[None], rows).loss[0], EPSILON) <= DELTA
        file_order += betting_p(loss, EPSILON) <= DELTA
    assert kept <= tolerated(RUNS) * RUNS
    assert file_order > 2 * DELTA * RUNS


def certified(made):
    try:
        certify_path(PATH, made, Scores({0: np.ones(len(made))}), epsilon=EPSILON, delta=DELTA)
    except NotCertifiable:
        return False
    return True


def test_copies_are_no_further_labels():
    """Five copies of 80 prompts on the margin certify in 5 % at most."""
    rng = np.random.default_rng(1)
    count = 0
    asked = np.repeat([f"prompt {row}" for row in range(80)], 5).astype(object)
    for _ in range(RUNS):
        quality = np.ones((400, 2))
        quality[np.repeat(rng.random(80) < EPSILON, 5), 0] = 0
        count += certified(recording(quality, [1, 9], names=["cheap", "top"], requests=asked))
    assert count <= tolerated(RUNS) * RUNS


def test_a_rare_large_group_does_not_break_the_promise():
    """The promised mean is over groups, so that sizes nobody has seen yet cannot move it."""
    rng = np.random.default_rng(2)
    count = 0
    for _ in range(100):
        harmed = rng.random(150) < EPSILON
        sizes = np.where(harmed, 8, 1)  # harmed users ask most
        quality = np.ones((sizes.sum(), 2))
        quality[np.repeat(harmed, sizes), 0] = 0
        groups = np.repeat([f"user-{row}" for row in range(150)], sizes).astype(object)
        count += certified(recording(quality, [1, 9], names=["cheap", "top"], groups=groups))
    assert count <= tolerated(100) * 100
