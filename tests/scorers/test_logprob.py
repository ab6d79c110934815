"""LogprobConfidence: aggregates, values of JSON, labels, and what servers really send."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring_help import draft_of, entry, spelled

from cascade import Abstained, ConfigError, Needs, Score
from scorers import LogprobConfidence


def test_aggregates_are_what_they_say():
    """Each aggregate is the documented function of the chosen tokens' log-probabilities."""
    draft = draft_of("abcd", spelled("abcd", 0.9, 0.5, 0.8, 0.7))
    logs = np.log([0.9, 0.5, 0.8, 0.7])
    expected = {
        "mean": np.exp(logs.mean()),
        "min": 0.5,
        "sum": 0.9 * 0.5 * 0.8 * 0.7,
        "first": 0.9,
        "quantile": np.exp(np.quantile(logs, 0.1)),
        "margin": (0.8 + 0.0 + 0.6 + 0.4) / 4,
    }
    for aggregate, value in expected.items():
        score = LogprobConfidence(aggregate=aggregate)(draft)
        assert score.value == pytest.approx(value), aggregate


@given(
    st.lists(st.floats(-19, 0), min_size=1, max_size=30),
    st.floats(0.001, 0.999),
)
def test_the_quantile_is_numpys(logs, share):
    """Our quantile is numpy.quantile's default on any list."""
    text = "x" * len(logs)
    draft = draft_of(text, [entry("x", value) for value in logs])
    score = LogprobConfidence(aggregate="quantile", quantile=share)(draft)
    assert score.value == pytest.approx(math.exp(np.quantile(logs, share)), rel=1e-9, abs=1e-12)


def test_the_reason_is_short_and_counts_tokens():
    """The reason names the aggregate, the number and how many tokens it is over."""
    score = LogprobConfidence()(draft_of("ab", spelled("ab", 0.5, 0.5)))
    assert score.reason == "mean p = 0.5 over 2 tokens"
    assert LogprobConfidence("first")(draft_of("a", spelled("a", 0.5))).reason.endswith("1 token")


@pytest.mark.parametrize("logprobs", [None, [], [{"token": "a", "logprob": None}], ["junk", 3]])
def test_missing_logprobs_are_no_number(logprobs):
    """Without readable log-probabilities the scorer abstains."""
    for scorer in (
        LogprobConfidence(),
        LogprobConfidence(over="json_values"),
        LogprobConfidence(labels=["a", "b"]),
    ):
        assert isinstance(scorer(draft_of("a", logprobs)), Abstained)


def test_a_tool_call_has_no_text_to_weigh():
    """Log-probabilities without text abstain."""
    assert isinstance(LogprobConfidence()(draft_of("", [entry("x")])), Abstained)


def test_the_sentinel_lowers_confidence_instead_of_breaking_it():
    """-9999.0 on a chosen token counts as nearly impossible, not as minus infinity or missing."""
    draft = draft_of("ab", [entry("a", -0.0), entry("b", -9999.0)])
    assert 0 < LogprobConfidence("min")(draft).value < 1e-8
    assert 0 < LogprobConfidence("mean")(draft).value < 1e-4


@pytest.mark.parametrize(
    ("chosen", "top", "expected"),
    [
        (0.7, [("a", 0.7), ("b", 0.2)], 0.5),
        (0.7, [("a", 0.7)], 0.4),  # the unseen rival holds at most 0.3
        (0.7, [], 0.4),
        (0.4, [], 0.0),
        (1.0, [("a", 1.0)], 1.0),
        (0.2, [("b", 0.7), ("a", 0.2)], 0.0),  # sampled against the odds
        (0.1, [("b", 0.9)], 0.0),
    ],
)
def test_margin_never_counts_on_alternatives(chosen, top, expected):
    """The margin is exact with a listed rival and a lower bound without one."""
    tokens = [entry("a", math.log(chosen), [(t, math.log(p)) for t, p in top])]
    assert LogprobConfidence("margin")(draft_of("a", tokens)).value == pytest.approx(expected)


def test_needs_are_no_larger_than_what_is_read():
    """Alternatives are requested for margin and labels only."""
    assert LogprobConfidence().needs == Needs(logprobs=True, top_logprobs=0)
    assert LogprobConfidence("margin").needs == Needs(logprobs=True, top_logprobs=2)
    assert LogprobConfidence(labels=["a", "b"]).needs == Needs(logprobs=True, top_logprobs=5)


def test_thinking_and_end_tokens_do_not_count():
    """Tokens before and after the answer's own text are left out."""
    tokens = [entry("hm yes.", -5), entry("\n\n", -5), entry("yes", -0.0), entry("<|end|>", -9)]
    assert LogprobConfidence("min")(draft_of("yes", tokens)).value == 1.0


def test_tokens_that_do_not_spell_the_text_still_count_as_a_whole():
    """Half characters without bytes cannot be aligned; all tokens are then weighed."""
    tokens = [entry("\ufffd", -1.0, raw=None), entry("\ufffd", -1.0, raw=None)]
    assert LogprobConfidence()(draft_of("é", tokens)).value == pytest.approx(math.exp(-1))
    assert isinstance(LogprobConfidence(over="json_values")(draft_of('"é"', tokens)), Abstained)


def test_first_skips_white_space():
    """The first token is the first with content."""
    draft = draft_of(" a b", [entry(" ", -3), entry("a", -0.5), entry(" b", -2)])
    assert LogprobConfidence("first")(draft).value == pytest.approx(math.exp(-0.5))


# Values of a JSON answer -----------------------------------------------------------------------


def test_the_weakest_value_decides_and_is_named():
    """Confident structure cannot hide one doubtful field."""
    tokens = [
        entry('{"', -0.0),
        entry("name", -0.0),
        entry('":"', -0.0),
        entry("Ann", math.log(0.9)),
        entry('","', -0.0),
        entry("age", -0.0),
        entry('":', -0.0),
        entry("4", math.log(0.5)),
        entry("2}", math.log(0.72)),
    ]
    score = LogprobConfidence(over="json_values")(draft_of('{"name":"Ann","age":42}', tokens))
    assert score.value == pytest.approx(0.6)
    assert score.reason == "$.age: mean p = 0.6, weakest of 2 values"


def test_structure_keys_and_white_space_are_ignored():
    """Doubt about anything but values changes nothing."""
    tokens = [entry('{ "k', -9), entry('" :\n ', -9), entry("true", -0.0), entry(" }", -9)]
    score = LogprobConfidence(over="json_values")(draft_of('{ "k" :\n true }', tokens))
    assert score.value == 1.0


def test_a_code_fence_and_white_space_are_tolerated():
    """JSON in one code fence is read; its fence tokens do not count."""
    tokens = [entry("```json\n", -9), entry("[1]", math.log(0.5)), entry("\n```", -9)]
    score = LogprobConfidence(over="json_values")(draft_of("```json\n[1]\n```", tokens))
    assert score == Score(0.5, "$[0]: mean p = 0.5, the only value")


def test_an_empty_string_is_weighed_by_its_closing_quote():
    """A value without bytes of its own still has a token that decided it."""
    tokens = [entry('{"a":"', -0.0), entry('"', math.log(0.3)), entry("}", -0.0)]
    score = LogprobConfidence(over="json_values")(draft_of('{"a":""}', tokens))
    assert score.value == pytest.approx(0.3)


@pytest.mark.parametrize(
    "text",
    ["not json", "Here: [1]", "{}", "[[], {}]", "[1] and more", "```python\n[1]\n```", "[" * 9999],
)
def test_no_json_values_is_no_number(text):
    """Prose, empty containers and bottomless nesting abstain with a reason."""
    outcome = LogprobConfidence(over="json_values")(draft_of(text, [entry(text, -0.1)]))
    assert isinstance(outcome, Abstained)
    assert outcome.reason


def test_a_blank_text_lies_along_no_tokens():
    """There is nothing to align for a text of white space."""
    from scorers.json_spans import align

    assert align(draft_of(" ", [entry(" ")]).reply.logprobs, " ") is None


def leaves(value, path=()):
    """Paths and leaf values in order, the plain recursive way."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for i, item in enumerate(value) for leaf in leaves(item, (*path, i))]
    return [(path, value)]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(JSON, st.booleans(), st.sampled_from([None, 2]))
def test_spans_find_every_value(value, ascii_only, indent):
    """For any document, in any layout, the spans are its leaves in order, byte for byte."""
    from scorers.json_spans import value_spans

    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    data = text.encode()
    found = []
    for span in value_spans(text):
        path, start = span.path, span.start
        piece = data[start : span.end].decode()
        quoted = data[start - 1 : start] == b'"' or piece == '"'
        found.append(
            (path, json.loads('""' if piece == '"' else f'"{piece}"' if quoted else piece))
        )
    assert found == leaves(value)


@given(JSON, st.booleans(), st.data())
def test_tokens_belong_to_the_values_they_overlap(value, ascii_only, data):
    """However a text is cut into tokens, inside characters too, a value has just its own tokens."""
    from scorers.json_spans import align, value_spans

    text = json.dumps(value, ensure_ascii=ascii_only)
    encoded = text.encode()
    cuts = sorted(
        {0, len(encoded), *data.draw(st.lists(st.integers(0, len(encoded)), max_size=20))}
    )
    pairs = list(pairwise(cuts))
    wire = [
        entry(encoded[a:b].decode("utf-8", "replace"), -0.001 * i, raw=list(encoded[a:b]))
        for i, (a, b) in enumerate(pairs)
    ]
    tokens = draft_of(text, wire).reply.logprobs
    aligned = align(tokens, text)
    assert aligned is not None
    for span in value_spans(text):
        expected = [
            token
            for token, (a, b) in zip(tokens, pairs, strict=True)
            if a < span.end and b > span.start
        ]
        assert list(aligned.between(span.start, span.end)) == expected


# Labels ----------------------------------------------------------------------------------------

LABELS = ["billing", "shipping", "sales"]


def labelled(text, *tokens, labels=LABELS):
    entries = [entry(t, math.log(p), [(a, math.log(q)) for a, q in top]) for t, p, top in tokens]
    return LogprobConfidence(labels=labels)(draft_of(text, entries))


def test_a_label_shares_mass_with_the_other_labels_only():
    """Mass on words that begin no label is left out; spellings of one label are added up."""
    top = [("bill", 0.5), (" Billing", 0.1), ("ship", 0.2), ("The", 0.2)]
    score = labelled("billing", ("bill", 0.5, top), ("ing", 1.0, []))
    assert score.value == pytest.approx(0.6 / 0.8)
    assert "'billing'" in score.reason


def test_a_sure_single_candidate_is_sure():
    """One alternative at -0.0 scores 1."""
    assert labelled("Billing.", ("Billing", 1.0, [("Billing", 1.0)])).value == 1.0


@pytest.mark.parametrize("top", [[], [("billing", 0.6)]])
def test_unlisted_mass_counts_as_other_labels(top):
    """With short or empty alternatives the score is what is known of the chosen label alone."""
    assert labelled("billing", ("billing", 0.6, top)).value == pytest.approx(0.6)


def test_a_shared_beginning_is_settled_by_the_following_tokens():
    """Where labels begin alike, the probability is the product over the tokens that decide."""
    score = labelled(
        "shipping",
        ("s", 0.8, [("s", 0.8), ("b", 0.2)]),
        ("hip", 0.75, [("hip", 0.75), ("ales", 0.25)]),
        ("ping", 0.5, []),
    )
    assert score.value == pytest.approx(0.8 * 0.75)


def test_an_ambiguous_alternative_is_split_evenly():
    """Another path that begins two labels counts half for each."""
    score = labelled("shipping", ("ship", 0.6, [("ship", 0.6), ("s", 0.2), ("b", 0.2)]))
    assert score.value == pytest.approx(0.6 + 0.1)


def test_a_label_that_begins_another_is_halved():
    """Stopping leaves no trace in the tokens, so the shorter of two nested labels is unsure."""
    score = labelled("ship", ("ship", 1.0, [("ship", 1.0)]), labels=["ship", "shipping"])
    assert score.value == pytest.approx(0.5)


def test_an_answer_outside_the_labels_scores_zero():
    """A wrong word is wrong, not unknown."""
    score = labelled("refund", ("refund", 1.0, []))
    assert score.value == 0.0
    assert "'refund'" in score.reason


def test_quotes_and_white_space_before_the_label_are_skipped():
    """The label is read at its first token with content."""
    score = labelled(
        '"sales"', ('"', 1.0, []), ("sales", 0.9, [("sales", 0.9), ("b", 0.1)]), ('"', 1, [])
    )
    assert score.value == pytest.approx(0.9)


def test_signs_tell_labels_apart():
    """The labels "-1" and "1" are two."""
    score = labelled("-1", ("-1", 0.9, [("-1", 0.9), ("1", 0.1)]), labels=["-1", "0", "1"])
    assert score.value == pytest.approx(0.9)


@given(
    st.lists(st.sampled_from(["b", "s", "sh", "sa", "x", ""]), min_size=1, max_size=5, unique=True),
    st.data(),
)
def test_the_share_of_a_label_stays_a_probability(words, data):
    """Any alternatives give a score in [0, 1]."""
    masses = data.draw(st.lists(st.floats(0.001, 1), min_size=len(words), max_size=len(words)))
    total = max(1.0, sum(masses))
    top = [(w, m / total) for w, m in zip(words, masses, strict=True)]
    outcome = labelled("shipping", ("shipping", 0.01, top))
    assert 0 <= outcome.value <= 1


@pytest.mark.parametrize("token", ["sales", "xx", " "])
def test_tokens_of_another_label_are_no_evidence(token):
    """Where the tokens do not spell the answer's label, the scorer abstains."""
    assert isinstance(labelled("billing", (token, 0.9, [])), Abstained)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"aggregate": "median"}, "aggregate 'median'"),
        ({"over": "words"}, "over 'words'"),
        ({"quantile": 0}, "quantile 0"),
        ({"quantile": "low"}, "quantile 'low'"),
        ({"labels": "yes"}, "labels 'yes'"),
        ({"labels": ["yes"]}, "no choice"),
        ({"labels": ["yes", "Yes."]}, "alike"),
        ({"labels": ["yes", " "]}, "no text"),
        ({"labels": ["a", "b"], "aggregate": "min"}, "replace"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        LogprobConfidence(**settings)


def test_a_fence_that_the_server_took_off_is_tolerated():
    """A server that strips the code fence from the text leaves its tokens; the values are found."""
    pieces = ["```", "json", "\n", '{"', "a", '": ', "17", "}", "\n", "```", ""]
    entries = [{"token": piece, "logprob": -0.5 if piece == "17" else 0.0} for piece in pieces]
    draft = draft_of('{"a": 17}', entries)
    outcome = LogprobConfidence(aggregate="min", over="json_values")(draft)
    assert outcome.value == pytest.approx(math.exp(-0.5))
    assert "$.a" in outcome.reason
