"""Answers in audio through the real SDK: they are answers, and what they cost is no exact sum."""

from __future__ import annotations

from dataclasses import replace

import pytest
from faces import one, pair
from fake_openai import answer, chunk, completion, events, usage

from cascade.core.pricing import Price
from cascade.core.usage import audio_tokens

ASKED = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "pcm16"}}
WORDS = ("Paris", " is it.")


def spoken(**more):
    """A reply as the models that speak give it: no content, and the words beside the sound."""
    body = completion(None, **more)
    audio = {"id": "audio_1", "data": "UklGRg==", "expires_at": 1795303600}
    body["choices"][0]["message"]["audio"] = {**audio, "transcript": "".join(WORDS)}
    return body


def counted(heard=0, said=0):
    """A usage of which so many tokens were audio."""
    counts = usage()
    counts["prompt_tokens_details"]["audio_tokens"] = heard
    counts["completion_tokens_details"]["audio_tokens"] = said
    return counts


def test_an_answer_in_audio_is_no_empty_one(face, openai_api):
    """Scorers read what was said, and the caller gets the sound."""
    openai_api.return_value = answer(spoken())
    seen = []

    def listened(draft):
        seen.append(draft.text)
        return True

    done = face(pair(scorer=listened)).complete(**ASKED)
    assert seen == ["Paris is it."]
    assert (done.tier, done.text) == ("small", "Paris is it.")
    assert done.reply.wire["choices"][0]["message"]["audio"]["data"] == "UklGRg=="


def test_audio_that_is_streamed_is_an_answer(face, openai_api):
    """Words and sound come in pieces, which pass as they came and are put together for the trace."""
    pieces = [
        {"role": "assistant", "content": None, "audio": {"id": "audio_1"}},
        *({"audio": {"transcript": word}} for word in WORDS),
        {"audio": {"data": "UklG"}},
        {"audio": {"data": "Rg==", "expires_at": 1795303600}},
    ]
    sent = [*map(chunk, pieces), chunk({}, finish_reason="stop"), chunk(counts=usage())]
    openai_api.return_value = events(sent)
    stream, chunks = face(one()).stream(**ASKED)
    assert [piece.wire for piece in chunks][:-1] == sent[:-1]
    assert "".join(piece.text for piece in chunks) == stream.completion.text == "Paris is it."
    message = stream.completion.reply.wire["choices"][0]["message"]
    assert message["audio"] == spoken()["choices"][0]["message"]["audio"]


@pytest.mark.parametrize(("heard", "said"), [(80, 0), (0, 7), (80, 7)])
def test_tokens_of_audio_are_no_exact_cost(face, openai_api, heard, said):
    """They are dearer than text, and a price has one rate for either: the charge says so."""
    openai_api.return_value = answer(spoken(counts=counted(heard, said)))
    (charge,) = face(one()).complete(**ASKED).trace.charges
    assert charge.basis == "estimated"
    assert charge.notes == (f"{heard + said} tokens of audio, priced as text",)


def test_audio_of_a_free_model_costs_nothing(face, openai_api):
    """What is free is free whatever it is."""
    openai_api.return_value = answer(spoken(counts=counted(80, 7)))
    (charge,) = face([replace(one()[0], price=Price.free())]).complete(**ASKED).trace.charges
    assert (charge.basis, charge.cost_usd, charge.notes) == ("exact", 0, ())


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (None, 0),
        ({"prompt_tokens": 1}, 0),
        ({"prompt_tokens_details": {"audio_tokens": "x"}, "prompt_tokens": 1}, 0),
        (counted(3, 4), 7),
        ({"input_tokens": 9, "input_tokens_details": {"audio_tokens": 5}}, 5),
    ],
)
def test_tokens_of_audio_are_read_where_they_are_told(given, count):
    """Of either API's usage; what is no count is none."""
    assert audio_tokens(given) == count
