"""Writing answers, streams and failures, whatever models, chains and callers write into them."""

from __future__ import annotations

import json

import pytest

from cascade import AsyncCascade, Cascade, Chain, Tier
from cascade.endpoint.answers import body_of, encode
from cascade.endpoint.books import books_of, header_value, headers_of
from cascade.endpoint.calls import read_call
from cascade.endpoint.chains import Chains
from cascade.endpoint.failures import failure_of
from cascade.endpoint.faults import UnknownModel
from cascade.endpoint.frames import async_frames, frames
from cascade.errors import ConfigError, RequestError, RunError
from cascade.testing import ScriptedModels, failure, reply

CHAT = {"model": "cascade", "messages": [{"role": "user", "content": "hi"}]}
TIERS = [Tier("gpt-5.4-nano", scorer=lambda draft: draft.text != "Hm."), Tier("gpt-5.5")]


def answered(body=CHAT, *, script=None, tiers=TIERS, **reading):
    models = ScriptedModels(script or {"gpt-5.4-nano": "Hm.", "gpt-5.5": "Good day."})
    call = read_call("chat", body, **reading)
    return Cascade(tiers, models=models).complete(call.request, **call.keywords), call


def streamed(script=None, *, api="chat", include_usage=False, **reading):
    models = ScriptedModels(script or {"gpt-5.4-nano": "Hm.", "gpt-5.5": "Good day."})
    asked = {"model": "cascade", "input": "hi"} if api == "responses" else CHAT
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    call = read_call(api, {**asked, "stream": True, **options}, **reading)
    return frames(Cascade(TIERS, models=models).stream(call.request, **call.keywords), call)


def data_of(written):
    """The data of frames, decoded; `[DONE]` as it stands."""
    lines = b"".join(written).decode().split("\n")
    said = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [item if item == "[DONE]" else json.loads(item) for item in said]


def test_the_books_can_be_left_out():
    """Where it is switched off no body and no frame holds the `cascade` field."""
    done, call = answered(shows_books=False)
    assert "cascade" not in body_of(done, call, books_of(done.trace))
    assert b'"cascade"' not in b"".join(streamed(shows_books=False, include_usage=True))
    assert b'"cascade"' not in b"".join(streamed(shows_books=False, api="responses"))


def test_unknown_is_null():
    """A cost or usage that nobody knows is null in the body, and has no header."""
    silent = reply("Good day.", input_tokens=None)
    done, call = answered(script={"gpt-5.4-nano": silent})
    body = body_of(done, call, books_of(done.trace))
    assert body["usage"] is None
    assert body["cascade"]["cost_usd"] is body["cascade"]["saved_usd"] is None
    assert not [name for name in headers_of(books_of(done.trace)) if name.endswith("usd")]
    last = data_of(streamed({"gpt-5.4-nano": silent}, include_usage=True))[-2]
    assert last["usage"] is None


def test_the_body_of_a_reply_is_not_changed():
    """What the model's server sent stays as it came, in the reply and in the trace."""
    done, call = answered()
    body_of(done, call, books_of(done.trace))
    assert "cascade" not in done.reply.wire
    assert done.reply.wire["usage"]["total_tokens"] == 12


INJECTED = "shop\r\nset-cookie: admin=1\n\x00 päö\u2028"


def test_nothing_breaks_out_of_a_header():
    """Names of chains and tiers may hold anything; a header's value is plain ASCII on one line."""
    tiers = [Tier("gpt-5.5", name=INJECTED)]
    done, call = answered(
        {**CHAT, "cascade": {"tags": [INJECTED], "parent": INJECTED}},
        script={INJECTED: "Good day."},
        tiers=Chain(tuple(tiers), name=INJECTED),
    )
    assert done.trace.tags == (INJECTED,)
    for value in headers_of(books_of(done.trace)).values():
        assert value.isascii()
        assert value.isprintable()
    assert "set-cookie: admin=1" in headers_of(books_of(done.trace))["x-cascade-tier"]
    assert body_of(done, call, books_of(done.trace))["cascade"]["chain"] == INJECTED
    assert header_value("plain name-1") == "plain name-1"


@pytest.mark.parametrize("text", ["\ud800", "\n\ndata: [DONE]\n\n", "\r\nevent: x", "\x00\u2028"])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_nothing_breaks_out_of_a_frame(text, api):
    """What a model writes stays within its frame, half characters included."""
    said = data_of(streamed({"gpt-5.4-nano": reply(f"a{text}b")}, api=api))
    assert f"a{text}b" in json.dumps(said, ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    ).decode("utf-8", "surrogatepass") or json.dumps(f"a{text}b")[1:-1] in json.dumps(said)
    assert said.count("[DONE]") == (api == "chat")


def test_numbers_that_json_lacks():
    """A server's infinity is written as null."""
    assert encode({"a": float("inf"), "b": float("nan")}) == b'{"a":null,"b":null}'


def test_a_stream_that_never_says_why_it_ended():
    """The books have their place even where no chunk has a finish reason."""
    odd = reply("Good day.", finish_reason=None)
    said = data_of(streamed({"gpt-5.4-nano": odd}))
    assert said[-1] == "[DONE]"
    assert said[-2]["cascade"]["tier"] == "gpt-5.4-nano"
    assert said[-2]["choices"]


async def test_both_ways_of_waiting_write_the_same():
    """The awaited frames are those of the sync stream."""
    call = read_call("chat", {**CHAT, "stream": True})
    models = ScriptedModels({"gpt-5.4-nano": "Hm.", "gpt-5.5": "Good day."})
    stream = AsyncCascade(TIERS, models=models).stream(call.request, **call.keywords)
    found = data_of([frame async for frame in async_frames(stream, call)])
    same = data_of(streamed())
    for said in (found, same):
        del said[-2]["cascade"]["trace_id"]
    assert found == same


def test_what_fails_before_the_first_frame_is_raised():
    """So that the status of the response can still say it."""
    with pytest.raises(RunError):
        next(streamed({"gpt-5.4-nano": failure("server"), "gpt-5.5": failure("invalid")}))


# Failures -----------------------------------------------------------------------------------------


def failed(*, inside=False, **kinds):
    script = {"gpt-5.4-nano": failure("malformed"), "gpt-5.5": failure(**kinds)}
    with pytest.raises(RunError) as caught:
        answered(script=script, tiers=[TIERS[0], Tier("gpt-5.5")])
    return failure_of(caught.value, inside=inside)


@pytest.mark.parametrize(
    ("kinds", "status", "kind", "code"),
    [
        ({"kind": "billing"}, 429, "insufficient_quota", "insufficient_quota"),
        ({"kind": "overloaded"}, 503, "server_error", "server_is_overloaded"),
        ({"kind": "server", "status": 500}, 500, "server_error", None),
        ({"kind": "server", "status": 200}, 502, "server_error", None),
        ({"kind": "timeout"}, 504, "server_error", "timeout"),
        ({"kind": "unreachable"}, 502, "server_error", None),
        ({"kind": "malformed"}, 502, "server_error", None),
        ({"kind": "context_length"}, 400, "invalid_request_error", "context_length_exceeded"),
        ({"kind": "invalid", "status": 418}, 418, "invalid_request_error", None),
        ({"kind": "not_found", "status": 404}, 404, "invalid_request_error", None),
        ({"kind": "not_found", "status": 404, "code": "c"}, 404, "invalid_request_error", "c"),
        ({"kind": "not_found", "status": 404, "type": "api_error"}, 404, "api_error", None),
        ({"kind": "context_length", "status": 413, "type": "x"}, 413, "x", None),
        ({"kind": "server", "status": 409, "type": "x", "code": "y"}, 409, "x", "y"),
        ({"kind": "rate_limit", "status": 429, "type": "tokens"}, 429, "tokens", None),
    ],
)
def test_a_failure_of_the_last_tier(kinds, status, kind, code):
    """Status, type and code are the provider's where it gave some, else what OpenAI would say."""
    found = failed(**kinds)
    assert (found.status, found.error["type"], found.error["code"]) == (status, kind, code)
    assert found.headers["x-should-retry"] == "false"
    assert found.body()["cascade"]["trace_id"] == found.trace.id
    assert "cascade" not in found.body(shows_books=False)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, "the model stopped sending it."),
        (failure("connection", "Not enough data to satisfy"), "the connection to the model was lost."),
        (failure("deadline", "x"), "the request's deadline has passed."),
        (failure("server", "the stream carried an error: Oh.", type="x"), "the stream carried an error: Oh."),
    ],
)  # fmt: skip
def test_a_stream_that_broke(cause, words):
    """One plain sentence; the provider's own words where it gave some, no exception's."""
    told = failed(kind="interrupted", message=f"after text had been shown: {cause}", cause=cause)
    assert told.error["message"] == f"The answer broke off before its end: {words}"
    assert "after text had been shown" in told.trace.reason


def test_a_servers_own_key_is_its_own_affair(caplog):
    """A refused key is told to whoever set up the chain, and kept from those who only call."""
    told = failed(inside=True, kind="auth", message="Incorrect API key of org-7", status=401)
    assert (told.status, told.error["message"]) == (401, "Incorrect API key of org-7")
    kept = failed(kind="auth", message="Incorrect API key of org-7", status=401)
    assert kept.status == 500
    assert "org-7" not in json.dumps(kept.body())
    assert "org-7" in caplog.text


def test_what_nobody_foresaw_tells_nothing(caplog):
    """An unexpected exception is a 500 without a detail of ours; the log has it."""
    found = failure_of(KeyError("/srv/secret/path"))
    assert found.status == 500
    assert "secret" not in json.dumps(found.body())
    assert "secret" in caplog.text
    assert "endpoint" not in json.dumps(failure_of(ConfigError("endpoint http://x")).body())
    assert "http://x" in failure_of(ConfigError("endpoint http://x"), inside=True).error["message"]


def test_refused_calls():
    """A call that cannot be sent is a 400; an unknown model a 404, in OpenAI's words."""
    assert failure_of(RequestError("no")).status == 400
    found = failure_of(UnknownModel("gpt-9"))
    assert found.status == 404
    assert found.error == {
        "message": "The model `gpt-9` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }
    assert found.headers == {}


def test_advice_is_for_whoever_can_follow_it():
    """The chain's maker is told what to change there; other callers what they can leave out."""
    error = RequestError("tier 'm': no seed; set params", param="seed", code="x", why="Leave it.")
    told = failure_of(error).error
    assert (told["message"], told["param"], told["code"]) == ("Leave it.", "seed", "x")
    assert failure_of(error, inside=True).error == {**told, "message": str(error)}


def test_conversations_that_nobody_remembers():
    """Sticky routing is the chain's maker's to switch on; other callers leave the option out."""
    with pytest.raises(RequestError) as caught:
        Cascade(TIERS, models=ScriptedModels({})).complete("x", conversation="key_1:case 7")
    assert "sticky=Sticky(" in failure_of(caught.value, inside=True).error["message"]
    told = failure_of(caught.value).error["message"]
    assert told == "no conversations are remembered here; leave conversation out"


def test_an_error_frame_of_responses_counts_on():
    """The frame of an error has the next sequence number, and both ways to say what it is."""
    from cascade.endpoint.answers import FrameWriter

    writer = FrameWriter(read_call("responses", {"model": "m", "input": "hi", "stream": True}))
    writer.take({"type": "response.created", "sequence_number": 0})
    frame = writer.fail(failure_of(RequestError("no")))
    assert frame.startswith(b"event: error\ndata: ")
    (said,) = data_of([frame])
    assert said["sequence_number"] == 1
    assert said["message"] == said["error"]["message"] == "no"


# Chains -------------------------------------------------------------------------------------------


def test_names():
    """A single chain answers to its name and to "cascade"; several to theirs alone."""
    models = ScriptedModels({})
    one = Chains(Cascade, Chain(tuple(TIERS), name="support"), models=models)
    assert one.names == ("support", "cascade")
    several = Chains(Cascade, {"a": TIERS, "b": Chain(tuple(TIERS), name="own")}, models=models)
    assert several.names == ("a", "b")
    assert several.find("a").chain.name == "a"
    assert several.find("b").chain.name == "own"
    assert several.find("cascade") is None
    assert len(several.close_made()) == 2


def test_settings_of_lists():
    """Lists of tiers take the policy and the unknown prices that a chain takes."""
    made = Chains(Cascade, [Tier("mystery")], allow_unknown_prices=True, models=ScriptedModels({}))
    assert made.find("cascade").chain.allow_unknown_prices
