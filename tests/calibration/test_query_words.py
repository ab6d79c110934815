"""What the words of a request tell: ranked out of fold, and looked up when serving."""

import numpy as np
import pytest
from learning_help import objects

from cascade import Request
from cascade.calibration.learning.query_words import (
    READ_CHARS,
    WordWeights,
    fit_words,
    request_text,
    vocabulary_of,
    words_of,
)
from cascade.calibration.learning.word_fits import WordFits

TEXTS = [f"{'hard' if row % 2 else 'easy'} question number {row}" for row in range(200)]
QUALITY = np.array([float(row % 2 == 0) for row in range(200)])


def test_words_are_plain():
    """Small letters, no marks; of numbers the length remains."""
    assert words_of("Add 12 to 345, THEN \\frac{x}{7}!") == {
        "add", "00", "to", "000", "then", "frac", "x", "0",
    }  # fmt: skip


def test_words_that_stand_everywhere_or_hardly_anywhere_do_not_count():
    """Only what can tell requests apart is kept."""
    rarity = vocabulary_of([*TEXTS, "once only"]).rarity
    assert {"hard", "easy"} <= rarity.keys()
    assert "once" not in rarity
    assert rarity["hard"] > rarity["question"] > 0


def test_looking_up_is_the_product_of_the_matrix():
    """Served weights give what the fit gave."""
    vocabulary = vocabulary_of(TEXTS)
    matrix = vocabulary.matrix(TEXTS)
    bias, weights = fit_words(matrix, QUALITY, np.ones(200))
    words = {
        word: (rarity, weight * rarity)
        for (word, rarity), weight in zip(vocabulary.rarity.items(), weights, strict=True)
    }
    served = WordWeights(bias, words)
    assert [served.log_odds(text) for text in TEXTS] == pytest.approx(
        (matrix @ weights + bias).tolist()
    )
    assert served.log_odds("easy") > 0 > served.log_odds("hard")
    assert served.log_odds("Zebra?") == bias


def test_the_text_of_a_request():
    """Messages of all roles, parts, instructions; long ones from their end."""
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "x"}}]
    request = Request.build(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
    )
    assert request_text(request) == "Be brief.\nLook:"
    responses = Request.build({"input": "Why?", "instructions": "Be kind."})
    assert request_text(responses) == "Be kind.\nWhy?"
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
    assert request_text(Request.build([{"role": "user", "content": "Hi"}, called])) == "Hi"
    assert len(request_text(Request.build("a" * 30_000))) == READ_CHARS


def fits(quality, folds):
    return WordFits(objects(TEXTS), quality[:, None], np.ones(200), folds)


def test_no_request_is_described_by_its_own_label():
    """Changing the labels of a fold leaves what its words say of it as it was."""
    folds = np.arange(200) % 5
    mine = folds == 2
    changed = np.where(mine, 1 - QUALITY, QUALITY)
    before, after = fits(QUALITY, folds), fits(changed, folds)
    assert np.array_equal(before.held_out(0)[mine], after.held_out(0)[mine])
    assert np.array_equal(before.outside(0, 2)[mine], after.outside(0, 2)[mine])


def test_models_outside_a_fold_never_hear_of_it():
    """Not even through the words that describe their own requests."""
    folds = np.arange(200) % 5
    mine = folds == 2
    changed = np.where(mine, 1 - QUALITY, QUALITY)
    before, after = fits(QUALITY, folds).outside(0, 2), fits(changed, folds).outside(0, 2)
    assert np.array_equal(before, after)
    assert not np.array_equal(fits(QUALITY, folds).held_out(0), fits(changed, folds).held_out(0))


def test_few_labels_do_not_speak():
    """Below 100 labels, or without words, nothing is learned."""
    folds = np.arange(200) % 5
    few = np.where(np.arange(200) < 99, QUALITY, np.nan)
    assert fits(QUALITY, folds).speak(0)
    assert not fits(few, folds).speak(0)
    silent = WordFits(objects([""] * 200), QUALITY[:, None], np.ones(200), folds)
    assert not silent.speak(0)
