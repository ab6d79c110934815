"""What the SDK makes of a chain's answers: every way to ask, sync and async, both APIs."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import fake_openai as fake
import httpx
import openai
import pytest
from pydantic import BaseModel
from sdk_faces import ASKED, FakeApi, numbered, scripted, two_tiers

from cascade import (
    AsyncCascade,
    Cascade,
    Chain,
    ConfigError,
    Tier,
    TraceStore,
    async_openai_client,
    openai_client,
    trace_of,
)
from cascade.testing import ScriptedModels, reply


class City(BaseModel):
    name: str


CITY = '{"name": "Paris"}'
COST = Decimal("0.00009325")  # "Hm." by nano and "Paris it is." by 5.5, ten tokens of prompt each


@pytest.fixture
def client(sdk):
    return sdk(two_tiers(), models=scripted())


def test_a_chat_completion(client):
    """An answer of the chain is a `ChatCompletion` that tells its cost, and has its trace."""
    done = client.create()
    assert isinstance(done, openai.types.chat.ChatCompletion)
    assert done.choices[0].message.content == "Paris it is."
    assert done.model == "gpt-5.5"
    (trace,) = client.traces
    assert trace_of(done) is trace
    assert done.cascade == {
        "trace_id": trace.id,
        "chain": "chain",
        "tier": "gpt-5.5",
        "accepted": True,
        "cost_usd": format(trace.cost_usd, "f"),
        "basis": "exact",
        "saved_usd": format(trace.saved_usd, "f"),
        "attempts": 2,
    }
    assert done._request_id == trace.id
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (20, 4)


def test_a_response(client):
    """The same for the Responses API, though the tiers answer in Chat's form."""
    done = client.respond()
    assert isinstance(done, openai.types.responses.Response)
    assert done.output_text == "Paris it is."
    assert done.usage.total_tokens == 24
    assert trace_of(done) is client.traces[0]


def test_the_store_and_the_answer_agree(sdk, tmp_path):
    """A store that was given as a path holds the trace that the answer names, once it is closed."""
    path = tmp_path / "traces.db"
    used = sdk(two_tiers(), models=scripted(), store=path)
    done = used.create()
    used.run(used.client.close())
    with TraceStore(path) as store:
        assert store.get(done.cascade["trace_id"]).cost_usd == Decimal(done.cascade["cost_usd"])


def test_a_chat_stream(client):
    """Chunks come as the SDK's own; the last tells the cost; no usage unless asked for."""
    stream = client.create(stream=True)
    assert isinstance(stream, openai.Stream | openai.AsyncStream)
    assert trace_of(stream) is None
    chunks = client.read(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Paris it is."
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    (trace,) = client.traces
    assert chunks[-1].cascade["cost_usd"] == format(trace.cost_usd, "f")
    assert trace_of(chunks[-1]) is trace_of(stream) is trace
    assert stream.response.headers["x-cascade-trace-id"] == trace.id


def test_a_chat_stream_with_usage(client):
    """Where it is asked for, the usage chunk sums all attempts and holds the cost as well."""
    stream = client.create(stream=True, stream_options={"include_usage": True})
    *chunks, last = client.read(stream)
    assert last.choices == []
    assert last.usage.total_tokens == 24
    assert last.cascade == chunks[-1].cascade
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in chunks)


def test_an_accepted_draft_is_streamed_with_its_books(sdk):
    """A draft that was held back until it was accepted knows its cost with the first byte."""
    used = sdk(two_tiers(), models=scripted(cheap="Paris."))
    stream = used.create(stream=True)
    assert stream.response.headers["x-cascade-tier"] == "gpt-5.4-nano"
    assert used.read(stream)[0].choices[0].delta.content == "Paris."


def test_a_response_stream(client):
    """Events come in the order and with the numbers that the API gives them."""
    events = client.read(client.respond(stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Paris it is."
    assert last.response.usage.total_tokens == 24
    assert trace_of(last) is trace_of(last.response) is client.traces[0]


@pytest.fixture
def structured(sdk):
    return sdk(two_tiers(), models=scripted(top=CITY))


def test_parse(structured):
    """`parse` gives pydantic instances in both APIs; the trace is found from the parsed object."""
    chat = structured.run(
        structured.chat.parse(model="cascade", messages=ASKED, response_format=City)
    )
    response = structured.run(
        structured.responses.parse(model="cascade", input="?", text_format=City)
    )
    assert chat.choices[0].message.parsed == response.output_parsed == City(name="Paris")
    assert [trace_of(chat), trace_of(response)] == structured.traces
    asked = structured.traces[0].request["response_format"]["json_schema"]
    assert asked["name"] == "City"
    assert asked["strict"] is True


def test_the_stream_helpers(structured):
    """`.stream()` of both APIs gives events, and a final object that is parsed and has a trace."""

    def chat(stream):
        if structured.kind == "async":

            async def visit():
                events = [event async for event in stream]
                return stream, events, await stream.get_final_completion()

            return visit()
        return stream, list(stream), stream.get_final_completion()

    manager = structured.chat.stream(model="cascade", messages=ASKED, response_format=City)
    stream, events, final = structured.inside(manager, chat)
    assert final.choices[0].message.parsed == City(name="Paris")
    assert events[-1].type == "content.done"
    assert trace_of(stream) is trace_of(final) is structured.traces[0]

    def responses(stream):
        if structured.kind == "async":

            async def visit():
                events = [event async for event in stream]
                return stream, events, await stream.get_final_response()

            return visit()
        return stream, list(stream), stream.get_final_response()

    manager = structured.responses.stream(model="cascade", input="?", text_format=City)
    stream, events, final = structured.inside(manager, responses)
    assert final.output_parsed == City(name="Paris")
    assert trace_of(stream) is trace_of(events[-1]) is trace_of(final) is structured.traces[1]


def test_raw_responses(client):
    """A raw response shows the headers with the cost, and parses to the completion."""
    raw = client.run(client.chat.with_raw_response.create(model="cascade", messages=ASKED))
    (trace,) = client.traces
    assert raw.headers["x-cascade-cost-usd"] == format(trace.cost_usd, "f")
    assert raw.headers["x-cascade-attempts"] == "2"
    assert raw.headers["x-cascade-accepted"] == "true"
    assert raw.parse().choices[0].message.content == "Paris it is."
    assert trace_of(raw) is trace


def test_streaming_responses(client):
    """`with_streaming_response` hands out bytes, lines and the parsed value."""

    def visit(raw):
        if client.kind == "async":

            async def read():
                return trace_of(raw), [line async for line in raw.iter_lines()]

            return read()
        return trace_of(raw), list(raw.iter_lines())

    manager = client.chat.with_streaming_response.create(model="cascade", messages=ASKED)
    trace, lines = client.inside(manager, visit)
    assert json.loads(lines[0])["cascade"]["trace_id"] == trace.id
    manager = client.chat.with_streaming_response.create(
        model="cascade", messages=ASKED, stream=True
    )
    trace, lines = client.inside(manager, visit)
    assert [line for line in lines if line][-1] == "data: [DONE]"


def test_tools(sdk):
    """A tool call comes back as one, whole and streamed, and its outcome can be sent again."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "lookup", "arguments": '{"city":"Oslo"}'},
    }
    models = ScriptedModels(
        {"gpt-5.4-nano": lambda _: numbered(None, tool_calls=[call], finish_reason="tool_calls")}
    )
    used = sdk(two_tiers(), models=models)
    function = {"name": "lookup", "parameters": {"type": "object", "properties": {}}}
    tools = [{"type": "function", "function": function}]
    message = used.create(tools=tools).choices[0].message
    assert message.tool_calls[0].function.arguments == '{"city":"Oslo"}'
    chunks = used.read(used.create(tools=tools, stream=True))
    pieces = [c.choices[0].delta.tool_calls for c in chunks if c.choices[0].delta.tool_calls]
    assert pieces[0][0].function.name == "lookup"
    again = [*ASKED, message, {"role": "tool", "tool_call_id": "call_1", "content": "12 C"}]
    used.run(used.chat.create(model="cascade", messages=again, tools=tools))
    assert used.traces[-1].request["messages"][1]["tool_calls"][0]["id"] == "call_1"


def test_several_chains_by_name(sdk):
    """The model name selects the chain, which may have the name of a model, too."""
    used = sdk({"support": two_tiers(), "gpt-4o": two_tiers()}, models=scripted())
    assert used.create("support").cascade["chain"] == "support"
    assert used.create("gpt-4o").cascade["chain"] == "gpt-4o"
    named = sdk(Chain(two_tiers(), name="shop"), models=scripted())
    assert [named.create(name).cascade["chain"] for name in ("shop", "cascade")] == ["shop"] * 2


def test_cascades_of_ones_own():
    """A cascade that was given is used as it is, and stays open when the client is closed."""
    mine = Cascade(two_tiers(), models=scripted())
    with openai_client(mine) as client:
        client.chat.completions.create(model="cascade", messages=ASKED)
    assert mine.complete("still there?").text == "Paris it is."
    with pytest.raises(ConfigError, match="expected an AsyncCascade, a Chain or a list"):
        async_openai_client(mine)
    with pytest.raises(ConfigError, match="'b' is AsyncCascade: expected a Cascade"):
        openai_client({"b": AsyncCascade(two_tiers(), models=scripted())})


@pytest.mark.parametrize(
    "chains", [{}, {"": two_tiers()}, {3: two_tiers()}, "support.toml", None, 5]
)
def test_chains_that_are_none(chains):
    """What is no chain is refused when the client is made."""
    with pytest.raises(ConfigError):
        openai_client(chains)


@pytest.mark.parametrize(
    ("given", "what"),
    [("support.toml", "'support.toml'"), (Tier("gpt-5.5"), r"Tier\('gpt-5.5'\)")],
)
def test_nearly_a_chain(given, what):
    """A file's name or a single tier is met with what to write instead."""
    with pytest.raises(ConfigError, match=rf"the chain is {what}: .*\[Tier\(.*load_chain\("):
        openai_client(given)


@pytest.mark.parametrize("client", [httpx.Client(), "x", openai.OpenAI(api_key="x")])
def test_an_http_client_of_another_kind(client):
    """A client that cannot carry the SDK's requests is refused when it is given."""
    for make in (openai_client, async_openai_client):
        with pytest.raises(ConfigError, match=r"http_client is .*: expected an httpx2"):
            make(two_tiers(), http_client=client)


def test_reasoning_and_tools_of_the_responses_api(sdk):
    """Output items of a model that is asked through Responses come through as they are."""
    made = fake.response(fake.REASONING, fake.call_item(), model="gpt-5.5")
    used = sdk(two_tiers(), api=FakeApi(fake.answer(made)))
    done = used.respond(tools=[{"type": "function", "name": "lookup", "parameters": {}}])
    assert [item.type for item in done.output] == ["reasoning", "function_call"]
    assert done.output[0].encrypted_content == "gAAAB"
    assert done.usage.total_tokens == 110
    event = fake.response_stream(fake.response_events(body=made, item=fake.call_item()))
    streamed = sdk([Tier("gpt-5.5")], api=FakeApi(event))
    events = streamed.read(streamed.respond(stream=True))
    assert events[-1].response.output[1].arguments == '{"city":"Oslo"}'
    assert "response.function_call_arguments.delta" in [event.type for event in events]
    assert trace_of(events[-1]) is streamed.traces[0]


def test_variations_of_a_client_share_its_chains(client):
    """`with_options` and `copy` give clients of the same chains."""
    other = client.client.with_options(timeout=5, max_retries=2).copy(default_headers={"x-a": "b"})
    client.run(other.chat.completions.create(model="cascade", messages=ASKED))
    assert len(client.traces) == 1
    assert type(other) is type(client.client)


def test_a_closed_client_says_so(client):
    """After `close()` the SDK refuses to send, as it does without a cascade."""
    client.run(client.client.close())
    assert client.client.is_closed()
    with pytest.raises(RuntimeError, match="has been closed"):
        client.create()


def test_what_has_no_trace():
    """Nothing is made up for what no chain answered."""
    for thing in (None, 3, "unknown", {"id": "x"}, {"cascade": 5}, ValueError(), object()):
        assert trace_of(thing) is None


def test_scripted_answers_have_ids_of_their_own(sdk):
    """What keeps no more than the id of a scripted answer leads to its trace, as a real one's."""
    used = sdk(two_tiers(), models=ScriptedModels({"gpt-5.4-nano": "Paris.", "gpt-5.5": "x"}))
    ids = [used.create().id, used.create().id, used.respond().id, used.respond().id]
    assert [trace_of(one) for one in ids] == used.traces


def test_an_id_that_two_answers_share_leads_to_neither(sdk):
    """A server that gives every answer the same id does not make one trace stand for another."""
    same = reply("Paris.")
    same = replace(same, id="same", wire={**same.wire, "id": "same"})
    used = sdk(two_tiers(), models=ScriptedModels({"gpt-5.4-nano": same, "gpt-5.5": "x"}))
    first, second = used.create(), used.create()
    assert first.id == second.id
    assert [trace_of(first), trace_of(second)] == used.traces
    assert trace_of(first.id) is None
    assert trace_of(used.traces[0].id) is used.traces[0]
