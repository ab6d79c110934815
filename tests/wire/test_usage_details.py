"""The tokens of an answer, with every detail that a provider told and none that it did not."""

from __future__ import annotations

import fake_openai as fake
import pytest

from cascade import Cascade, Tier
from cascade.core.usage import Usage
from cascade.testing import ScriptedModels, failure
from cascade.wire.replies import read_reply
from cascade.wire.usage import usage_for, usage_in

TIERS = [Tier("gpt-5.4-nano", scorer=lambda draft: draft.text != "Hm."), Tier("gpt-5.5")]


def spent(*replies, api="chat"):
    """What a chain tells of the tokens that these replies, one after another, have used."""
    script = dict(zip(("gpt-5.4-nano", "gpt-5.5"), replies, strict=False))
    done = Cascade(TIERS[: len(replies)], models=ScriptedModels(script)).complete("hi")
    return usage_in(done.trace, api)


@pytest.mark.parametrize(
    "counts",
    [
        fake.usage(),
        fake.usage(details=False),
        fake.usage(cached=40, written=20, reasoning=5),
        {**fake.usage(), "prompt_tokens_details": {"image_tokens": 7}},
    ],
)
def test_a_single_answers_tokens_are_as_they_came(counts):
    """Audio, predictions, images: nothing is lost, and nothing is added."""
    assert spent(read_reply(fake.completion(counts=counts))) == counts


def test_details_of_all_attempts_add_up():
    """Whatever each of them told, of either API, also inside an object; what is no number is not."""
    first = fake.usage(100, 10, cached=30)
    first["completion_tokens_details"] |= {"rejected_prediction_tokens": 4, "odd": "x", "no": None}
    second = fake.response_usage(50, 20, written=8, reasoning=6)
    ttl = {"ttl_30m_tokens": 5, "ttl_12h_tokens": 3}
    second["input_tokens_details"]["cache_write_tokens_details"] = ttl
    replies = (
        read_reply(fake.completion("Hm.", counts=first)),
        read_reply(fake.response("Good day.", counts=second)),
    )
    read = {"cached_tokens": 30, "audio_tokens": 0, "cache_write_tokens": 8}
    read["cache_write_tokens_details"] = ttl
    written = {"reasoning_tokens": 6, "audio_tokens": 0, "accepted_prediction_tokens": 0}
    written["rejected_prediction_tokens"] = 4
    assert spent(*replies) == {
        "prompt_tokens": 150,
        "completion_tokens": 30,
        "total_tokens": 180,
        "prompt_tokens_details": read,
        "completion_tokens_details": written,
    }
    assert spent(*replies, api="responses") == {
        "input_tokens": 150,
        "input_tokens_details": read,
        "output_tokens": 30,
        "output_tokens_details": written,
        "total_tokens": 180,
    }
    twice = [read_reply(fake.response("Hm.", counts=second)), replies[1]]
    both = spent(*twice)["prompt_tokens_details"]
    assert both["cache_write_tokens_details"] == {"ttl_30m_tokens": 10, "ttl_12h_tokens": 6}


def test_attempts_that_left_no_reply():
    """Their tokens count; details come from the others."""
    done = spent(failure("server"), read_reply(fake.completion()))
    assert done == fake.usage()
    assert usage_for(Usage(5, 3, 2), "chat", [None]) == {
        "prompt_tokens": 5,
        "completion_tokens": 3,
        "total_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 2},
    }


def test_a_response_always_tells_what_its_type_requires():
    """Counts that no reply told are 0 there."""
    made = usage_for(Usage(5, 3), "responses")
    assert made["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    assert made["output_tokens_details"] == {"reasoning_tokens": 0}
