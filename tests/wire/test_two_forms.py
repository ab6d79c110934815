"""Replies and pieces at the edge, in the form of the other API."""

from __future__ import annotations

import fake_openai as fake
import pytest
from fake_openai import chunk, response, token

from cascade.core.reply import Reply
from cascade.core.usage import Usage
from cascade.wire.chunks import chunk_text, logprob_entries, shows
from cascade.wire.events import events_of
from cascade.wire.faults import MalformedReply
from cascade.wire.feed import Feed
from cascade.wire.replies import api_of_reply, read_reply
from cascade.wire.response_assembler import ResponseAssembler
from cascade.wire.responses import read_response
from cascade.wire.translate import reply_in
from cascade.wire.usage import usage_for

COUNTS = Usage(1, 1)


def events_for(*chunks):
    """What a Responses caller is shown of Chat chunks, the last event left out."""
    feed = Feed("responses", {"input": "x"})
    return [event for piece in chunks for event in feed.take(piece)]


def chunks_for(*events):
    """What a Chat caller is shown of events."""
    feed = Feed("chat", {})
    return [piece for event in events for piece in feed.take(event)]


def test_calls_without_numbers():
    """Some servers send whole calls without an index: a new id begins a new call."""
    first = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    more = {"function": {"arguments": " "}}
    second = {"id": "b", "type": "custom", "custom": {"name": "g", "input": "x"}}
    shown = events_for(
        chunk({"tool_calls": [first]}), chunk({"tool_calls": [more, "odd"]}),
        chunk({"tool_calls": [second]}), chunk({"tool_calls": [{"id": "b", "custom": None}]}),
        chunk({}, finish_reason="tool_calls"),
    )  # fmt: skip
    done = [event["item"] for event in shown if event["type"] == "response.output_item.done"]
    assert [(item["type"], item["call_id"]) for item in done] == [
        ("function_call", "a"), ("custom_tool_call", "b")
    ]  # fmt: skip
    assert (done[0]["arguments"], done[1]["input"]) == ("{} ", "x")


def begun_and_done(events):
    """Which item begins or ends, in the order of a stream."""
    kinds = {"response.output_item.added": "added", "response.output_item.done": "done"}
    return [
        (kinds[event["type"]], event["output_index"]) for event in events if event["type"] in kinds
    ]


def test_an_item_ends_before_the_next_begins():
    """As at the API: text before calls, calls one after another, and text that comes after them."""
    shown = events_for(chunk({"content": "Looking."}), *fake.tool_chunks()[1:-2],
        chunk({"content": "Done."}), chunk({}, finish_reason="tool_calls"))  # fmt: skip
    assert begun_and_done(shown) == [
        (what, index) for index in range(4) for what in ("added", "done")
    ]
    done = [event["item"] for event in shown if event["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == [
        "message", "function_call", "function_call", "message"
    ]  # fmt: skip
    assert len({item["id"] for item in done}) == 4
    assert {item["status"] for item in done} == {"completed"}
    assert [part["text"] for part in (*done[0]["content"], *done[3]["content"])] == [
        "Looking.", "Done."
    ]  # fmt: skip
    assert [event["sequence_number"] for event in shown] == list(range(len(shown)))


def test_calls_that_are_written_at_a_time():
    """A call whose arguments are no JSON yet goes on beside the next, and ends whole."""

    def call(index, arguments, **head):
        return chunk(
            {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **head}]}
        )

    shown = events_for(
        call(0, '{"a":', id="a"), call(1, "{", id="b"), call(0, "1}"), call(1, "}"),
        chunk({}, finish_reason="tool_calls"),
    )  # fmt: skip
    assert begun_and_done(shown) == [("added", 0), ("added", 1), ("done", 0), ("done", 1)]
    done = [event["item"] for event in shown if event["type"] == "response.output_item.done"]
    assert [item["arguments"] for item in done] == ['{"a":1}', "{}"]


@pytest.mark.parametrize("asks", [True, False], ids=["call", "text"])
def test_a_response_stream_as_chats_own(asks):
    """The id is Chat's, the service tier is none until it is known, no text begins a call."""
    item = fake.call_item() if asks else None
    body = response(*([item] if asks else [fake.message_item("Hi")]))
    events = fake.response_events("Hi", body=body, item=item)
    for event in events[:2]:
        event["response"]["service_tier"] = "auto"
    first, *_, last = chunks_for(*events)
    assert {first["id"], last["id"]} == {body["id"].replace("resp_", "chatcmpl-")}
    assert (first["service_tier"], last["service_tier"]) == (None, body["service_tier"])
    delta = first["choices"][0]["delta"]
    assert delta == {"role": "assistant", "content": None if asks else "", "refusal": None}
    whole = reply_in("chat", read_response(body), {}).wire
    assert whole["id"] == first["id"]


def test_custom_calls_as_chunks():
    """Their input arrives as the input of a custom tool call."""
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "run", "input": "ls"}
    place = {"output_index": 0, "item_id": "ctc_1"}
    shown = chunks_for(
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "input": ""}},
        {"type": "response.custom_tool_call_input.delta", **place, "delta": "ls"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    )
    calls = [piece["choices"][0]["delta"].get("tool_calls") for piece in shown]
    assert calls == [
        None,
        [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "run", "input": ""}}],
        [{"index": 0, "custom": {"input": "ls"}}],
    ]


def test_arguments_in_one_piece():
    """Where a server sends no deltas, the finished item brings the arguments; strays are ignored."""
    item = fake.call_item()
    shown = chunks_for(
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "arguments": ""},
        },
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.function_call_arguments.delta", "output_index": 7, "delta": "x"},
        {"type": "response.output_item.done", "output_index": 7, "item": item},
        {"type": "response.output_item.added", "output_index": 8, "item": None},
    )
    pieces = [piece["choices"][0]["delta"]["tool_calls"][0] for piece in shown[1:]]
    assert [piece["function"]["arguments"] for piece in pieces] == ["", item["arguments"]]


def test_what_a_piece_adds():
    """Text, log-probabilities, and whether it shows: the same questions to either form."""
    entry = token("Pa", -0.5)
    delta = {"type": "response.output_text.delta", "delta": "Pa", "logprobs": [entry]}
    assert (chunk_text(delta), logprob_entries(delta), shows(delta)) == ("Pa", [entry], True)
    said = chunk({"content": "Pa"}, logprobs={"content": [entry]})
    assert (chunk_text(said), logprob_entries(said), shows(said)) == ("Pa", [entry], True)
    assert shows({"type": "response.refusal.delta", "delta": "no"})
    assert shows({"type": "response.output_item.added", "item": fake.call_item()})
    for quiet in (
        {"type": "response.reasoning_summary_text.delta", "delta": "hm"},
        {"type": "response.output_item.added", "item": fake.message_item()},
        {"type": "response.output_item.added", "item": {"type": "web_search_call"}},
        {"type": "response.output_text.delta", "delta": " "},
    ):
        assert not shows(quiet)
        assert logprob_entries(quiet) == []


@pytest.mark.parametrize("event", [5, [], "x"])
def test_what_is_no_event(event):
    """It ends the stream as malformed."""
    with pytest.raises(MalformedReply, match="expected an object"):
        ResponseAssembler().feed(event)


def test_events_of_no_account():
    """Something without a type, an item at no place: nothing is made of it."""
    assembler = ResponseAssembler()
    assert assembler.feed({"ping": 1}) is None
    assembler.feed({"type": "response.output_item.done", "output_index": None, "item": {}})
    assembler.feed({"type": "response.audio.delta", "delta": None})
    assert assembler.items == {}
    assert assembler.pieces == 1
    assert assembler.output_tokens == 1


def test_citations_come_over():
    """Citations of the web are annotations in both; Chat nests what Responses does not."""
    cited = {
        "type": "url_citation",
        "url": "https://x",
        "title": "X",
        "start_index": 0,
        "end_index": 1,
    }
    other = {"type": "file_citation", "file_id": "f"}
    part = {**fake.text_part("x"), "annotations": [cited, other, 5]}
    reply = read_response(response(fake.message_item(part), {"type": "web_search_call"}))
    message = reply_in("chat", reply, {}).wire["choices"][0]["message"]
    inner = {key: value for key, value in cited.items() if key != "type"}
    assert message["annotations"] == [{"type": "url_citation", "url_citation": inner}]


NOTE = {"type": "url_citation", "url": "https://x", "title": "X", "start_index": 0, "end_index": 1}
NESTED = {"type": "url_citation", "url_citation": {k: v for k, v in NOTE.items() if k != "type"}}


def test_citations_go_back():
    """What a searching model of Chat cites reaches a caller of Responses, streamed or not."""
    whole = fake.completion("x")
    whole["choices"][0]["message"]["annotations"] = [NESTED, {"type": "other"}, 5]
    made = reply_in("responses", read_reply(whole, "chat"), {"input": "q"})
    assert made.wire["output"][0]["content"][0]["annotations"] == [NOTE]
    assert [e for e in events_of(made.wire) if e["type"].endswith("annotation.added")] == [
        {
            "type": "response.output_text.annotation.added",
            "item_id": made.wire["output"][0]["id"],
            "output_index": 0,
            "content_index": 0,
            "annotation_index": 0,
            "annotation": NOTE,
            "sequence_number": 5,
        }
    ]
    shown = events_for(
        chunk({"content": "x"}), chunk({"annotations": [NESTED]}), chunk({}, finish_reason="stop")
    )
    assert shown[5]["annotation"] == NOTE
    assert shown[-1]["item"]["content"][0]["annotations"] == [NOTE]


def test_citations_stream_as_chunks():
    """Each comes in a piece of its own; notes that Chat does not know are left out."""
    place = {"output_index": 0, "content_index": 0, "annotation_index": 0}
    kind = "response.output_text.annotation.added"
    shown = chunks_for(
        {"type": kind, **place, "annotation": NOTE},
        {"type": kind, **place, "annotation": {"type": "file_citation"}},
    )
    assert shown[-1]["choices"][0]["delta"] == {"annotations": [NESTED]}
    assert len(shown) == 2


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_the_last_item_of_an_answer_that_was_cut_is_incomplete(reason):
    """Streamed and unstreamed; what came before it is whole."""
    calls = [fake.tool_call(arguments='{"ci')]
    cut = read_reply(fake.completion("x", tool_calls=calls, finish_reason=reason), "chat")
    whole = reply_in("responses", cut, {"input": "q"}).wire
    assert [item["status"] for item in whole["output"]] == ["completed", "incomplete"]
    shown = events_for(
        chunk({"content": "x"}),
        chunk({"tool_calls": [{"index": 0, **calls[0]}]}),
        chunk({}, finish_reason=reason),
    )
    done = [event["item"] for event in shown if event["type"] == "response.output_item.done"]
    assert done == whole["output"]


def test_a_name_that_comes_late():
    """A call is whole at its end, whatever its first piece lacked."""
    shown = events_for(
        chunk({"tool_calls": [{"index": 0, "type": "function", "function": {"arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}),
        chunk({}, finish_reason="tool_calls"),
    )
    assert (shown[-1]["item"]["call_id"], shown[-1]["item"]["name"]) == ("a", "f")


@pytest.mark.parametrize("when", ["2026-11-22T00:00:00Z", None, 1e999, [1], 1795300000.7])
def test_a_moment_that_is_none(when):
    """An odd server's clock does not cost a paid answer."""
    moment = 1795300000 if isinstance(when, float) and when < 1e300 else 0
    body = {**response(fake.message_item(fake.text_part("x"))), "created_at": when}
    assert reply_in("chat", read_response(body), {}).wire["created"] == moment
    assert chunks_for({"type": "response.completed", "response": body})[0]["created"] == moment
    chat = read_reply({**fake.completion(), "created": when}, "chat")
    assert reply_in("responses", chat, {"input": "q"}).wire["created_at"] == moment


def test_a_last_event_without_its_output():
    """The calls that came before say why it ended."""
    item = fake.call_item()
    shown = chunks_for(
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**response(), "output": []}},
    )
    assert shown[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_log_probabilities_get_their_bytes():
    """Responses always has them; where a server left them out, they are those of the token."""
    entry = {
        "token": "é",
        "logprob": -0.5,
        "bytes": None,
        "top_logprobs": [{"token": "e", "logprob": -1}],
    }
    reply = Reply("é", raw_logprobs=[entry, "odd"])
    (made,) = reply_in("responses", reply, {}).wire["output"][0]["content"][0]["logprobs"]
    assert made["bytes"] == [195, 169]
    assert made["top_logprobs"][0]["bytes"] == [101]
    without = Reply("x", raw_logprobs=[{"token": "x", "logprob": 0, "bytes": [120]}])
    assert reply_in("responses", without, {}).raw_logprobs == without.raw_logprobs


def test_a_reply_that_a_scorer_made():
    """A reply with no wire object gets one in the caller's form."""
    made = reply_in("responses", Reply("better"), {"input": "x", "metadata": {"a": "b"}})
    assert made.wire["output"][0]["content"][0]["text"] == "better"
    assert (made.wire["metadata"], made.wire["usage"]) == ({"a": "b"}, None)
    shown = list(
        Feed("responses", {"input": "x"}).rest(made, usage_for(COUNTS, "responses"), streamed=False)
    )
    assert shown[-1]["response"]["usage"]["total_tokens"] == 2


@pytest.mark.parametrize(
    ("body", "api"),
    [
        ({"choices": []}, "chat"),
        ({"object": "response"}, "responses"),
        ({"output": []}, "responses"),
        ({"answers": []}, "decisions"),
        ({"error": {}}, "chat"),
        ([], "chat"),
    ],
    ids=str,
)
def test_whose_reply_it_is(body, api):
    """A recorded body says itself which API it came from."""
    assert api_of_reply(body) == api
    if api == "decisions":
        assert read_reply(body).api == "decisions"


def test_hosted_items_among_the_events():
    """Items that are no message and no call are told whole."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    image = {
        "type": "message",
        "id": "m",
        "role": "assistant",
        "content": [{"type": "output_audio", "data": "x"}],
    }
    reply = read_response(
        response(search, fake.REASONING, image, "x", fake.call_item(arguments=""))
    )
    shown = list(
        Feed("responses", {"input": "x"}).rest(
            reply, usage_for(COUNTS, "responses"), streamed=False
        )
    )
    done = [event["item"] for event in shown if event["type"] == "response.output_item.done"]
    assert done == reply.wire["output"]
    assert [event["sequence_number"] for event in shown] == list(range(len(shown)))
