"""surface_features: what each number says, and that any text gives finite numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade import Draft, Reply, Request
from scorers import SurfaceFeatures, surface_features

SHARES = [name for name in SurfaceFeatures._fields if "share" in name] + [
    "length_ratio",
    "repeated_trigrams",
    "distinct_words",
    "new_numbers",
]


def test_there_are_27_named_features():
    """A learned scorer finds the same names in the same order in every version."""
    assert len(SurfaceFeatures._fields) == 27
    assert SurfaceFeatures._fields[:2] == ("log_chars", "log_words")
    assert SurfaceFeatures._fields[-1] == "marked_answer"


def test_the_features_say_what_they_are_called():
    """One answer, read by hand."""
    text = "Perhaps 12 parcels!\n- Is it 7?\n```\nCODE\n```\nThe answer is 12."
    found = surface_features(text, "I sent 12 parcels", finish_reason="length")
    words = text.split()
    assert found.log_chars == math.log1p(len(text))
    assert found.log_words == math.log1p(len(words))
    assert found.log_lines == math.log1p(6)
    assert found.log_request_chars == math.log1p(17)
    assert found.length_ratio == len(text) / (len(text) + 17)
    assert found.capital_share == 7 / len(text)
    assert found.digit_share == 5 / len(text)
    assert found.mark_share == 10 / len(text)
    assert found.hedges == 1
    assert found.questions == found.exclamations == found.code_blocks == found.list_lines == 1
    assert found.log_numbers == math.log1p(3)
    assert found.new_numbers == 1 / 3
    assert found.ends_cleanly == found.was_cut == found.marked_answer == 1
    assert found.refusal == found.is_json == found.non_ascii_share == 0
    assert found.distinct_words == len({w.lower() for w in words}) / len(words)


@pytest.mark.parametrize(
    ("text", "feature", "value"),
    [
        ("I\u2019m sorry, but I cannot", "refusal", 1),
        ('{"a": 1}', "is_json", 1),
        ("a b c a b c a b c", "repeated_trigrams", 1 - 3 / 7),
        ("äö", "non_ascii_share", 1),
        ("cut off in the", "ends_cleanly", 0),
        ("", "log_chars", 0),
        ("One. Two. Three.", "sentence_words", 1),
    ],
)
def test_single_features(text, feature, value):
    """Features that need a text of their own."""
    assert getattr(surface_features(text), feature) == pytest.approx(value)


def test_repetition_shows_in_compression():
    """A text that repeats itself compresses to little."""
    loop, prose = "again and " * 50, "The quick brown fox jumps over a lazy dog near 14 huts."
    assert surface_features(loop).compressed_share < 0.2
    assert surface_features(prose).compressed_share > 0.7


def test_a_draft_brings_its_request_and_its_ending():
    """A draft and its parts give the same features."""
    draft = Draft(Request.build("Why 7?"), Reply("Because 7.", finish_reason="length"))
    assert surface_features(draft) == surface_features(
        "Because 7.", "Why 7?", finish_reason="length"
    )


@given(st.text(st.characters(), max_size=300), st.text(max_size=50))
def test_any_text_gives_finite_numbers(text, request):
    """No text breaks it; shares stay in [0, 1]."""
    found = surface_features(text, request)
    assert all(math.isfinite(value) for value in found)
    assert all(0 <= getattr(found, name) <= 1 for name in SHARES)


def test_half_a_character_is_read():
    """Lone surrogates, as servers send them, give numbers."""
    assert surface_features(chr(0xD800) * 5).log_chars == math.log1p(5)


def test_a_request_of_parts_is_read_as_well():
    """One message of the user is read at once, others part by part: the same numbers."""
    plain = Request.build("How many of the 12 lamps came?")
    parts = Request.build(
        [{"role": "user", "content": [{"type": "text", "text": "How many of the 12 lamps came?"}]}]
    )
    asked = Request.build({"input": "How many of the 12 lamps came?"})
    found = [surface_features(Draft(one, Reply("12 lamps."))) for one in (plain, parts, asked)]
    assert found[0] == found[1] == found[2]
