"""Streams that arrive whole: what is shown, in which order, and what is booked."""

from __future__ import annotations

import json
from decimal import Decimal

import fake_openai as fake
import httpx
import pytest
from faces import PRICE, one, pair
from fake_openai import answer, chunk, completion, events, sure, text_chunks, usage
from test_sent import Confidence

from cascade import Tier
from cascade.core.tier import Retry
from cascade.core.trace import Trace
from cascade.errors import BillingStopped

TEXTS = ("Pa", "ris", " is", " it", ".")


def reject(draft):
    return 0.0


def shown(chunks):
    return [chunk.wire for chunk in chunks]


def test_chunks_pass_unchanged_and_in_order(face, openai_api):
    """The last tier's chunks are passed on as they came; a usage chunk of our own ends them."""
    sent = text_chunks(*TEXTS)
    openai_api.return_value = events(sent)
    stream, chunks = face(one()).stream()
    *passed, last = shown(chunks)
    assert passed == sent[:-1]
    assert [chunk.text for chunk in chunks] == ["", *TEXTS, "", ""]
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 100
    assert stream.completion.text == "Paris is it."
    assert stream.trace.cost_usd == Decimal("0.00012")
    assert stream.trace.charges[0].request_id == "req_1"


def test_the_reply_is_that_of_an_unstreamed_call(face, openai_api):
    """Assembled chunks read as the reply that the same call would have given unstreamed."""
    openai_api.return_value = events(text_chunks(*TEXTS, logprobs=True))
    stream, _ = face(one()).stream()
    openai_api.return_value = answer(
        completion("".join(TEXTS), logprobs=[fake.token(text, -0.1) for text in TEXTS])
    )
    whole = face(one()).complete()
    streamed = stream.completion.reply
    for name in ("text", "model", "finish_reason", "usage", "service_tier", "id", "logprobs"):
        assert getattr(streamed, name) == getattr(whole.reply, name)
    assert Trace.from_json(stream.trace.to_json()) == stream.trace


def test_tool_calls_are_put_together(face, openai_api):
    """Tool-call deltas pass unchanged and make the calls of the unstreamed form."""
    openai_api.return_value = events(fake.tool_chunks())
    stream, chunks = face(one()).stream()
    assert shown(chunks)[:-1] == fake.tool_chunks()[:-1]
    assert stream.completion.reply.tool_calls == (
        fake.tool_call(),
        fake.tool_call("clock", "{}", "call_2"),
    )
    assert stream.completion.reply.finish_reason == "tool_calls"


def test_rejected_drafts_are_never_shown(face, openai_api):
    """Only the answer that stands is shown; the usage chunk holds the sum of all attempts."""
    openai_api.side_effect = [answer(sure("wrong")), events(text_chunks(*TEXTS))]
    stream, chunks = face(pair(scorer=reject)).stream()
    assert "wrong" not in json.dumps(shown(chunks))
    counts = chunks[-1].wire["usage"]
    assert (counts["prompt_tokens"], counts["completion_tokens"]) == (200, 20)
    assert counts["total_tokens"] == 220
    assert stream.completion.tier == "big"
    assert stream.trace.cost_usd == Decimal("0.00024")


def test_an_accepted_draft_is_shown_as_a_stream(face, openai_api):
    """A draft that was held back and accepted comes as chunks, with its usage."""
    openai_api.side_effect = [answer(sure("right"))]
    stream, chunks = face(pair(scorer=lambda _: 1.0)).stream()
    assert "".join(chunk.text for chunk in chunks) == "right"
    assert chunks[0].wire["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1].wire["usage"]["prompt_tokens"] == 100
    assert stream.completion.tier == "small"
    assert len(openai_api.calls) == 1


def test_the_last_tiers_scorer_sees_log_probabilities(face, openai_api):
    """A scorer on the last tier is recorded, from log-probabilities assembled out of chunks."""
    seen = []

    class Reads(Confidence):
        def __call__(self, draft):
            seen.extend(token.logprob for token in draft.reply.logprobs)
            return 0.25

    openai_api.return_value = events(text_chunks(*TEXTS, logprobs=True))
    tiers = [Tier("gpt-5.4-mini", price=PRICE, scorer=Reads())]
    stream, _ = face(tiers).stream()
    assert seen == [-0.1] * len(TEXTS)
    assert stream.trace.attempts[0].score.value == 0.25
    assert stream.completion.accepted


UNUSUAL = {
    "no [DONE]": (events(text_chunks(*TEXTS), done=False), "exact"),
    "no usage": (events(text_chunks(*TEXTS, counts=None)), "estimated"),
    "usage unreadable": (events(text_chunks(*TEXTS, counts={"prompt_tokens": "x"})), "estimated"),
    "[DONE] without finish reason": (
        events([*text_chunks(*TEXTS)[:-2], chunk(counts=usage())]),
        "exact",
    ),
    "comments and names": (
        httpx.Response(
            200,
            content=b": ping\n\nevent: x\nid: 1\nretry: 5\n\n" + fake.sse(text_chunks(*TEXTS)),
        ),
        "exact",
    ),
    "CRLF": (
        httpx.Response(200, content=fake.sse(text_chunks(*TEXTS)).replace(b"\n", b"\r\n")),
        "exact",
    ),
    "after [DONE]": (
        httpx.Response(200, content=fake.sse(text_chunks(*TEXTS)) + b"data: rubbish\n\n"),
        "exact",
    ),
    "no last newline": (
        httpx.Response(200, content=fake.sse(text_chunks(*TEXTS), done=False)[:-2]),
        "exact",
    ),
    "filter results first": (
        events([chunk(prompt_filter_results=[{"prompt_index": 0}]), *text_chunks(*TEXTS)]),
        "exact",
    ),
}


@pytest.mark.parametrize(("response", "basis"), UNUSUAL.values(), ids=UNUSUAL)
def test_streams_of_other_servers(face, openai_api, response, basis):
    """A stream that ends by itself is an answer; without usage its cost is flagged as estimated."""
    openai_api.return_value = response
    stream, chunks = face(one()).stream()
    assert "".join(chunk.text for chunk in chunks) == "".join(TEXTS)
    assert stream.completion.text == "".join(TEXTS)
    (charge,) = stream.trace.charges
    assert charge.basis == basis
    assert charge.usage is not None
    if basis == "estimated":
        assert charge.usage.output_tokens == len(TEXTS)


def test_an_estimate_counts_text_as_well_as_chunks(face, openai_api):
    """A server that sends everything in one chunk has not written one token."""
    openai_api.return_value = events(text_chunks("word " * 400, counts=None))
    stream, _ = face(one()).stream()
    assert stream.trace.charges[0].usage.output_tokens == 500


def test_a_server_that_does_not_stream(face, openai_api):
    """A plain JSON answer to a streamed call is used, shown and booked."""
    openai_api.return_value = answer(completion())
    stream, chunks = face(one()).stream()
    assert "".join(chunk.text for chunk in chunks) == "Paris"
    assert stream.trace.cost_usd == Decimal("0.00012")


def test_an_empty_stream_is_no_answer(face, openai_api):
    """A final stream without an answer leaves the earlier draft standing; nothing of it shows."""
    openai_api.side_effect = [answer(sure("draft")), events(text_chunks())]
    stream, chunks = face(pair(scorer=reject)).stream()
    assert "".join(chunk.text for chunk in chunks) == "draft"
    assert not stream.completion.accepted
    assert stream.trace.cost_usd == Decimal("0.00024")


EARLY = {
    "error frame": (events([fake.ERROR_FRAME]), "server", None),
    "role, then error": (events([chunk({"role": "assistant"}), fake.ERROR_FRAME]), "server", None),
    "limited frame": (
        events([fake.error_body("slow", code="rate_limit_exceeded")]),
        "rate_limit",
        Decimal(0),
    ),
    "500": (fake.BROKEN, "server", None),
    "429": (fake.limited(), "rate_limit", Decimal(0)),
}


@pytest.mark.parametrize(("response", "kind_of", "cost"), EARLY.values(), ids=EARLY)
def test_an_error_before_any_text_is_retried_silently(face, openai_api, response, kind_of, cost):
    """The reader sees the second try only; the trace has both."""
    openai_api.side_effect = [response, events(text_chunks(*TEXTS))]
    stream, chunks = face(one(retry=Retry(max_tries=2))).stream()
    assert "".join(chunk.text for chunk in chunks) == "".join(TEXTS)
    first, second = stream.trace.charges
    assert (first.outcome, first.cost_usd) == (kind_of, cost)
    assert second.outcome == "ok"


NO_STREAM = {
    "HTML": (fake.HTML, "<!DOCTYPE"),
    "empty": (httpx.Response(200, content=b""), "before its finish reason"),
    "only [DONE]": (httpx.Response(200, content=b"data: [DONE]\n\n"), "empty"),
    "no JSON": (httpx.Response(200, content=b"data: {oops\n\n"), "a stream event is no JSON"),
    "no object": (httpx.Response(200, content=b"data: 5\n\n"), "is a int"),
    "cut": (events(text_chunks()[:1], done=False), "before its finish reason"),
}


@pytest.mark.parametrize(("response", "words"), NO_STREAM.values(), ids=NO_STREAM)
def test_a_stream_that_never_was_one(face, openai_api, response, words):
    """Without a single piece of text the earlier draft stands, and the trace says why."""
    openai_api.side_effect = [answer(sure("draft")), response]
    stream, chunks = face(pair(scorer=reject)).stream()
    assert "".join(chunk.text for chunk in chunks) == "draft"
    assert words in stream.trace.attempts[1].reason
    assert stream.trace.charges[1].cost_usd is None


def test_a_billing_stop_in_a_stream(face, openai_api):
    """An account that runs dry at the last tier stops there, with the drafts' cost known."""
    openai_api.side_effect = [
        answer(sure()),
        events([fake.error_body("x", code=None, kind="insufficient_quota")]),
    ]
    with pytest.raises(BillingStopped) as caught:
        face(pair(scorer=reject)).stream()
    assert caught.value.trace.cost_usd == Decimal("0.00012")
    assert len(openai_api.calls) == 2
