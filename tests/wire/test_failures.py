"""Every way in which a call can fail: what it is called, what follows, what it cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import fake_openai as fake
import httpx
import httpx2
import pytest
from faces import one, pair
from fake_openai import answer, completion, refuse

from cascade import ask
from cascade.core.policy import Policy
from cascade.core.tier import Retry
from cascade.errors import BillingStopped, CallRefused, ChainExhausted

FREE, UNKNOWN = Decimal(0), None

ENDED = {
    "400": (refuse(400, "Bad", code="invalid_value"), "invalid", FREE),
    "content filter": (fake.FILTERED, "content_policy", FREE),
    "policy": (
        refuse(400, "Your prompt was flagged.", code="content_policy_violation"),
        "content_policy",
        FREE,
    ),
    "401": (fake.WRONG_KEY, "auth", FREE),
    "403": (
        refuse(403, "Country not supported", code="unsupported_country_region_territory"),
        "auth",
        FREE,
    ),
    "404": (fake.SHUT_DOWN, "not_found", FREE),
    "422": (refuse(422, "Field required"), "invalid", FREE),
    "418": (refuse(418, "Teapot"), "invalid", FREE),
}

ESCALATED = {
    "context length": (fake.TOO_LONG, "context_length", FREE),
    "vLLM": (
        refuse(400, "This model's maximum context length is 4096 tokens."),
        "context_length",
        FREE,
    ),
    "llama.cpp": (
        refuse(400, "the request exceeds the available context size", code="400"),
        "context_length",
        FREE,
    ),
    "413": (refuse(413, "Too large"), "context_length", FREE),
    "HTML 200": (fake.HTML, "malformed", UNKNOWN),
    "200 with error body": (answer(fake.error_body("no such path")), "malformed", UNKNOWN),
}

RETRIED = {
    "rate limit": (fake.limited(), "rate_limit", FREE),
    "slow down": (fake.limited(code="slow_down"), "rate_limit", FREE),
    "slow down, 503": (refuse(503, "Slow Down", code="slow_down"), "overloaded", UNKNOWN),
    "flex": (fake.FLEX_FULL, "overloaded", FREE),
    "overloaded": (fake.OVERLOADED, "overloaded", UNKNOWN),
    "500": (fake.BROKEN, "server", UNKNOWN),
    "502": (fake.GATEWAY_HTML, "server", UNKNOWN),
    "504": (httpx.Response(504), "server", UNKNOWN),
    "408": (refuse(408, "Timeout"), "server", UNKNOWN),
    "409": (refuse(409, "Conflict"), "server", FREE),
    "read timeout": (httpx2.ReadTimeout("slow"), "timeout", UNKNOWN),
    "write timeout": (httpx2.WriteTimeout("slow"), "timeout", UNKNOWN),
    "connect timeout": (httpx2.ConnectTimeout("slow"), "unreachable", FREE),
    "pool timeout": (httpx2.PoolTimeout("full"), "unreachable", FREE),
    "refused": (httpx2.ConnectError("refused"), "unreachable", FREE),
    "proxy": (httpx2.ProxyError("403"), "unreachable", FREE),
    "reset": (httpx2.ReadError("reset"), "connection", UNKNOWN),
    "dropped": (httpx2.RemoteProtocolError("cut"), "connection", UNKNOWN),
}


@pytest.mark.parametrize(("response", "kind_of", "cost"), ENDED.values(), ids=ENDED)
def test_what_no_tier_can_help_ends_the_request(face, openai_api, response, kind_of, cost):
    """One request, no retry, no other tier, and an error that carries the API's words."""
    openai_api.side_effect = response if isinstance(response, Exception) else [response]
    used = face(pair(retry=Retry(max_tries=3)))
    with pytest.raises(CallRefused) as caught:
        used.complete()
    (charge,) = caught.value.trace.charges
    assert (charge.outcome, charge.cost_usd) == (kind_of, cost)
    assert charge.status == response.status_code
    assert charge.code == response.json()["error"]["code"]
    assert charge.request_id == "req_1"
    assert used.waits == []


@pytest.mark.parametrize(("response", "kind_of", "cost"), ESCALATED.values(), ids=ESCALATED)
def test_what_another_tier_may_do_goes_on(face, openai_api, response, kind_of, cost):
    """One try, then the next tier; the failed try is in the trace."""
    openai_api.side_effect = [response, answer(completion())]
    used = face(pair(retry=Retry(max_tries=3)))
    result = used.complete()
    first, second = result.trace.charges
    assert (first.outcome, first.cost_usd) == (kind_of, cost)
    assert (second.outcome, result.tier) == ("ok", "big")
    assert used.waits == []


@pytest.mark.parametrize(("response", "kind_of", "cost"), RETRIED.values(), ids=RETRIED)
def test_what_passes_is_tried_again(face, openai_api, response, kind_of, cost):
    """Three tries on the tier, each in the trace with its own cost, then the next tier."""
    openai_api.side_effect = [response] * 3 + [answer(completion())]
    used = face(pair(retry=Retry(max_tries=3)))
    result = used.complete()
    *failed, last = result.trace.charges
    assert [(charge.outcome, charge.cost_usd) for charge in failed] == [(kind_of, cost)] * 3
    assert len({charge.call for charge in failed}) == 1
    assert (last.outcome, result.tier) == ("ok", "big")
    assert result.cost_usd == (None if cost is UNKNOWN else Decimal("0.00012"))
    assert len(used.waits) == 2
    assert all(0 <= wait <= 30 for wait in used.waits)


def test_a_retry_that_succeeds_stays_on_its_tier(face, openai_api):
    """An answer on the second try is the tier's own; the first one's cost stays unknown."""
    openai_api.side_effect = [fake.BROKEN, answer(completion())]
    result = face(pair(retry=Retry(max_tries=3))).complete()
    assert result.tier == "small"
    assert [charge.outcome for charge in result.trace.charges] == ["server", "ok"]
    assert result.cost_usd is None
    assert result.trace.known_cost_usd == Decimal("0.00012")


BILLING = {
    **{code: fake.broke(code) for code in fake.BILLING_CODES},
    "insufficient_quota": fake.broke(),
    "type alone": fake.broke(None),
    "402": refuse(402, "Insufficient credits"),
    "with retry-after": fake.broke(headers={"retry-after": "1"}),
}


@pytest.mark.parametrize("response", BILLING.values(), ids=BILLING)
def test_a_billing_stop_is_one_request(face, openai_api, response):
    """An account that cannot pay is asked once: no retry, no other tier, nothing charged."""
    openai_api.return_value = response
    used = face(pair(retry=Retry(max_tries=3)))
    with pytest.raises(BillingStopped) as caught:
        used.complete()
    assert len(openai_api.calls) == 1
    assert caught.value.trace.status == "billing_stopped"
    assert caught.value.trace.cost_usd == 0
    assert used.traces == [caught.value.trace]


def test_a_scorers_billing_stop_ends_the_request(face, openai_api):
    """A billing stop while scoring ends the request too; the draft's cost is in the trace."""

    def checks(draft):
        yield from ask(draft.request.messages)
        return 1.0

    openai_api.side_effect = [answer(completion()), fake.broke()]
    with pytest.raises(BillingStopped) as caught:
        face(pair(scorer=checks)).complete()
    assert caught.value.trace.cost_usd == Decimal("0.00012")


def when(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": when(-60)}, 0.0),
    ],
)
def test_the_providers_pause_is_kept(face, openai_api, headers, wait):
    """`retry-after-ms` first, then `retry-after` in seconds or as a date."""
    openai_api.side_effect = [fake.limited(headers=headers), answer(completion())]
    used = face(one(retry=Retry(max_tries=2)))
    used.complete()
    assert used.waits == [wait]


def test_a_date_ahead_is_waited_for(face, openai_api):
    """The date form counts from now."""
    openai_api.side_effect = [fake.limited(headers={"retry-after": when(20)}), answer(completion())]
    used = face(one(retry=Retry(max_tries=2)))
    used.complete()
    assert 0 < used.waits[0] <= 20


@pytest.mark.parametrize("value", ["soon", "", "nan", "32 Foo 2026"])
def test_a_pause_that_cannot_be_read_is_ours(face, openai_api, value):
    """A header that says nothing leaves the back-off as it is."""
    openai_api.side_effect = [fake.limited(headers={"retry-after": value}), answer(completion())]
    used = face(one(retry=Retry(max_tries=2, initial_s=0.5)))
    used.complete()
    assert 0 <= used.waits[0] <= 0.5


@pytest.mark.parametrize(
    "headers", [{"retry-after": "31"}, {"retry-after": when(3600)}, {"retry-after": "inf"}]
)
def test_a_pause_too_long_is_not_waited_for(face, openai_api, headers):
    """More than `max_wait_s`: no sleep at all, the next tier is asked."""
    openai_api.side_effect = [fake.limited(headers=headers), answer(completion())]
    used = face(pair(retry=Retry(max_tries=3, max_wait_s=30)))
    assert used.complete().tier == "big"
    assert used.waits == []


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (answer({"detail": "Not Found"}, status=404), "Not Found; "),
        (httpx.Response(404, text="404 page not found"), "404 page not found; "),
        (httpx.Response(404), "404; "),
        (httpx.Response(404, text="x" * 2_000), "xxx; "),
    ],
    ids=["FastAPI", "text", "empty", "long"],
)
def test_a_404_of_no_api_says_both_that_it_may_be(face, openai_api, response, words):
    """Without an error object nobody knows whether model or address is wrong: both are named."""
    openai_api.return_value = response
    with pytest.raises(CallRefused) as caught:
        face(one()).complete()
    both = "either the server does not know the model, or its base URL is wrong"
    assert f"{words}{both}" in str(caught.value)
    (charge,) = caught.value.trace.charges
    assert (charge.outcome, charge.code) == ("not_found", None)


def test_the_apis_own_404_stands_as_it_is(face, openai_api):
    """OpenAI says itself what is wrong."""
    openai_api.return_value = fake.SHUT_DOWN
    with pytest.raises(CallRefused) as caught:
        face(one()).complete()
    assert "base URL" not in str(caught.value)


def test_a_rate_limit_may_end_the_request(face, openai_api):
    """With `on_rate_limit="fail"` no dearer tier is paid for a limit that will pass."""
    openai_api.return_value = fake.limited()
    with pytest.raises(CallRefused, match="Rate limit"):
        face(pair(), policy=Policy(on_rate_limit="fail")).complete()
    assert len(openai_api.calls) == 1


def test_a_missing_model_may_be_passed_over(face, openai_api):
    """With `on_not_found="escalate"` a shut-down model only costs its turn."""
    openai_api.side_effect = [fake.SHUT_DOWN, answer(completion())]
    result = face(pair(), policy=Policy(on_not_found="escalate")).complete()
    assert (result.tier, result.cost_usd) == ("big", Decimal("0.00012"))


def test_nobody_answered(face, openai_api):
    """Where every tier fails the error says so, with every try and an unknown cost."""
    openai_api.return_value = fake.OVERLOADED
    with pytest.raises(ChainExhausted, match="overloaded") as caught:
        face(pair(retry=Retry(max_tries=2))).complete()
    assert len(caught.value.trace.charges) == 4
    assert caught.value.trace.cost_usd is None


WORDS = {
    "text": ({"error": "model 'x' is not loaded"}, "model 'x' is not loaded"),
    "detail": ({"detail": "Field required: messages"}, "Field required"),
    "detail list": ({"detail": [{"loc": ["body", "n"], "msg": "bad n"}]}, "bad n"),
    "list": ([{"error": {"code": 400, "message": "Invalid value at 'n'"}}], "Invalid value at"),
    "message": ({"object": "error", "message": "wrong n", "code": 400}, "wrong n"),
    "number": (5, "Error code: 400"),
}


@pytest.mark.parametrize(("body", "words"), WORDS.values(), ids=WORDS)
def test_the_servers_own_words_are_passed_on(face, openai_api, body, words):
    """However a compatible server wraps its message, the error carries it."""
    openai_api.return_value = answer(body, status=400)
    with pytest.raises(CallRefused, match=words):
        face(one()).complete()


@pytest.mark.parametrize("value", ["snow \u2603", 5])
def test_a_request_that_cannot_be_built_is_not_repeated(face, value):
    """Headers that no transport can send end the request after one try, at no cost."""
    used = face(one(retry=Retry(max_tries=3)))
    with pytest.raises(CallRefused) as caught:
        used.complete(extra_headers={"X": value})
    assert caught.value.trace.cost_usd == 0
    assert len(caught.value.trace.charges) == 1


def test_a_refused_key_is_named_by_its_place(face, openai_api):
    """The host that refused it and the variable it came from are in the message."""
    openai_api.side_effect = [fake.WRONG_KEY]
    with pytest.raises(CallRefused, match=r"\(api\.openai\.com was asked with .*check"):
        face(pair()).complete()
