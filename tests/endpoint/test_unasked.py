"""A caller sees log-probabilities where it asked for them, and nowhere else."""

from __future__ import annotations

import json

import pytest

from cascade import Cascade, Tier
from cascade.endpoint.answers import body_of
from cascade.endpoint.books import books_of
from cascade.endpoint.calls import read_call
from cascade.endpoint.frames import frames
from cascade.endpoint.unasked import without_logprobs
from cascade.forms.params import LOGPROBS
from cascade.testing import ScriptedModels, reply
from scorers import LogprobConfidence

ENTRIES = [{"token": "Yes", "logprob": -0.1, "bytes": None, "top_logprobs": []}]

ASKING = {"chat": {"logprobs": True}, "responses": {"include": [LOGPROBS]}}

SAID = {"chat": {"messages": [{"role": "user", "content": "hi"}]}, "responses": {"input": "hi"}}


def asked(api, *, stream=False, **more):
    return read_call(api, {"model": "m", **SAID[api], "stream": stream, **more})


def cascade():
    tier = Tier("gpt-5.4-nano", scorer=LogprobConfidence(), threshold=0.5)
    models = ScriptedModels({"gpt-5.4-nano": reply("Yes", logprobs=ENTRIES)})
    return Cascade([tier], models=models)


def shown(api, *, stream, **more):
    """What the caller is sent, and the trace."""
    call = asked(api, stream=stream, **more)
    if stream:
        source = cascade().stream(call.request, **call.keywords)
        return b"".join(frames(source, call)).decode(), source.completion.trace
    done = cascade().complete(call.request, **call.keywords)
    return json.dumps(body_of(done, call, books_of(done.trace))), done.trace


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_only_who_asks_is_shown_them(api, stream):
    """The scorer's log-probabilities are kept in the trace, and left out of the answer."""
    told, trace = shown(api, stream=stream)
    assert "-0.1" not in told
    assert "Yes" in told
    assert "-0.1" in trace.to_json()
    told, _ = shown(api, stream=stream, **ASKING[api])
    assert "-0.1" in told


def test_a_choice_says_null_as_the_api_does():
    """The field stays: clients read it."""
    choice = {"index": 0, "message": {"content": "Yes"}, "logprobs": {"content": ENTRIES}}
    told = without_logprobs("chat", {"id": "1", "choices": [choice]})
    assert told == {"id": "1", "choices": [{**choice, "logprobs": None}]}
    assert choice["logprobs"] == {"content": ENTRIES}


@pytest.mark.parametrize(
    "data",
    [
        {"choices": [{"index": 0, "logprobs": None}]},
        {"choices": "none"},
        {"choices": [None, 7]},
        {},
    ],
)
def test_what_holds_none_stays_itself(data):
    """Whatever a server wrote."""
    assert without_logprobs("chat", data) is data
    assert without_logprobs("responses", data) is data


def test_every_place_of_a_response():
    """Events repeat parts, items and whole responses, each with its own."""
    part = {"type": "output_text", "text": "Yes", "annotations": [], "logprobs": ENTRIES}
    clean = {**part, "logprobs": []}
    item, clean_item = ({"type": "message", "content": [each, None]} for each in (part, clean))
    for event, expected in (
        ({"type": "response.output_text.delta", "logprobs": ENTRIES}, {"logprobs": []}),
        ({"type": "response.content_part.done", "part": part}, {"part": clean}),
        ({"type": "response.output_item.done", "item": item}, {"item": clean_item}),
        (
            {"type": "response.completed", "response": {"output": [item, 3]}},
            {"response": {"output": [clean_item, 3]}},
        ),
    ):
        assert without_logprobs("responses", event) == {**event, **expected}
