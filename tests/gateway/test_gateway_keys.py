"""Keys at the gateway: who may ask what, how much, how often; OpenAI's words where they may not."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import openai
import pytest
from gateways import tiers, until
from openai import AsyncOpenAI, OpenAI
from raw_http import Raw, asked, body_of, request

from cascade.accounts import Accounts
from cascade.core.chain import Chain
from cascade.gateway.key_guard import KeyGuard, duration

pytestmark = pytest.mark.loopback

JSON = [("content-type", "application/json")]

LONG = "words of a prompt that takes the hundred tokens the provider counts " * 3
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def accounts(tmp_path):
    made = Accounts(tmp_path / "gateway.sqlite3", cache_s=0.1)
    yield made
    made.close()


@pytest.fixture
def served(serve, accounts, upstream):
    guard = KeyGuard(accounts, refuses_without_database=True)
    both = tiers(upstream.url)
    chains = {"support": Chain(both, name="support"), "sales": Chain(both, name="sales")}
    big = Chain((both[1],), name="big")
    return serve(chains, models={"big": big}, guard=guard, background=[guard])


@pytest.fixture
def client(served):
    """Makes clients: `client(secret)`."""
    made = []

    def make(secret):
        made.append(OpenAI(api_key=secret, base_url=served.url, max_retries=0))
        return made[-1]

    yield make
    for item in made:
        item.close()


def ask(client, words=LONG, *, model="support", **more):
    messages = [{"role": "user", "content": words}]
    return client.chat.completions.create(
        model=model, messages=messages, max_completion_tokens=10, **more
    )


def until_refused(call):
    """What was answered before a refusal, and the refusal."""
    answered = []
    while len(answered) < 20:
        try:
            answered.append(call())
        except openai.RateLimitError as error:
            return answered, error
    pytest.fail("nothing was refused")


def test_a_key_works(client, accounts, traces):
    """A key's request is answered, and its trace names the key, not its secret."""
    key, secret = accounts.create("team")
    done = ask(client(secret), extra_body={"cascade": {"tags": ["own"]}})
    (trace,) = traces()
    assert done.cascade["trace_id"] == trace.id
    assert trace.tags == ("own", f"key:{key.id}")
    assert secret not in trace.to_json()


def test_azure_clients_too(served, accounts):
    """Azure's clients send their key in a header of their own."""
    _, secret = accounts.create("team")
    done = httpx.post(
        f"{served.url}/chat/completions", content=body_of(), headers={"api-key": secret}
    )
    assert done.status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_no_key(served, path):
    """Without a key it is 401 in OpenAI's words, before the body is looked at."""
    status, headers, body = asked(served.port, request(b"{", path=path, headers=JSON))
    error = json.loads(body)["error"]
    assert status == 401
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)
    assert error["message"].startswith("You didn't provide an API key.")
    assert headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("kind", ["unknown", "no secret of ours", "odd", "revoked", "expired"])
def test_keys_that_do_not_work(client, accounts, kind, upstream, traces):
    """Unknown, revoked and expired keys are told the same, and no part of them is repeated."""
    key, secret = accounts.create("team", expires_at=LONG_AGO if kind == "expired" else None)
    if kind == "revoked":
        accounts.revoke(key.id)
    secret = {
        "unknown": "ck-" + "a" * 43,
        "no secret of ours": "sk-proj-123456",
        "odd": "ck-ÿ'; DROP TABLE",
    }.get(kind, secret)
    if kind == "odd":
        done = httpx.get(
            str(client("x").base_url) + "models",
            headers=[(b"authorization", b"Bearer " + secret.encode("latin-1"))],
        )
        status, error = done.status_code, done.json()["error"]
    else:
        with pytest.raises(openai.AuthenticationError) as caught:
            ask(client(secret))
        status, error = caught.value.status_code, caught.value.body
    assert status == 401
    assert error["code"] == "invalid_api_key"
    assert secret[3:] not in error["message"]
    assert not upstream.asked
    assert traces() == []


def test_a_key_that_is_revoked_while_it_is_used(client, accounts):
    """A revoked key ends within seconds."""
    key, secret = accounts.create("team")
    ask(client(secret))
    accounts.revoke(key.id)

    def is_refused():
        try:
            ask(client(secret))
        except openai.AuthenticationError:
            return True
        return False

    until(is_refused)


def test_what_a_key_may_use(client, accounts, upstream):
    """A key sees and uses its chains and models; of others it learns nothing."""
    _, one = accounts.create("one", chains=["support"])
    _, two = accounts.create("two", models=["big"])
    assert [model.id for model in client(one).models.list()] == ["support"]
    assert {model.id for model in client(two).models.list()} == {"support", "sales", "big"}
    assert ask(client(two), model="big").cascade["tier"] == "big"
    unknown = None
    for model in ("sales", "big", "nobody's"):
        with pytest.raises(openai.NotFoundError) as caught:
            ask(client(one), model=model)
        told = caught.value.body | {"message": caught.value.body["message"].replace(model, "")}
        assert unknown in (None, told)
        unknown = told
        with pytest.raises(openai.NotFoundError):
            client(one).models.retrieve(model)
    assert len(upstream.asked) == 1


def test_a_budget_that_is_used_up(client, accounts, traces):
    """A spent budget is 429 with OpenAI's code; it is never passed, and the rest is kept."""
    _, secret = accounts.create("team", budget_day_usd="0.001")
    answered, refused = until_refused(lambda: ask(client(secret)))
    assert refused.code == refused.type == "insufficient_quota"
    assert "$0.001 a day" in refused.message
    assert refused.response.headers["x-should-retry"] == "false"
    spent = sum(trace.cost_usd for trace in traces())
    assert len(answered) >= 5
    assert Decimal("0.0005") < spent <= Decimal("0.001")
    assert len(traces()) == len(answered) + 1


def test_what_failures_of_the_provider_hold_is_given_back(client, accounts):
    """A provider's 500 holds its worst case, others are refused; a running gateway spends what is released."""
    key, secret = accounts.create("team", budget_day_usd="0.001")
    with pytest.raises(openai.APIStatusError):
        ask(client(secret), f"500 {LONG}")
    until(lambda: accounts.spent()[key.id].day_held_usd)
    assert accounts.spent()[key.id].day_usd == 0
    _, refused = until_refused(lambda: ask(client(secret)))
    assert refused.code == "insufficient_quota"
    held = accounts.spent()[key.id].day_held_usd
    assert accounts.release("team").usd == held
    time.sleep(0.3)  # a refusal is remembered for a moment
    assert ask(client(secret)).choices


async def test_a_budget_under_load(served, accounts, traces):
    """Many requests at once cannot pass a budget together."""
    _, secret = accounts.create("team", budget_day_usd="0.004")

    async def one(client):
        try:
            await ask(client)
        except openai.RateLimitError:
            return False
        return True

    async with AsyncOpenAI(api_key=secret, base_url=served.url, max_retries=0) as client:
        answered = await asyncio.gather(*(one(client) for _ in range(60)))
    spent = sum(trace.cost_usd for trace in traces())
    assert 10 <= sum(answered) < 60
    assert spent <= Decimal("0.004")
    assert len(traces()) == 60


def test_requests_of_a_minute(client, accounts):
    """A rate is 429 with what is left in OpenAI's headers, and when to come back."""
    _, secret = accounts.create("team", requests_per_minute=2)
    raw = client(secret).chat.completions.with_raw_response
    messages = [{"role": "user", "content": "x"}]
    answered, refused = until_refused(lambda: raw.create(model="support", messages=messages))
    seen = [answer.headers for answer in answered]
    assert 2 <= len(seen) <= 4  # a minute may have ended meanwhile
    assert seen[0]["x-ratelimit-limit-requests"] == "2"
    assert int(seen[-1]["x-ratelimit-remaining-requests"]) == 0
    assert seen[0]["x-ratelimit-reset-requests"].endswith("s")
    assert refused.code == "rate_limit_exceeded"
    assert refused.type == "requests"
    assert 1 <= int(refused.response.headers["retry-after"]) <= 60


def test_tokens_of_a_minute(client, accounts):
    """Tokens are counted as expected before, and as they were after."""
    _, secret = accounts.create("team", tokens_per_minute=300)
    answered, refused = until_refused(lambda: ask(client(secret)))
    assert answered
    assert refused.type == "tokens"


def test_more_tokens_than_any_minute_has(client, accounts):
    """A request that can never fit is told so, with both numbers, and not to come again."""
    _, secret = accounts.create("team", tokens_per_minute=300)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client(secret), words="x" * 2000)
    assert "Limit 300, Requested 5" in caught.value.message
    assert "max_completion_tokens" in caught.value.message
    assert caught.value.type == "tokens"
    assert "retry-after" not in caught.value.response.headers
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_requests_at_once(client, served, accounts, upstream):
    """As many requests as a key may have in flight are answered; one more is 429 at once, until one of them is over."""
    _, secret = accounts.create("team", concurrency=1)
    head = [*JSON, ("authorization", f"Bearer {secret}")]
    with Raw(served.port) as raw:
        raw.send(request(body_of("hang", max_completion_tokens=10), headers=head))
        until(lambda: upstream.under_way == 1)
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client(secret))
    assert "concurrent requests: Limit 1 in flight" in caught.value.message
    assert (caught.value.type, caught.value.code) == ("requests", "rate_limit_exceeded")
    assert caught.value.response.headers["retry-after"] == "1"
    until(lambda: served.app.turns.in_flight == 0)
    assert ask(client(secret)).cascade["tier"] == "small"


def test_tags_of_ours(client, accounts):
    """Nobody can mark a trace as another key's."""
    _, secret = accounts.create("team")
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client(secret), extra_body={"cascade": {"tags": ["key:other"]}})
    assert caught.value.param == "cascade.tags"


def test_metrics_are_for_administrators(served, accounts):
    """The counts tell what all keys do: they need an administrator's key."""
    root = f"http://127.0.0.1:{served.port}"
    statuses = []
    for name, admin in (("user", False), ("admin", True)):
        _, secret = accounts.create(name, is_admin=admin)
        head = {"authorization": f"Bearer {secret}"}
        statuses.append(httpx.get(f"{root}/metrics", headers=head).status_code)
    statuses.append(httpx.get(f"{root}/metrics").status_code)
    assert statuses == [403, 200, 401]


def test_a_client_that_leaves_pays_what_it_took(served, accounts, upstream):
    """A cancelled request settles: what is known is spent, the unknown call stays counted."""
    key, secret = accounts.create("team", budget_day_usd="1", tokens_per_minute=100_000)
    head = [*JSON, ("authorization", f"Bearer {secret}")]
    with Raw(served.port) as raw:
        raw.send(request(body_of("hang", max_completion_tokens=10), headers=head))
        until(lambda: upstream.under_way == 1)
    until(lambda: upstream.left == 1)
    until(lambda: served.app.turns.in_flight == 0)
    until(lambda: accounts.spent()[key.id].day_held_usd > 0)
    assert accounts.spent()[key.id].day_held_usd < Decimal("0.01")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0ms"), (0.02, "20ms"), (1, "1s"), (1.5, "1.5s"), (60, "1m0s"), (90.25, "1m30.25s")],
)
def test_durations(seconds, shown):
    """Durations are written as OpenAI writes them."""
    assert duration(seconds) == shown
