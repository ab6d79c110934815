"""What keys have spent, for people to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from cascade.accounts.lease import NOTHING, add, subtract
from cascade.accounts.periods import finest
from cascade.accounts.rows import now_of

__all__ = ["DaySpent", "Spent", "days", "spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a key has spent today and this month, UTC by the database's clock.

    What counts towards a limit is what was spent, what is held and what is leased.

    Attributes:
        day: e.g. "2026-11-27".
        month: e.g. "2026-11".
        day_usd: known to be spent today.
        month_usd: known to be spent this month.
        leased_usd: held today by processes for calls in flight and to come; not spent yet.
        day_held_usd: kept today for calls of unknown cost; see `Keyring.release`.
        month_held_usd: kept this month for them.
        day_unknown_calls: how many they are today, those for which nothing is kept too.
        month_unknown_calls: how many they are this month.
    """

    day: str
    month: str
    day_usd: Decimal = NOTHING
    month_usd: Decimal = NOTHING
    leased_usd: Decimal = NOTHING
    day_held_usd: Decimal = NOTHING
    month_held_usd: Decimal = NOTHING
    day_unknown_calls: int = 0
    month_unknown_calls: int = 0


@dataclass(frozen=True, slots=True)
class DaySpent:
    """What a key has spent on one day.

    Attributes:
        key_id: whose.
        day: e.g. "2026-11-27".
        usd: known to be spent.
        held_usd: kept for calls of unknown cost.
        unknown_calls: how many they are.
    """

    key_id: str
    day: str
    usd: Decimal
    held_usd: Decimal = NOTHING
    unknown_calls: int = 0


def spent(connection: Connection) -> tuple[Spent, dict[str, Spent]]:
    """A key that has spent nothing, and those that have spent or hold something."""
    now = now_of(connection)
    day = finest("usd", now)[0]
    month = day[: len("2026-11")]
    found: dict[str, dict[str, Any]] = {}
    used = text(
        "SELECT key_id, period, amount, held, unknown_calls FROM cascade_used "
        "WHERE what = 'usd' AND period IN (:day, :month)"
    )
    for row in connection.execute(used, {"day": day, "month": month}):
        key_id, period, amount, held, calls = row
        each = "day" if period == day else "month"
        entry = found.setdefault(key_id, {})
        entry[f"{each}_usd"] = subtract(Decimal(amount), Decimal(held))
        entry[f"{each}_held_usd"] = Decimal(held)
        entry[f"{each}_unknown_calls"] = calls
    leased = text(
        "SELECT key_id, amount FROM cascade_leases "
        "WHERE what = 'usd' AND period = :day AND expires_at > :now"
    )
    for key_id, amount in connection.execute(leased, {"day": day, "now": now}):
        entry = found.setdefault(key_id, {})
        entry["leased_usd"] = add(entry.get("leased_usd", NOTHING), Decimal(amount))
    return Spent(day, month), {
        key_id: Spent(day, month, **entry) for key_id, entry in found.items()
    }


def days(connection: Connection, key_id: str | None, since: str | None) -> Sequence[DaySpent]:
    """What was spent on each day, the oldest first."""
    statement = text(
        "SELECT key_id, period, amount, held, unknown_calls FROM cascade_used "
        "WHERE what = 'usd' AND length(period) = 10 AND period >= :since "
        "AND (:every = 1 OR key_id = :key_id) ORDER BY period, key_id"
    )
    values = {"since": since or "", "every": int(key_id is None), "key_id": key_id or ""}
    return [
        DaySpent(one, period, subtract(Decimal(amount), Decimal(held)), Decimal(held), calls)
        for one, period, amount, held, calls in connection.execute(statement, values)
    ]
