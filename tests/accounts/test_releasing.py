"""What calls of unknown cost keep of a budget: told apart from what was spent, and given back."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from accounts_help import eventually, fetched, totals

from cascade import ConfigError, StoreError

HELD = Decimal("0.0700000000000000000003")


def held(accounts, key):
    """What is held today, and for how many calls."""
    spent = accounts.spent()[key.id]
    return spent.day_held_usd, spent.day_unknown_calls


def settle_unknown(accounts, key, amount=HELD):
    """Let a call of a key end whose cost nobody knows."""
    before = held(accounts, key)
    purse = accounts.purse(key)
    assert fetched(purse, amount)
    purse.settle(Decimal(amount), None)
    eventually(lambda: held(accounts, key) == (before[0] + Decimal(amount), before[1] + 1))


class TestHeld:
    def test_it_is_no_part_of_what_was_spent(self, accounts):
        """What is known and what is held stand apart, to the digit, by day and by month."""
        key, _ = accounts.create("app", budget_day_usd="1")
        settle_unknown(accounts, key)
        purse = accounts.purse(key)
        assert fetched(purse, "0.5")
        purse.settle(Decimal("0.5"), Decimal("0.01"))
        settle_unknown(accounts, key)
        eventually(lambda: accounts.spent()[key.id].day_usd == Decimal("0.01"))
        spent = accounts.spent()[key.id]
        assert (spent.day_held_usd, spent.day_unknown_calls) == (2 * HELD, 2)
        assert (spent.month_held_usd, spent.month_unknown_calls) == (2 * HELD, 2)
        assert spent.month_usd == Decimal("0.01")
        (day,) = accounts.spent_by_day("app")
        assert (day.usd, day.held_usd, day.unknown_calls) == (Decimal("0.01"), 2 * HELD, 2)

    def test_a_key_without_a_budget_counts_its_calls(self, accounts):
        """Nothing is kept there, and that there was a call of unknown cost is known."""
        key, _ = accounts.create("app")
        accounts.purse(key).settle(Decimal(0), None)
        eventually(lambda: held(accounts, key) == (0, 1))
        assert accounts.release("app", billed_usd="0.31").calls == 1
        assert held(accounts, key) == (0, 0)
        assert accounts.spent()[key.id].month_usd == Decimal("0.31")

    def test_it_outlives_the_process(self, accounts, database, open_accounts):
        """What is held is in the database, and another process gives it back."""
        key, _ = accounts.create("app", budget_day_usd="0.1")
        settle_unknown(accounts, key)
        accounts.close()
        other = open_accounts(database)
        assert not fetched(other.purse(key), HELD)
        assert other.release("app").usd == HELD
        time.sleep(0.3)  # a refusal is remembered for a moment
        assert fetched(other.purse(key), HELD)

    def test_a_process_of_an_older_version_changes_nothing(self, accounts, database):
        """It writes amounts alone, which leaves what is held where it is."""
        key, _ = accounts.create("app", budget_day_usd="1")
        settle_unknown(accounts, key)
        for period in database.sql("SELECT period FROM cascade_used"):
            database.sql(
                "INSERT INTO cascade_used (key_id, what, period, amount) "  # noqa: S608
                f"VALUES ('{key.id}', 'usd', '{period[0]}', '0.5') "
                "ON CONFLICT (key_id, what, period) DO UPDATE SET amount = excluded.amount"
            )
        assert held(accounts, key) == (HELD, 1)
        assert accounts.release("app").usd == HELD
        assert totals(database)[0] == Decimal("0.5") - HELD


class TestRelease:
    def test_a_process_that_runs_spends_it(self, accounts, database, open_accounts):
        """A replica that refused grants again once another has given back what was held."""
        key, _ = accounts.create("app", budget_day_usd="0.1", budget_month_usd="0.1")
        replica = open_accounts(database).purse(key)
        settle_unknown(accounts, key)
        assert not fetched(replica, HELD)
        released = accounts.release("app")
        assert (released.held_usd, released.billed_usd, released.calls) == (HELD, 0, 1)
        time.sleep(0.3)
        assert fetched(replica, "0.1")
        assert sum(totals(database)) <= Decimal("0.1")
        assert accounts.release("app").usd == 0, "it is given back once"

    def test_what_was_billed_stays_spent(self, accounts):
        """The day and the month are charged with the bill instead of the worst case."""
        key, _ = accounts.create("app", budget_day_usd="1")
        settle_unknown(accounts, key)
        today = accounts.now().strftime("%Y-%m-%d")
        assert accounts.release("app", today, billed_usd="0.0123").usd == HELD - Decimal("0.0123")
        spent = accounts.spent()[key.id]
        assert (spent.day_usd, spent.month_usd) == (Decimal("0.0123"), Decimal("0.0123"))
        assert held(accounts, key) == (0, 0)

    def test_calls_in_flight_keep_what_they_reserved(self, accounts, database):
        """What is leased is nobody's to give back."""
        key, _ = accounts.create("app", budget_day_usd="0.2")
        purse = accounts.purse(key)
        assert fetched(purse, "0.1")
        settle_unknown(accounts, key)
        accounts.release("app")
        time.sleep(0.3)
        assert not fetched(purse, "0.1000001")
        assert fetched(purse, "0.1")
        assert sum(totals(database)) <= Decimal("0.2")

    def test_other_days_and_keys_keep_theirs(self, accounts, set_clock):
        """A day is given back alone, and its month knows; other keys are not touched."""
        key, _ = accounts.create("app", budget_day_usd="1")
        other, _ = accounts.create("other", budget_day_usd="1")
        noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
        set_clock(noon)
        settle_unknown(accounts, key, "0.5")
        set_clock(noon + timedelta(days=1))
        settle_unknown(accounts, key, "0.25")
        settle_unknown(accounts, other, "0.125")
        with pytest.raises(ConfigError, match="name one of 2026-11-26, 2026-11-27"):
            accounts.release("app", billed_usd="0.1")
        assert accounts.release("app", "2026-11-26").usd == Decimal("0.5")
        days = {one.day: one.held_usd for one in accounts.spent_by_day("app")}
        assert days == {"2026-11-26": 0, "2026-11-27": Decimal("0.25")}
        assert accounts.spent()[key.id].month_held_usd == Decimal("0.25")
        assert accounts.release("app").period == "2026-11"
        assert accounts.spent()[key.id].month_held_usd == 0
        assert held(accounts, other) == (Decimal("0.125"), 1)

    def test_only_what_was_seen(self, accounts):
        """Nothing is given back where more is held than somebody has looked at."""
        key, _ = accounts.create("app", budget_day_usd="1")
        settle_unknown(accounts, key)
        with pytest.raises(ConfigError, match="is held by now"):
            accounts.release("app", seen_usd=Decimal("0.05"))
        assert held(accounts, key) == (HELD, 1)
        assert accounts.release("app", seen_usd=HELD).usd == HELD

    @pytest.mark.parametrize(
        ("period", "billed", "words"),
        [
            ("yesterday", 0, "no day or month"),
            ("2026-11-27x", 0, "no day or month"),
            (None, "0.08", "more than the \\$0.07"),
            (None, "-1", "not above 0"),
            ("1999-01-01", "0.01", "nothing is held"),
        ],
    )
    def test_what_cannot_be(self, accounts, period, billed, words):
        """It is refused, and nothing is given back."""
        key, _ = accounts.create("app", budget_day_usd="1")
        settle_unknown(accounts, key)
        with pytest.raises(ConfigError, match=words):
            accounts.release("app", period, billed_usd=billed)
        assert held(accounts, key) == (HELD, 1)

    def test_a_key_that_there_is_not(self, accounts):
        """It is named."""
        with pytest.raises(StoreError, match="no key 'x'"):
            accounts.release("x")
