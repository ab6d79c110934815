"""What keys have spent, for people to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, text

from cascade.accounts.lease import NOTHING, add
from cascade.accounts.periods import finest
from cascade.accounts.rows import now_of

__all__ = ["DaySpent", "Spent", "days", "spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a key has spent today and this month, UTC by the database's clock.

    Attributes:
        day: e.g. "2026-11-27".
        month: e.g. "2026-11".
        day_usd: settled today.
        month_usd: settled this month.
        leased_usd: held today by processes for calls in flight and to come; not spent yet.
    """

    day: str
    month: str
    day_usd: Decimal = NOTHING
    month_usd: Decimal = NOTHING
    leased_usd: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class DaySpent:
    """What a key has spent on one day."""

    key_id: str
    day: str
    usd: Decimal


def spent(connection: Connection) -> tuple[Spent, dict[str, Spent]]:
    """A key that has spent nothing, and those that have spent or hold something."""
    now = now_of(connection)
    day = finest("usd", now)[0]
    month = day[: len("2026-11")]
    found: dict[str, dict[str, Decimal]] = {}
    used = text(
        "SELECT key_id, period, amount FROM cascade_used "
        "WHERE what = 'usd' AND period IN (:day, :month)"
    )
    for key_id, period, amount in connection.execute(used, {"day": day, "month": month}):
        name = "day_usd" if period == day else "month_usd"
        found.setdefault(key_id, {})[name] = Decimal(amount)
    held = text(
        "SELECT key_id, amount FROM cascade_leases "
        "WHERE what = 'usd' AND period = :day AND expires_at > :now"
    )
    for key_id, amount in connection.execute(held, {"day": day, "now": now}):
        entry = found.setdefault(key_id, {})
        entry["leased_usd"] = add(entry.get("leased_usd", NOTHING), Decimal(amount))
    return Spent(day, month), {
        key_id: Spent(day, month, **entry) for key_id, entry in found.items()
    }


def days(connection: Connection, key_id: str | None, since: str | None) -> Sequence[DaySpent]:
    """What was spent on each day, the oldest first."""
    statement = text(
        "SELECT key_id, period, amount FROM cascade_used "
        "WHERE what = 'usd' AND length(period) = 10 AND period >= :since "
        "AND (:every = 1 OR key_id = :key_id) ORDER BY period, key_id"
    )
    values = {"since": since or "", "every": int(key_id is None), "key_id": key_id or ""}
    return [
        DaySpent(one, period, Decimal(amount))
        for one, period, amount in connection.execute(statement, values)
    ]
