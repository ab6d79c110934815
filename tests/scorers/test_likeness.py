"""How far two answers say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import draft_of, tool_call

from cascade import Draft, Reply, Request
from scorers.likeness import likeness

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def like(one, other):
    return likeness(draft_of(one), draft_of(other))


def test_final_answers_count_and_not_their_reasons():
    """Two chains of thought to one number are the same answer."""
    found = like("3 * 4 = 12, so\n#### 12", '{"reasoning": "four threes", "answer": "12.0"}')
    assert (found.same, found.compatible, found.certain) == (1, 1, 1)
    assert found.shared < 0.5


def test_different_answers_contradict():
    """Whatever they share."""
    found = like("The answer is (B).", "The answer is (C).")
    assert (found.same, found.compatible, found.certain) == (0, 0, 0)


def test_a_guessed_answer_is_not_certain():
    """Where one does not mark its answer, the last number counts, and the likeness says so."""
    found = like("She has 4 and 8 apples, and eats some.\nSo she has 12 left.", "#### 12")
    assert (found.same, found.certain) == (1, 0.5)


def test_prose_neither_agrees_nor_contradicts():
    """Free text without a final answer is comparable by its words alone."""
    one = "Our parcels are sent from Hamburg, " * 5
    found = like(one, "Nothing of that kind was ever said by anybody here. " * 4)
    assert (found.same, found.compatible) == (0, 1)
    assert found.shared < 0.2


def test_tool_calls_are_compared_by_name_and_arguments():
    """On the wire or as text, in any order."""
    wire = draft_of("", tool_calls=(tool_call("f", {"a": 1, "b": "X"}),))
    assert likeness(wire, draft_of("[f(b='x', a=1.0)]")).same == 1
    other = likeness(wire, draft_of("[f(b='y', a=1)]"))
    assert (other.same, other.compatible) == (0, 0)
    assert 0 < other.shared < 1


def test_an_argument_that_only_one_gives_does_not_contradict():
    """A default that one model writes out."""
    found = like("f(a=1)", "f(a=1, unit='C')")
    assert (found.same, found.compatible) == (0, 1)
    assert like("f(a=1)", "[f(a=1), g(a=1)]").compatible == 0


def test_records_are_compared_by_their_fields():
    """Reasoning is no field; numbers and case do not matter."""
    one = '{"reasoning": "a", "city": "Bonn", "total": 3}'
    assert like(one, '{"total": "3.0", "city": "bonn"}').same == 1
    found = like(one, '{"city": "Bonn", "total": 4}')
    assert (found.same, found.compatible, round(found.shared, 2)) == (0, 0, 0.33)


def test_a_broken_record_is_a_text():
    """What cannot be read as a record is compared as it stands."""
    assert like('{"city": "Bonn"', '{"city": "Bonn"').same == 1
    assert like('{"city": "Bonn"', '{"city": "Bonn"}').compatible == 0


def test_a_call_is_not_an_answer_in_words():
    """Calling a tool and declining to are different answers."""
    assert like("f(a=1)", "I cannot tell.").same == 0


def test_neither_calls_the_tools_that_are_offered():
    """Two ways of declining are one decision."""
    request = Request.build({"messages": [{"role": "user", "content": "?"}], "tools": TOOLS})
    one = Draft(request, Reply("I cannot look that up, " * 10))
    other = Draft(request, Reply("There is no tool for this. " * 10))
    assert likeness(one, other).same == 1
    assert likeness(one, Draft(request, Reply("f(a=1)"))).same == 0


@pytest.mark.parametrize(
    "flawed", [draft_of(""), draft_of("12", finish_reason="length"), draft_of("", refusal="No.")]
)
def test_answers_that_are_not_whole_give_no_likeness(flawed):
    """Missing is not a number."""
    assert likeness(flawed, draft_of("12")) is None
    assert likeness(draft_of("12"), flawed) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_likeness_is_symmetric_and_in_bounds(one, other):
    """Either order, any text; an answer is never unlike itself."""
    found = like(one, other)
    assert found == like(other, one)
    assert found is None or all(0 <= value <= 1 for value in found)
    mine = like(one, one)
    assert mine is None or (mine.compatible, mine.shared) == (1, 1)


def test_a_fuller_name_does_not_contradict():
    """One short text within the other is compatible, and not the same."""
    found = like("Henry VIII", "King Henry VIII")
    assert (found.same, found.compatible) == (0, 1)
    assert like("Henry VIII", "Henry VII").compatible == 0
