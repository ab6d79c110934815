"""What a process holds of one key's budget or rate, in memory: reserving asks nobody.

A `Pocket` is the part of one period (a day, or a minute for rates). What it holds altogether, free
and reserved, is written in the database as leased; what was spent moves from there to used when the
books are next kept. A pocket may be spent from only until its lease could be taken for a dead
process's, or its period ends.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from threading import Lock
from time import monotonic
from typing import NamedTuple

from cascade.accounts.periods import What
from cascade.core.price import EXACT

__all__ = ["ALL_KNOWN", "NOTHING", "Lease", "Pocket", "Ticket", "Unknown"]

NOTHING = Decimal(0)

NEVER: tuple[float, Decimal] = (0.0, NOTHING)

add, subtract = EXACT.add, EXACT.subtract


class Unknown(NamedTuple):
    """Calls whose cost stayed unknown.

    Attributes:
        held: what they had reserved and keep, as a part of what was spent.
        calls: how many they are; those of a key without a limit keep nothing.
    """

    held: Decimal
    calls: int

    def plus(self, other: Unknown) -> Unknown:
        """Both together."""
        return Unknown(add(self.held, other.held), self.calls + other.calls)

    def minus(self, other: Unknown) -> Unknown:
        """Without some of them."""
        return Unknown(subtract(self.held, other.held), self.calls - other.calls)


ALL_KNOWN = Unknown(NOTHING, 0)


@dataclass(slots=True)
class Ticket:
    """Somebody waits for an amount; the value says whether it has been reserved for them."""

    amount: Decimal
    until: float
    future: Future[bool] = field(default_factory=Future)


@dataclass(slots=True)
class Pocket:
    """A process's part of one period.

    Attributes:
        period: e.g. "2026-11-27"; `None` until the database has said what day it is.
        until: `monotonic` reading from which on nothing may be reserved from it.
        free: may be reserved.
        reserved: for calls in flight.
        spent: settled, and not yet in the database.
        unknown: calls among those settled whose cost nobody knows.
        held: how many reservations there are of each amount.
        step: number of the last time that it was written.
        unsure: step, spent and unknown of a write of which nobody knows whether it arrived.
        largest: the largest amount lately reserved.
        ahead: what was free when the books were last kept.
    """

    period: str | None = None
    until: float = 0.0
    free: Decimal = NOTHING
    reserved: Decimal = NOTHING
    spent: Decimal = NOTHING
    unknown: Unknown = ALL_KNOWN
    held: dict[Decimal, int] = field(default_factory=dict)
    step: int = 0
    unsure: tuple[int, Decimal, Unknown] | None = None
    largest: Decimal = NOTHING
    ahead: Decimal = NOTHING

    def hold(self, amount: Decimal) -> None:
        """Note a reservation."""
        self.reserved = add(self.reserved, amount)
        self.held[amount] = self.held.get(amount, 0) + 1

    def let_go(self, amount: Decimal) -> bool:
        """Note that a reservation has ended; False where there was none of that amount."""
        times = self.held.pop(amount, 0)
        if not times:
            return False
        if times > 1:
            self.held[amount] = times - 1
        self.reserved = subtract(self.reserved, amount)
        return True

    @property
    def owes(self) -> bool:
        """Whether the database has yet to hear of something that was settled."""
        return bool(self.spent or self.unknown.calls)

    @property
    def is_empty(self) -> bool:
        """Nothing is in it, and nothing is owed to the database."""
        return not (self.free or self.reserved or self.owes or self.unsure)

    def written(self, spent: Decimal, unknown: Unknown) -> None:
        """Note that the database has heard of something that was settled."""
        self.spent = subtract(self.spent, spent)
        self.unknown = self.unknown.minus(unknown)


class Lease:
    """What a process holds of one key's budget or rate.

    Args:
        key_id: whose.
        what: of what.
        wake: tells the worker that there is something to do.

    Attributes:
        limited: whether there is a limit; without one all is granted, and counted.
        pockets: one for each period with something in it; the last is that of today.
        waiting: who waits for an amount.
        limit: the limit that is nearest, as last seen.
        left: what was left of it for others then.
        each: its period: "day", "month" or "minute".
        ends_at: when the shortest period ends, as last seen.
        used_at: when something was last reserved.
        kept_at: when its books were last kept.
        refused: when the database last had too little, and for how much.
    """

    def __init__(self, key_id: str, what: What, wake: Callable[[], None]) -> None:
        self.key_id = key_id
        self.what: What = what
        self.limited = True
        self.limit: Decimal | None = None
        self.left = NOTHING
        self.each = ""
        self.ends_at = 0.0
        self.used_at = 0.0
        self.kept_at = 0.0
        self.refused = NEVER
        self.lock = Lock()
        self.waiting: list[Ticket] = []
        self.pockets: list[Pocket] = []
        self.wake = wake

    def reserve(self, amount: Decimal | None, *, for_good: bool = False) -> bool:
        """Set an amount aside; False, and nothing changes, where too little is at hand.

        Args:
            amount: how much; `None` where nobody knows.
            for_good: it is used up with that, and not settled later.
        """
        with self.lock:
            now = monotonic()
            if not self.limited and not for_good:
                self.used_at = now
                return True
            if amount is None or not self.pockets:
                return False
            pocket = self.pockets[-1]
            left = subtract(pocket.free, amount)
            if left < NOTHING or now >= pocket.until:
                return False
            pocket.free = left
            if for_good:
                pocket.spent = add(pocket.spent, amount)
            else:
                pocket.hold(amount)
            pocket.largest = max(pocket.largest, amount)
            self.used_at = now
            return True

    def settle(self, reserved: Decimal, actual: Decimal | None) -> None:
        """Replace a reservation by what was really used; an unknown amount keeps it whole."""
        with self.lock:
            is_first = not self.pockets
            pocket = self.pockets[0] if len(self.pockets) == 1 else self._holder(reserved)
            if not pocket.let_go(reserved):  # reserved while there was no limit
                reserved = NOTHING
            paid = reserved if actual is None else actual
            if actual is None:
                pocket.unknown = pocket.unknown.plus(Unknown(reserved, 1))
            pocket.spent = add(pocket.spent, paid)
            if self.limited:
                pocket.free = add(pocket.free, subtract(reserved, paid))
                self.refused = NEVER  # there is more now
        if is_first:
            self.wake()

    def credit(self, amount: Decimal) -> None:
        """Reserve an amount without the database; it hears of it afterwards."""
        with self.lock:
            if not self.pockets:
                self.pockets.append(Pocket())
            self.pockets[-1].hold(amount)
            self.used_at = monotonic()

    def forget(self) -> None:
        """In a forked child: what the parent holds is the parent's."""
        self.lock = Lock()
        self.waiting, self.pockets = [], []

    @property
    def at_hand(self) -> Decimal:
        """What may be reserved without asking."""
        with self.lock:
            return self.pockets[-1].free if self.pockets else NOTHING

    def remaining(self, now: float) -> Decimal:
        """What is left altogether at a reading of `monotonic`, as far as this process knows."""
        with self.lock:
            if self.limit is None:
                return NOTHING
            if now >= self.ends_at:
                return self.limit
            pocket = self.pockets[-1] if self.pockets else None
            if pocket is None or now >= pocket.until:
                return self.left
            return add(self.left, subtract(pocket.free, pocket.ahead))

    @property
    def is_alive(self) -> bool:
        """Whether the books have to be kept for it."""
        return bool(self.pockets or self.waiting)

    def _holder(self, amount: Decimal) -> Pocket:
        """The pocket that a reservation was made from.

        Equal amounts are as good as each other: the first to end is taken for the oldest.
        """
        if not self.pockets:
            self.pockets.append(Pocket())
        for pocket in self.pockets:
            if amount in pocket.held:
                return pocket
        return self.pockets[-1]
