"""logprob_features: quantiles, margins and values; `None` where there is no signal."""

import math

import numpy as np
import pytest
from scoring_help import draft_of, entry, spelled

from scorers import LogprobFeatures, logprob_features


def test_quantiles_are_numpys():
    """The quantiles of all tokens, their mean, sum and number."""
    logs = np.log([0.9, 0.5, 0.8, 0.7])
    found = logprob_features(draft_of("abcd", spelled("abcd", 0.9, 0.5, 0.8, 0.7)))
    expected = np.quantile(logs, [0, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
    assert found[:7] == pytest.approx(tuple(expected))
    assert found.mean == pytest.approx(logs.mean())
    assert found.total == pytest.approx(logs.sum())
    assert found.log_tokens == math.log1p(4)
    assert (found.margin_min, found.has_values) == (0.0, 0.0)
    assert found.weakest_value == found.value_mean == found.mean


def test_values_of_json_have_numbers_of_their_own():
    """Doubtful structure does not touch what is said about values."""
    tokens = [
        entry('{"a": "', -5),
        entry("x", -0.1),
        entry("y", -0.3),
        entry('", "b": ', -5),
        entry("7", -0.5),
        entry("}", -5),
    ]
    found = logprob_features(draft_of('{"a": "xy", "b": 7}', tokens))
    assert found.has_values == 1.0
    assert found.q0 == -5
    assert found.value_q0 == found.weakest_value == -0.5
    assert found.value_total == pytest.approx(-0.9)
    assert found.value_q100 == -0.1


def test_thinking_is_left_out_and_odd_spellings_are_not():
    """Tokens around the answer do not count; where none can be told apart all do."""
    thinking = [entry("hm", -9), entry("yes", -0.1), entry("<|end|>", -9)]
    assert logprob_features(draft_of("yes", thinking)).q0 == -0.1
    assert logprob_features(draft_of("other", thinking)).q0 == -9


def test_without_log_probabilities_there_is_nothing():
    """A missing signal is not a number."""
    assert logprob_features(draft_of("x")) is None
    assert logprob_features(draft_of("x", [])) is None


def test_an_answer_without_text_still_has_tokens():
    """A tool call's tokens are statistics too."""
    found = logprob_features(draft_of("", [entry("{}", -0.2)]))
    assert found.q50 == -0.2
    assert all(math.isfinite(value) for value in found)
    assert len(LogprobFeatures._fields) == len(found) == 25
