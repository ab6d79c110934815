"""Combinations: what each makes of scores, silence and failure, and what it pays for."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import draft_of, judged

from cascade import Abstained, ConfigError, Failed, Reply, Score, ask
from scorers import JsonSchema, LogprobConfidence, all_of, any_of, first_reject, weighted

DRAFT = draft_of("hi")


def says(value, reason=""):
    """A scorer with a fixed outcome."""

    def scorer(draft):
        return Score(value, reason) if isinstance(value, float) else value

    scorer.__name__ = f"says_{value}"
    return scorer


def silent(draft):
    return Abstained("nothing to see")


def broken(draft):
    raise ValueError("boom")


def paid(draft):
    reply = yield from ask("judge", "right?")
    return float(reply.text)


def names(outcome):
    return [name for name, _ in outcome.parts]


def test_first_reject_stops_before_the_paid_check():
    """A gate that rejects saves the question behind it."""
    outcome, asked = judged(first_reject(says(0.0, "no"), paid), DRAFT)
    assert (outcome.value, outcome.reason) == (0.0, "says_0.0: no")
    assert names(outcome) == ["says_0.0"]
    assert asked == []


def test_first_reject_is_the_lowest_of_what_ran():
    """When all pass, the lowest score stands and the question was asked once."""
    outcome, asked = judged(first_reject(says(0.9), says(0.7), paid), DRAFT, Reply("0.8"))
    assert outcome.value == 0.7
    assert len(asked) == 1
    assert names(outcome) == ["says_0.9", "says_0.7", "paid"]


def test_first_reject_stops_where_it_is_told():
    """`stop_below` moves the bar; a score at the bar goes on."""
    assert names(judged(first_reject(says(0.8), says(1.0), stop_below=0.9), DRAFT)[0]) == [
        "says_0.8"
    ]
    assert len(judged(first_reject(says(0.9), says(1.0), stop_below=0.9), DRAFT)[0].parts) == 2


def test_first_reject_passes_over_silence_but_not_over_failure():
    """Abstained parts are skipped unless all abstain; a crash fails the whole and stops."""
    outcome, _ = judged(first_reject(silent, says(0.6)), DRAFT)
    assert outcome.value == 0.6
    assert isinstance(outcome.parts[0][1], Abstained)
    assert isinstance(judged(first_reject(silent, silent), DRAFT)[0], Abstained)
    failed, asked = judged(first_reject(says(0.9), broken, paid), DRAFT)
    assert isinstance(failed, Failed)
    assert "boom" in failed.reason
    assert names(failed) == ["says_0.9", "broken"]
    assert asked == []


def test_all_of_runs_all_and_takes_the_lowest():
    """Every part runs, so the trace shows each."""
    outcome, asked = judged(all_of(says(0.0), paid, says(0.9)), DRAFT, Reply("1"))
    assert outcome.value == 0.0
    assert len(outcome.parts) == 3
    assert len(asked) == 1


def test_all_of_keeps_the_unknown_unknown_but_a_zero_decides():
    """Failure before silence before a number; only a certain 0 outranks them."""
    assert isinstance(judged(all_of(says(0.9), silent), DRAFT)[0], Abstained)
    assert isinstance(judged(all_of(silent, broken), DRAFT)[0], Failed)
    assert judged(all_of(silent, broken, says(0.0)), DRAFT)[0].value == 0.0


def test_any_of_takes_the_highest_and_stops_when_it_is_enough():
    """One that vouches is enough, and the rest is not paid for."""
    outcome, asked = judged(any_of(says(0.3), says(1.0), paid), DRAFT)
    assert outcome.value == 1.0
    assert asked == []
    assert judged(any_of(says(0.3), paid), DRAFT, Reply("0.6"))[0].value == 0.6
    assert len(judged(any_of(says(0.8), paid, stop_at=0.8), DRAFT)[0].parts) == 1


def test_any_of_scores_without_its_silent_and_broken_parts():
    """Missing parts could only have raised the score; without any score it fails or abstains."""
    assert judged(any_of(broken, silent, says(0.4)), DRAFT)[0].value == 0.4
    assert isinstance(judged(any_of(silent, broken), DRAFT)[0], Failed)
    assert isinstance(judged(any_of(silent, silent), DRAFT)[0], Abstained)


def test_weighted_is_the_weighted_mean():
    """Weights need not add up to 1."""
    outcome, _ = judged(weighted(says(1.0), says(0.5), weights=[3, 1]), DRAFT)
    assert outcome.value == pytest.approx(0.875)
    assert outcome.reason == "weighted mean of says_1.0 1, says_0.5 0.5"


def test_weighted_needs_every_part():
    """A mean of fewer parts would be on another scale."""
    assert isinstance(judged(weighted(says(1.0), silent, weights=[1, 1]), DRAFT)[0], Abstained)
    assert isinstance(judged(weighted(silent, broken, weights=[1, 1]), DRAFT)[0], Failed)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1e6)), min_size=1, max_size=6))
def test_a_weighted_mean_lies_between_its_parts(pairs):
    """The mean never leaves the range of its parts, whatever the weights."""
    scorers = [says(value) for value, _ in pairs]
    outcome, _ = judged(weighted(*scorers, weights=[weight for _, weight in pairs]), DRAFT)
    values = [value for value, _ in pairs]
    assert min(values) - 1e-9 <= outcome.value <= max(values) + 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_stopping_early_never_hides_a_rejection(values, bar):
    """first_reject is below the bar exactly when some part is."""
    outcome, _ = judged(first_reject(*map(says, values), stop_below=bar), DRAFT)
    assert (outcome.value < bar) == (min(values) < bar)


def test_all_forms_combine():
    """Functions, objects, bools, numbers, generators and other combinations are parts alike."""

    @dataclass(frozen=True)
    class Words:
        least: int

        def __call__(self, draft):
            return len(draft.text.split()) >= self.least

    nested = all_of(lambda draft: 0.8, Words(1), any_of(paid, says(0.2)))
    outcome, _ = judged(first_reject(nested, JsonSchema(True)), draft_of("1"), Reply("0.9"))
    assert outcome.value == 0.8
    assert names(outcome) == ["all_of", "JsonSchema"]
    assert names(outcome.parts[0][1]) == ["<lambda>", "Words", "any_of"]


def test_parts_are_visible_to_the_engine():
    """Combinations show their parts, from which the engine reads needs, and run inline."""
    scorer = first_reject(JsonSchema(True), LogprobConfidence("margin"))
    assert scorer.scorers[1].needs.top_logprobs == 2
    assert scorer.inline
    assert scorer.name == "first_reject"


BETTER = Reply("better")


def finds_better(draft):
    """A part that would return another answer than the draft."""
    return Score(0.9, "majority", reply=BETTER)


def is_better(draft):
    return 0.8 if draft.text == "better" else 0.1


@pytest.mark.parametrize(
    "combine", [first_reject, all_of, lambda *parts: weighted(*parts, weights=[1, 1])]
)
def test_later_parts_judge_the_answer_that_will_be_returned(combine):
    """A part's reply is judged by the parts behind it, and handed on."""
    outcome, _ = judged(combine(finds_better, is_better), DRAFT)
    assert outcome.reply is BETTER
    assert outcome.parts[1][1].value == 0.8
    plain, _ = judged(combine(is_better, is_better), DRAFT)
    assert plain.reply is None


def test_the_last_answer_found_is_the_one_returned():
    """A part that replaces a replaced answer has judged it."""
    best = Reply("best")

    def finds_best(draft):
        assert draft.reply is BETTER
        return Score(0.5, reply=best)

    assert judged(first_reject(finds_better, finds_best), DRAFT)[0].reply is best


def test_any_of_returns_the_answer_of_the_part_that_vouched():
    """Each part judges the draft; only the winner may replace it."""
    assert judged(any_of(finds_better, says(0.3)), DRAFT)[0].reply is BETTER
    outcome, _ = judged(any_of(finds_better, says(1.0)), DRAFT)
    assert (outcome.value, outcome.reply) == (1.0, None)
    assert judged(any_of(finds_better, is_better), DRAFT)[0].parts[1][1].value == 0.1


def test_a_failed_question_fails_the_part():
    """An error of a paid check becomes a failure with its words."""
    from cascade import ScorerError

    outcome, _ = judged(all_of(paid), DRAFT, ScorerError("no budget"))
    assert isinstance(outcome, Failed)
    assert "no budget" in outcome.reason


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (first_reject, "no scorers"),
        (lambda: all_of(JsonSchema), r"write JsonSchema\(\)"),
        (lambda: any_of([silent, silent]), "not callable"),
        (lambda: all_of(0.5), "not callable"),
        (lambda: first_reject(silent, stop_below=1.5), "stop_below 1.5"),
        (lambda: first_reject(silent, stop_below=True), "stop_below True"),
        (lambda: any_of(silent, stop_at="high"), "stop_at 'high'"),
        (lambda: weighted(silent, weights=[]), "do not fit 1 scorers"),
        (lambda: weighted(silent, silent, weights=[1, 0]), "do not fit"),
        (lambda: weighted(silent, weights=[float("inf")]), "do not fit"),
        (lambda: weighted(silent, weights="1"), "do not fit"),
    ],
)
def test_mistakes_surface_when_the_combination_is_made(make, words):
    """Empty calls, classes, lists and bad bounds are refused by name."""
    with pytest.raises(ConfigError, match=words):
        make()
