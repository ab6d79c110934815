"""Watching a draft while it arrives."""

from __future__ import annotations

from cascade import Price, Tier
from cascade.core.watching import watch_for


class Scorer:
    def __init__(self, hopeless):
        self.hopeless = hopeless

    def __call__(self, draft):
        return 1.0


def watch(hopeless, threshold=0.5):
    return watch_for(Tier("t", scorer=Scorer(hopeless), threshold=threshold, price=Price.free()))


def test_a_scorer_that_cannot_tell_is_not_asked():
    """Functions and objects without `hopeless` judge whole answers only."""
    assert watch_for(Tier("t", scorer=lambda _: 1.0, price=Price.free())) is None
    assert watch_for(Tier("t", price=Price.free())) is None


def test_it_is_given_the_text_the_tokens_and_the_threshold():
    """What it says ends the reading, with its name before it."""
    seen = []

    def hopeless(text, tokens, threshold):
        seen.append((text, [token.logprob for token in tokens], threshold))
        return "no use"

    entries = [{"token": "so", "logprob": -1.5}, {"token": "?", "logprob": None}]
    assert watch(hopeless, 0.9)("a" * 20, entries) == "Scorer: no use"
    assert seen == [("a" * 20, [-1.5], 0.9)]


def test_one_that_raises_decides_nothing():
    """The whole answer is judged anyway, and says what is wrong with the scorer."""
    assert watch(lambda *_: 1 / 0)("a" * 20, []) is None
