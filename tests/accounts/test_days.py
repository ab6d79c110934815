"""Days and months end at midnight UTC by the database's clock, whatever the machines think."""

import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from accounts_help import eventually, fetched

from cascade.accounts.periods import finest, limits_of, part_of

HALF_BEFORE = timedelta(seconds=0.7)


def test_at_midnight_a_new_day_begins(accounts, set_clock, database):
    """What is left of a day is no use after it, and the new day's money is there; a call that was begun before midnight counts for the day on which it was reserved."""
    key, _ = accounts.create("app", budget_day_usd="1", budget_month_usd="30")
    set_clock(datetime(2026, 11, 27, tzinfo=UTC) - HALF_BEFORE)
    purse = accounts.purse(key)
    assert fetched(purse, "0.9")
    assert not fetched(purse, "0.5")
    time.sleep(0.8)
    assert fetched(purse, "0.95")
    purse.settle(Decimal("0.9"), Decimal("0.8"))
    purse.settle(Decimal("0.95"), Decimal("0.2"))
    eventually(lambda: accounts.spent()[key.id].month_usd == 1)
    days = {one.day: one.usd for one in accounts.spent_by_day("app")}
    assert days == {"2026-11-26": Decimal("0.8"), "2026-11-27": Decimal("0.2")}
    eventually(lambda: not database.sql("SELECT * FROM cascade_leases"))


def test_equal_amounts_of_two_days(accounts, set_clock):
    """Of two calls that reserved the same the first to end counts for the earlier day: both days are charged within what was reserved in them."""
    key, _ = accounts.create("app", budget_day_usd="1", budget_month_usd="30")
    set_clock(datetime(2026, 11, 27, tzinfo=UTC) - HALF_BEFORE)
    purse = accounts.purse(key)
    assert fetched(purse, "0.9")
    time.sleep(0.8)
    assert fetched(purse, "0.9")
    purse.settle(Decimal("0.9"), Decimal("0.2"))
    purse.settle(Decimal("0.9"), None)
    eventually(lambda: accounts.spent()[key.id].month_held_usd == Decimal("0.9"))
    eventually(lambda: accounts.spent()[key.id].month_usd == Decimal("0.2"))
    days = {one.day: (one.usd, one.held_usd) for one in accounts.spent_by_day("app")}
    assert days == {"2026-11-26": (Decimal("0.2"), 0), "2026-11-27": (0, Decimal("0.9"))}


def test_a_lease_of_before_midnight_cannot_be_spent_after_it(accounts, set_clock, monkeypatch):
    """What is held ahead ends with its day by this process's own clock, without any question."""
    key, _ = accounts.create("app", budget_day_usd="100")
    set_clock(datetime(2026, 11, 27, tzinfo=UTC) - HALF_BEFORE)
    purse = accounts.purse(key)
    assert fetched(purse, "0.01")
    gate, real = threading.Event(), accounts._line.kept
    monkeypatch.setattr(accounts._line, "kept", lambda: gate.wait(5) and real())
    assert purse.reserve(Decimal("0.01"))
    time.sleep(0.75)
    assert purse._lease.pockets[-1].free > Decimal("0.01")
    assert not purse.reserve(Decimal("0.01"))
    gate.set()


def test_a_new_month_begins_anew(accounts, set_clock):
    """A month's budget is there again on the first, and what is in flight from the month before does not count in it."""
    key, _ = accounts.create("app", budget_month_usd="1")
    set_clock(datetime(2026, 12, 1, tzinfo=UTC) - HALF_BEFORE)
    purse = accounts.purse(key)
    assert fetched(purse, "0.9")
    assert not fetched(purse, "0.2")
    time.sleep(0.8)
    assert fetched(purse, "1")
    assert not fetched(purse, "0.01")
    purse.settle(Decimal("0.9"), None)
    purse.settle(Decimal(1), Decimal("0.3"))
    eventually(lambda: accounts.spent()[key.id].month_usd == Decimal("0.3"))


def test_days_of_one_month_add_up(accounts, set_clock):
    """A month's limit counts its days together, calls in flight from the day before included."""
    key, _ = accounts.create("app", budget_day_usd="1", budget_month_usd="1.5")
    set_clock(datetime(2026, 11, 27, tzinfo=UTC) - HALF_BEFORE)
    purse = accounts.purse(key)
    assert fetched(purse, "0.9")
    time.sleep(0.8)
    assert not fetched(purse, "0.61")
    time.sleep(0.25)
    assert fetched(purse, "0.6")


def test_a_machine_whose_clock_is_wrong_counts_for_the_right_day(accounts, monkeypatch):
    """The wall clock of a replica decides nothing: the day is the database's."""
    key, _ = accounts.create("app", budget_day_usd="1")
    today = accounts.now().strftime("%Y-%m-%d")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    purse = accounts.purse(key)
    assert fetched(purse, "0.5")
    purse.settle(Decimal("0.5"), Decimal("0.4"))
    eventually(lambda: accounts.spent()[key.id].day_usd == Decimal("0.4"))
    assert [one.day for one in accounts.spent_by_day("app")] == [today]


@pytest.mark.parametrize(
    ("moment", "day", "minute"),
    [
        ("2026-11-30T23:59:59.999+00:00", "2026-11-30", "2026-11-30T23:59"),
        ("2026-12-01T00:00:00+00:00", "2026-12-01", "2026-12-01T00:00"),
        ("2028-02-29T23:59:59+00:00", "2028-02-29", "2028-02-29T23:59"),
        ("2026-12-31T23:30:00-02:00", "2027-01-01", "2027-01-01T01:30"),
    ],
)
def test_periods_are_those_of_utc(moment, day, minute):
    """A moment's day and minute, whatever zone it was written in; each ends where the next begins."""
    now = datetime.fromisoformat(moment).timestamp()
    for what, name in (("usd", day), ("tokens", minute)):
        period, ends_at = finest(what, now)
        assert period == name
        assert now < ends_at
        assert finest(what, ends_at)[0] > period
        assert finest(what, ends_at - 0.001)[0] == period


def test_limits_name_their_periods(accounts):
    """A key's limits at a moment, the shortest period first."""
    key, _ = accounts.create("app", budget_month_usd="5", tokens_per_minute=7)
    now = datetime(2026, 11, 27, 9, 30, tzinfo=UTC).timestamp()
    assert [(x.each, x.period, x.most) for x in limits_of(key, "usd", now)] == [
        ("day", "2026-11-27", None),
        ("month", "2026-11", 5),
    ]
    assert [(x.each, x.period, x.most) for x in limits_of(key, "tokens", now)] == [
        ("minute", "2026-11-27T09:30", 7)
    ]


@pytest.mark.parametrize(
    ("amount", "share", "what", "part"),
    [
        ("1", 8, "usd", "0.125"),
        ("1", 3, "usd", "0.333333333"),
        ("7", 8, "requests", "0"),
        ("17", 8, "tokens", "2"),
        ("-5", 8, "usd", "0"),
        ("0.0000000001", 8, "usd", "0"),
    ],
)
def test_parts_are_rounded_down(amount, share, what, part):
    """A part of what is left never adds up to more than all of it, and requests come whole."""
    assert part_of(Decimal(amount), share, what) == Decimal(part)
