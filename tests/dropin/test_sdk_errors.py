"""The SDK's own errors come out of a chain, with the trace attached."""

from __future__ import annotations

import time

import fake_openai as fake
import httpx2
import openai
import pytest
from sdk_faces import ASKED, FakeApi, scripted, two_tiers

from cascade import Budget, ChainExhausted, ConfigError, Endpoint, Tier, trace_of
from cascade.core.failures import RETRYABLE
from cascade.core.tier import Retry
from cascade.testing import NetworkBlocked, ScriptedModels, failure

REFUSALS = [
    (fake.UNKNOWN_KEY, openai.BadRequestError, "unknown_parameter"),
    (fake.TOO_LONG, openai.BadRequestError, "context_length_exceeded"),
    (fake.FILTERED, openai.BadRequestError, "content_filter"),
    (fake.WRONG_KEY, openai.AuthenticationError, "invalid_api_key"),
    (fake.refuse(403, "Not for you.", code="x"), openai.PermissionDeniedError, "x"),
    (fake.SHUT_DOWN, openai.NotFoundError, "model_not_found"),
    (fake.refuse(409, "Busy."), openai.ConflictError, None),
    (fake.refuse(422, "No."), openai.UnprocessableEntityError, None),
    (fake.limited(), openai.RateLimitError, "rate_limit_exceeded"),
    (fake.broke(), openai.RateLimitError, "insufficient_quota"),
    (fake.BROKEN, openai.InternalServerError, None),
    (fake.OVERLOADED, openai.InternalServerError, "server_is_overloaded"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("refusal", "kind", "code"), REFUSALS)
def test_what_the_api_refuses(sdk, refusal, kind, code, stream):
    """A refusal of the API is the SDK's error for it: class, status, code, words, trace."""
    used = sdk(two_tiers(), api=FakeApi(refusal))
    with pytest.raises(kind) as caught:
        used.create(stream=stream)
    error = caught.value
    assert type(error) is kind
    assert error.status_code == refusal.status_code
    assert error.code == code
    assert refusal.json()["error"]["message"][:20] in error.message
    assert fake.KEY not in str(error)
    (trace,) = used.traces
    assert trace_of(error) is trace
    assert error.request_id == trace.id
    assert error.response.json()["cascade"]["trace_id"] == trace.id


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, {"type": "invalid_request_error", "param": "input", "code": None}),
        (404, {"type": "api_error", "param": None, "code": None}),
        (409, {"type": "invalid_request_error", "param": "conversation", "code": None}),
        (413, {"type": "invalid_request_error", "param": None, "code": None}),
    ],
)
def test_an_error_object_goes_through_as_it_is(sdk, status, said):
    """What the provider calls its error is not called anything else, null included."""
    refusal = fake.answer({"error": {"message": "Item 'rs_1' not found.", **said}}, status=status)
    used = sdk([Tier("gpt-5.5", retry=Retry(max_tries=1))], api=FakeApi(refusal))
    with pytest.raises(openai.APIStatusError) as caught:
        used.create()
    error = caught.value
    assert error.status_code == status
    assert {"type": error.type, "param": error.param, "code": error.code} == said


def test_the_culprit_is_named(sdk):
    """The parameter that the API blames is in the error, and how long to wait after a 429."""
    used = sdk(two_tiers(), api=FakeApi(fake.UNKNOWN_KEY))
    with pytest.raises(openai.BadRequestError) as caught:
        used.create(extra_body={"zzz_unknown": 1})
    assert caught.value.param == "zzz_unknown"
    assert caught.value.type == "invalid_request_error"
    busy = sdk(two_tiers(), api=FakeApi(fake.limited(headers={"retry-after": "7"})))
    with pytest.raises(openai.RateLimitError) as caught:
        busy.create()
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.type == "tokens"


def test_no_connection(sdk):
    """Where no tier can be reached the SDK's connection error comes out."""
    used = sdk(two_tiers(), api=FakeApi(httpx2.ConnectError("refused")))
    with pytest.raises(openai.APIConnectionError) as caught:
        used.create()
    assert not isinstance(caught.value, openai.APITimeoutError)
    assert isinstance(caught.value.__cause__.__cause__, ChainExhausted)
    assert trace_of(caught.value) is used.traces[0]


@pytest.mark.parametrize("error", [httpx2.ReadTimeout("slow"), httpx2.PoolTimeout("full")])
def test_a_tier_that_times_out(sdk, error):
    """A tier's timeout is the SDK's; one that never left is a connection error, as nothing was paid."""
    used = sdk(two_tiers(), api=FakeApi(error))
    with pytest.raises(openai.APIConnectionError) as caught:
        used.create()
    slow = isinstance(error, httpx2.ReadTimeout)
    assert isinstance(caught.value, openai.APITimeoutError) is slow
    assert trace_of(caught.value) is used.traces[0]


def slow_models(seconds):
    def answer(call):
        time.sleep(seconds)
        return failure("server")

    return ScriptedModels({"gpt-5.4-nano": answer, "gpt-5.5": answer})


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdks_timeout(sdk, stream):
    """`timeout=` of a call is a deadline of the chain, and surfaces as the SDK's timeout."""
    used = sdk(two_tiers(), models=slow_models(0.05))
    with pytest.raises(openai.APITimeoutError) as caught:
        used.create(timeout=0.03, stream=stream)
    trace = trace_of(caught.value)
    assert trace is used.traces[0]
    assert trace.status == "deadline_exceeded"


def test_the_shortest_time_counts(sdk):
    """The client's timeout, the call's and `deadline_s` of the chain: the shortest ends it."""
    used = sdk(two_tiers(), models=slow_models(0.05), deadline_s=0.03)
    with pytest.raises(openai.APITimeoutError):
        used.create(timeout=50)
    for settings in ({"timeout": 0.03}, {"timeout": httpx2.Timeout(50, read=0.03)}):
        other = sdk(two_tiers(), models=slow_models(0.05), **settings)
        with pytest.raises(openai.APITimeoutError):
            other.create()
    with pytest.raises(openai.APITimeoutError):
        sdk(two_tiers(), models=slow_models(0.05)).create(
            extra_body={"cascade": {"deadline_s": 0.03}}
        )


class Dribble(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A streamed answer that takes its time between chunks."""

    def __init__(self, pause_s):
        self.given = 0
        self._pause_s = pause_s
        self._parts = [fake.sse([chunk], done=False) for chunk in fake.text_chunks("Par", "is")]

    def __iter__(self):
        for part in self._parts:
            self.given += 1
            yield part
            time.sleep(self._pause_s)
        yield b"data: [DONE]\n\n"

    async def __aiter__(self):
        for part in self:
            yield part


def test_a_stream_may_take_longer_than_the_timeout(sdk):
    """The timeout is for the wait until the answer begins; reading it may take longer."""

    def api(request):
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=Dribble(0.1))

    used = sdk([Tier("gpt-5.5")], api=api)
    chunks = used.read(used.create(stream=True, timeout=0.25))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Paris"
    assert used.traces[0].duration_s > 0.25
    bounded = sdk([Tier("gpt-5.5", retry=Retry(max_tries=1))], api=api, deadline_s=0.25)
    with pytest.raises(openai.APIError, match="deadline"):
        bounded.read(bounded.create(stream=True, timeout=10))


def test_a_stream_comes_as_it_is_made(sdk):
    """The first text is there before the model has finished."""
    source = Dribble(0.01)
    headers = {"content-type": "text/event-stream"}
    used = sdk(
        [Tier("gpt-5.5")], api=lambda _: httpx2.Response(200, headers=headers, stream=source)
    )
    stream = used.create(stream=True)
    assert source.given == 2
    assert trace_of(stream) is None
    used.read(stream)
    assert source.given == 5
    assert trace_of(stream).status == "accepted"


def test_a_stream_that_breaks_off(sdk):
    """After text has been shown an error comes in the iteration, as the SDK's; the trace is found."""
    broken = [*fake.text_chunks("Par", "is")[:2], fake.ERROR_FRAME]
    used = sdk([Tier("gpt-5.5")], api=FakeApi(fake.events(broken, done=False)))
    stream = used.create(stream=True)
    with pytest.raises(openai.APIError, match="The server had an error") as caught:
        used.read(stream)
    assert caught.value.type == fake.ERROR_FRAME["error"]["type"]
    (trace,) = used.traces
    assert trace.status == "interrupted"
    assert trace_of(stream) is trace_of(caught.value) is trace


def test_a_response_stream_that_breaks_off(sdk):
    """The same for the Responses API."""
    events = fake.response_events("Par", "is")[:5]
    used = sdk([Tier("gpt-5.5")], api=FakeApi(fake.response_stream(events)))
    stream = used.respond(stream=True)
    with pytest.raises(openai.APIError) as caught:
        used.read(stream)
    assert used.traces[0].status == "interrupted"
    assert trace_of(caught.value) is used.traces[0]


def test_a_budget_that_is_used_up(sdk):
    """A budget that allows no call at all is a `RateLimitError` with the code of a used-up quota."""
    used = sdk(two_tiers(), models=scripted(), budget="0.00000001")
    with pytest.raises(openai.RateLimitError) as caught:
        used.create()
    assert caught.value.code == "insufficient_quota"
    assert "see .trace" not in caught.value.message
    assert trace_of(caught.value).status == "budget_exceeded"


def test_a_shared_budget_ends_calls_of_all_chains(sdk):
    """One `Budget` may hold for everything that a client's chains spend."""
    purse = Budget("0.0000215")
    used = sdk(
        {"a": [Tier("gpt-5.4-nano")], "b": [Tier("gpt-5.4-nano")]}, models=scripted(), budget=purse
    )
    short = {"max_completion_tokens": 1}
    used.create("a", **short)
    with pytest.raises(openai.RateLimitError):
        used.create("b", **short)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"extra_body": {"cascade": {"budget": 0.5}}}, "cascade.budget"),
        ({"extra_body": {"cascade": {"budgt": "1"}}}, "cascade.budgt"),
        ({"extra_body": {"cascade": "cheap"}}, "cascade"),
        ({"extra_body": {"cascade": {"start_at": "nobody"}}}, "cascade.start_at"),
        ({"extra_body": {"messages": []}}, "messages"),
        ({"extra_headers": {"x-cascade-deadline-s": "soon"}}, "cascade.deadline_s"),
    ],
)
def test_what_cannot_be_asked(sdk, more, param):
    """What the chain cannot do is a `BadRequestError` that names the culprit; nothing is spent."""
    used = sdk(two_tiers(), models=scripted())
    with pytest.raises(openai.BadRequestError) as caught:
        used.create(**more)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert not used.traces


def test_retries_are_the_tiers(sdk):
    """The SDK does not ask again what the chain gave up: each further try would be paid twice."""
    api = FakeApi(fake.BROKEN)
    used = sdk(two_tiers(), api=api, max_retries=3)
    with pytest.raises(openai.InternalServerError) as caught:
        used.create()
    assert len(api.sent) == 2
    assert len(used.traces) == 1
    assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "settings", [{}, {"organization": "org-mine"}, {"base_url": "https://eu.api.openai.com/v1"}]
)
def test_a_missing_key_is_said_at_once(sdk, settings, tmp_path):
    """A client whose tiers have no key is not made; the words name the tier and the ways out."""
    with pytest.raises(ConfigError) as caught:
        sdk({"a": [Tier("gpt-5.5", name="top")]}, store=tmp_path / "traces.db", **settings)
    for words in ("tier 'top' of chain 'a' has no key", "OPENAI_API_KEY", "api_key=", "Endpoint("):
        assert words in str(caught.value)


def test_a_client_is_given_otherwise(sdk):
    """`client=` of a cascade is none of the drop-in's settings; what is, is said."""
    with pytest.raises(ConfigError, match="give api_key=, base_url= or http_client="):
        sdk(two_tiers(), client=object())


def test_where_a_key_is_not_missing(sdk, monkeypatch):
    """A key, a server or a client of their own, or scripted models: the client is made."""
    place = Endpoint("http://127.0.0.1:9/v1")
    sdk(two_tiers(client=place))
    sdk(two_tiers(), base_url="http://127.0.0.1:9/v1")
    sdk(two_tiers(), api=FakeApi(fake.BROKEN), api_key=None)
    sdk(two_tiers(), models=scripted())
    sdk(two_tiers(), api_key=fake.KEY)
    monkeypatch.setenv("OPENAI_API_KEY", fake.KEY)
    sdk(two_tiers())


def test_a_bug_is_raised_as_it_is(sdk):
    """What is no failure of a call is raised through the SDK, with the trace; nothing hides it."""

    def buggy(call):
        raise NetworkBlocked("no network in here")

    used = sdk(two_tiers(), models=ScriptedModels({"gpt-5.4-nano": buggy}))
    with pytest.raises(NetworkBlocked) as caught:
        used.create()
    assert trace_of(caught.value).status == "cancelled"


@pytest.mark.parametrize("kind", sorted(RETRYABLE))
def test_an_answer_of_the_next_tier_hides_a_failure(sdk, kind):
    """A tier that fails is no error where another one answers."""
    models = ScriptedModels({"gpt-5.4-nano": failure(kind), "gpt-5.5": "Paris."})
    done = sdk(two_tiers(), models=models).create()
    assert done.choices[0].message.content == "Paris."
    assert done.cascade["attempts"] == 2


def test_asked_in_the_wrong_form(sdk):
    """Messages at the Responses endpoint are refused, not guessed at."""
    used = sdk(two_tiers(), models=scripted())
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'messages'"):
        used.respond(extra_body={"messages": ASKED})
