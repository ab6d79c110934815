"""Reference: how answers are compared with known ones, and how those are found."""

import pytest
from scoring_help import draft_of, judged

from cascade import Abstained, ConfigError, Draft, Failed, Reply, Request, Score
from scorers import Reference


def score(answer, right, by, **settings):
    return Reference({"Q?": right}, by=by, **settings)(Draft(Request.build("Q?"), Reply(answer)))


@pytest.mark.parametrize(
    ("by", "answer", "right", "value"),
    [
        ("exact", " Paris\n", "Paris", 1),
        ("exact", "paris", "Paris", 0),
        ("normalised", "The paris.", "Paris", 1),
        ("normalised", "", "Paris", 0),
        ("number", "It is 1,000.0 in all", "1000", 1),
        ("number", "no idea", "1000", 0),
        ("number", "3", "three", 0),
        ("option", "The answer is (b).", "B", 1),
        ("json", '{"b": 1.0, "a": "X"}', '{"a": "x", "b": 1}', 1),
        ("json", "not", "not", 0),
        ("fields", '{"a": "X.", "b": 2, "c": 9}', '{"a": "x", "b": 1}', 0.5),
        ("fields", '```json\n{"b": 1.0, "a": "X"}\n```', '{"a": "x", "b": 1}', 1),
        ("fields", "no record", '{"a": "x"}', 0),
        ("f1", "the red house", "a house, red and big", 2 * 2 / (2 + 4)),
        ("f1", "blue", "red", 0),
    ],
)
def test_each_comparison(by, answer, right, value):
    """One comparison for each kind of answer."""
    assert score(answer, right, by).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("answer", "settings", "value"),
    [
        ("3.14", {}, 0),
        ("3.14", {"tolerance": 0.01}, 1),
        ("3.14", {"relative": 0.001}, 1),
        ("3.2", {"relative": 0.001}, 0),
        ("1e999", {"relative": 0.1}, 0),
    ],
)
def test_numbers_may_differ_a_little(answer, settings, value):
    """An absolute or a relative difference is forgiven where one is given."""
    assert score(answer, 3.1416, "number", **settings).value == value


def test_the_closest_of_several_right_answers_counts():
    """Any right answer will do; the reason names the closest."""
    assert score("Holland", ["Netherlands", "Holland"], "normalised") == Score(
        1.0, "is the expected 'Holland' (normalised)"
    )
    assert score("x y", ["z", "x"], "f1").reason == "expected 'x' (f1)"


def test_answers_are_found_by_text_label_or_function():
    """The last user message, a label of the caller's, or a function of the request."""
    chat = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": [{"type": "text", "text": "Q?"}]},
    ]
    assert Reference({"Hi\n\nQ?": "4"})(Draft(Request.build(chat), Reply("4"))).value == 1
    labelled = Request.build("anything", metadata={"id": 7})
    assert Reference({"7": "4"}, key="id")(Draft(labelled, Reply("4"))).value == 1
    by_function = Reference(lambda request: request.payload["messages"][0]["content"])
    assert not by_function.inline
    assert judged(by_function, Draft(Request.build("4"), Reply("4")))[0].value == 1
    responses = Request({"input": "Q?"})
    assert Reference({"Q?": "4"})(Draft(responses, Reply("4"))).value == 1


def test_without_a_known_answer_there_is_no_signal():
    """An unknown request and an empty list abstain; a refusal of a known one is wrong."""
    draft = Draft(Request.build("Other?"), Reply("4"))
    assert Reference({"Q?": "4"})(draft) == Abstained("no right answer is known for 'Other?'")
    assert isinstance(Reference(lambda _: None)(draft), Abstained)
    assert isinstance(Reference(lambda _: [])(draft), Abstained)
    refused = Draft(Request.build("Q?"), Reply("", refusal="No"))
    assert Reference({"Q?": "4"})(refused).value == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"expected": {}}, "holds no answers"),
        ({"expected": "4"}, "holds no answers"),
        ({"expected": {"a": "b"}, "by": "vibes"}, "by 'vibes'"),
        ({"expected": {"a": "b"}, "tolerance": -1}, "tolerance -1"),
        ({"expected": {"a": "b"}, "relative": 1.0}, "relative 1.0"),
        ({"expected": {"a": "b"}, "relative": True}, "relative True"),
        ({"expected": {"a": "b"}, "key": 5}, "key 5"),
        ({"expected": print, "key": "id"}, "key 'id'"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        Reference(**settings)


@pytest.mark.parametrize("right", [{"a": 1}, [None], [[4]]])
def test_what_is_no_right_answer_is_named(right):
    """A table where a text belongs fails instead of comparing with its keys."""
    outcome, _ = judged(Reference({"What is it?": right}), draft_of("a"))
    assert isinstance(outcome, Failed)
    assert "is no right answer for 'What is it?'" in outcome.reason


def test_long_numbers_are_compared_with_all_their_digits():
    """Without a tolerance nothing is forgiven, in the twentieth digit either."""
    scorer = Reference({"What is it?": "12345678901234567891"}, by="number")
    assert scorer(draft_of("12345678901234567891")).value == 1.0
    assert scorer(draft_of("12345678901234567890")).value == 0.0


def test_fields_need_a_record_to_compare_with():
    """A right answer without fields is a mistake of the caller's, which becomes a failed scorer."""
    outcome, _ = judged(Reference({"What is it?": "Paris"}, by="fields"), draft_of("{}"))
    assert isinstance(outcome, Failed)
    assert "'Paris' is no JSON object with fields" in outcome.reason
