"""A process that spends from a key's budget as fast as it can; started by the tests.

    python spender.py PLACE SECRET SEED SECONDS LEASE_S

Says "ready", begins when it reads a line, and prints what it has spent, how often it was refused,
and what of it is held for calls of unknown cost. With SECONDS 0 it reserves once and holds that until it is killed.
"""

import random
import sys
import time
from decimal import Decimal

from cascade.accounts import Accounts


def main():
    """Spend."""
    place, secret, seed, seconds, lease_s = sys.argv[1:]
    dice = random.Random(seed)
    with Accounts(place, lease_s=float(lease_s)) as accounts:
        purse = accounts.purse(accounts.find(secret))
        print("ready", flush=True)
        sys.stdin.readline()
        if float(seconds) == 0:
            hold(purse)
        spent, refused, unknown = Decimal(0), 0, Decimal(0)
        end = time.monotonic() + float(seconds)
        flying = []
        while time.monotonic() < end:
            bound = Decimal(dice.randrange(1, 40)) / 10_000
            if taken(purse, bound):
                flying.append(bound)
            else:
                refused += 1
                time.sleep(0.001)
            if len(flying) > dice.randrange(8):
                held = flying.pop(dice.randrange(len(flying)))
                paid = None if dice.random() < 0.02 else held * dice.randrange(101) / 100
                purse.settle(held, paid)
                spent += held if paid is None else paid
                unknown += held if paid is None else 0
        for held in flying:
            purse.settle(held, held)
            spent += held
    print(spent, refused, unknown, flush=True)


def taken(purse, bound):
    """Reserve an amount, waiting for the database where that must be."""
    if purse.reserve(bound):
        return True
    refill = purse.refill(bound)
    return refill is not None and refill.result()


def hold(purse):
    """Spend a little, hold a reservation, and never end."""
    assert taken(purse, Decimal("0.01"))
    purse.settle(Decimal("0.01"), Decimal("0.004"))
    assert taken(purse, Decimal("0.02"))
    print("holding", flush=True)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
