"""The thread that keeps the books: leases what is asked for, writes what was spent, looks keys up.

One transaction serves all that is due. While the database is away nobody waits for it: what is
asked is decided without, and the thread tries again every second.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from decimal import Decimal
from time import monotonic
from typing import Any, Literal

from sqlalchemy import Connection

from cascade.accounts.books import Owner, apply, fail, keep, tidy_up
from cascade.accounts.lease import Lease, Ticket
from cascade.accounts.line import Line
from cascade.accounts.plan import IDLE_S, Plan
from cascade.errors import StoreError

__all__ = ["OnLoss", "Worker"]

OnLoss = Literal["closed", "open"]

FLUSH_S = 0.2
"""What was spent is written at the latest after that."""

PROBE_S = 1.0
"""How often a database that is away is tried again."""

log = logging.getLogger("cascade")

Lookup = tuple[str, "Future[Any]"]


class Worker:
    """Keeps the books of all leases of a process.

    Args:
        line: to the database.
        owner: this process.
        leases: those of this process; more may come.
        look_up: keys by their digests.
        on_loss: what is asked while the database is away is refused, or granted and booked after.

    Attributes:
        lost: why the database cannot be used; `None` where it can.
        unwritten: whether something that was spent could not be written by the end.
    """

    def __init__(
        self,
        line: Line,
        owner: Owner,
        leases: Mapping[Any, Lease],
        look_up: Callable[[Connection, list[str]], Mapping[str, Any]],
        on_loss: OnLoss,
    ) -> None:
        self._line = line
        self._leases = leases
        self._look_up = look_up
        self._on_loss = on_loss
        self._start_empty(owner)

    def _start_empty(self, owner: Owner) -> None:
        self.lost: str | None = None
        self.unwritten = False
        self._owner = owner
        self._changed = threading.Condition()
        self._lookups: list[Lookup] = []
        self._thread: threading.Thread | None = None
        self._urgent = False
        self._ending = False
        self._worked_at = self._tidied_at = self._probed_at = 0.0

    def wake(self) -> None:
        """There is something to do at once."""
        with self._changed:
            self._urgent = True
            if self._thread is None and not self._ending:
                self._start()
            self._changed.notify_all()

    def look_up(self, digest: str) -> Future[Any]:
        """What is known of a digest; `StoreError` where nobody can tell."""
        future: Future[Any] = Future()
        if self.lost is not None or self._ending:
            future.set_exception(StoreError(str(self.lost)))
            return future
        with self._changed:
            self._lookups.append((digest, future))
        self.wake()
        return future

    def ask(self, lease: Lease, amount: Decimal, patience_s: float) -> Future[bool]:
        """Wait for an amount that is not at hand; the value says whether it has been reserved."""
        ticket = Ticket(amount, monotonic() + patience_s)
        if self.lost is not None or self._ending:
            self.decide(lease, ticket)
            return ticket.future
        with lease.lock:
            lease.waiting.append(ticket)
        self.wake()
        return ticket.future

    def decide(self, lease: Lease, ticket: Ticket, *, is_running: bool = False) -> None:
        """Answer a ticket without the database."""
        if not is_running and not ticket.future.set_running_or_notify_cancel():
            return
        is_granted = self._on_loss == "open"
        if is_granted:
            lease.credit(ticket.amount)
        ticket.future.set_result(is_granted)

    def close(self) -> None:
        """Write what is left, give back what is held, and stop; a second call does nothing."""
        with self._changed:
            if self._ending:
                return
            self._ending = True
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        alive = [lease for lease in self._leases.values() if lease.is_alive]
        for times in range(2):  # a lease that was spent from ends after that is written
            if alive and (self.lost is None or not times):  # it may be back by now
                self._work(alive, [])
        self.unwritten = any(pocket.owes for lease in alive for pocket in lease.pockets)
        if self.unwritten:
            log.error("%s; what was spent last is not written there", self.lost)
        self.lost = f"{self._line.where}: these accounts were closed"
        self._go_without([], alive, self._lookups)
        self._line.rest()

    def renew(self, owner: Owner) -> None:
        """In a forked child: begin anew."""
        self._start_empty(owner)

    # The thread ----------------------------------------------------------------------------------

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="cascade-accounts", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending: what is left is written by close()
            return
        self._thread = thread

    def _run(self) -> None:
        while not self._ending:
            self._wait()
            with self._changed:
                lookups, self._lookups = self._lookups, []
            leases = self._due()
            if leases or lookups or self.lost is not None or not self._tidied_at:
                try:
                    self._work(leases, lookups)
                except Exception:  # a mistake here must not end all keeping of books
                    log.exception("keeping budgets in %s went wrong", self._line.where)
            elif monotonic() - self._worked_at > IDLE_S:
                self._line.rest()

    def _wait(self) -> None:
        is_busy = self.lost is not None or self._line.is_open
        is_busy = is_busy or any(lease.is_alive for lease in tuple(self._leases.values()))
        with self._changed:
            self._changed.wait_for(
                lambda: self._urgent or self._ending, FLUSH_S if is_busy else None
            )
            self._urgent = False

    def _due(self) -> list[Lease]:
        now = monotonic()
        alive = (lease for lease in tuple(self._leases.values()) if lease.is_alive)
        return [lease for lease in alive if self.lost is not None or self._is_due(lease, now)]

    def _is_due(self, lease: Lease, now: float) -> bool:
        since = now - lease.kept_at
        if lease.waiting:
            return True
        if any(pocket.owes or pocket.unsure for pocket in lease.pockets):
            return since >= FLUSH_S
        if any(pocket.free or not pocket.held for pocket in lease.pockets):
            return since >= IDLE_S / 2
        return since >= min(self._owner.lease_s / 4, 10 * IDLE_S)

    def _work(self, leases: list[Lease], lookups: list[Lookup]) -> None:
        now = monotonic()
        plans: list[Plan] = []
        if self.lost is not None:  # trying a silent server takes seconds: who asks is told first
            self._go_without(plans, leases, lookups)
            lookups = []
            if now - self._probed_at < PROBE_S and not self._ending:
                return
        self._probed_at = now
        must_tidy = now - self._tidied_at > self._owner.lease_s / 2 or not self._tidied_at
        try:
            with self._line.kept() as connection:
                if must_tidy:
                    tidy_up(connection, self._owner.lease_s)
                if leases:
                    keep(connection, leases, plans, self._owner, closing=self._ending)
                wanted = sorted({digest for digest, _ in lookups})
                found = self._look_up(connection, wanted) if wanted else {}
        except Exception as error:  # noqa: BLE001  whatever it is: nobody may wait for ever
            if self.lost is None:
                log.error("%s; until it answers again budgets are not kept", error)  # noqa: TRY400
            self.lost = str(error)
            self._go_without(plans, leases, lookups)
            return
        self._worked_at = now
        self._tidied_at = now if must_tidy else self._tidied_at
        if self.lost is not None:
            log.warning("%s answers again, budgets are kept", self._line.where)
            self.lost = None
        apply(plans, self._owner.lease_s)
        for digest, future in lookups:
            if future.set_running_or_notify_cancel():
                future.set_result(found.get(digest))

    def _go_without(self, plans: list[Plan], leases: list[Lease], lookups: list[Lookup]) -> None:
        """Let nobody wait for a database that is away."""
        fail(plans)
        for plan in plans:
            for ticket in (*plan.granted, *plan.refused):
                self.decide(plan.lease, ticket, is_running=True)
        for lease in leases:
            with lease.lock:
                waiting, lease.waiting = lease.waiting, []
            for ticket in waiting:
                self.decide(lease, ticket)
        for _, future in lookups:
            if future.set_running_or_notify_cancel():
                future.set_exception(StoreError(str(self.lost)))
