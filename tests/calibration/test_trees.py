"""Boosted trees: taken out of scikit-learn as numbers, and walked without it."""

import subprocess
import sys

import numpy as np
import pytest

from cascade.calibration.learning.boosting import fit_trees
from cascade.calibration.learning.trees import Trees


def problem(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    x[:, 4] = rng.integers(0, 3, n)
    x[rng.random(x.shape) < 0.15] = np.nan
    y = (np.nan_to_num(x[:, 0]) * np.nan_to_num(x[:, 1]) + rng.normal(0, 0.3, n) > 0).astype(float)
    return x, y


def test_one_walk_is_the_walk_of_many():
    """Missing values included, plain Python and numpy give the same sums."""
    x, y = problem()
    trees = fit_trees(x, y, np.ones(len(y)), seed=0)
    many = trees.all_log_odds(x)
    assert [trees.log_odds(row.tolist()) for row in x] == pytest.approx(many.tolist(), abs=1e-12)


def test_the_numbers_are_scikit_learns(monkeypatch):
    """What is walked here is what was fitted there."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    kept = {}
    fit = ensemble.HistGradientBoostingClassifier.fit

    def keeping(self, codes, labels, sample_weight=None):
        kept["fitted"], kept["codes"] = fit(self, codes, labels, sample_weight), codes
        return self

    monkeypatch.setattr(ensemble.HistGradientBoostingClassifier, "fit", keeping)
    x, y = problem()
    trees = fit_trees(x, y, np.ones(len(y)), seed=0)
    right, wrong = np.flatnonzero(y > 0), np.flatnonzero(y < 1)
    theirs = kept["fitted"].decision_function(kept["codes"])
    ours = trees.all_log_odds(x)[np.concatenate([right, wrong])]
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_they_learn_what_no_line_can():
    """A product of two features."""
    x, y = problem(1500)
    fresh, truth = problem(500, seed=1)
    z = fit_trees(x, y, np.ones(len(y)), seed=0).all_log_odds(fresh)
    assert ((z > 0) == (truth == 1)).mean() > 0.65


def test_graded_quality_is_learned_as_a_share():
    """Half-right answers pull towards even odds."""
    x = np.repeat([[0.0], [1.0]], 100, axis=0)
    y = np.repeat([0.5, 1.0], 100)
    z = fit_trees(x, y, np.ones(200), seed=0).all_log_odds(np.array([[0.0], [1.0]]))
    assert abs(z[0]) < 0.3
    assert z[1] > 1.5


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_one_kind_of_answer_grows_no_tree(level):
    """The level alone, held back from certainty."""
    trees = fit_trees(np.zeros((9, 2)), np.full(9, level), np.ones(9), seed=0)
    assert trees.nodes == ()
    assert abs(trees.base) == pytest.approx(np.log(19), abs=1e-9)


def test_a_column_without_any_number():
    """A feature that is missing everywhere is never asked for."""
    x, y = problem()
    x[:, 2] = np.nan
    trees = fit_trees(x, y, np.ones(len(y)), seed=0)
    assert not any(len(node) > 1 and node[0] == 2 for tree in trees.nodes for node in tree)


def test_walking_needs_no_learning_library():
    """Serving loads numpy, and neither scikit-learn nor scipy."""
    code = (
        "import sys; from cascade.calibration.learning.trees import Trees; import cascade.calibration.learning.learned; "
        "t = Trees(0.5, (((0, 1.0, 1, 2, 0), (1.0,), (2.0,)),)); t.check(1); "
        "print(t.log_odds([1.0]), t.log_odds([1.5]), t.log_odds([float('nan')]), "
        "sorted({'sklearn', 'scipy', 'pyarrow', 'altair', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(" ", 3)[:3] == ["1.5", "2.5", "1.5"]
    assert done.stdout.strip().endswith("[]")


def test_nodes_that_lead_nowhere_are_refused():
    """Checked before the first walk."""
    with pytest.raises(ValueError, match="leads to node 7"):
        Trees(0.0, (((0, 1.0, 1, 7, 0), (1.0,), (2.0,)),)).check(1)
    with pytest.raises(ValueError, match="asks for feature 3: there are 2"):
        Trees(0.0, (((3, 1.0, 1, 2, 0), (1.0,), (2.0,)),)).check(2)
