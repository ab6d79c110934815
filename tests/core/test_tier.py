"""Tiers and their settings: what cannot work is refused at birth, by name."""

from __future__ import annotations

import pytest

from cascade import Capabilities, ConfigError, Endpoint, Retry, Tier


class Scorer:
    def __call__(self, draft):
        return 1.0


LOOP = {}
LOOP["again"] = LOOP


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 1.4}, ["tier 'small'", "threshold 1.4", "outside [0, 1]"]),
        ({"threshold": -0.1}, ["threshold -0.1", "outside [0, 1]"]),
        ({"threshold": float("nan")}, ["threshold nan", "outside [0, 1]"]),
        ({"threshold": True}, ["threshold True", "not a number in [0, 1]"]),
        ({"threshold": "0.5"}, ["threshold '0.5'", "not a number in [0, 1]"]),
        ({"threshold": None}, ["threshold None", "not a number in [0, 1]"]),
        ({"scorer": Scorer}, ["tier 'small'", "scorer Scorer is a class", "make one: Scorer(...)"]),
        ({"scorer": 5}, ["scorer 5 is not callable", "expected a function of a draft"]),
        ({"params": {"n": 2}}, ["params n=2", "one answer"]),
        ({"params": {"model": "x"}}, ["params cannot set 'model'", "use model="]),
        ({"params": {"messages": []}}, ["params cannot set 'messages'", "preamble="]),
        ({"params": {"stream": True}}, ["params cannot set 'stream'", ".stream()"]),
        ({"params": ["seed"]}, ["params is ['seed']", "expected a mapping"]),
        ({"params": {"stop": [{1}]}}, ["tier 'small'", "params['stop'][0]: set {1}", "JSON"]),
        ({"params": {"seed": float("nan")}}, ["params['seed']: float nan", "finite numbers"]),
        ({"params": {"again": LOOP}}, ["params['again'] holds itself"]),
        ({"preamble": ["hello"]}, ["preamble[0] is 'hello'", "mapping with a 'role'"]),
        ({"preamble": [{"role": "user", "content": "\ud83d"}]}, ["preamble[0]", "valid Unicode"]),
        ({"preamble": 5}, ["tier 'small'", "preamble is 5: expected a list of messages"]),
        (
            {"preamble": [{"role": "user", "content": "x", "name": "ann"}], "api": "responses"},
            ["tier 'small': preamble[0].name has no equivalent", "or give the tier api='chat'"],
        ),
        (
            {
                "preamble": [
                    {"role": "user", "content": [{"type": "input_file", "file_url": "u"}]}
                ],
                "api": "chat",
            },
            ["preamble[0].content[0].file_url has no", "or give the tier api='responses'"],
        ),
        ({"timeout_s": 0}, ["timeout_s 0", "seconds above 0"]),
        ({"timeout_s": None}, ["timeout_s None", "seconds above 0"]),
        ({"timeout_s": "60"}, ["timeout_s '60'", "seconds above 0"]),
        ({"timeout_s": True}, ["timeout_s True", "seconds above 0"]),
        ({"scorer_timeout_s": float("inf")}, ["scorer_timeout_s inf", "seconds above 0"]),
        ({"name": 5}, ["tier 'small'", "name 5 is no text"]),
        ({"price": "0.20"}, ["tier 'small'", "price is '0.20'", "Price.of("]),
        ({"retry": 3}, ["tier 'small'", "retry is 3", "Retry("]),
        ({"retry": None}, ["retry is None", "Retry("]),
        ({"capabilities": {}}, ["tier 'small'", "capabilities is {}", "Capabilities("]),
        ({"params": {"extra_body": {"x": 1}}}, ["cannot set 'extra_body'", "params themselves"]),
        ({"params": {"extra_headers": {}}}, ["cannot set 'extra_headers'", "to the client"]),
    ],
    ids=str,
)
def test_a_tier_that_cannot_work_is_refused(settings, words):
    """The message names the tier, the value, what was expected and what to do."""
    with pytest.raises(ConfigError) as caught:
        Tier("small", **settings)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("model", ["", "  ", None, 5])
def test_a_tier_needs_a_model(model):
    """A model id that is blank or no text is named and refused."""
    with pytest.raises(ConfigError, match="expected a model id") as caught:
        Tier(model)
    assert repr(model) in str(caught.value)


@pytest.mark.parametrize("threshold", [0, 1, 0.0, 1.0, 0.5])
def test_both_ends_of_the_range_are_thresholds(threshold):
    """Thresholds reach from 0 to 1, both included, as ints too."""
    assert Tier("m", threshold=threshold).threshold == threshold


def test_defaults_of_a_tier():
    """A tier is named after its model, keeps its preamble as a tuple, and may wait without end."""
    tier = Tier("m", preamble=[{"role": "user", "content": "x"}], scorer_timeout_s=None)
    assert (tier.name, type(tier.preamble), Tier("m").preamble) == ("m", tuple, ())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_tries": 0}, "max_tries 0 is no whole number from 1 to 20"),
        ({"max_tries": 21}, "max_tries 21"),
        ({"max_tries": 2.5}, r"max_tries 2\.5"),
        ({"max_tries": True}, "max_tries True"),
        ({"max_tries": "3"}, "max_tries '3'"),
        ({"initial_s": -1}, r"initial_s -1 is not a number of seconds >= 0"),
        ({"max_wait_s": float("nan")}, "max_wait_s nan"),
        ({"max_wait_s": "1"}, "max_wait_s '1'"),
    ],
)
def test_a_retry_that_cannot_work_is_refused(settings, words):
    """Tries and waits outside their ranges are named."""
    with pytest.raises(ConfigError, match=words):
        Retry(**settings)


def test_a_retry_without_waits():
    """Waiting 0 seconds is a wait; the values are kept."""
    assert Retry(1, 0, 0.0) == Retry(max_tries=1, initial_s=0, max_wait_s=0)


def test_an_endpoint_is_a_url():
    """A base URL without http is named and the form shown."""
    with pytest.raises(ConfigError, match=r"'localhost:8080' is no URL; expected http\(s\)://"):
        Endpoint("localhost:8080")
    assert Endpoint("http://127.0.0.1:8080/v1").api_key_env is None


def test_capabilities_have_generous_defaults():
    """A model outside the table is taken to give log-probabilities; its lengths stay unknown."""
    assert Capabilities().logprobs is True
    assert Capabilities().max_output_tokens is None


@pytest.mark.parametrize(
    ("scorer", "shown"),
    [
        (lambda: 1.0, "()"),
        (lambda draft, other: 1.0, "(draft, other)"),
        (lambda *, draft: 1.0, "(*, draft)"),
    ],
)
def test_a_scorer_takes_a_draft(scorer, shown):
    """A scorer that cannot be called with one argument would fail on every answer."""
    with pytest.raises(ConfigError, match="called with one argument, the draft") as caught:
        Tier("m", scorer=scorer)
    assert f"takes {shown}" in str(caught.value)


@pytest.mark.parametrize("scorer", [lambda draft, more=1: 1.0, lambda *all_: 1.0, max])
def test_a_scorer_that_may_work_is_taken(scorer):
    """Further arguments with a value, and functions that do not tell their own, are no reason."""
    assert Tier("m", scorer=scorer).scorer is scorer
