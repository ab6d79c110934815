"""A fork while budgets are in use: what the parent holds stays the parent's."""

import os
import time
from decimal import Decimal

import pytest
from accounts_help import eventually, fetched, totals

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_spends_from_the_same_budget_with_a_lease_of_its_own(accounts, database):
    """The child begins with nothing at hand; what both spend is booked once."""
    key, secret = accounts.create("app", budget_day_usd="1")
    purse = accounts.purse(key)
    assert fetched(purse, "0.01")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            fresh = not purse.reserve(Decimal("0.01"))
            found = accounts.find(secret) == key
            granted = fetched(purse, "0.02")
            purse.settle(Decimal("0.02"), Decimal("0.02"))
            accounts.close()
            code = 0 if fresh and found and granted else 2
        finally:
            os._exit(code)
    purse.settle(Decimal("0.01"), Decimal("0.01"))
    assert fetched(purse, "0.01")
    purse.settle(Decimal("0.01"), Decimal("0.01"))
    end = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(0.02)
    assert ended == (child, 0)
    eventually(lambda: totals(database) == (Decimal("0.04"), 0))
