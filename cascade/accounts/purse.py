"""A key's money as a budget: what a request reserves comes from a lease in memory."""

from __future__ import annotations

from concurrent.futures import Future
from decimal import Decimal
from time import monotonic
from typing import Literal

from cascade.accounts.lease import NOTHING, Lease, subtract
from cascade.accounts.plan import REMEMBERED_S
from cascade.accounts.worker import Worker
from cascade.core.budget import Budget
from cascade.core.dollars import dollars

__all__ = ["Capped", "Purse", "fetch"]

PATIENCE_S = 1.5
"""A request waits so long for what other processes may yet give back."""


class Purse(Budget):
    """What a key may spend, today and this month; shared by all its requests.

    Give it to a cascade as its budget. Where the money at hand does not suffice, the request waits
    until more was fetched from the database, a few milliseconds; the event loop does not.

    Args:
        lease: what this process holds of the key's money.
        worker: fetches more.
        name: the key's.
        on_exceeded: as in `Budget`.
    """

    def __init__(
        self,
        lease: Lease,
        worker: Worker,
        name: str,
        *,
        on_exceeded: Literal["return_best", "raise"] = "return_best",
    ) -> None:
        super().__init__(1, on_exceeded=on_exceeded)  # the lease knows the limits
        self._lease = lease
        self._worker = worker
        self._name = name

    @property
    def has_limit(self) -> bool:
        """Whether the key has a budget; without one all is granted, and counted."""
        return self._lease.limited

    @property
    def limit_usd(self) -> Decimal:
        """The limit that is nearest, the day's or the month's, as last seen."""
        return self._lease.limit if self._lease.limit is not None else NOTHING

    @property
    def left_usd(self) -> Decimal:
        """What was left of it when the database was last asked."""
        return self._lease.left

    @property
    def committed_usd(self) -> Decimal:
        """Spent by all processes and reserved by this one, as last seen."""
        return max(subtract(self.limit_usd, self.left_usd), NOTHING)

    @property
    def unavailable(self) -> str | None:
        """Why the database that knows the budget cannot be asked; `None` where it can."""
        return self._worker.lost

    def reserve(self, amount_usd: Decimal | None) -> bool:
        """Set an amount aside from what is at hand."""
        return self._lease.reserve(amount_usd)

    def settle(self, reserved_usd: Decimal, actual_usd: Decimal | None) -> None:
        """Replace a reservation by what was really paid; an unknown cost keeps it whole.

        It counts for the day on which it was reserved. Where calls in flight have reserved the
        same amount on two days, the first to end counts for the earlier one.
        """
        self._lease.settle(reserved_usd, actual_usd)

    def refill(self, amount_usd: Decimal) -> Future[bool] | None:
        """Fetch more from the database."""
        return fetch(self._lease, self._worker, amount_usd, PATIENCE_S)

    def within(self, own: Budget | None) -> Budget:
        """This purse, and within it the request's own budget."""
        return self if own is None else Capped(self, own)

    def room(self) -> str:
        """What is left, in words."""
        if self._worker.lost is not None:
            return "the database that knows what is left cannot be asked"
        return (
            f"{dollars(self.left_usd)} of {dollars(self.limit_usd)} a {self._lease.each or 'day'} "
            f"is left to key {self._name!r}"
        )

    def __repr__(self) -> str:
        return f"Purse(key={self._name!r})"


class Capped(Budget):
    """A request's own budget within a purse: both must have room."""

    def __init__(self, purse: Purse, own: Budget) -> None:
        super().__init__(own.limit_usd, on_exceeded=own.on_exceeded)
        self._purse = purse
        self._own = own
        self._short: Budget = own  # the one that had no room last

    @property
    def committed_usd(self) -> Decimal:
        """Committed of the request's own."""
        return self._own.committed_usd

    @property
    def left_usd(self) -> Decimal:
        """Left of the request's own."""
        return self._own.left_usd

    def reserve(self, amount_usd: Decimal | None) -> bool:
        """Set an amount aside in both, or in none."""
        self._short = self._own
        if amount_usd is None or not self._own.reserve(amount_usd):
            return False
        self._short = self._purse
        if self._purse.reserve(amount_usd):
            return True
        self._own.settle(amount_usd, NOTHING)
        return False

    def settle(self, reserved_usd: Decimal, actual_usd: Decimal | None) -> None:
        """Settle in both."""
        self._own.settle(reserved_usd, actual_usd)
        self._purse.settle(reserved_usd, actual_usd)

    def refill(self, amount_usd: Decimal) -> Future[bool] | None:
        """Fetch more into the purse, where the request's own has room."""
        if not self._own.reserve(amount_usd):
            return None
        fetched = self._purse.refill(amount_usd)
        if fetched is None:
            self._own.settle(amount_usd, NOTHING)
            return None

        def undo(done: Future[bool]) -> None:
            if done.cancelled() or not done.result():
                self._own.settle(amount_usd, NOTHING)

        fetched.add_done_callback(undo)
        return fetched

    def room(self) -> str:
        """What is left of the one that had no room."""
        return self._short.room()


def fetch(lease: Lease, worker: Worker, amount: Decimal, patience_s: float) -> Future[bool] | None:
    """Ask for an amount that is not at hand; `None` where it is known that there is not so much."""
    refused_at, there_was = lease.refused
    if monotonic() - refused_at < REMEMBERED_S and amount > there_was and worker.lost is None:
        return None
    return worker.ask(lease, amount, patience_s)
