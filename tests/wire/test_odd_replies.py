"""Replies as no documentation shows them: each has an outcome, and nothing paid is missing."""

from __future__ import annotations

import gzip
import json
import math
from decimal import Decimal

import fake_openai as fake
import httpx
import pytest
from faces import bodies, one, pair
from fake_openai import LOGPROBS, answer, completion, token, tool_call, usage

from cascade.core.trace import Trace
from cascade.errors import ChainExhausted
from cascade.wire.faults import MalformedReply, decode
from cascade.wire.replies import read_reply

PAID = Decimal("0.00012")


def raw(data, kind="application/json"):
    return httpx.Response(200, content=data, headers={"content-type": kind})


def without(*path):
    """A completion without one of its parts, given by its path."""
    body = completion()
    part = body
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return body


NO_ANSWER = {
    "HTML": (fake.HTML, "is no JSON: '<!DOCTYPE", None),
    "empty": (raw(b""), "is no JSON: ''", None),
    "text": (raw(b"OK", "text/plain"), "is no JSON: 'OK'", None),
    "cut": (raw(json.dumps(completion()).encode()[:200]), "is no JSON", None),
    "invalid UTF-8": (raw(b'{"choices": "\xff\xfe"}'), "is no JSON", None),
    "deep": (raw(b"[" * 100_000 + b"]" * 100_000), "is no JSON", None),
    "huge number": (raw(b'{"usage": ' + b"9" * 5000 + b"}"), "is no JSON", None),
    "list": (answer([1]), "the reply is list", None),
    "null": (raw(b"null"), "the reply is missing", None),
    "string": (raw(b'"hello"'), "the reply is text", None),
    "error body": (answer(fake.error_body("no such path")), "status 200: no such path", None),
    "error text": (answer({"error": "no such path"}), "status 200: no such path", None),
    "error and usage": (answer({"error": {"code": 502}, "usage": usage()}), "status 200", PAID),
    "choices missing": (answer(without("choices")), "choices is missing", PAID),
    "choices empty": (answer(completion(choices=[])), "choices is list", PAID),
    "choices no list": (answer(completion(choices={"0": 1})), "choices is dict", PAID),
    "choice no object": (answer(completion(choices=[5])), r"message is missing", PAID),
    "message missing": (answer(without("choices", 0, "message")), "message is missing", PAID),
    "content a number": (answer(completion(5)), "content is int 5", PAID),
    "content an object": (answer(completion({"a": 1})), "content is dict", PAID),
    "wrong gzip": (
        httpx.Response(
            200,
            stream=httpx.ByteStream(b"no gzip"),
            headers={"content-encoding": "gzip", "content-type": "application/json"},
        ),
        "cannot be read",
        None,
    ),
}


@pytest.mark.parametrize(("response", "words", "cost"), NO_ANSWER.values(), ids=NO_ANSWER)
def test_a_200_without_an_answer(face, openai_api, response, words, cost):
    """It is a failure of its own kind, never repeated, and keeps the usage it reports."""
    openai_api.side_effect = [response, answer(completion())]
    used = face(pair())
    result = used.complete()
    first, _ = result.trace.charges
    assert (first.outcome, first.cost_usd) == ("malformed", cost)
    assert words in first.message
    assert len(first.message) <= 500
    assert result.tier == "big"
    assert Trace.from_json(result.trace.to_json()) == result.trace


def test_a_malformed_reply_is_billed_by_its_own_tier(face, openai_api):
    """Its service tier counts as in any other reply: flex tokens of this model have no price."""
    openai_api.side_effect = [answer(completion(5, service_tier="flex")), answer(completion())]
    first, _ = face(pair()).complete().trace.charges
    assert (first.service_tier, first.cost_usd) == ("flex", None)


def parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


READABLE = {
    "parts": (completion(parts("Pa", "ris")), "Paris", ()),
    "model null": (completion(model=None), "Paris", ("model is missing",)),
    "finish unknown": (
        completion(finish_reason="weird"),
        "Paris",
        ("unknown finish_reason 'weird'",),
    ),
    "finish missing": (completion(finish_reason=None), "Paris", ("finish_reason is missing",)),
    "no logprobs key": (without("choices", 0, "logprobs"), "Paris", ()),
    "error null": (completion(error=None), "Paris", ()),
    "reasoning": (completion(reasoning_content="hm", x={"y": [1]}), "Paris", ()),
}


@pytest.mark.parametrize(("body", "text", "notes"), READABLE.values(), ids=READABLE)
def test_what_can_be_read_is_read(face, openai_api, body, text, notes):
    """An odd reply with an answer is an answer; the charge notes what was odd."""
    openai_api.return_value = answer(body)
    result = face(one()).complete()
    assert result.text == text
    assert result.cost_usd == PAID
    assert result.trace.charges[0].notes == notes
    assert result.reply.wire == body


USAGES = {
    "missing": (None, None, None),
    "text": ("100", None, None),
    "strings": ({"prompt_tokens": "100", "completion_tokens": "10"}, None, None),
    "negative": (usage(-1, 10), None, None),
    "floats": ({"prompt_tokens": 100.0, "completion_tokens": 10}, None, None),
    "no totals": ({"total_tokens": 110}, None, None),
    "contradiction": (usage(100, 10, cached=101), None, None),
    "no details": (usage(details=False), PAID, 0),
    "details null": ({**usage(details=False), "prompt_tokens_details": None}, PAID, 0),
    "cached": (usage(cached=64), PAID, 64),
    "written": (usage(written=32), PAID, 0),
    "reasoning": (usage(100, 10, reasoning=8), PAID, 0),
}


@pytest.mark.parametrize(("counts", "cost", "cached"), USAGES.values(), ids=USAGES)
def test_a_cost_is_known_or_unknown(face, openai_api, counts, cost, cached):
    """Usage that cannot be read is an unknown cost, never zero; the answer is used all the same."""
    openai_api.return_value = answer(completion(counts=counts))
    result = face(one()).complete()
    (charge,) = result.trace.charges
    assert result.text == "Paris"
    assert (charge.cost_usd, charge.basis) == (cost, "exact" if cost else "unknown")
    assert (charge.usage.cached_tokens if charge.usage else None) == cached
    assert any("usage" in note for note in charge.notes) is (cost is None)


READ_LOGPROBS = {
    "saturated": [("Paris", 0.0)],
    "two candidates": [("Paris", -0.34)],
    "no alternatives": [("Paris", -0.2)],
    "sentinel": [("Paris", -20.0)],
    "bytes null": [("Paris", -0.2)],
    "logprob null": [("is", -0.2)],
}


@pytest.mark.parametrize("name", LOGPROBS)
def test_log_probabilities_of_every_kind(face, openai_api, name):
    """Saturated, short and missing values give numbers in range; the wire object is untouched."""
    openai_api.return_value = answer(completion(logprobs=LOGPROBS[name]))
    reply = face(one()).complete().reply
    assert [(t.token, t.logprob) for t in reply.logprobs] == READ_LOGPROBS[name]
    assert all(-9999 < value <= 0 for t in reply.logprobs for _, value in t.top)
    assert reply.wire["choices"][0]["logprobs"]["content"] == LOGPROBS[name]


@pytest.mark.parametrize(
    "given", [None, {"content": None}, {"content": []}, {"content": "x"}, [], "x", {"content": [5]}]
)
def test_no_log_probabilities_is_no_signal(face, openai_api, given):
    """Null, empty or senseless log-probabilities are none, not a number."""
    body = completion()
    body["choices"][0]["logprobs"] = given
    openai_api.return_value = answer(body)
    assert face(one()).complete().reply.logprobs is None


def test_not_a_number_is_no_number(face, openai_api):
    """Python servers write NaN where JSON has nothing: it is no value, and the trace stays JSON."""
    entries = [token("a", math.nan), token("b", -math.inf), token("c", -0.5)]
    body = json.dumps(completion(logprobs=entries)).encode()
    assert b"NaN" in body
    openai_api.return_value = raw(body)
    result = face(one()).complete()
    assert [t.logprob for t in result.reply.logprobs] == [-20.0, -0.5]
    kept = result.trace.to_json()
    assert "NaN" not in kept
    assert "Infinity" not in kept


ANSWERS = {
    "tool calls": (completion(None, tool_calls=[tool_call()], finish_reason="tool_calls"), "small"),
    "empty at the limit": (completion("", finish_reason="length"), "big"),
    "cut at the limit": (completion("Par", finish_reason="length"), "big"),
    "filtered": (completion("Par", finish_reason="content_filter"), "small"),
    "refusal": (completion(None, refusal="I can't help with that."), "big"),
    "null content": (completion(None), "big"),
}


@pytest.mark.parametrize(("body", "tier"), ANSWERS.values(), ids=ANSWERS)
def test_answers_that_are_no_plain_text(face, openai_api, body, tier):
    """Refused, cut and empty answers go on as the policy says, and are paid."""
    openai_api.side_effect = [answer(body), answer(completion())]
    result = face(pair()).complete()
    assert result.tier == tier
    assert result.trace.charges[0].cost_usd == PAID


def test_a_long_nest_is_kept(face, openai_api):
    """Whatever nesting can be read can be written into the trace and read back."""
    nest = 5
    for _ in range(400):
        nest = [nest]
    openai_api.return_value = answer(completion(extra=nest))
    trace = face(one()).complete().trace
    assert Trace.from_json(trace.to_json()) == trace


@pytest.mark.parametrize("packed", [False, True])
def test_ten_megabytes(face, openai_api, packed):
    """Size is no reason to fail, compressed or not."""
    text = "x" * 10_000_000
    data = json.dumps(completion(text)).encode()
    headers = {"content-type": "application/json"}
    if packed:
        data, headers["content-encoding"] = gzip.compress(data), "gzip"
    openai_api.return_value = httpx.Response(200, stream=httpx.ByteStream(data), headers=headers)
    assert face(one()).complete().text == text


def test_nothing_readable_anywhere(face, openai_api):
    """Where no tier sends an answer, the error's trace has every paid try."""
    openai_api.return_value = answer(completion(choices=[]))
    with pytest.raises(ChainExhausted) as caught:
        face(pair()).complete()
    assert caught.value.trace.cost_usd == 2 * PAID
    assert len(bodies(openai_api)) == 2


def test_what_a_reply_says_is_kept():
    """Tool calls, refusals and the old function call are read; anything else is left alone."""
    old = completion(None, finish_reason="function_call")
    old["choices"][0]["message"]["function_call"] = {"name": "f", "arguments": "{}"}
    called = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert read_reply(old).tool_calls == (called,)
    assert read_reply(completion(None, tool_calls=[5, tool_call()])).tool_calls == (tool_call(),)
    assert read_reply(completion(None, tool_calls="x", refusal=5)).is_empty


def test_decoding_says_what_it_was():
    """The start of what is no JSON is in the message, text or bytes."""
    with pytest.raises(MalformedReply, match="an event is no JSON: 'a'"):
        decode("a", "an event")
