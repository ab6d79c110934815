"""Several gateway processes on one database, and a database that goes away."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import time
from collections import Counter
from decimal import Decimal

import httpx
import openai
import pytest
from databases import on_a_server
from gateways import until
from openai import AsyncOpenAI, OpenAI
from sqlalchemy import make_url

from cascade import TraceStore
from cascade.accounts import Accounts

pytestmark = pytest.mark.loopback

LONG = "words of a prompt that takes the hundred tokens the provider counts " * 3


async def ask(client, words=LONG):
    """The status of one request."""
    try:
        await client.chat.completions.create(
            model="support",
            messages=[{"role": "user", "content": words}],
            max_completion_tokens=10,
        )
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def of_wire(postgres, wire):
    """The URL of that schema over a line that can be cut."""
    url = make_url(postgres.where).set(host="127.0.0.1", port=wire.port)
    return url.render_as_string(hide_password=False)


async def test_replicas_share_a_budget(start, database):
    """Two processes under load never spend more than a budget together, and use most of it."""
    limit = Decimal("0.02")
    with Accounts(database.where) as accounts:
        key, secret = accounts.create("team", budget_day_usd=limit)
    replicas = [start(database.where), start(database.where)]
    clients = [
        AsyncOpenAI(api_key=secret, base_url=process.url, max_retries=0) for process in replicas
    ]
    statuses = Counter()
    for _ in range(2):
        statuses.update(await asyncio.gather(*(ask(client) for client in clients * 60)))
    for client in clients:
        await client.close()
    for process in replicas:
        process.signal(signal.SIGTERM)
        assert process.ended() == 0, process.said
    with TraceStore(database.where) as store:
        spent = sum(trace.cost_usd for trace in store.iter_traces())
        assert store.count() == sum(statuses.values()) == 240
    assert set(statuses) == {200, 429}
    assert limit * Decimal("0.7") < spent <= limit
    with Accounts(database.where) as accounts:
        assert accounts.spent()[key.id].day_usd == spent


@pytest.mark.parametrize(
    "policy", [pytest.param(name, marks=on_a_server) for name in ("closed", "open")]
)
def test_a_database_that_goes_away(start, postgres, wire, policy):
    """Requests are answered on from what is leased; after that closed refuses, open goes on.

    Traces wait, and are kept once the database answers again.
    """
    place = of_wire(postgres, wire)
    with Accounts(postgres.where) as accounts:
        _, limited = accounts.create("limited", budget_day_usd="1")
        _, free = accounts.create("free")
    process = start(place, "--on-database-loss", policy)
    clients = {
        name: OpenAI(api_key=secret, base_url=process.url, max_retries=0)
        for name, secret in (("limited", limited), ("free", free))
    }

    def status(name, **more):
        try:
            clients[name].chat.completions.create(
                model="support",
                messages=[{"role": "user", "content": LONG}],
                **{"max_completion_tokens": 10, **more},
            )
        except openai.APIStatusError as error:
            return error.status_code
        return 200

    answered = [status(name) for name in clients]
    assert answered == [200, 200]
    wire.is_cut = True
    answered += [status("free") for _ in range(5)]
    # More than any lease holds, less than the budget.
    answered += [status("limited", max_completion_tokens=400_000) for _ in range(3)]
    expected = 503 if policy == "closed" else 200
    assert answered == [200] * 7 + [expected] * 3

    def ready():
        return httpx.get(f"http://127.0.0.1:{process.port}/readyz")

    until(lambda: ready().json()["database"] == "unreachable")
    assert ready().status_code == expected
    wire.is_cut = False
    until(lambda: ready().json()["database"] == "ok")
    until(lambda: status("limited", max_completion_tokens=100_000) == 200)
    process.signal(signal.SIGTERM)
    assert process.ended() == 0, process.said
    for client in clients.values():
        client.close()
    with TraceStore(postgres.where) as store:
        kept = store.count(status="accepted")
    assert kept >= answered.count(200) + 1


def test_a_process_that_ends_while_the_database_is_away(start, postgres, wire):
    """What it could not deliver waits on disk; the next process of this machine delivers it.

    What was spent last no budget hears of: its exit code says so.
    """
    place = of_wire(postgres, wire)
    with Accounts(postgres.where) as accounts:
        _, secret = accounts.create("team")
    process = start(place)
    with OpenAI(api_key=secret, base_url=process.url, max_retries=0) as client:

        def status():
            messages = [{"role": "user", "content": LONG}]
            done = client.chat.completions.create(model="support", messages=messages)
            return done.cascade["trace_id"]

        answered = {status()}
        wire.is_cut = True
        answered |= {status() for _ in range(5)}
    process.signal(signal.SIGTERM)
    assert process.ended(60) == 1, process.said
    assert process.said.count("what was spent last is not written there") == 1
    wire.is_cut = False
    start(place)
    with TraceStore(postgres.where) as store:
        until(lambda: store.count() == 6)
        assert {row.id for row in store.list(limit=None)} == answered


def test_a_database_that_is_locked(start, sqlite):
    """Another program that holds the file for seconds holds up no request and loses no trace."""
    with Accounts(sqlite.where) as accounts:
        _, secret = accounts.create("team")
    process = start(sqlite.where)
    with OpenAI(api_key=secret, base_url=process.url, max_retries=0) as client:

        def answer():
            began = time.monotonic()
            messages = [{"role": "user", "content": LONG}]
            done = client.chat.completions.create(model="support", messages=messages)
            return done.cascade["trace_id"], time.monotonic() - began

        answered = [answer()]
        with sqlite3.connect(sqlite.where, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            until_s = time.monotonic() + 4
            while time.monotonic() < until_s:
                answered.append(answer())
                time.sleep(0.1)
            other.execute("ROLLBACK")
        other.close()
    process.signal(signal.SIGTERM)
    assert process.ended() == 0, process.said
    assert max(took for _, took in answered[1:]) < 3
    with TraceStore(sqlite.where) as store:
        assert {row.id for row in store.list(limit=None)} == {trace_id for trace_id, _ in answered}


def test_unknown_keys_while_the_database_is_away(start, postgres, wire):
    """A key that was not seen before cannot be looked up: 503, not 401."""
    with Accounts(postgres.where) as accounts:
        _, secret = accounts.create("team")
    process = start(of_wire(postgres, wire))
    wire.is_cut = True
    done = httpx.post(
        f"{process.url}/chat/completions",
        content=json.dumps({"model": "support", "messages": [{"role": "user", "content": "x"}]}),
        headers={"authorization": f"Bearer {secret}"},
    )
    assert done.status_code == 503
    assert done.json()["error"]["code"] == "service_unavailable"


for needs_a_server in (
    test_unknown_keys_while_the_database_is_away,
    test_a_process_that_ends_while_the_database_is_away,
):
    needs_a_server.pytestmark = on_a_server
