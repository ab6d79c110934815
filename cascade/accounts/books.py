"""The part of budgets and rates that is in the database: one transaction for all that is due.

It locks the keys concerned, in order of their ids, so that transactions of other processes wait for
it and none of them for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from time import monotonic
from typing import Any

from sqlalchemy import Connection, TextualSelect, text

from cascade.accounts.lease import ALL_KNOWN, NOTHING, Lease, Unknown, add
from cascade.accounts.periods import finest
from cascade.accounts.plan import LeaseRow, Plan, View, Written, planned
from cascade.accounts.rows import COLUMNS, asking, clock_of, key_of, keys_by, now_of
from cascade.core.pricing import plain

__all__ = ["Owner", "apply", "fail", "keep", "tidy_up"]

TRUSTED = 0.9
"""Share of a lease's time for which its owner trusts it: clocks run at slightly different rates."""

OLD_RATES_S = 3600.0
"""What was used in a minute is forgotten after that."""

READ_USED = asking(
    "SELECT key_id, what, period, amount, held, unknown_calls FROM cascade_used "
    "WHERE key_id IN :ids AND period IN :periods",
    *("key_id", "what", "period", "amount", "held", "unknown_calls"),
    several=("ids", "periods"),
)

WRITE_USED = text(
    "INSERT INTO cascade_used (key_id, what, period, amount, held, unknown_calls) "
    "VALUES (:key_id, :what, :period, :amount, :held, :unknown_calls) "
    "ON CONFLICT (key_id, what, period) DO UPDATE SET "
    "amount = excluded.amount, held = excluded.held, unknown_calls = excluded.unknown_calls"
)

WRITE_LEASE = text(
    "INSERT INTO cascade_leases (key_id, what, period, owner, amount, step, expires_at) "
    "VALUES (:key_id, :what, :period, :owner, :amount, :step, :expires_at) "
    "ON CONFLICT (key_id, what, period, owner) DO UPDATE SET "
    "amount = excluded.amount, step = excluded.step, expires_at = excluded.expires_at"
)

END_LEASE = text(
    "DELETE FROM cascade_leases "
    "WHERE key_id = :key_id AND what = :what AND period = :period AND owner = :owner"
)


@cache
def read_leases(clock: str) -> TextualSelect:
    """The clock, and the leases with it; the clock alone where there is none."""
    names = ("key_id", "what", "period", "owner", "amount", "step", "expires_at")
    return asking(
        f"SELECT clock.now, {', '.join(names)} FROM (SELECT {clock} AS now) AS clock "  # noqa: S608
        "LEFT JOIN cascade_leases ON key_id IN :ids",
        *("now", *names),
        several=("ids",),
    )


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that leases.

    Attributes:
        name: no other process has it.
        lease_s: so long after its last sign of life its leases are released.
    """

    name: str
    lease_s: float


def keep(
    connection: Connection,
    leases: Sequence[Lease],
    plans: list[Plan],
    who: Owner,
    *,
    closing: bool = False,
) -> None:
    """Write what is due for some leases, within the caller's transaction.

    Args:
        connection: where to.
        leases: what this process holds.
        plans: what is planned for them is added here, and holds once the transaction is committed:
            see `apply` and `fail`.
        who: this process.
        closing: nothing is kept ahead.
    """
    views = _views(connection, leases, who.name, monotonic())
    for lease in leases:
        with lease.lock:
            plans.append(planned(lease, views[lease.key_id], closing=closing))
    _write_used(connection, plans)
    _write_leases(connection, plans, who)


def apply(plans: Iterable[Plan], lease_s: float) -> None:
    """What was planned is written: it holds, and who waits is told."""
    for plan in plans:
        lease, view = plan.lease, plan.view
        with lease.lock:
            for written in plan.written:
                _apply_one(lease, written, view, lease_s)
            for ticket in plan.granted:
                lease.pockets[-1].hold(ticket.amount)
            if plan.granted:
                lease.used_at = monotonic()
            lease.kept_at = view.read_at
        for ticket in plan.granted:
            ticket.future.set_result(True)
        for ticket in plan.refused:
            ticket.future.set_result(False)


def fail(plans: Iterable[Plan]) -> None:
    """Nobody knows whether what was planned is written; the next time tells."""
    for plan in plans:
        with plan.lease.lock:
            for written in plan.written:
                written.pocket.step = written.step
                written.pocket.unsure = (written.step, written.spent, written.unknown)


def tidy_up(connection: Connection, lease_s: float) -> None:
    """Release what dead processes had leased, and forget what was used in minutes long gone."""
    now = now_of(connection)
    connection.execute(
        text("DELETE FROM cascade_leases WHERE expires_at < :until"), {"until": now - lease_s}
    )
    connection.execute(
        text("DELETE FROM cascade_used WHERE what <> 'usd' AND period < :until"),
        {"until": finest("requests", now - OLD_RATES_S)[0]},
    )


def _apply_one(lease: Lease, written: Written, view: View, lease_s: float) -> None:
    pocket = written.pocket
    pocket.written(written.spent, written.unknown)
    pocket.step = written.step
    if written.amount is None:
        pocket.step = 0
        if pocket.is_empty and not pocket.held:
            lease.pockets.remove(pocket)
        return
    pocket.free = pocket.ahead = add(pocket.free, written.ahead)
    lasts = min(lease_s * TRUSTED, written.ends_at - view.now)
    pocket.until = view.read_at + lasts


def _views(
    connection: Connection, leases: Sequence[Lease], owner: str, read_at: float
) -> dict[str, View]:
    ids = sorted({lease.key_id for lease in leases})
    rows = keys_by(connection, "id", ids, lock=True)
    keys = {row.id: _as_key(row[: len(COLUMNS)]) for row in rows}
    now, own, others = _leases(connection, ids, owner)  # after the locks, which may be waited for
    used, unknown = _used(connection, ids, sorted(_periods(leases, now)))
    return {
        one: View(keys.get(one), now, read_at, used[one], unknown[one], own[one], others[one])
        for one in ids
    }


_as_key = lru_cache(1_000)(key_of)
"""A key whose row has not changed since the books were last kept is not read anew."""


def _periods(leases: Sequence[Lease], now: float) -> set[str]:
    """The periods that matter: those of now, and those that still have a pocket."""
    shortest = {finest(lease.what, now)[0] for lease in leases}
    shortest |= {pocket.period for lease in leases for pocket in lease.pockets if pocket.period}
    return {longer for period in shortest for longer in _around(period)}


def _around(period: str) -> tuple[str, ...]:
    """A period and the longer ones that it counts in: a day counts in its month."""
    is_day = len(period) == len("2026-11-27")
    return (period, period[: len("2026-11")]) if is_day else (period,)


Used = dict[tuple[str, str], Decimal]
Unknowns = dict[tuple[str, str], Unknown]


def _used(
    connection: Connection, ids: list[str], periods: list[str]
) -> tuple[Mapping[str, Used], Mapping[str, Unknowns]]:
    """What was used, and the calls of unknown cost in it, by key."""
    used: dict[str, Used] = defaultdict(dict)
    unknown: dict[str, Unknowns] = defaultdict(dict)
    asked = connection.execute(READ_USED, {"ids": ids, "periods": periods}).all()
    for key_id, what, period, amount, held, calls in asked:
        used[key_id][what, period] = Decimal(amount)
        if calls:
            unknown[key_id][what, period] = Unknown(Decimal(held), calls)
    return used, unknown


Own = dict[tuple[str, str], LeaseRow]


def _leases(
    connection: Connection, ids: list[str], owner: str
) -> tuple[float, Mapping[str, Own], Mapping[str, list[LeaseRow]]]:
    """The database's clock, this process's leases, and those of others."""
    own: dict[str, Own] = defaultdict(dict)
    others: dict[str, list[LeaseRow]] = defaultdict(list)
    asked = connection.execute(read_leases(clock_of(connection)), {"ids": ids}).all()
    for _, key_id, what, period, whose, amount, step, expires_at in asked:
        if key_id is None:  # there is none
            continue
        row = LeaseRow(what, period, Decimal(amount), step, expires_at)
        if whose == owner:
            own[key_id][what, period] = row
        else:
            others[key_id].append(row)
    return float(asked[0].now), own, others


def _write_used(connection: Connection, plans: Sequence[Plan]) -> None:
    sums: dict[tuple[str, str, str], tuple[Decimal, Unknown]] = {}
    for plan, written in _all_written(plans):
        for period in _around(written.period) if written.spent or written.unknown.calls else ():
            place = (plan.lease.key_id, plan.lease.what, period)
            used, unknown = sums.get(place) or _seen(plan.view, place[1:])
            sums[place] = add(used, written.spent), unknown.plus(written.unknown)
    if sums:
        connection.execute(
            WRITE_USED,
            [
                {
                    **dict(zip(("key_id", "what", "period"), place, strict=True)),
                    "amount": plain(used),
                    "held": plain(unknown.held),
                    "unknown_calls": unknown.calls,
                }
                for place, (used, unknown) in sums.items()
            ],
        )


def _seen(view: View, place: tuple[str, str]) -> tuple[Decimal, Unknown]:
    """What was used of a kind in a period, as the database had it."""
    return view.used.get(place, NOTHING), view.unknown.get(place, ALL_KNOWN)


def _write_leases(connection: Connection, plans: Sequence[Plan], who: Owner) -> None:
    kept, ended = [], []
    for plan, written in _all_written(plans):
        place: dict[str, Any] = {
            "key_id": plan.lease.key_id,
            "what": plan.lease.what,
            "period": written.period,
            "owner": who.name,
        }
        if written.amount is None:
            ended.append(place)
            continue
        expires_at = plan.view.now + who.lease_s
        amount = plain(written.amount)
        kept.append({**place, "amount": amount, "step": written.step, "expires_at": expires_at})
    for statement, rows in ((WRITE_LEASE, kept), (END_LEASE, ended)):
        if rows:
            connection.execute(statement, rows)


def _all_written(plans: Sequence[Plan]) -> Iterator[tuple[Plan, Written]]:
    return ((plan, written) for plan in plans for written in plan.written)
