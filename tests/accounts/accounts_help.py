"""Chains whose prices make round figures, and what a database holds."""

import time
from decimal import Decimal

from cascade import Price, Tier
from cascade.testing import ScriptedModels, reply


def tiers(input_price="1", output_price="1000"):
    """A tier whose call of "hi" with 10 tokens allowed costs at most a little over a cent."""
    return [Tier("nano", price=Price.of(input_price, output_price))]


def models(output_tokens=1):
    """Answers that cost 0.001 dollars each, plus a millionth."""
    return ScriptedModels(
        {"nano": lambda _call: reply("ok", input_tokens=1, output_tokens=output_tokens)}
    )


COST = Decimal("0.001001")


def fetched(purse, amount):
    """Whether an amount could be reserved, waiting for the database where that must be."""
    amount = Decimal(amount)
    if purse.reserve(amount):
        return True
    refill = purse.refill(amount)
    return refill is not None and refill.result(20)


def eventually(check, timeout_s=5.0):
    """Wait until something holds; fails where it does not in time."""
    end = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def totals(database):
    """What a database holds of dollars: used today, and leased by whoever is alive or not."""
    used = database.sql(
        "SELECT amount FROM cascade_used WHERE what = 'usd' AND length(period) = 10"
    )
    leased = database.sql("SELECT amount FROM cascade_leases WHERE what = 'usd'")
    return tuple(sum((Decimal(row[0]) for row in rows), Decimal(0)) for rows in (used, leased))
