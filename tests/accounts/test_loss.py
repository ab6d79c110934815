"""A database that is away, locked, full or silent: nobody waits for it, and nothing is forgotten."""

import asyncio
import sqlite3
import time
from contextlib import contextmanager
from decimal import Decimal

import pytest
from accounts_help import COST, eventually, fetched, models, tiers
from sqlalchemy import event, make_url, text

from cascade import AsyncCascade, BudgetExceeded, StoreError
from cascade.accounts.line import Line
from cascade.database.place import LIBPQ

BOUND = Decimal("0.01")


def through(wire, postgres):
    """The place of a database, by way of a line that can be cut."""
    url = make_url(postgres.where).set(host="127.0.0.1", port=wire.port)
    return url.render_as_string(hide_password=False)


@contextmanager
def locked(sqlite):
    """Another program is writing to the file, and does not end."""
    other = sqlite3.connect(sqlite.where, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.fixture(params=["cut", "silent"])
def break_off(request, wire, monkeypatch):
    """Takes the database away, in either of two ways; called with False it comes back."""
    monkeypatch.setattr("cascade.accounts.line.SILENT_S", 0.5)
    monkeypatch.setattr("cascade.accounts.worker.PROBE_S", 0.2)
    monkeypatch.setitem(LIBPQ, "connect_timeout", 2)  # the least that there is

    def act(away=True):
        setattr(wire, f"is_{request.param}", away)

    yield act
    act(False)


@pytest.mark.database
@pytest.mark.loopback
class TestAServer:
    def test_a_connection_that_was_closed_meanwhile(self, postgres):
        """A server that was restarted between two transactions is not taken for one that is away."""
        line = Line(make_url(postgres.where))
        with line.kept() as connection:
            first = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with line.kept() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == first
        postgres.sql(f"SELECT pg_terminate_backend({first}, 5000)")
        with line.kept() as connection:
            assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() != first
        line.rest()

    def test_closed_refuses_once_what_was_leased_is_used_up(
        self, postgres, wire, break_off, open_accounts
    ):
        """Requests go on from the lease, then they are refused at once with a reason that is not "used up"; when the server is back all that was spent is booked, and there is money again."""
        accounts = open_accounts(through(wire, postgres))
        key, _ = accounts.create("app", budget_day_usd="100")
        purse = accounts.purse(key)
        assert fetched(purse, BOUND)
        break_off()
        granted = 1
        while fetched(purse, BOUND):
            granted += 1
        assert 5 < granted < 40
        assert purse.unavailable is not None
        assert purse.room() == "the database that knows what is left cannot be asked"
        begun = time.monotonic()
        assert not any(fetched(purse, BOUND) for _ in range(50))
        assert time.monotonic() - begun < 0.5
        for _ in range(granted):
            purse.settle(BOUND, COST)
        break_off(False)
        eventually(lambda: purse.unavailable is None, 15)
        assert fetched(purse, BOUND)
        purse.settle(BOUND, Decimal(0))
        eventually(lambda: accounts.spent()[key.id].day_usd == granted * COST)

    def test_open_answers_and_books_afterwards(self, postgres, wire, break_off, open_accounts):
        """Nothing is refused while the server is away; its limit counts again when it is back."""
        accounts = open_accounts(through(wire, postgres), on_database_loss="open")
        key, _ = accounts.create("app", budget_day_usd="0.2")
        purse = accounts.purse(key)
        assert fetched(purse, BOUND)
        break_off()
        assert all(fetched(purse, BOUND) for _ in range(100))
        for _ in range(101):
            purse.settle(BOUND, BOUND / 2)
        break_off(False)
        eventually(lambda: accounts.lost is None, 15)
        eventually(lambda: accounts.spent()[key.id].day_usd == 101 * BOUND / 2)
        assert not fetched(purse, BOUND)

    def test_the_loop_goes_on(self, postgres, wire, break_off, open_accounts):
        """A server that is away holds up no request that has nothing to do with it."""
        accounts = open_accounts(through(wire, postgres))
        key, secret = accounts.create("app", budget_day_usd="0.05")
        longest = 0.0

        async def watch():
            nonlocal longest
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - before)

        async def main():
            llm = AsyncCascade(tiers(), models=models(), budget=accounts.purse(key))
            assert await accounts.authenticate(secret) == key
            watching = asyncio.create_task(watch())
            break_off()
            accounts._known.clear()
            asked = [llm.complete("hi", max_completion_tokens=10) for _ in range(10)]
            done = await asyncio.gather(
                *asked, accounts.authenticate(secret), return_exceptions=True
            )
            watching.cancel()
            return done

        done = asyncio.run(main())
        assert [type(one) for one in done] == [BudgetExceeded] * 10 + [StoreError]
        assert "cannot be asked" in str(done[0])
        assert longest < 0.5

    def test_known_keys_go_on_and_unknown_ones_cannot_be_told(
        self, postgres, wire, break_off, open_accounts
    ):
        """A key seen before works while nobody can look it up; of others nobody can say."""
        accounts = open_accounts(through(wire, postgres), cache_s=0.1)
        key, secret = accounts.create("app")
        _, unseen = accounts.create("other")
        assert accounts.find(secret) == key
        break_off()
        time.sleep(0.2)
        assert accounts.find(secret) == key
        with pytest.raises(StoreError, match="keys cannot be looked up: postgresql"):
            accounts.find(unseen)
        break_off(False)
        eventually(lambda: accounts.lost is None, 15)
        assert accounts.find(unseen) is not None

    def test_nobody_waits_while_it_is_tried_again(self, postgres, wire, break_off, open_accounts):
        """Once the server is known to be away keys are told at once: a silent one takes seconds to try again, and it is tried all the time."""
        accounts = open_accounts(through(wire, postgres), cache_s=0.0)
        key, secret = accounts.create("app")
        _, unseen = accounts.create("other")
        assert accounts.find(secret) == key
        break_off()
        eventually(lambda: accounts.find(secret) == key and accounts.lost is not None, 15)
        for _ in range(10):
            time.sleep(0.1)
            begun = time.monotonic()
            assert accounts.find(secret) == key
            with pytest.raises(StoreError, match="keys cannot be looked up"):
                accounts.find(unseen)
            assert time.monotonic() - begun < 0.5

    def test_closing_meanwhile_says_what_is_lost(
        self, postgres, wire, break_off, open_accounts, caplog
    ):
        """What was spent and cannot be written by the end is no secret, and told once."""
        accounts = open_accounts(through(wire, postgres), on_database_loss="open")
        key, _ = accounts.create("app", budget_day_usd="5")
        purse = accounts.purse(key)
        break_off()
        assert fetched(purse, BOUND)
        purse.settle(BOUND, COST)
        assert not accounts.unwritten
        accounts.close()
        accounts.close()
        assert accounts.unwritten
        assert caplog.text.count("what was spent last is not written there") == 1

    def test_closing_tries_once_more(self, postgres, wire, break_off, open_accounts, monkeypatch):
        """A server that is back just then still hears of what was spent."""
        accounts = open_accounts(through(wire, postgres), on_database_loss="open")
        key, _ = accounts.create("app", budget_day_usd="5")
        purse = accounts.purse(key)
        monkeypatch.setattr("cascade.accounts.worker.PROBE_S", 60.0)  # by itself not before the end
        break_off()
        assert fetched(purse, BOUND)
        purse.settle(BOUND, COST)
        break_off(False)
        accounts.close()
        assert not accounts.unwritten
        assert accounts.spent()[key.id].day_usd == COST

    def test_rates_follow_the_same_rule(self, postgres, wire, break_off, open_accounts):
        """Closed refuses and says that nobody can tell; open lets pass."""
        closed = open_accounts(through(wire, postgres))
        opened = open_accounts(through(wire, postgres), on_database_loss="open")
        key, _ = closed.create("app", requests_per_minute=1)
        break_off()
        refused = asyncio.run(closed.admit(key))
        assert (refused.refused, bool(refused.unavailable)) == ("requests", True)
        assert asyncio.run(opened.admit(key)).refused is None

    def test_a_write_of_which_nobody_knows_counts_once(
        self, postgres, wire, open_accounts, monkeypatch
    ):
        """The line breaks after the commit was sent: what was spent is booked once all the same."""
        accounts = open_accounts(through(wire, postgres))
        key, _ = accounts.create("app", budget_day_usd="100")
        purse = accounts.purse(key)
        assert fetched(purse, BOUND)
        engine = accounts._line._engine
        real, broken = engine.dialect.do_commit, []

        def commit(connection):
            real(connection)
            if purse._lease.pockets and purse._lease.pockets[0].spent and not broken:
                broken.append(1)
                wire.is_cut = True
                time.sleep(0.05)
                connection.execute("SELECT 1")

        monkeypatch.setattr(engine.dialect, "do_commit", commit)
        purse.settle(BOUND, COST)
        eventually(lambda: broken and accounts.lost, 10)
        wire.is_cut = False
        eventually(lambda: accounts.lost is None, 15)
        time.sleep(0.5)
        assert accounts.spent()[key.id].day_usd == COST


class TestAFile:
    def test_a_lock_that_passes_is_waited_for(self, sqlite, open_accounts):
        """Another program that writes for a moment costs a moment."""
        accounts = open_accounts(sqlite)
        purse = accounts.purse(accounts.create("app", budget_day_usd="1")[0])
        with locked(sqlite):
            refill = purse.refill(BOUND)
            time.sleep(0.3)
            assert not refill.done()
        assert refill.result(5)
        assert accounts.lost is None

    def test_a_lock_that_stays(self, sqlite, open_accounts, monkeypatch):
        """A file that is locked for good is a database that is away; it comes back by itself."""
        monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 100)
        accounts = open_accounts(sqlite)
        key, _ = accounts.create("app", budget_day_usd="1")
        purse = accounts.purse(key)
        with locked(sqlite):
            assert not fetched(purse, BOUND)
            assert "locked" in purse.unavailable
            with pytest.raises(StoreError, match="locked; another program is writing"):
                accounts.create("other")
        eventually(lambda: purse.unavailable is None)
        assert fetched(purse, BOUND)

    def test_a_full_disk(self, sqlite, open_accounts):
        """Where nothing can be written nothing more is granted; what was spent is booked when there is room again."""
        accounts = open_accounts(sqlite)
        keys = [accounts.create(f"app {number}", budget_day_usd="10")[0] for number in range(150)]
        purse = accounts.purse(keys[0])
        assert fetched(purse, BOUND)
        pages = sqlite.sql("PRAGMA page_count")[0][0]
        most = [pages]

        def limit(connection, _record):
            connection.execute(f"PRAGMA max_page_count = {most[0]}")

        event.listen(accounts._line._engine, "connect", limit)
        eventually(lambda: not accounts._line.is_open, 5)
        purse.settle(BOUND, COST)
        granted = 1
        for key in keys[1:]:
            if not fetched(accounts.purse(key), BOUND):
                break
            accounts.purse(key).settle(BOUND, COST)
            granted += 1
        assert granted < len(keys)
        assert "full" in accounts.lost
        most[0] = 10**6
        eventually(lambda: accounts.lost is None)
        eventually(lambda: sum(one.day_usd for one in accounts.spent().values()) == granted * COST)
        assert fetched(accounts.purse(keys[-1]), BOUND)
