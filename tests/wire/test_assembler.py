"""Chunks put together: the same message as an unstreamed call, from every dialect."""

from __future__ import annotations

import pytest
from fake_openai import chunk, completion, text_chunks, token, tool_call
from hypothesis import given
from hypothesis import strategies as st

from cascade.wire.assembler import ChunkAssembler
from cascade.wire.chat import chunk_text, chunks_of, usage_chunk
from cascade.wire.faults import ErrorFrame, MalformedReply
from cascade.wire.replies import read_reply
from cascade.wire.usage import usage_for


def assembled(*deltas):
    assembler = ChunkAssembler()
    for delta in deltas:
        assembler.feed(chunk(delta))
    assembler.feed(chunk({}, finish_reason="stop"))
    return assembler


def message(*deltas):
    return assembled(*deltas).body()["choices"][0]["message"]


def calls(*deltas):
    return message(*({"tool_calls": delta} for delta in deltas))["tool_calls"]


def part(arguments, **more):
    return {"function": {"arguments": arguments}, **more}


ONE = {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": '{"a":1}'}}

CALLS = {
    "as OpenAI does": [
        [{"index": 0, **ONE, "function": {"name": "lookup", "arguments": ""}}],
        [part('{"a"', index=0)],
        [part(":1}", index=0)],
    ],
    "all at once": [[{"index": 0, **ONE}]],
    "without index": [[ONE]],
    "without index, continued": [
        [{**ONE, "function": {"name": "lookup", "arguments": '{"a"'}}],
        [part(":1}")],
    ],
    "id and name repeated": [
        [{"index": 0, **ONE, "function": {"name": "lookup", "arguments": '{"a"'}}],
        [{"index": 0, **ONE, "function": {"name": "lookup", "arguments": ":1}"}}],
    ],
    "name in two": [
        [{"index": 0, **ONE, "function": {"name": "look", "arguments": ""}}],
        [{"index": 0, "function": {"name": "up", "arguments": '{"a":1}'}}],
    ],
    "empty and null": [
        [{"index": 0, "id": "", "type": None, "function": {"name": "lookup"}}],
        [{"index": 0, **ONE, "function": {"name": None, "arguments": '{"a":1}'}}],
    ],
}


@pytest.mark.parametrize("deltas", CALLS.values(), ids=CALLS)
def test_a_tool_call_in_every_dialect(deltas):
    """However a server cuts a tool call, the same call comes out."""
    assert calls(*deltas) == [ONE]


def test_calls_side_by_side():
    """Deltas of several calls do not mix; without an index a new id begins a new call."""
    other = {**ONE, "id": "call_2"}
    assert calls([{"index": 1, **other}], [{"index": 0, **ONE}]) == [ONE, other]
    assert calls([ONE], [other]) == [ONE, other]
    assert "tool_calls" not in message({"tool_calls": "x"}, {"tool_calls": [5]})


def test_other_parts_grow_too():
    """Function calls of old, custom tools, reasoning and lists are put together as well."""
    old = message(
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
    )
    assert old["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    (custom,) = calls(
        [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": "SEL"}}],
        [{"index": 0, "custom": {"input": "ECT"}}],
    )
    assert custom["custom"] == {"name": "sql", "input": "SELECT"}
    grown = message({"reasoning_content": "h"}, {"reasoning_content": "m", "annotations": [1]})
    assert (grown["reasoning_content"], grown["annotations"]) == ("hm", [1])
    assert message({"annotations": [1]}, {"annotations": [2]})["annotations"] == [1, 2]
    parts = [{"type": "text", "text": "Pa"}]
    assert chunk_text(chunk({"content": parts})) == "Pa"
    assert read_reply(assembled({"content": parts}, {"content": parts}).body()).text == "PaPa"


@given(st.lists(st.text(max_size=8), max_size=12), st.booleans())
def test_text_is_the_sum_of_its_chunks(texts, logprobs):
    """The assembled text is what a reader of the chunks has seen, its log-probabilities included."""
    assembler = ChunkAssembler()
    passed = [assembler.feed(item) for item in text_chunks(*texts, logprobs=logprobs)]
    seen = "".join(chunk_text(item) for item in passed if item is not None)
    reply = read_reply(assembler.body())
    assert reply.text == seen == "".join(texts)
    assert len(reply.raw_logprobs or ()) == (len(texts) if logprobs else 0)
    assert assembler.output_tokens >= sum(map(bool, texts))


def called_of_old():
    """A call of the old `functions`, which has no id."""
    body = completion(None, finish_reason="function_call")
    body["choices"][0]["message"]["function_call"] = {"name": "lookup", "arguments": "{}"}
    return body


replies = st.sampled_from(
    [
        completion(),
        completion("Pa", logprobs=[token("Pa", -0.2)]),
        completion(None, tool_calls=[tool_call(), tool_call("g", "{}", "c2")]),
        completion(None, refusal="No."),
        called_of_old(),
    ]
)


@given(replies)
def test_there_and_back(body):
    """A reply made into chunks and assembled again reads the same."""
    reply = read_reply(body)
    assembler = ChunkAssembler()
    for item in (*chunks_of(reply), usage_chunk(reply, usage_for(reply.usage, "chat"))):
        assembler.feed(item)
    again = read_reply(assembler.body())
    for name in ("text", "refusal", "tool_calls", "usage", "model", "finish_reason", "logprobs"):
        assert getattr(again, name) == getattr(reply, name)


def test_an_old_call_is_told_once():
    """A call of `functions` is no tool call as well: whoever carries out both would do it twice."""
    first, _ = chunks_of(read_reply(called_of_old()))
    delta = first["choices"][0]["delta"]
    assert delta["function_call"] == {"name": "lookup", "arguments": "{}"}
    assert "tool_calls" not in delta


@pytest.mark.parametrize("bad", [None, 5, "x", []])
def test_what_is_no_chunk(bad):
    """An event that is no object ends the stream; one with odd parts does not."""
    with pytest.raises(MalformedReply, match="expected a JSON object"):
        ChunkAssembler().feed(bad)
    assert ChunkAssembler().feed({"choices": bad}) is None
    assert chunk_text({"choices": [{"delta": bad}]}) == ""
    assembler = ChunkAssembler()
    assembler.feed(chunk({"tool_calls": bad, "content": bad}, logprobs=bad))
    assembler.body()


def test_an_error_frame_carries_its_data():
    """The error object is kept for whoever classifies it; text alone will do."""
    with pytest.raises(ErrorFrame, match="out of memory") as caught:
        ChunkAssembler().feed({"error": {"message": "out of memory", "code": "oom"}})
    assert caught.value.error["code"] == "oom"
    with pytest.raises(ErrorFrame, match="broken"):
        ChunkAssembler().feed({"error": "broken"})
