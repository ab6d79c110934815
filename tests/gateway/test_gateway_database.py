"""A gateway whose database is gone, locked or full: what it says of itself, and to whom it answers."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing

import httpx
import pytest
from gateways import until
from raw_http import body_of

from cascade.accounts import Accounts
from cascade.gateway.health import Health, database_look
from cascade.gateway.key_guard import KeyGuard

pytestmark = pytest.mark.loopback


@pytest.fixture
def place(tmp_path):
    return tmp_path / "gateway.sqlite3"


@pytest.fixture
def accounts(place, monkeypatch):
    monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr("cascade.accounts.worker.PROBE_S", 0.1)
    monkeypatch.setattr("cascade.gateway.health.FRESH_S", 0.0)
    made = Accounts(place)
    yield made
    made.close()


@pytest.fixture
def kept(serve, accounts, place):
    """Starts a gateway over the accounts: `kept(refuses)`."""

    def start(refuses=True):
        guard = KeyGuard(accounts, refuses_without_database=refuses)
        return serve(guard=guard, background=[guard], database=str(place))

    return start


def ready(served):
    answer = httpx.get(f"http://127.0.0.1:{served.port}/readyz")
    return answer.status_code, answer.json()["database"]


@pytest.mark.parametrize("refuses", [True, False])
def test_a_file_that_was_deleted(kept, place, refuses):
    """A file that is gone is seen without a request, and not made anew by looking for it."""
    served = kept(refuses)
    assert ready(served) == (200, "ok")
    place.rename(place.with_suffix(".away"))
    assert ready(served) == (503 if refuses else 200, "unreachable")
    assert not place.exists()
    place.with_suffix(".away").rename(place)
    assert ready(served) == (200, "ok")


def test_a_gateway_without_keys(serve, store, place):
    """Without keys the traces are looked at; requests do without them."""
    served = serve(database=str(place))
    assert ready(served) == (200, "ok")


async def test_what_the_log_says_of_the_database(place, monkeypatch, caplog):
    """Where it is and why it is away, once, and once that it is back; no password, and no class of an error."""
    monkeypatch.setattr("cascade.gateway.health.FRESH_S", 0.0)
    Accounts(place).close()
    health = Health(database_look(str(place), "cascade_keys"))
    assert await health.reachable()
    away = place.with_suffix(".away")
    place.rename(away)
    assert [await health.reachable() for _ in range(3)] == [False] * 3
    away.rename(place)
    assert await health.reachable()
    gone, back = (record.getMessage() for record in caplog.records)
    assert gone.startswith(f"{place} is gone")
    assert back == "the database answers again"
    caplog.clear()
    refused = database_look("postgresql://me:hush@127.0.0.1:9/none", "cascade_keys")
    assert not await Health(refused).reachable()
    assert "127.0.0.1:9/none" in caplog.text
    assert "start the server" in caplog.text
    assert "hush" not in caplog.text


async def test_a_look_that_hangs(monkeypatch):
    """It does not hold up the answer, and no second one is begun meanwhile."""
    monkeypatch.setattr("cascade.gateway.health.WAIT_S", 0.05)
    ends, looks = threading.Event(), []

    def look():
        looks.append(1)
        ends.wait(10)

    health = Health(look)
    begun = time.monotonic()
    assert [await health.reachable() for _ in range(3)] == [False] * 3
    assert time.monotonic() - begun < 1
    ends.set()
    while not await health.reachable():
        pass
    assert looks == [1]


@pytest.mark.parametrize("refuses", [True, False])
def test_budgets_that_cannot_be_kept(kept, accounts, place, refuses):
    """A file that can be read, but not written to, is away; it is there again by itself."""
    key, _ = accounts.create("team", budget_day_usd="1")
    served = kept(refuses)
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        accounts.purse(key).refill(1).result(10)
        assert accounts.lost is not None
        assert ready(served) == (503 if refuses else 200, "away")
    until(lambda: ready(served) == (200, "ok"))


def test_a_request_whose_budget_cannot_be_asked(kept, accounts, place, upstream, traces):
    """It is no request over its budget: neither the counts nor the trace say so, and the answer names the trace."""
    _, secret = accounts.create("team", budget_day_usd="1")
    _, admin = accounts.create("admin", is_admin=True)
    served = kept()
    root = f"http://127.0.0.1:{served.port}"

    def ask():
        return httpx.post(
            f"{served.url}/chat/completions",
            content=body_of(max_completion_tokens=10),
            headers={"authorization": f"Bearer {secret}"},
        )

    def counted():
        page = httpx.get(f"{root}/metrics", headers={"authorization": f"Bearer {admin}"}).text
        return {
            name: f'cascade_{name}_refusals_total{{chain="support"}} 1.0' in page
            for name in ("budget", "database")
        }

    assert accounts.find(secret)
    assert accounts.find(admin)
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = ask()
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "service_unavailable"
    assert not upstream.asked
    until(lambda: ready(served) == (200, "ok"))
    (trace,) = traces()
    assert refused.headers["x-cascade-trace-id"] == trace.id
    assert "the database that knows what is left cannot be asked" in trace.reason
    assert counted() == {"budget": False, "database": True}
