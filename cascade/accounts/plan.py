"""What becomes of a lease when its books are kept: what is granted, given back, and written.

Pure: from what the database says to what is to be written there. The rule that everything rests on:
used + leased never passes a limit, and what a process leases is written before it is spent from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from cascade.accounts.key import Key
from cascade.accounts.lease import ALL_KNOWN, NOTHING, Lease, Pocket, Ticket, Unknown, add, subtract
from cascade.accounts.periods import Limit, What, finest, limits_of, moment_of, part_of
from cascade.core.price import EXACT

__all__ = ["LeaseRow", "Plan", "View", "Written", "planned"]

AHEAD = Decimal(16)
"""Where plenty is left, a lease is taken for so many requests like the largest of late."""

AS_FAST = Decimal(4)
"""Or for so many times what was spent since the books were last kept, a fifth of a second ago."""

SHARE = 8
"""And holds at most one part in so many of what is left; where that is not enough for one request,
it holds nothing ahead."""

IDLE_S = 1.0
"""What is held ahead goes back when nothing was reserved for so long."""

REMEMBERED_S = 0.2
"""So long is known that too little is left, without asking again."""


class LeaseRow(NamedTuple):
    """A lease as the database has it."""

    what: str
    period: str
    amount: Decimal
    step: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class View:
    """What the database says about one key, in the transaction that will write.

    Attributes:
        key: as it is now; `None` where it is gone.
        now: its clock.
        read_at: this process's `monotonic` before it was asked.
        used: what was used, by kind and period.
        unknown: calls among them whose cost stayed unknown, where there are some.
        own: this process's leases, by kind and period.
        others: leases of other processes.
    """

    key: Key | None
    now: float
    read_at: float
    used: Mapping[tuple[str, str], Decimal]
    unknown: Mapping[tuple[str, str], Unknown]
    own: Mapping[tuple[str, str], LeaseRow]
    others: Sequence[LeaseRow]

    def with_others(self, what: What, period: str) -> Decimal:
        """What other processes have leased in a period, or in those that are part of it."""
        sum_ = NOTHING
        for row in self.others:
            is_part = row.what == what and row.period.startswith(period)
            if is_part and row.expires_at > self.now:
                sum_ = add(sum_, row.amount)
        return sum_


@dataclass(slots=True)
class Written:
    """What is written of one pocket.

    Attributes:
        spent: moves to what was used.
        unknown: moves there with it.
        amount: stays leased; `None` where the lease ends.
        ahead: becomes free once it is written.
        ends_at: database's clock when its period ends.
    """

    pocket: Pocket
    period: str
    spent: Decimal
    amount: Decimal | None
    step: int
    ends_at: float
    ahead: Decimal = NOTHING
    unknown: Unknown = ALL_KNOWN


@dataclass(slots=True)
class Plan:
    """What is written for one lease, and who is told what once it is."""

    lease: Lease
    view: View
    written: list[Written] = field(default_factory=list)
    granted: list[Ticket] = field(default_factory=list)
    refused: list[Ticket] = field(default_factory=list)


def planned(lease: Lease, view: View, *, closing: bool = False) -> Plan:
    """Plan what is written; called with the lease's lock held. What is given back is gone at once.

    Args:
        lease: what this process holds.
        view: what the database says.
        closing: nothing is kept ahead.
    """
    plan = Plan(lease, view)
    period, ends_at = finest(lease.what, view.now)
    lease.ends_at = view.read_at + ends_at - view.now
    limits = limits_of(view.key, lease.what, view.now) if view.key is not None else ()
    lease.limited = view.key is None or any(limit.most is not None for limit in limits)
    current = _current(lease, period)
    for pocket in lease.pockets:
        _recall(pocket, lease.what, view)
        if pocket is not current:
            pocket.free = min(pocket.free, NOTHING)
            _write(plan, pocket, NOTHING, 0.0)
    if current is not None:
        room = _room(lease, view, limits)
        _answer(plan, current, room)
        ahead = NOTHING if closing else _ahead(plan, current, view)
        _write(plan, current, ahead, ends_at)
    return plan


def _current(lease: Lease, period: str) -> Pocket | None:
    """The pocket of now, made where somebody waits; one without a period gets this one."""
    last = lease.pockets[-1] if lease.pockets else None
    if last is not None and last.period is None:
        last.period = period
    if last is not None and last.period == period:
        return last
    if lease.waiting:
        lease.pockets.append(Pocket(period))
        return lease.pockets[-1]
    return None


def _recall(pocket: Pocket, what: What, view: View) -> None:
    """Learn what became of the last write, and of the lease while nothing was heard."""
    row = view.own.get((what, str(pocket.period)))
    if pocket.unsure is not None:
        step, spent, unknown = pocket.unsure
        if row is not None and row.step == step:  # it had arrived
            pocket.written(spent, unknown)
        pocket.unsure = None
    if pocket.step and (row is None or row.expires_at <= view.now):
        pocket.free = min(pocket.free, NOTHING)  # others may have taken it


def _room(lease: Lease, view: View, limits: Sequence[Limit]) -> Decimal | None:
    """How much this process may hold free in the current pocket, granted amounts included."""
    room: Decimal | None = None
    nearest: Limit | None = None
    for limit in limits:
        if limit.most is None:
            continue
        taken = view.used.get((lease.what, limit.period), NOTHING)
        taken = add(taken, view.with_others(lease.what, limit.period))
        for pocket in lease.pockets:
            if str(pocket.period).startswith(limit.period):
                taken = add(taken, add(pocket.reserved, pocket.spent))
        left = subtract(limit.most, taken)
        if room is None or left < room:
            room, nearest = left, limit
    if room is None or nearest is None:
        return None
    lease.limit, lease.each, lease.left = nearest.most, nearest.each, max(room, NOTHING)
    return room


def _answer(plan: Plan, pocket: Pocket, room: Decimal | None) -> None:
    """Grant what fits, in order; what others may yet give back is waited for a while."""
    lease, view = plan.lease, plan.view
    works = view.key is not None and view.key.works_at(moment_of(view.now))
    waiting, lease.waiting = lease.waiting, []
    for ticket in waiting:
        fits = works and (room is None or ticket.amount <= room)
        if not fits and works and _may_come(lease, view, ticket, room):
            lease.waiting.append(ticket)
        elif not ticket.future.set_running_or_notify_cancel():
            continue
        elif not fits:
            lease.refused = (view.read_at, NOTHING if room is None else max(room, NOTHING))
            plan.refused.append(ticket)
        else:
            plan.granted.append(ticket)
            pocket.largest = max(pocket.largest, ticket.amount)
            if room is not None:
                room = subtract(room, ticket.amount)
    if room is not None:
        lease.left = max(room, NOTHING) if works else NOTHING


def _may_come(lease: Lease, view: View, ticket: Ticket, room: Decimal | None) -> bool:
    """Whether others hold enough that they may give back while the ticket can wait."""
    if room is None or view.read_at >= ticket.until:
        return False
    period, _ = finest(lease.what, view.now)
    return ticket.amount <= add(room, view.with_others(lease.what, period))


def _ahead(plan: Plan, pocket: Pocket, view: View) -> Decimal:
    """What is held for requests to come."""
    lease = plan.lease
    if not lease.limited:
        return NOTHING
    if view.read_at - lease.used_at > IDLE_S and not plan.granted:
        pocket.largest = NOTHING
    wanted = max(EXACT.multiply(pocket.largest, AHEAD), EXACT.multiply(pocket.spent, AS_FAST))
    ahead = min(wanted, part_of(lease.left, SHARE, lease.what))
    return ahead if pocket.largest and ahead >= pocket.largest else NOTHING


def _write(plan: Plan, pocket: Pocket, ahead: Decimal, ends_at: float) -> None:
    """Write a pocket; what is not kept ahead can be reserved no more from now on."""
    free = pocket.free if plan.lease.limited else NOTHING
    pocket.free = min(free, ahead)
    leased = add(pocket.reserved, ahead)
    if pocket is plan.lease.pockets[-1]:
        for ticket in plan.granted:
            leased = add(leased, ticket.amount)
    is_over = not (leased or pocket.owes or pocket.held)
    plan.written.append(
        Written(
            pocket=pocket,
            period=str(pocket.period),
            spent=pocket.spent,
            amount=None if is_over else leased,
            step=pocket.step + 1,
            ends_at=ends_at,
            ahead=subtract(ahead, pocket.free),
            unknown=pocket.unknown,
        )
    )
