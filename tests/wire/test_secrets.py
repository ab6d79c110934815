"""A key is sent where it belongs and shown nowhere else."""

from __future__ import annotations

import logging

import fake_openai as fake
import httpx
import httpx2
import pytest
from faces import one
from fake_openai import KEY, answer, completion, events, refuse, text_chunks

from cascade import Cascade
from cascade.core.tier import Retry, Tier
from cascade.core.wishes import ModelCall
from cascade.errors import RunError
from cascade.provider.failures import scrub

PLAIN = "0123456789abcdef0123456789abcdef"
"""A key without a telling shape, as Azure and many compatible servers use."""

TOKEN = "tok-in-a-header-987654"

REFUSED = {
    "named": lambda key: [refuse(401, f"Incorrect API key provided: {key}.")],
    "bearer": lambda key: [refuse(403, f"Denied for Authorization: Bearer {key}.")],
    "header": lambda _: [refuse(400, f"Token {TOKEN} has expired")],
    "masked": lambda _: [refuse(401, "Incorrect API key provided: sk-proj-********cret.")],
    "nested": lambda key: [answer({"detail": {"sent": [f"Bearer {key}"]}}, status=400)],
    "error body in a 200": lambda key: [answer(fake.error_body(f"Incorrect key: {key}"))],
    "HTML": lambda key: [httpx.Response(200, html=f"{key} is no key")],
    "broken line": lambda key: httpx2.RemoteProtocolError(f"bad line: {key}"),
    "frame": lambda key: [events([*text_chunks("a")[:2], fake.error_body(f"{key} is out")])],
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("key", [KEY, PLAIN])
@pytest.mark.parametrize("response", REFUSED.values(), ids=REFUSED)
def test_no_key_gets_out(face, openai_api, caplog, response, *, key, streamed):
    """Not in the error, the trace in any of its forms, the log, nor in anything's `repr`."""
    openai_api.side_effect = response(key)
    used = face(one(retry=Retry(max_tries=1)), key=key)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RunError) as caught:
        (used.stream if streamed else used.complete)(extra_headers={"X-Auth-Token": TOKEN})
    error, trace = caught.value, caught.value.trace
    texts = [str(error), repr(error), str(trace), repr(trace), trace.to_json(), caplog.text]
    texts += [repr(trace.charges), repr(used.llm), repr(used.models), repr(error.__context__)]
    texts += [str(record.__dict__) for record in caplog.records]
    for text in texts:
        for secret in (KEY, PLAIN, TOKEN, "********cret"):
            assert secret not in text


def test_a_good_call_keeps_no_key_either(face, openai_api, caplog):
    """The trace and the log of an accepted answer hold no key and no header."""
    caplog.set_level(logging.DEBUG)
    openai_api.return_value = answer(completion())
    result = face(one()).complete(extra_headers={"Authorization": f"Bearer {TOKEN}"})
    for text in (result.trace.to_json(), str(result.trace), repr(result), caplog.text):
        assert TOKEN not in text
        assert KEY not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {KEY}!", "key [secret]!"),
        ("Authorization: Bearer abc.def-123", "Authorization: [secret]"),
        ("sess-abcdef123 and sk-ab", "[secret] and sk-ab"),
        ("a bearer of news", "a bearer of news"),
        ("ask-anything-else", "ask-anything-else"),
    ],
)
def test_what_looks_like_a_key(text, expected):
    """Keys are recognised by their shape; words are left alone."""
    assert scrub(text) == expected


def test_known_secrets_are_taken_out_first():
    """A secret that is known is taken out whatever its shape."""
    assert scrub("it is hunter2-hunter2", ["hunter2-hunter2"]) == "it is [secret]"


def test_a_call_does_not_print_its_headers():
    """A model call shown in a message or a failed assertion holds none of the sent headers."""
    call = ModelCall(0, Tier("m"), "m", {}, options={"extra_headers": {"X-Auth-Token": TOKEN}})
    assert TOKEN not in repr(call)


def test_a_clients_own_headers_are_secrets_too(openai_api):
    """A token in the client's default headers is taken out of what a server repeats of it."""
    import openai

    openai_api.side_effect = [refuse(400, f"Token {TOKEN} has expired")]
    client = openai.OpenAI(api_key=KEY, default_headers={"X-Auth-Token": TOKEN})
    with (
        Cascade([Tier("gpt-5.5", retry=Retry(max_tries=1))], client=client) as llm,
        pytest.raises(RunError) as caught,
    ):
        llm.complete("?")
    client.close()
    assert TOKEN not in str(caught.value) + caught.value.trace.to_json()
