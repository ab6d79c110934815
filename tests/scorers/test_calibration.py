"""calibrated: the map, what passes through it, and maps that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import draft_of, judged

from cascade import Abstained, ConfigError, Failed, Needs, Reply, Score
from scorers import LogprobConfidence, calibrated

KNOTS = [(0.2, 0.1), (0.6, 0.5), (0.6, 0.7), (0.9, 0.9)]


def says(outcome):
    def scorer(draft):
        return outcome

    return scorer


def mapped(score, to=KNOTS):
    return judged(calibrated(says(score), to), draft_of("x"))[0].value


@pytest.mark.parametrize(
    ("score", "value"),
    [(0.0, 0.1), (0.2, 0.1), (0.4, 0.3), (0.6, 0.7), (0.75, 0.8), (0.9, 0.9), (1.0, 0.9)],
)
def test_knots_are_joined_by_lines(score, value):
    """Straight between knots, constant beyond them, the upper end at a step."""
    assert mapped(score) == pytest.approx(value)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_order_of_scores_stays(one, two):
    """A higher score never becomes a lower probability."""
    low, high = sorted((one, two))
    assert mapped(low) <= mapped(high)


def test_a_function_is_a_map_too():
    """A Platt map or any other rising function of a number."""
    assert mapped(0.5, lambda score: score**2) == 0.25


def test_silence_failure_and_a_better_answer_pass_through():
    """Only scores are mapped; the reply to return instead is kept, the outcome is a part."""
    better = Reply("better")
    outcome, _ = judged(calibrated(says(Score(0.4, "why", reply=better)), KNOTS), draft_of("x"))
    assert outcome.reply is better
    assert outcome.reason == "0.4 calibrated to 0.3; why"
    assert outcome.parts == (("scorer", Score(0.4, "why", reply=better)),)
    assert judged(calibrated(says(Abstained("no")), KNOTS), draft_of("x"))[0] == Abstained("no")
    assert isinstance(judged(calibrated(says(Failed("no")), KNOTS), draft_of("x"))[0], Failed)


def test_the_engine_sees_what_the_scorer_needs():
    """The scorer is a part, so its needs and its form are found."""
    scorer = calibrated(LogprobConfidence("margin"), KNOTS)
    assert scorer.scorers[0].needs == Needs(logprobs=True, top_logprobs=2)


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ([], "no knots"),
        ([(0, 1)], "two or more"),
        ([(0, 0), (1, 1, 1)], "no knots"),
        ("ab", "no knots"),
        (0.5, "no knots"),
        ([(0, 0), 1], "no knots"),
        ([(0, 0), (1, 1.5)], r"\(1, 1.5\) is not in"),
        ([(0, 0), (1, float("nan"))], "is not in"),
        ([(0, True), (1, 1)], "is not in"),
        ([(0, 0.5), (1, 0.4)], "falls from"),
        ([(0.5, 0), (0.2, 1)], "falls from"),
        (lambda score: 1 - score, "falls from"),
        (lambda score: 2 * score, "is not in"),
        (lambda score: None, "is not in"),
    ],
)
def test_maps_that_are_none_are_refused(to, words):
    """A map that falls, leaves [0, 1] or is no list of pairs is refused when it is made."""
    with pytest.raises(ConfigError, match=words):
        calibrated(says(0.5), to)


@pytest.mark.parametrize("scorer", [LogprobConfidence, 0.5])
def test_what_is_no_scorer_is_refused(scorer):
    """A class or a number in the scorer's place is named."""
    with pytest.raises(ConfigError, match="is no scorer"):
        calibrated(scorer, KNOTS)


def test_a_map_that_raises_is_refused():
    """A function that does not take every score is found out when it is passed."""
    with pytest.raises(ConfigError, match="the map raised ZeroDivisionError"):
        calibrated(says(0.5), lambda score: 1 / score)
