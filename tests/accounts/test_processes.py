"""Budgets over real processes: never exceeded, and a killed process gives back what it held."""

import signal
import threading
import time
from decimal import Decimal

import pytest
from accounts_help import eventually, totals
from sqlalchemy.exc import OperationalError

LIMIT = Decimal("0.5")


def begin(processes):
    """Let processes begin at once."""
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()


class Watch:
    """Looks again and again at what a database says is used and leased."""

    def __init__(self, database):
        self.database = database
        self.worst = Decimal(0)
        self.looks = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ended.wait(0.01):
            try:
                self.worst = max(self.worst, self._both())
                self.looks += 1
            except OperationalError:  # an SQLite file that is being written to
                continue

    def _both(self):
        rows = self.database.sql(
            "SELECT amount FROM cascade_used WHERE what = 'usd' AND length(period) = 10 "
            "UNION ALL SELECT amount FROM cascade_leases WHERE what = 'usd'"
        )
        return sum((Decimal(row[0]) for row in rows), Decimal(0))

    def stop(self):
        self.ended.set()
        self.thread.join()


@pytest.mark.parametrize("count", [2, 4])
def test_processes_at_once_never_exceed_a_shared_budget(accounts, database, spender, count):
    """Several real processes spend one day's budget: what they spent, and at every moment what is used and leased, stays within it; what each spent is booked to the digit; little is left over."""
    key, secret = accounts.create("shared", budget_day_usd=LIMIT, budget_month_usd=100)
    spenders = [spender(database.where, secret, seed, 2.5, 60) for seed in range(count)]
    begin(spenders)
    watch = Watch(database)
    results = [process.communicate(timeout=60) for process in spenders]
    watch.stop()
    assert all(process.returncode == 0 for process in spenders), results
    spent = [Decimal(out.split()[0]) for out, _ in results]
    refused = [int(out.split()[1]) for out, _ in results]
    assert sum(spent) <= LIMIT
    assert watch.looks > 5
    assert watch.worst <= LIMIT
    assert any(refused), "the limit was never reached"
    assert sum(spent) > LIMIT - Decimal("0.01"), "money was left that nobody could get at"
    booked = accounts.spent()[key.id]
    held = sum(Decimal(out.split()[2]) for out, _ in results)
    assert (booked.day_held_usd, booked.month_held_usd) == (held, held)
    assert (booked.day_usd, booked.month_usd) == (sum(spent) - held, sum(spent) - held)
    assert totals(database)[1] == 0


def test_a_killed_process_keeps_what_it_spent_and_gives_back_what_it_held(
    accounts, database, spender, open_accounts
):
    """After SIGKILL what was settled stays, and what was leased goes back when the lease expires, not earlier."""
    key, secret = accounts.create("shared", budget_day_usd="0.03")
    process = spender(database.where, secret, 0, 0, 4)
    begin([process])
    assert process.stdout.readline() == "holding\n", process.stderr.read()
    eventually(lambda: accounts.spent()[key.id].day_usd == Decimal("0.004"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = time.monotonic()
    purse = open_accounts(database).purse(key)
    assert not purse.refill(Decimal("0.02")).result(), "the dead process still holds it"
    eventually(lambda: accounts.spent()[key.id].leased_usd == 0, 10)
    assert time.monotonic() - killed < 7
    time.sleep(0.3)  # a refusal is remembered for a moment
    assert purse.refill(Decimal("0.02")).result()
    assert accounts.spent()[key.id].day_usd == Decimal("0.004")
