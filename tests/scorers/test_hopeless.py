"""What scorers know of an answer that is still arriving: never that a good one is lost."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import judged

from cascade import Cascade, Draft, Policy, Price, Request, Tier, TokenLogprob
from cascade.testing import ScriptedModels, reply
from scorers import (
    Agreement,
    Forbids,
    JsonSchema,
    LengthBetween,
    LogprobConfidence,
    NoRefusal,
    all_of,
    any_of,
    calibrated,
    first_reject,
    weighted,
)

ANY = JsonSchema(True)


def tokens(text, logprob=-0.1):
    return [TokenLogprob(piece, logprob) for piece in text]


@pytest.mark.parametrize(
    ("scorer", "lost", "open_still"),
    [
        (ANY, ["Sure!", "```json\n{", '{"a" 1', "[1,,", '{"a": NaN', "{'a'"], ["", " ", "{", "tr", '"a', "-", '{"a": tr', "[1,"]),
        (LengthBetween(max_chars=5), ["123456", " 12 345"], ["12345", " 12345  ", "1"]),
        (LengthBetween(max_words=2), ["a b c", "a b c d"], ["a b", "a b "]),
        (LengthBetween(min_chars=5), [], ["1", "123456789"]),
        (NoRefusal(), ["I\N{RIGHT SINGLE QUOTATION MARK}m sorry, but I cannot", "As an AI model"], ["As an A", "As an AI", "I'm", "x" * 400 + "as an AI model"]),
        (Forbids(texts=["stock tip"]), ["a STOCK  tip!", "stock tips"], ["stock ti", "stock tip"]),
        (Forbids(patterns=["tip$"]), [], ["tip", "tips"]),
        (first_reject(ANY, LengthBetween(max_chars=5)), ["no", "[1,2,3"], ["[1,2"]),
        (all_of(ANY, lambda draft: 1.0), ["no"], ["[1"]),
        (first_reject(first_reject(ANY)), ["no"], ["[1"]),
    ],
)  # fmt: skip
def test_what_is_lost_and_what_is_not_yet(scorer, lost, open_still):
    """An answer is given up only where no continuation of it can pass."""
    for text in lost:
        assert scorer.hopeless(text, [], 0.5), text
        assert scorer.hopeless(text, [], 0.0) is None, text
    for text in open_still:
        assert scorer.hopeless(text, [], 0.5) is None, text


def test_a_combination_that_can_still_win_says_nothing():
    """With `any_of` another part may vouch, so nothing is certain."""
    assert not hasattr(any_of(ANY, LengthBetween(max_chars=5)), "hopeless")


def test_probabilities_that_only_fall():
    """The smallest and the product are lost once below the threshold; a mean may recover."""
    doubtful = [*tokens("ab"), TokenLogprob("c", math.log(0.3)), *tokens("d")]
    for aggregate in ("min", "sum"):
        scorer = LogprobConfidence(aggregate)
        assert "< 0.5 after 4 tokens" in scorer.hopeless("abcd", doubtful, 0.5)
        assert scorer.hopeless("ab", doubtful[:2], 0.5) is None
        assert scorer.hopeless("", [], 0.5) is None
    assert LogprobConfidence("mean").hopeless("abcd", doubtful, 0.9) is None
    space = [TokenLogprob("\n", -9.0), *tokens("ok")]
    assert LogprobConfidence("min").hopeless("\nok", space, 0.5) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=8),
       st.booleans())  # fmt: skip
def test_no_beginning_of_valid_json_is_given_up(document, ascii_only):
    """Every prefix of a JSON text may still become one."""
    text = json.dumps(document, ensure_ascii=ascii_only)
    for end in range(len(text) + 1):
        assert ANY.hopeless(text[:end], [], 0.5) is None, text[:end]


@given(st.text(max_size=30), st.sampled_from([ANY, NoRefusal(), Forbids(texts=["ab"]), LengthBetween(max_chars=9)]))  # fmt: skip
def test_what_is_given_up_would_have_been_rejected(text, scorer):
    """A prefix that is called lost is lost in the whole answer too."""
    if any(scorer.hopeless(text[:end], [], 0.5) for end in range(len(text))):
        assert scorer(Draft(Request.build("?"), reply(text))).value == 0.0


def test_prose_where_json_was_wanted_is_left_after_a_few_words():
    """In a chain: the draft is left, the next tier answers, the cost is an estimate."""
    models = ScriptedModels({"low": "Sure, here is " + "the " * 500, "top": "{}"})
    chain = [
        Tier("low", scorer=ANY, price=Price.of("1", "2")),
        Tier("top", price=Price.of("4", "8")),
    ]
    done = Cascade(chain, models=models, policy=Policy(stop_early=True)).complete("JSON, please")
    first = done.trace.attempts[0]
    assert first.charges[0].usage.output_tokens < 10
    assert first.reason.startswith("left before its end: JsonSchema: not JSON: expected value")
    assert done.text == "{}"


def confident(draft):
    return 0.3


def test_a_part_that_may_never_run_gives_nothing_up():
    """Below `stop_below` a part can end the run with a score that is accepted."""
    gate = first_reject(confident, ANY)
    assert judged(gate, Draft(Request.build("?"), reply("no")))[0].value == 0.3
    assert gate.hopeless("no", [], 0.2) is None
    assert gate.hopeless("no", [], 0.5)
    assert first_reject(ANY, confident).hopeless("no", [], 0.2)


@pytest.mark.parametrize("wrap", [first_reject, all_of, any_of, lambda part: weighted(part, weights=[1]), lambda part: calibrated(part, [(0, 0), (1, 1)])])  # fmt: skip
def test_nothing_behind_a_wrapped_replacement_is_certain(wrap):
    """Parts after one that may replace the answer judge another text, however deep it is hidden."""
    inner = wrap(Agreement())
    assert inner.replaces
    assert not wrap(ANY).replaces
    for combine in (first_reject, all_of):
        assert combine(inner, ANY).hopeless("no", [], 0.5) is None
        assert combine(ANY, inner).hopeless("no", [], 0.5)


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\ude00"', '{"a": "\\ud83d", "b": 1}'])
def test_half_a_surrogate_pair_is_not_given_up(text):
    """What the reader takes is not given up on the way."""
    assert ANY(Draft(Request.build("?"), reply(text))).value == 1.0
    assert not any(ANY.hopeless(text[:end], [], 0.5) for end in range(len(text) + 1))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [("as an ai", "as an ai\u0301"), ("as an ai", "as an ai\u0301\u0327"), ("\uac00", "\uac00\u11a8!")],
)  # fmt: skip
def test_letters_that_still_change_are_not_given_up(phrase, text):
    """Marks and jamo join what stands before them; only what is settled counts."""
    for scorer in (NoRefusal([phrase]), Forbids(texts=[phrase])):
        assert scorer(Draft(Request.build("?"), reply(text))).value == 1.0
        assert not any(scorer.hopeless(text[:end], [], 0.5) for end in range(len(text) + 1))
