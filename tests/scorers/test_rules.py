"""Rules about the text of an answer."""

import time

import pytest
from scoring_help import draft_of

from cascade import ConfigError
from scorers import Forbids, LengthBetween, Matches, NoRefusal


def value(scorer, text, **reply):
    return scorer(draft_of(text, **reply)).value


def test_a_pattern_is_found_or_covers():
    """Mode "search" looks anywhere, "full" at the whole answer without the space around it."""
    assert value(Matches(r"order #\d+"), "Your order #12 is late") == 1.0
    assert value(Matches(r"\d+", mode="full"), " 12\n") == 1.0
    assert value(Matches(r"\d+", mode="full"), "12 kg") == 0.0


def test_flags_do_what_they_say():
    """Case, lines and dots follow their flags."""
    assert value(Matches("yes"), "YES") == 0.0
    assert value(Matches("yes", ignore_case=True), "YES") == 1.0
    assert value(Matches("^b$"), "a\nb\nc") == 0.0
    assert value(Matches("^b$", multiline=True), "a\nb\nc") == 1.0
    assert value(Matches("a.b"), "a\nb") == 0.0
    assert value(Matches("a.b", dot_all=True), "a\nb") == 1.0


def test_a_runaway_pattern_ends_and_does_not_pass():
    """Catastrophic backtracking is cut off with a reason."""
    hostile = draft_of("a" * 60 + "!")
    score = Matches("^(a|aa)+$")(hostile)
    assert score.value == 0.0
    assert "longer than 0.25 s" in score.reason
    score = Forbids(patterns=["^(a|aa)+$", "b"])(hostile)
    assert score.value == 0.0
    assert "longer than" in score.reason
    assert value(Matches("^(a+)+$"), "a" * 40 + "!") == 0.0


def test_an_allowance_that_is_used_up_stays_used_up():
    """After a timeout nothing more is matched on that draft."""
    from scorers.patterns import PatternTimeout, PatternTimer, compile_pattern

    timer = PatternTimer(left_s=0.0)
    with pytest.raises(PatternTimeout):
        timer.search(compile_pattern("a", "test"), "a")


def test_length_is_bounded_on_both_sides():
    """Bounds are inclusive, in characters and in words."""
    assert value(LengthBetween(min_chars=3, max_chars=3), " abc ") == 1.0
    assert value(LengthBetween(max_chars=2), "abc") == 0.0
    assert value(LengthBetween(min_chars=4), "abc") == 0.0
    assert value(LengthBetween(min_words=2, max_words=3), "one two  three") == 1.0
    assert LengthBetween(max_words=1)(draft_of("one two")).reason == "2 words, at most 1 wanted"


def test_declining_in_plain_text_is_a_refusal():
    """Typical openings are found in any case and with any apostrophe, further on they are not."""
    assert value(NoRefusal(), "I\u2019M SORRY, but I  cannot do this") == 0.0
    assert value(NoRefusal(), "Paris.") == 1.0
    assert value(NoRefusal(), "x" * 400 + " I can't help") == 1.0
    assert value(NoRefusal(), "", refusal="No.") == 0.0
    assert value(NoRefusal(phrases=["leider"]), "Leider nein") == 0.0
    assert value(NoRefusal(phrases="leider"), "I can't help") == 1.0


def test_forbidden_texts_and_patterns():
    """One hit is enough, and the reason says which."""
    scorer = Forbids(["Acme's"], patterns=[r"\bTODO\b"])
    assert value(scorer, "all fine") == 1.0
    assert scorer(draft_of("buy ACME\u2019S pens")).reason == 'it holds "Acme\'s"'
    assert scorer(draft_of("TODO: write")).reason == r"it matches '\\bTODO\\b'"
    assert value(scorer, "TODOS") == 1.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Matches("("), "'\\(' is no regular expression"),
        (lambda: Matches(7), "pattern 7 is no text"),
        (lambda: Matches("a", mode="match"), "mode 'match'"),
        (LengthBetween, "no bound"),
        (lambda: LengthBetween(min_chars=-1), "min_chars -1"),
        (lambda: LengthBetween(max_words=1.5), "max_words 1.5"),
        (lambda: LengthBetween(min_words=3, max_words=2), "above max_words 2"),
        (lambda: NoRefusal(phrases=[]), "no phrases"),
        (lambda: NoRefusal(phrases=[" "]), "no list of texts"),
        (Forbids, "nothing to forbid"),
        (lambda: Forbids(texts=7), "no list of texts"),
        (lambda: Forbids(patterns=["["]), "no regular expression"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(make, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        make()


def test_a_crowd_of_marks_is_read_in_time():
    """Endless marks on one letter, slow to normalise, neither hang the rule nor hide a text."""
    crowd = "a" + "\u0338\u0316" * 400_000
    started = time.perf_counter()
    assert value(Forbids(["acme"]), f"{crowd} \uff21cme") == 0.0
    assert time.perf_counter() - started < 5
