"""Streams across the two APIs: the SDK's own types and accumulators judge what a caller is shown."""

from __future__ import annotations

from decimal import Decimal

import fake_openai as fake
import pytest
from faces import one, pair
from fake_openai import answer, completion, events, response, response_events, response_stream
from openai._types import omit
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses.response_stream_event import ResponseStreamEvent as AnyEvent
from pydantic import TypeAdapter

from cascade import AsyncCascade, Cascade, Price, StreamInterrupted, Tier
from cascade.core.tier import Retry
from cascade.testing import ScriptedModels, reply

ASKED = {"input": "Capital of France?"}
TEXTS = ("Pa", "ris", " is", " it", ".")
EVENT = TypeAdapter(AnyEvent)


def accumulated(chunks):
    """The response that the official SDK makes of a stream of events; each must fit its type."""
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for number, chunk in enumerate(chunks):
        event = EVENT.validate_python(chunk.wire)
        assert event.sequence_number == number
        state.handle_event(event)
    last = chunks[-1].wire
    if last["type"] == "response.incomplete":
        return event.response
    return state._completed_response


def assembled(chunks):
    """The completion that the official SDK makes of a stream of chunks; each must fit its type."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk.wire, strict=True))
    return state.get_final_completion()


def kinds(chunks):
    return [chunk.wire["type"] for chunk in chunks]


SUMMARY_PART = [
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
]

WHOLE = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    *["response.output_text.delta"] * 5,
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def test_events_pass_unchanged(face, responses_api):
    """The last tier's events pass as they came; the last one tells the tokens of all attempts."""
    sent = response_events(*TEXTS)
    responses_api.side_effect = [answer(response("draft")), response_stream(sent)]
    stream, chunks = face(pair(scorer=lambda _: 0.0)).stream(ASKED)
    shown = [chunk.wire for chunk in chunks]
    assert shown[:-1] == sent[:-1]
    assert [chunk.text for chunk in chunks if chunk.text] == list(TEXTS)
    last = shown[-1]
    assert (last["type"], last["sequence_number"]) == ("response.completed", len(sent) - 1)
    assert last["response"]["usage"]["input_tokens"] == 200
    assert last["response"]["usage"]["total_tokens"] == 220
    assert accumulated(chunks).output_text == "Paris is it."
    assert stream.completion.reply.wire["usage"]["input_tokens"] == 100
    assert stream.trace.cost_usd == Decimal("0.00024")


def test_events_told_as_chunks(face, responses_api):
    """A Chat caller gets chunks of a tier that is asked through Responses."""
    responses_api.return_value = response_stream(response_events(*TEXTS))
    stream, chunks = face(one(api="responses")).stream()
    assert [chunk.text for chunk in chunks if chunk.text] == list(TEXTS)
    made = assembled(chunks)
    assert made.choices[0].message.content == "Paris is it."
    assert made.choices[0].finish_reason == "stop"
    assert made.usage.prompt_tokens == 100
    assert (made.id, made.model, made.service_tier) == (
        "chatcmpl-67cb",
        "gpt-5.4-mini-2026-03-17",
        "default",
    )
    assert stream.completion.reply.wire["object"] == "chat.completion"


def test_chunks_told_as_events(face, openai_api):
    """A Responses caller gets a complete sequence of events of a tier that is asked through Chat."""
    openai_api.return_value = events(fake.text_chunks(*TEXTS, logprobs=True))
    stream, chunks = face(one(api="chat")).stream(
        {**ASKED, "instructions": "s", "metadata": {"a": "b"}}
    )
    assert kinds(chunks) == WHOLE
    made = accumulated(chunks)
    assert made.output_text == "Paris is it."
    assert made.usage.input_tokens == 100
    assert (made.instructions, made.metadata, made.status) == ("s", {"a": "b"}, "completed")
    assert [entry.token for entry in made.output[0].content[0].logprobs] == list(TEXTS)
    assert chunks[-1].wire["response"]["output"] == stream.completion.reply.wire["output"]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
def test_a_draft_that_was_held_back(face, both_apis, api, asked):
    """An accepted draft is shown as a stream in the caller's form, with the tokens of all tries."""
    chat, responses = both_apis
    chat.side_effect = [fake.BROKEN, answer(completion("right"))]
    responses.side_effect = [fake.BROKEN, answer(response("right"))]
    tiers = pair(scorer=lambda _: 1.0, api=api, retry=Retry(max_tries=2))
    stream, chunks = face(tiers).stream(asked)
    assert "".join(chunk.text for chunk in chunks) == "right"
    if asked is ASKED:
        made = accumulated(chunks)
        assert (made.output_text, made.usage.output_tokens) == ("right", 10)
    else:
        made = assembled(chunks)
        assert (made.choices[0].message.content, made.usage.completion_tokens) == ("right", 10)
    assert stream.completion.text == "right"


def test_the_reasoning_of_a_draft_that_was_held_back(face, responses_api):
    """What a model tells of its reasoning comes in pieces of its own, as in a live stream."""
    told = [{"type": "summary_text", "text": text} for text in ("I know this.", "It is Paris.")]
    said = [{"type": "reasoning_text", "text": "Hm."}]
    item = {**fake.REASONING, "summary": told, "content": said}
    responses_api.return_value = answer(response(item, "Paris"))
    stream, chunks = face(pair(scorer=lambda _: 1.0)).stream(ASKED)
    made = accumulated(chunks)
    assert made.output[0].to_dict() == stream.completion.reply.wire["output"][0] == item
    sent = [chunk.wire for chunk in chunks]
    (added,) = [e for e in sent if e["type"].endswith("item.added") and "summary" in e["item"]]
    assert added["item"] == {**fake.REASONING, "summary": [], "content": []}
    assert kinds(chunks)[3:15] == [
        *SUMMARY_PART,
        *SUMMARY_PART,
        "response.content_part.added",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.content_part.done",
    ]
    deltas = [e["delta"] for e in sent if e["type"] == "response.reasoning_summary_text.delta"]
    assert deltas == ["I know this.", "It is Paris."]


def test_odd_reasoning_passes_as_it_came(face, responses_api):
    """What is no list of parts is in the item itself, and breaks no stream."""
    item = {**fake.REASONING, "summary": ["words"], "content": "words"}
    responses_api.return_value = answer(response(item, "Paris"))
    _, chunks = face(pair(scorer=lambda _: 1.0)).stream(ASKED)
    assert chunks[-1].wire["response"]["output"][0] == item


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("live", [True, False], ids=["live", "held"])
def test_tool_calls(face, both_apis, asked, api, live):
    """Calls are put together alike, whether they stream through or were held back."""
    chat, responses = both_apis
    calls = [fake.tool_call()]
    chunks = [fake.tool_chunks()[0], *fake.tool_chunks()[1:4], *fake.tool_chunks()[-2:]]
    chat.return_value = (
        events(chunks)
        if live
        else answer(completion(None, finish_reason="tool_calls", tool_calls=calls))
    )
    item = fake.call_item()
    whole = response(item)
    responses.return_value = (
        response_stream(response_events(body=whole, item=item)) if live else answer(whole)
    )
    tiers = one(api=api) if live else pair(scorer=lambda _: 1.0, api=api)
    stream, shown = face(tiers).stream(asked)
    assert list(stream.completion.reply.tool_calls) == calls
    if asked is ASKED:
        made = accumulated(shown).output[-1]
        assert (made.call_id, made.name, made.arguments) == ("call_1", "lookup", '{"city":"Oslo"}')
    else:
        made = assembled(shown)
        call = made.choices[0].message.tool_calls[0]
        assert (call.id, call.function.name, call.function.arguments) == (
            "call_1",
            "lookup",
            '{"city":"Oslo"}',
        )
        assert made.choices[0].finish_reason == "tool_calls"


def test_two_calls_and_a_word(face, openai_api):
    """Text and two calls become three items, each begun and ended once."""
    openai_api.return_value = events(
        [fake.chunk({"role": "assistant", "content": "Looking."}), *fake.tool_chunks()[1:]]
    )
    _, chunks = face(one(api="chat")).stream(ASKED)
    made = accumulated(chunks)
    assert [item.type for item in made.output] == ["message", "function_call", "function_call"]
    assert len({item.id for item in made.output}) == 3
    assert [kinds(chunks).count(f"response.output_item.{what}") for what in ("added", "done")] == [
        3,
        3,
    ]


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_refusals_stream(face, both_apis, asked, api):
    """A refusal arrives as one, in either form."""
    chat, responses = both_apis
    chat.return_value = events(
        [fake.chunk({"role": "assistant", "content": None, "refusal": "I "}), fake.chunk({"refusal": "can't."}),
         fake.chunk({}, finish_reason="stop"), fake.chunk(counts=fake.usage())]
    )  # fmt: skip
    part = {"type": "refusal", "refusal": "I can't."}
    whole = response(fake.message_item(part))
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    middle = [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": fake.message_item(status="in_progress"),
        },
        {
            "type": "response.content_part.added",
            **place,
            "part": {"type": "refusal", "refusal": ""},
        },
        {"type": "response.refusal.delta", **place, "delta": "I can't."},
        {"type": "response.refusal.done", **place, "refusal": "I can't."},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": fake.message_item(part)},
    ]
    begun = {"type": "response.created", "response": {**whole, "output": []}}
    sent = [begun, *middle, {"type": "response.completed", "response": whole}]
    responses.return_value = response_stream(
        [{**e, "sequence_number": n} for n, e in enumerate(sent)]
    )
    stream, chunks = face(one(api=api)).stream(asked)
    assert stream.completion.reply.refusal == "I can't."
    assert "".join(chunk.text for chunk in chunks) == ""
    made = accumulated(chunks) if asked is ASKED else assembled(chunks)
    said = made.output[0].content[0] if asked is ASKED else made.choices[0].message
    assert said.refusal == "I can't."


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_answer_cut_at_its_limit(face, both_apis, asked, api):
    """The end says so: an incomplete response, a finish reason of "length"."""
    chat, responses = both_apis
    chat.return_value = events(fake.text_chunks("Pa", finish_reason="length"))
    body = response("Pa", status="incomplete", reason="max_output_tokens")
    responses.return_value = response_stream(response_events("Pa", body=body))
    stream, chunks = face(one(api=api)).stream(asked)
    assert stream.completion.reply.finish_reason == "length"
    if asked is ASKED:
        assert chunks[-1].wire["type"] == "response.incomplete"
        assert accumulated(chunks).incomplete_details.reason == "max_output_tokens"
    else:
        assert [c.wire["choices"][0]["finish_reason"] for c in chunks if c.wire["choices"]][
            -1
        ] == "length"


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
def test_a_stream_that_breaks(face, responses_api, asked):
    """A break after text had been shown ends the stream; what was used is an estimate."""
    responses_api.return_value = response_stream(response_events(*TEXTS), keep=7)
    with pytest.raises(StreamInterrupted) as caught:
        face(one(api="responses")).stream(asked)
    (charge,) = caught.value.trace.charges
    assert (charge.outcome, charge.basis) == ("interrupted", "estimated")
    assert charge.usage.output_tokens == 3
    assert charge.service_tier == "default"


ERRORS = {
    "error event": [{"type": "error", "code": "server_error", "message": "broke", "param": None, "sequence_number": 0}],
    "nested error": [{"type": "error", "error": {"code": "server_error", "message": "broke"}}],
    "failed": [{"type": "response.failed", "response": response(status="failed", error={"code": "server_error", "message": "broke"})}],
    "failed without a word": [{"type": "response.failed", "response": response(status="failed")}],
}  # fmt: skip


@pytest.mark.parametrize("sent", ERRORS.values(), ids=ERRORS)
def test_an_error_before_any_text_is_retried_silently(face, responses_api, sent):
    """The reader sees the second try only, and the trace has both."""
    begun = response_events("x")[:2]
    good = response_stream(response_events(*TEXTS))
    responses_api.side_effect = [response_stream([*begun, *sent]), good]
    stream, chunks = face(one(retry=Retry(max_tries=2))).stream(ASKED)
    assert accumulated(chunks).output_text == "Paris is it."
    first, second = stream.trace.charges
    assert (first.outcome, second.outcome) == ("server", "ok")


def test_an_empty_stream_is_no_answer(face, responses_api):
    """Reasoning that ends without an answer leaves the earlier draft standing, in full."""
    think = {
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs_1",
        "output_index": 0,
        "summary_index": 0,
        "delta": "hm",
        "sequence_number": 2,
    }
    end = {"type": "response.completed", "response": response(fake.REASONING), "sequence_number": 3}
    sent = [*response_events("x")[:2], think, end]
    responses_api.side_effect = [answer(response("draft")), response_stream(sent)]
    stream, chunks = face(pair(scorer=lambda _: 0.0)).stream(ASKED)
    assert accumulated(chunks).output_text == "draft"
    assert not stream.completion.accepted


def test_items_that_the_last_event_lacks(face, responses_api):
    """Where the whole response comes without its output, the items that came before are put in."""
    sent = response_events(*TEXTS)
    sent[-1] = {**sent[-1], "response": {**sent[-1]["response"], "output": []}}
    responses_api.return_value = response_stream(sent)
    stream, chunks = face(one()).stream(ASKED)
    assert stream.completion.text == "Paris is it."
    assert accumulated(chunks).output_text == "Paris is it."


def test_a_json_answer_to_a_streamed_call(face, responses_api):
    """A plain JSON answer to a streamed call is used, shown and booked."""
    responses_api.return_value = answer(response("Paris"))
    stream, chunks = face(one()).stream(ASKED)
    assert accumulated(chunks).output_text == stream.completion.text == "Paris"


@pytest.mark.parametrize("asked", [ASKED, "x"], ids=["responses", "chat"])
@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_scripted_models_stream_in_both_forms(asked, api):
    """Your own suites stream through either API without a server, word by word."""
    tiers = [Tier("m", price=Price.free(), api=api)]
    script = {"m": "Paris is it."}
    stream = Cascade(tiers, models=ScriptedModels(script)).stream(asked)
    chunks = list(stream)
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert texts == ["Paris", " is", " it."]
    made = accumulated(chunks) if asked is ASKED else assembled(chunks)
    text = made.output_text if asked is ASKED else made.choices[0].message.content
    assert text == stream.completion.text == "Paris is it."
    stream = AsyncCascade(tiers, models=ScriptedModels(script)).stream(asked)
    assert [chunk.text async for chunk in stream if chunk.text] == texts


def test_a_scripted_reply_of_either_api():
    """`reply(api=...)` is a reply as that API would send it."""
    made = reply("Paris", api="responses", input_tokens=7, probabilities=[0.5])
    assert (made.api, made.text, made.wire["object"]) == ("responses", "Paris", "response")
    assert made.usage.input_tokens == 7
    assert made.logprobs[0].token == "Paris"
