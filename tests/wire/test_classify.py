"""Exceptions that no server causes: what each is called."""

from __future__ import annotations

import ssl

import httpx2
import openai
import pytest

from cascade import Tier
from cascade.core.failures import CallFailure
from cascade.core.wishes import ModelCall
from cascade.provider.body import secrets_in
from cascade.provider.downgrades import Downgrades, Situation
from cascade.provider.exchange import Exchange
from cascade.provider.failures import classify

REQUEST = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")

FORESEEN = {
    "SDK timeout": (openai.APITimeoutError(REQUEST), "timeout"),
    "SDK connection": (openai.APIConnectionError(request=REQUEST), "connection"),
    "TLS": (ssl.SSLError("bad record"), "connection"),
    "protocol": (httpx2.UnsupportedProtocol("ftp://"), "unreachable"),
    "no credentials": (openai.OpenAIError("Missing credentials."), "auth"),
    "built wrong": (TypeError("not a header"), "invalid"),
    "anything": (RuntimeError("surprise"), "connection"),
}


@pytest.mark.parametrize(("error", "kind_of"), FORESEEN.values(), ids=FORESEEN)
def test_an_exception_has_a_kind(error, kind_of):
    """Whatever is raised while sending becomes a failure with the words it came with."""
    failure = classify(error)
    assert failure.kind == kind_of
    assert failure.message


def test_a_surprise_while_reading_is_malformed():
    """A reply was there and probably paid for: it is not asked for again."""
    assert classify(RuntimeError("surprise"), reading=True).kind == "malformed"


def test_the_cause_counts():
    """The SDK wraps the transport's exception; what it wraps decides."""
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = httpx2.ConnectError("refused")
    assert classify(error).kind == "unreachable"


class Client:
    base_url = "http://127.0.0.1:8080/v1/"
    api_key = "short"


def test_an_exchange_is_not_read_before_it_is_over():
    """Asking for a result that is not there is a mistake of the caller's, and is said so."""
    call = ModelCall(number=0, tier=Tier("llama"), model="llama", payload={"messages": []})
    exchange = Exchange(call, Client(), Downgrades(), lambda: 0.0)
    with pytest.raises(RuntimeError, match="not over"):
        _ = exchange.settled
    with pytest.raises(TypeError, match="opened"):
        _ = exchange.refusal


@pytest.mark.parametrize(
    "headers", [None, {}, [("Authorization", "Bearer x")], {"X": "value-9999"}]
)
def test_placeholders_are_no_secrets(headers):
    """Short keys and harmless headers stay readable in messages."""
    options = {"extra_headers": headers}
    call = ModelCall(0, Tier("llama"), "llama", {"messages": []}, options=options)
    assert secrets_in(call, Client()) == ()


@pytest.mark.parametrize("param", ["include_obfuscation", "stream_options.include_obfuscation"])
def test_obfuscation_can_be_given_up(param):
    """A server that does not know the option still streams with its usage."""
    memory, place = Downgrades(), Situation("https://a", "m", None)
    body = {"stream_options": {"include_usage": True, "include_obfuscation": False}}
    failure = CallFailure("unsupported", f"Unknown parameter: '{param}'.", 400, param=param)
    assert memory.learn(place, failure, body)
    memory.apply(place, body)
    assert body == {"stream_options": {"include_usage": True}}
    plain = {"messages": []}
    assert memory.apply(place, plain) == ()
    assert not memory.learn(place, CallFailure("server", "x"), body)


def test_a_page_of_html_becomes_one_line():
    """A proxy's error page is told by its words, short enough for a terminal."""
    page = "<!DOCTYPE html>\n<html><head><style>p {color: red}</style><title>502</title></head>"
    page += "<body><h1>Bad gateway</h1>\n" + "<p>more</p>" * 200 + "</body></html>"
    answer = httpx2.Response(502, text=page, request=REQUEST)
    words = classify(openai.APIStatusError(page, response=answer, body=page)).message
    assert words.startswith("an HTML page: 502 Bad gateway more")
    assert "\n" not in words
    assert len(words) < 220
