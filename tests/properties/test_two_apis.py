"""Properties of the two APIs: nothing is lost on the way, whatever a conversation or stream holds."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from openai.types.responses.response_stream_event import ResponseStreamEvent
from pydantic import TypeAdapter

from cascade.core.usage import Usage
from cascade.forms.convert import convert
from cascade.forms.reading import has_media, messages_of, output_limit, schema_of, tools_of
from cascade.wire.assembler import ChunkAssembler
from cascade.wire.chat import read_completion
from cascade.wire.feed import Feed, stream_of
from cascade.wire.response_assembler import ResponseAssembler
from cascade.wire.responses import read_response
from cascade.wire.translate import reply_in
from cascade.wire.usage import usage_for

CHAT = TypeAdapter(CompletionCreateParamsNonStreaming)
RESPONSES = TypeAdapter(ResponseCreateParamsNonStreaming)
EVENT = TypeAdapter(ResponseStreamEvent)

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAME = st.from_regex(r"[a-z]{1,8}", fullmatch=True)

PART = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries(
                {"url": st.just("data:image/png;base64,AA"), "detail": st.sampled_from(["low", "auto"])}
            ),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("file"), "file": st.fixed_dictionaries({"file_id": NAME})}
    ),
)  # fmt: skip

ASKING = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "system", "developer"]),
        "content": st.one_of(TEXT, st.lists(PART, min_size=1, max_size=3)),
    }
)


def call(kind, number, name, given_):
    key = "arguments" if kind == "function" else "input"
    return {"id": f"c{number}", "type": kind, kind: {"name": name, key: given_}}


@st.composite
def exchange(draw):
    """An assistant's turn: text, or calls with their outputs."""
    text = draw(st.none() | TEXT)
    kinds = draw(st.lists(st.sampled_from(["function", "custom"]), max_size=3))
    base = draw(st.integers(0, 10**6)) * 10
    calls = [call(kind, base + n, draw(NAME), draw(TEXT)) for n, kind in enumerate(kinds)]
    message = {"role": "assistant", "content": text if calls else (text or "x")}
    if calls:
        message["tool_calls"] = calls
    outputs = [{"role": "tool", "tool_call_id": c["id"], "content": draw(TEXT)} for c in calls]
    return [message, *outputs]


@st.composite
def conversations(draw):
    """Turns of both sides; two of the assistant's in a row would be one to Responses."""
    made = [draw(ASKING)]
    for reply in draw(st.lists(st.one_of(st.just([]), exchange()), max_size=4)):
        made += [*reply, draw(ASKING)]
    return made


PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0, 0.5, 1]),
        "max_completion_tokens": st.integers(16, 99),
        "reasoning_effort": st.sampled_from(["none", "low"]),
        "verbosity": st.sampled_from(["low", "high"]),
        "logprobs": st.just(True),
        "store": st.booleans(),
        "metadata": st.dictionaries(NAME, NAME, max_size=2),
        "tool_choice": st.sampled_from(
            ["auto", "none", {"type": "function", "function": {"name": "f"}}]
        ),
        "tools": st.just(
            [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": False}}]
        ),
        "response_format": st.sampled_from(
            [
                {"type": "json_object"},
                {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
            ]
        ),
    },
)


@given(conversations(), PARAMS)
def test_a_request_survives_the_way_there_and_back(messages, params):
    """Chat to Responses and back is the same request; both ends are what the SDK takes.

    But for what Responses is to keep: Chat is not asked to.
    """
    asked = {"messages": messages, **params}
    there = convert(asked, "responses")
    kept = {"store"} if asked.get("store") else set()
    assert convert(there, "chat") == {name: asked[name] for name in asked.keys() - kept}
    CHAT.validate_python({"model": "m", **asked})
    RESPONSES.validate_python({"model": "m", **there})
    for read in (messages_of, output_limit, schema_of, has_media):
        assert read(there) == read(asked)
    assert [tool["name"] for tool in tools_of(there)] == [tool["name"] for tool in tools_of(asked)]


# Replies and streams -----------------------------------------------------------------------------


@st.composite
def completions(draw):
    """A Chat reply of any kind."""
    text = draw(st.none() | TEXT)
    calls = [
        call(k, n, draw(NAME), draw(TEXT))
        for n, k in enumerate(draw(st.lists(st.just("function"), max_size=2)))
    ]
    refusal = draw(st.none() | TEXT) if not text and not calls else None
    message = {"role": "assistant", "content": text, "refusal": refusal}
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    counts = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": counts, "service_tier": "default",
    }  # fmt: skip


def same(reply):
    """What decisions read of a reply."""
    calls = [(c["id"], c["type"], json.dumps(c[c["type"]])) for c in reply.tool_calls]
    return reply.text, reply.refusal, reply.finish_reason, calls, reply.usage, reply.service_tier


@given(completions())
def test_a_reply_reads_the_same_in_either_form(body):
    """Written as the other API's object and read again, a reply says what it said."""
    reply = read_completion(body)
    turned = reply_in("responses", reply, {"input": "x"})
    assert same(read_response(turned.wire)) == same(turned) == same(reply)
    back = reply_in("chat", turned, {"messages": []})
    assert same(read_completion(back.wire)) == same(reply)


def pieces(cuts):
    """Cuts a text at the given places."""

    def cut(text):
        places = sorted({place % len(text) for place in cuts} - {0}) if text else []
        return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]

    return cut


CUTS = st.lists(st.integers(1, 50), max_size=4)


@given(completions(), CUTS)
def test_chunks_become_events_that_the_sdk_puts_together(body, cuts):
    """Live or held back, a Responses caller gets events that make the same response."""
    reply = read_completion(body)
    total = Usage(100, 20)
    turned = reply_in("responses", reply, {"input": "x"})
    for streamed in (True, False):
        feed = Feed("responses", {"input": "x"})
        shown = []
        for chunk in stream_of(reply, pieces(cuts)) if streamed else ():
            shown += feed.take(chunk)
        shown += feed.rest(turned, usage_for(total, "responses"), streamed=streamed)
        state, assembler = (
            ResponseStreamState(input_tools=omit, text_format=omit),
            ResponseAssembler(),
        )
        for number, event in enumerate(shown):
            assert event["sequence_number"] == number
            state.handle_event(EVENT.validate_python(event))
            assembler.feed(event)
        made = read_response(assembler.body())
        assert same(made)[:4] == same(reply)[:4]
        assert made.usage == total


@given(completions(), CUTS)
def test_events_become_chunks_that_make_the_same_message(body, cuts):
    """The same the other way round: a Chat caller of a tier that is asked through Responses."""
    reply = reply_in("responses", read_completion(body), {"input": "x"})
    feed, assembler = Feed("chat", {}), ChunkAssembler()
    for event in stream_of(reply, pieces(cuts)):
        for chunk in feed.take(event):
            assembler.feed(chunk)
    counts = usage_for(Usage(100, 20), "chat")
    for chunk in feed.rest(reply_in("chat", reply, {}), counts, streamed=True):
        assembler.feed(chunk)
    made = read_completion(assembler.body())
    assert same(made)[:4] == same(reply)[:4]
    assert made.usage == Usage(100, 20)
