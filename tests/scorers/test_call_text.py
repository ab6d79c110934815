"""Tool calls written as text, in any shape, are one call."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.call_text import canonical_call, written_calls

WEATHER = (("get_weather", (("city", '"new york"'), ("days", '"number:3e0"'))),)

SHAPES = [
    '[{"name": "get_weather", "arguments": {"city": "New York", "days": 3}}]',
    '{"name": "get.weather", "arguments": "{\\"days\\": 3.0, \\"city\\": \\"new york\\"}"}',
    '[{"get_weather": "{\\"city\\": \\"New York\\", \\"days\\": 3}"}]',
    '[{"get_weather": {"days": "3", "city": "New York"}}]',
    '[{"function": {"name": "get_weather", "arguments": {"city": "New York", "days": 3}}}]',
    '[["get_weather", {"city": "New York", "days": 3}]]',
    '```json\n[{"name": "get_weather", "parameters": {"city": "New York", "days": 3}}]\n```',
    "[get_weather(city='New York', days=3)]",
    'get.weather(days=3.0, city="new york");',
    "get_weather( days = 3 , city = 'New York' )",
]


@pytest.mark.parametrize("text", SHAPES)
def test_shapes_of_one_call(text):
    """JSON with nested or encoded arguments, Python's form, dots or underscores in names."""
    assert written_calls(text) == WEATHER


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(a=1); g(b=2)", "[g(b=2), f(a=1)]"),
        ("f(x=[1, 2.0, {'a': True}])", '[{"f": "{\\"x\\": [1.0, 2, {\\"a\\": true}]}"}]'),
        ("f(t=(1, 2))", "f(t=[1, 2])"),
        ("f(x=None)", '{"name": "f", "arguments": {"x": null}}'),
        ("f(q='it\\'s')", 'f(q="it\'s")'),
        ("f(x='[1, 2]')", "f(x=[1, 2])"),
        ("f()", '[{"name": "f", "arguments": {}}]'),
        ("f()", '[{"name": "f", "arguments": ""}]'),
        ('{"name": "f", "arguments": "ls -l"}', '{"name": "f", "input": "LS -l"}'),
    ],
)
def test_equal_calls(one, other):
    """Order of calls, ways of writing values."""
    assert written_calls(one) == written_calls(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(a=1)", "f(a=2)"),
        ("f(a=1)", "g(a=1)"),
        ("f(a=1)", "f(b=1)"),
        ("f(a=1)", "[f(a=1), f(a=1)]"),
        ("f(1, 2)", "f(2, 1)"),
        ("f(a=[1, 2])", "f(a=[2, 1])"),
    ],
)
def test_different_calls(one, other):
    """What a tool would notice."""
    assert written_calls(one) != written_calls(other)


@pytest.mark.parametrize(
    "text",
    [
        "", "hello (there)", "f(", "f(a=1", "f(a=1))", "f(a:1)", "f(a;b)", "print(x) is a function",
        '{"answer": 3}', '{"customer": {"name": "X"}}', "[1, 2]", "[]", "{}", "42", '[["f", 1]]',
        "new Foo(1)", "f(a=[1)", "I would call get_weather(city='X').", "f(" + "[" * 100, "[f(a=1)",
        '["a", 1]', "f(a=(", '[{"name": "f"}, 3]', '{"f": "{broken"}',
    ],
)  # fmt: skip
def test_what_is_no_call(text):
    """Records, prose, code and broken calls are something else."""
    assert written_calls(text) is None


def test_arguments_that_are_no_mapping():
    """Free text of a custom tool counts as one argument."""
    assert canonical_call("run", "ls  -l") == canonical_call("run", "ls -L")


@given(st.text(alphabet="fg(){}[]=,;:'\"\\ 1a\n", max_size=80))
def test_any_text_ends(text):
    """Reading goes forwards only."""
    found = written_calls(text)
    assert found is None or found


@pytest.mark.parametrize(
    "text",
    [
        "f(" * 9_000,
        "f(" + "a" * 19_000,
        "f('" + "\\" * 19_000,
        "f(" + "[" * 19_000,
        "f(,,,,,)" * 2_000,
    ],
)
def test_texts_made_to_be_slow(text):
    """Bounded in length and depth."""
    begun = time.perf_counter()
    written_calls(text)
    assert time.perf_counter() - begun < 0.5
