"""States of evidence: which numbers they see, and how votes are counted."""

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_help import learnable

from cascade.calibration.learning.evidence_table import gather
from cascade.calibration.learning.folds import group_folds
from cascade.calibration.learning.states import Block, State, blocks_of, request_shape, votes


def labels(state, table, slices=()):
    return [block.label for block in blocks_of(state, table, slices)]


def test_a_state_sees_what_was_bought_and_nothing_else():
    """Other tiers occur only where they stand beside the judged one."""
    table = gather(learnable(5), ["surface", "agreement", "words"])
    assert labels(State("mini"), table) == ["surface", "words"]
    assert labels(State("mini", ("nano",)), table, ("a",)) == [
        "surface", "agreement with nano", "words", "slice",
    ]  # fmt: skip
    assert labels(State("mini", ("nano", "top")), table) == [
        "surface", "agreement with nano", "agreement with top", "agreement votes", "words",
    ]  # fmt: skip
    assert labels(State("mini", (), from_request=True), table) == ["words", "request"]


def test_states_in_words():
    """As they are shown."""
    assert str(State("mini", ("nano", "w"))) == "mini beside nano and w"
    assert Block("signal", "msp", "nano", ("value", "rank")).label == "msp of nano"


def test_nothing_known_gives_no_votes():
    """Missing is not a number."""
    assert votes([nan, nan], [1.0]) == ()


@pytest.mark.parametrize(
    ("same", "among", "expected"),
    [
        ([1, 1], [1], (1.0, 0.0, 1.0, 1.0)),
        ([0, 0], [1], (0.0, 1.0, 1.0, 0.0)),  # both others say one other thing
        ([0, 0], [0], (0.0, 0.5, 0.0, 0.0)),
        ([1, 0, 0], [0, 0, 1], (1 / 3, 2 / 3, 1 / 3, 0.0)),
        ([1, nan], [nan], (1.0, 0.0, 0.5, 1.0)),
    ],
)
def test_votes_are_counted_in_camps(same, among, expected):
    """Share for the answer, the largest camp against it, agreement among the others, unanimity."""
    assert votes(same, among) == pytest.approx(expected)


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=6))
def test_votes_of_real_answers(answers):
    """Shares are in [0, 1], and camps are as large as they are."""
    judged, *others = answers
    same = [float(other == judged) for other in others]
    among = [float(a == b) for i, a in enumerate(others) for b in others[i + 1 :]]
    share, rivals, pairs, unanimous = votes(same, among)
    against = [others.count(other) for other in set(others) - {judged}]
    assert share == pytest.approx(others.count(judged) / len(others))
    assert rivals == pytest.approx(max(against, default=0) / len(others))
    assert 0 <= pairs <= 1
    assert unanimous == (set(answers) == {judged})


def test_the_shape_of_a_request():
    """Finite numbers, the empty text included."""
    assert all(np.isfinite(request_shape(text)).all() for text in ("", "What is 2 + 2?\nSay it."))
    assert request_shape("a? b?").questions == 2


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(2, 6), st.integers(0, 9))
def test_groups_are_not_split(numbers, folds, seed):
    """What belongs together is in one fold; folds are as equal as groups allow."""
    groups = np.array([f"g{number}" for number in numbers], object)
    found = group_folds(groups, folds, seed)
    assert all(len(set(found[groups == name])) == 1 for name in set(groups))
    count = min(folds, len(set(groups)))
    assert set(found) == set(range(count))
    sizes = np.bincount(found)
    largest = max(np.unique(groups, return_counts=True)[1])
    assert sizes.max() - sizes.min() <= largest
