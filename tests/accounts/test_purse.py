"""A key's money: reserved in memory, leased from the database, spent by cascades of both kinds."""

import asyncio
import threading
import time
from decimal import Decimal

import pytest
from accounts_help import COST, eventually, fetched, models, tiers, totals

from cascade import AsyncCascade, Budget, BudgetExceeded, Cascade
from cascade.accounts import Purse

BOUND = Decimal("0.01")


def purse_of(accounts, **limits):
    return accounts.purse(accounts.create("app", **limits)[0])


class TestSpending:
    def test_a_budget_is_spent_to_its_last_digit_and_no_further(self, accounts):
        """What fits exactly is granted, what is a digit more is refused, and says what is left."""
        purse = purse_of(accounts, budget_day_usd="1")
        assert fetched(purse, "0.75")
        assert not fetched(purse, "0.2500000000000000001")
        assert purse.room() == "$0.25 of $1 a day is left to key 'app'"
        time.sleep(0.3)
        assert fetched(purse, "0.25")
        assert not fetched(purse, "0.0000000000000000001")
        assert purse.left_usd == 0

    def test_the_month_limits_too(self, accounts):
        """The nearer limit counts, and is the one that is named."""
        purse = purse_of(accounts, budget_day_usd="1", budget_month_usd="0.5")
        assert not fetched(purse, "0.6")
        assert (purse.limit_usd, purse.room()) == (
            Decimal("0.5"),
            "$0.5 of $0.5 a month is left to key 'app'",
        )

    def test_what_was_reserved_and_not_spent_can_be_spent_again(self, accounts):
        """A call that cost less than its bound leaves the rest to others; so does one not made."""
        purse = purse_of(accounts, budget_day_usd="0.01")
        for paid in ("0", "0.004", "0", "0.005"):
            assert fetched(purse, "0.005")
            purse.settle(Decimal("0.005"), Decimal(paid))
        time.sleep(0.3)
        assert fetched(purse, "0.001")
        assert not fetched(purse, "0.000001")

    def test_an_unknown_cost_keeps_its_reservation(self, accounts):
        """A call whose cost nobody knows counts at its worst case, for good."""
        purse = purse_of(accounts, budget_day_usd="0.01")
        assert fetched(purse, "0.007")
        purse.settle(Decimal("0.007"), None)
        eventually(lambda: next(iter(accounts.spent().values())).day_held_usd == Decimal("0.007"))
        assert not fetched(purse, "0.004")

    def test_a_call_dearer_than_its_bound_counts_in_full(self, accounts):
        """Money that was spent is spent: the day is over its limit then, and grants nothing."""
        purse = purse_of(accounts, budget_day_usd="0.01")
        assert fetched(purse, "0.005")
        purse.settle(Decimal("0.005"), Decimal("0.02"))
        assert not fetched(purse, "0.000001")
        eventually(lambda: next(iter(accounts.spent().values())).day_usd == Decimal("0.02"))

    def test_most_requests_ask_no_database(self, accounts, monkeypatch):
        """Where plenty is left, a hundred requests in a row take a handful of transactions."""
        purse = purse_of(accounts, budget_day_usd="100")
        real, kept = accounts._line.kept, []
        monkeypatch.setattr(accounts._line, "kept", lambda: kept.append(1) or real())
        for _ in range(100):
            assert fetched(purse, "0.01")
            purse.settle(Decimal("0.01"), Decimal("0.002"))
        assert len(kept) <= 8

    def test_near_the_limit_nothing_is_held_ahead(self, accounts, database):
        """Where little is left a lease is what was asked for and no more: others may need it."""
        purse = purse_of(accounts, budget_day_usd="0.1")
        assert fetched(purse, "0.02")
        assert totals(database) == (0, Decimal("0.02"))

    def test_what_is_held_ahead_goes_back_soon(self, accounts, database):
        """A process that has nothing to do holds nothing."""
        purse = purse_of(accounts, budget_day_usd="100")
        assert fetched(purse, "0.01")
        assert totals(database)[1] > Decimal("0.1")
        purse.settle(Decimal("0.01"), Decimal("0.002"))
        eventually(lambda: totals(database) == (Decimal("0.002"), 0))
        eventually(lambda: not database.sql("SELECT * FROM cascade_leases"))

    def test_a_request_waits_for_what_another_process_gives_back(
        self, accounts, open_accounts, database
    ):
        """What one process holds ahead is no reason to refuse a request of another."""
        key, _ = accounts.create("app", budget_day_usd="1")
        first, second = (open_accounts(database).purse(key) for _ in range(2))
        assert fetched(first, "0.005")
        assert totals(database)[1] > Decimal("0.05")
        assert fetched(second, "0.95")
        time.sleep(0.3)
        assert not fetched(second, "0.05")
        assert fetched(first, "0.045")

    def test_a_raised_limit_is_seen_at_once_and_a_lowered_one_too(self, accounts):
        """The limit that counts is the one in the database when more is fetched."""
        key, _ = accounts.create("app", budget_day_usd="0.01")
        purse = accounts.purse(key)
        assert not fetched(purse, "0.02")
        accounts.change("app", budget_day_usd="1")
        time.sleep(0.25)
        assert fetched(purse, "0.02")
        accounts.change("app", budget_day_usd="0.015")
        eventually(lambda: not purse.reserve(Decimal("0.001")))
        assert not fetched(purse, "0.001")

    def test_a_revoked_key_fetches_nothing(self, accounts):
        """What was leased may be used up within seconds; more is not granted."""
        key, _ = accounts.create("app", budget_day_usd="1")
        purse = accounts.purse(key)
        accounts.revoke("app")
        assert not fetched(purse, "0.01")

    def test_a_key_without_a_budget_is_counted(self, accounts):
        """Nothing is refused, no bound is needed, and what was spent is known."""
        key, _ = accounts.create("app")
        purse = accounts.purse(key)
        assert purse.has_limit is False
        done = Cascade(tiers(), models=models(), budget=purse).complete("hi")
        assert done.trace.budget_usd is None
        eventually(lambda: accounts.spent()[key.id].month_usd == COST)
        accounts.change("app", budget_day_usd="0.001")
        changed = accounts.get("app")
        assert not fetched(accounts.purse(changed), "0.01")

    def test_threads_at_once_never_exceed_it(self, accounts):
        """Eight threads on one purse spend the budget and not a digit more."""
        purse = purse_of(accounts, budget_day_usd="0.1")
        spent = []

        def work():
            for _ in range(60):
                if fetched(purse, "0.001"):
                    purse.settle(Decimal("0.001"), Decimal("0.0009"))
                    spent.append(Decimal("0.0009"))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Decimal("0.09") < sum(spent) <= Decimal("0.1")
        eventually(lambda: next(iter(accounts.spent().values())).day_usd == sum(spent))

    def test_days_are_listed(self, accounts, set_clock):
        """What each key spent on each day can be read, for a dashboard."""
        key, _ = accounts.create("app")
        accounts.purse(key).settle(Decimal(0), COST)
        today = accounts.now().strftime("%Y-%m-%d")
        eventually(accounts.spent_by_day)
        assert [(x.key_id, x.day, x.usd) for x in accounts.spent_by_day("app")] == [
            (key.id, today, COST)
        ]
        assert accounts.spent_by_day(since="2999-01-01") == []


class TestCascades:
    def test_a_sync_cascade_waits_for_more(self, accounts):
        """A purse is a budget: a plain cascade spends from it until it is used up, and books all."""
        key, _ = accounts.create("app", budget_day_usd="0.05")
        seen = []
        llm = Cascade(tiers(), models=models(), budget=accounts.purse(key), observers=[seen.append])

        def spend():
            while True:
                llm.complete("hi", max_completion_tokens=10)

        with pytest.raises(BudgetExceeded, match=r"of \$0.05 a day is left to key 'app'") as caught:
            spend()
        assert caught.value.trace.budget_usd == Decimal("0.05")
        answered = len(seen) - 1
        assert 36 <= answered <= 49
        eventually(lambda: accounts.spent()[key.id].day_usd == COST * answered)

    def test_an_async_cascade_waits_without_holding_up_the_loop(self, accounts):
        """Fifty requests at once share a budget; the loop goes on while they wait."""
        key, _ = accounts.create("app", budget_day_usd="0.2")
        longest = 0.0

        async def watch():
            nonlocal longest
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - before)

        async def ask(llm):
            try:
                return (await llm.complete("hi", max_completion_tokens=10)).cost_usd
            except BudgetExceeded:
                return Decimal(0)

        async def main():
            watching = asyncio.create_task(watch())
            llm = AsyncCascade(tiers(), models=models(), budget=accounts.purse(key))
            costs = await asyncio.gather(*(ask(llm) for _ in range(50)))
            watching.cancel()
            return costs

        costs = asyncio.run(main())
        assert sum(costs) <= Decimal("0.2")
        assert sum(cost > 0 for cost in costs) >= 15
        assert longest < 0.5
        eventually(lambda: accounts.spent()[key.id].day_usd == sum(costs))

    def test_a_request_that_leaves_while_it_waits_holds_nothing(self, accounts, monkeypatch):
        """Cancelled while its money is fetched, a request gives back what then arrives."""
        key, _ = accounts.create("app", budget_day_usd="1")
        purse = accounts.purse(key)
        gate, waits = threading.Event(), threading.Event()
        real = accounts._line.kept

        def kept():
            waits.set()
            gate.wait(5)
            return real()

        monkeypatch.setattr(accounts._line, "kept", kept)

        async def main():
            llm = AsyncCascade(tiers(), models=models(), budget=purse)
            task = asyncio.create_task(llm.complete("hi", max_completion_tokens=10))
            await asyncio.to_thread(waits.wait, 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        gate.set()
        monkeypatch.undo()
        assert fetched(purse, "1")

    def test_a_deadline_ends_the_wait(self, accounts, monkeypatch):
        """A request whose time is over while its money is fetched ends as late."""
        purse = purse_of(accounts, budget_day_usd="1")
        gate, real = threading.Event(), accounts._line.kept
        monkeypatch.setattr(accounts._line, "kept", lambda: gate.wait(5) and real())
        llm = Cascade(tiers(), models=models(), budget=purse, deadline_s=0.2)
        with pytest.raises(Exception, match="time ran out while its budget was asked"):
            llm.complete("hi", max_completion_tokens=10)
        gate.set()
        monkeypatch.undo()
        eventually(lambda: fetched(purse, "1"))

    def test_a_requests_own_budget_counts_within_the_purse(self, accounts):
        """Both must have room; what is undone in one is undone in the other."""
        purse = purse_of(accounts, budget_day_usd="0.02")
        own = Budget("0.015", on_exceeded="raise")
        both = purse.within(own)
        assert (both.limit_usd, both.on_exceeded) == (Decimal("0.015"), "raise")
        assert both.refill(Decimal("0.016")) is None
        assert fetched(both, "0.015")
        assert own.left_usd == 0
        both.settle(Decimal("0.015"), Decimal("0.001"))
        assert own.left_usd == Decimal("0.014")
        assert fetched(purse, "0.015")
        assert not fetched(both, "0.005")
        assert own.left_usd == Decimal("0.014")
        assert "a day is left to key" in both.room()
        assert purse.within(None) is purse
        assert isinstance(purse, Purse)

    def test_a_request_may_not_pass_its_own_budget(self, accounts):
        """A request with a smaller budget of its own is refused by that one."""
        purse = purse_of(accounts, budget_day_usd="5")
        llm = Cascade(tiers(), models=models())
        with pytest.raises(BudgetExceeded, match=r"\$0.001 of \$0.001 is left"):
            llm.complete("hi", max_completion_tokens=10, budget=purse.within(Budget("0.001")))
        assert llm.complete(
            "hi", max_completion_tokens=10, budget=purse.within(Budget("0.05"))
        ).text
