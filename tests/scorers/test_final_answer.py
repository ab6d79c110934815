"""What an answer finally says, whatever stands around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.final_answer import SHORT, final_answer


def form(text):
    return final_answer(text).form


COT = "Let me think step by step. First, 3 apples at $2 are $6. Then 12 / 4 = 3.\n"

SAME = {
    "option:B": [
        "B", "b)", "(B)", "**B.**", f"{COT}The answer is (B).", f"{COT}So the answer is B.",
        f"{COT}**Answer:** (b) 42 m", f"{COT}The correct answer is: B", f"{COT}Answer: Option B",
        f"{COT}The final answer is **B**.", f"{COT}\\boxed{{B}}", f"{COT}$\\boxed{{\\text{{(B)}}}}$",
        '{"reasoning": "Not (A), as 3 > 2.", "answer": "B"}', f"{COT}Option B is correct.",
        f"{COT}The answer is (B).\n\nQuestion: What is 1+1?\nThe answer is (C).",
        f"{COT}the answer is (B) because it says so", "(B) the second one",
        f"A: Let's think step by step. {COT}The answer is (B).", f"{COT}The answer is therefore (B).",
        f"{COT}(B) is the correct answer.", f"{COT}The answer choice is B", "A: B",
    ],
    "number:1218": [
        "1218", "1,218", "$1,218.00", f"{COT}#### 1218", f"{COT}A: 1,218", "1218 dollars",
        f"{COT}So in total it makes 1,218 meals.", '{"reasoning": "a \\"b\\"", "answer": "1,218"}',
        '```json\n{\n "reasoning": "64 + 30",\n "answer": 1218.0\n}\n```', "\\boxed{1{,}218}",
        f"{COT}Therefore the answer is 1218 dollars per year.", "x = 1218", "1218 (about twelve hundred)", f"{COT}The answer must be 1218.", f"{COT}\\boxed{{x=1218}}",
        '{"reasoning": "line\nbreak", "answer": "1218 "}', "approximately 1218",
    ],
    "number:0.5": [
        "0.5", ".5", "1/2", "\\frac{1}{2}", "$\\dfrac12$", f"{COT}\\boxed{{\\tfrac{{1}}{{2}}}}",
        f"{COT}The final answer is $\\frac{{1}}{{2}}$.", "0.50",
    ],
    "fraction:1/3": ["1/3", "2/6", "\\frac{1}{3}", "the answer is 1/3"],
    "number:-3": ["-3", "\N{MINUS SIGN}3", "-3.0", "$ -3", "-\\$3"],
    "number:90": ["90", "90^\\circ", "90\N{DEGREE SIGN}", "90 degrees", "90%", "90\\%"],
    "as it is:[1,2]": ["[1, 2]", '{"reasoning": "..", "answer": [1, 2]}', '{"r": "", "answer": "[1,2]"}'],
    "as it is:2\\sqrt{3}": ["\\boxed{2\\sqrt{3}}", "$2\\sqrt{3}$", f"{COT}The answer is $2 \\sqrt{{3}}$."],
    "text:monty python": ["Monty Python", "the Monty python.", "Answer: Monty Python"],
    "text:abc": ["'abc'", '{"reasoning": "x", "answer": "\'abc\'"}', "abc"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"), [(text, form) for form, texts in SAME.items() for text in texts]
)
def test_ways_of_saying_one_answer(text, expected):
    """Option letters, numbers, fractions, formulas and words, marked in any usual way."""
    assert form(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("B", "C"),
        ("The answer is (B).", "The answer is (D)."),
        ("42", "42.5"),
        ("1/2", "1/3"),
        ("3", "-3"),
        ("'ab-c'", "'abc'"),
        ("[1, 2]", "[2, 1]"),
        ("2\\sqrt{3}", "3\\sqrt{2}"),
        ("Paris", "London"),
        ("{'a': 1}", "{'a': 2}"),
        ("--5", "-5"),
        ("1/0", "1"),
        ("\\boxed 5 is not the way", "5"),
        ("9" * 70, "9" * 71),
    ],
)
def test_different_answers_stay_different(one, other):
    """Canonical is not careless."""
    assert form(one) != form(other)


def test_where_no_answer_is_marked_the_last_number_counts():
    """And it is said to be a guess."""
    found = final_answer(f"{COT}Then she has 4 boxes.\nSo Janet makes $18 every day.")
    assert (found.form, found.marked) == ("number:18", False)
    assert final_answer("The answer is 18.").marked
    thought = final_answer("A: Let's think step by step. We have 3 apples.\nSo there are 18 now.")
    assert (thought.form, thought.marked) == ("number:18", False)
    letter = final_answer("(A) is out, for 3 > 2.\nSo it must be (C).")
    assert (letter.form, letter.marked) == ("option:C", False)
    assert final_answer("The sum of A and B\nis what I need, so 12.").form == "number:12"


def test_prose_without_a_number_says_nothing_finally():
    """Long free text has no final answer; neither has the empty text."""
    assert form("word " * SHORT) == ""
    assert form("") == form("  \n") == ""


def test_an_article_is_no_option():
    """An answer that begins with "A lot" names no letter."""
    assert form("The answer is A lot of things") == "text:lot of things"


@given(st.text(max_size=400))
def test_any_text_has_one_form(text):
    """Nothing raises, and the same text says the same."""
    assert final_answer(text) == final_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 3000,
        "answer is " * 3000,
        '"answer": "' * 2000,
        "9" * 10_000,
        "$" * 10_000,
        "1/" * 5_000,
        "answer" + " " * 10_000,
        "**" * 5_000 + "A",
        '"answer": "' + "\\" * 9_999,
    ],
)
def test_texts_made_to_be_slow(text):
    """Patterns look at a bounded part and take linear time."""
    import time

    begun = time.perf_counter()
    final_answer(text)
    assert time.perf_counter() - begun < 0.5
