"""Which requests a comparison rests on, and the scores of just those."""

from __future__ import annotations

import numpy as np

from cascade.calibration.comparing.complete import (
    complete_part,
    source_of_rows,
    source_of_tiers,
    without_few_gaps,
    without_unasked_tiers,
)
from cascade.calibration.money import UNKNOWN
from cascade.core.few import few
from tests.calibration.builders import Scores, recording


def made(n=40, gaps=(), unlabelled=(), unpriced=()):
    """Requests of two tiers with some things missing of the second."""
    quality, cost = np.ones((n, 2)), np.ones((n, 2), np.int64)
    answered = np.ones((n, 2), bool)
    answered[list(gaps), 1] = False
    quality[[*gaps, *unlabelled], 1] = np.nan
    cost[list(unpriced), 1] = UNKNOWN
    return recording(quality, cost, names=["nano", "top"], answered=answered)


def test_few_gaps_are_left_out_and_many_are_not():
    """One in twenty at most: a chain that asks its last tier of the hard ones leaves many."""
    kept, rows, notes = without_few_gaps(made(gaps=[3, 7]))
    assert (len(kept), 3 in rows, 7 in rows) == (38, False, False)
    assert notes == ("left out: 2 of 40 requests, because not every tier was asked them",)
    for whole in (made(), made(gaps=[1, 2, 3])):
        kept, rows, notes = without_few_gaps(whole)
        assert kept is whole
        assert (len(rows), notes) == (40, ())


def test_what_lacks_a_label_or_a_price_is_left_out():
    """Unless nothing is left, or a tier was not asked, which is no chance."""
    kept, _, (note,) = complete_part(made(unlabelled=[1], unpriced=[2]))
    assert len(kept) == 38
    assert "(1 lack a label, 1 lack a price)" in note
    for whole in (made(), made(unlabelled=range(40)), made(gaps=[3])):
        assert complete_part(whole)[0] is whole


def test_scores_of_some_requests():
    """Those of the source, row by row; who judges is known as far as the source knows it."""

    class Named(Scores):
        def judge(self, asks):
            return f"judge of {asks}"

    rows = np.array([0, 2])
    plain, named = Scores({0: [0.1, 0.2, 0.3]}), Named({0: [0.1, 0.2, 0.3]})
    assert source_of_rows(None, rows, 3) is None
    assert source_of_rows(plain, np.arange(3), 3) is plain
    assert source_of_rows(plain, rows, 3).scores((0,), 0).tolist() == [0.1, 0.3]
    assert source_of_rows(plain, rows, 3).judge(1) is None
    assert source_of_rows(named, rows, 3).judge(1) == "judge of 1"


def test_scores_of_some_tiers():
    """Those of the source, wherever the tiers stood in the recording that it speaks of."""

    class Named(Scores):
        def judge(self, asks):
            return f"judge of {asks}"

    three = recording(np.ones((2, 3)), [1, 2, 3], names=["a", "b", "c"])
    two = three.with_tiers(["a", "c"])
    states = {((0,), 0): [0.1, 0.2], ((0, 2), 2): [0.3, 0.4]}
    whole = Named({1: [0, 0]}, by_state=states, costs={((0, 2), 2): 7}, gates={2: [0.5, 0.6]})
    part = source_of_tiers(whole, two, three)
    assert [part.scores((0,), 0).tolist(), part.scores((0, 1), 1).tolist()] == [*states.values()]
    assert part.cost_pusd((0, 1), 1).tolist() == [7, 7]
    assert (part.gate(1).tolist(), part.judge(1)) == ([0.5, 0.6], "judge of 2")
    assert source_of_tiers(None, two, three) is None
    assert source_of_tiers(whole, three, three) is whole


def test_names_in_a_sentence():
    """Few are all written out, of many the first ones."""
    assert few(["a"]) == "a"
    assert few(["a", "b"]) == "a and b"
    assert few(["a", "b", "c", "d"]) == "a, b, c and d"
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_tiers_that_nobody_needs():
    """A tier with many gaps is left out where the plan does not ask it, but never the top tier."""
    quality, answered = np.ones((40, 3)), np.ones((40, 3), bool)
    quality[:10, 1], answered[:10, 1] = np.nan, False
    three = recording(quality, [1, 2, 3], names=["a", "b", "c"], answered=answered)
    kept, notes = without_unasked_tiers(three, {"a", "c"})
    assert (kept.names, len(kept)) == (("a", "c"), 40)
    assert "without tier 'b': the chain does not ask it, and 10 of 40 requests were" in notes[0]
    assert without_unasked_tiers(three, {"a", "b"}) == (three, ())
    turned = three.with_tiers(["a", "c", "b"])
    assert without_unasked_tiers(turned, {"a", "c"}) == (turned, ())
