"""Replies: what decisions read of them."""

from __future__ import annotations

import copy

import pytest

from cascade import Reply, TokenLogprob
from cascade.core.reply import FLOOR_LOGPROB, read_tokens


@pytest.mark.parametrize(
    ("settings", "empty"),
    [
        ({"text": ""}, True),
        ({"text": " \n\t"}, True),
        ({"text": "x"}, False),
        ({"text": "", "refusal": "no"}, False),
        ({"text": "", "tool_calls": ({"id": "1"},)}, False),
    ],
)
def test_empty_means_nothing_at_all(settings, empty):
    """Blank text without refusal or tool call is an empty answer."""
    assert Reply(**settings).is_empty is empty


def read(*entries):
    return Reply("x", raw_logprobs=list(entries)).logprobs


def test_log_probabilities_are_read_and_bounded():
    """Tokens, alternatives and bytes are read; the sentinel becomes the floor, and 0 is the top."""
    tokens = read(
        {"token": "a", "logprob": -0.5, "bytes": [97],
         "top_logprobs": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -9999.0}]},
        {"token": "b", "logprob": -9999.0, "top_logprobs": None},
        {"token": "c", "logprob": 0.001, "bytes": [300]},
        {"token": "d", "logprob": -1, "bytes": ["x"], "top_logprobs": ["odd", {"token": 1}]},
    )  # fmt: skip
    assert [token.token for token in tokens] == ["a", "b", "c", "d"]
    assert [token.logprob for token in tokens] == [-0.5, FLOOR_LOGPROB, 0.0, -1.0]
    assert tokens[0].top == (("a", -0.5),)
    assert [token.raw for token in tokens] == [b"a", None, None, None]


@pytest.mark.parametrize(
    "entry",
    [None, "a", {}, {"token": 1, "logprob": 0}, {"token": "a"}, {"token": "a", "logprob": True},
     {"token": "a", "logprob": "x"}, {"token": "a", "logprob": float("nan")}],
    ids=str,
)  # fmt: skip
def test_entries_without_a_number_are_left_out(entry):
    """An entry that holds no probability is no token; with none left there is no signal."""
    assert read(entry) is None
    assert len(read(entry, {"token": "a", "logprob": -1.0})) == 1


@pytest.mark.parametrize(
    "odd",
    [{"token": "b", "logprob": -0.25}, {"token": "b", "logprob": -9999.0},
     {"token": "b", "logprob": 0.1}, {"token": "b", "logprob": -1}, {"token": "b", "logprob": None},
     {"token": "b", "logprob": float("nan")}, {"token": 1, "logprob": -0.5}, {"token": "b"},
     {"logprob": -1.0}, None, [], "b"],
    ids=str,
)  # fmt: skip
def test_columns_are_what_the_tokens_say(odd):
    """Texts and numbers apart are those of the tokens, however odd one of them is."""
    first = {"token": "a", "logprob": -0.5}
    for entries in ([first, odd, first], [odd]):
        reply = Reply("x", raw_logprobs=entries)
        tokens = reply.logprobs
        columns = tokens and (
            tuple(token.token for token in tokens),
            tuple(token.logprob for token in tokens),
        )
        assert reply.logprob_columns == columns
    assert Reply("x").logprob_columns is None
    assert Reply("x", raw_logprobs=[]).logprob_columns is None


def test_no_log_probabilities_are_none():
    """A reply without log-probabilities has none, which is not the same as certain ones."""
    assert Reply("x").logprobs is None
    assert read() is None


def test_a_token_is_what_it_says_however_it_was_made():
    """Read from the wire or built by hand, whether its alternatives were looked at or not."""
    entry = {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [{"token": "a", "logprob": -0.5}],
    }
    (read,) = read_tokens([entry])
    (looked_at,) = read_tokens([entry])
    assert looked_at.top == (("a", -0.5),)
    by_hand = TokenLogprob("a", -0.5, top=[("a", -0.5)], raw=b"a")
    assert read == looked_at == by_hand
    assert len({read, looked_at, by_hand}) == 1
    shown = "TokenLogprob(token='a', logprob=-0.5, top=(('a', -0.5),), raw=b'a')"
    assert repr(read) == shown
    assert copy.deepcopy(read) == read
    assert read != TokenLogprob("a", -0.5)
    assert read != "a"
