"""Giving back what is held for calls of unknown cost, once somebody has looked at the bill.

It happens under the lock of the key under which processes keep their books, and takes from what was
used alone: what they have leased stays theirs, so that both together only shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, text

from cascade.accounts.key import Key
from cascade.accounts.lease import ALL_KNOWN, NOTHING, Unknown, add, subtract
from cascade.core.dollars import dollars
from cascade.core.pricing import plain
from cascade.errors import ConfigError

__all__ = ["Released", "release"]

READ = text(
    "SELECT period, amount, held, unknown_calls FROM cascade_used "
    "WHERE key_id = :key_id AND what = 'usd' AND unknown_calls > 0 ORDER BY period"
)

WRITE = text(
    "UPDATE cascade_used SET amount = :amount, held = :held, unknown_calls = :calls "
    "WHERE key_id = :key_id AND what = 'usd' AND period = :period"
)


@dataclass(frozen=True, slots=True)
class Released:
    """What was given back to a key's budget.

    Attributes:
        period: of which day or month, e.g. "2026-11-27".
        held_usd: what was held in it.
        billed_usd: what of it stays spent.
        calls: how many calls of unknown cost there were.
    """

    period: str
    held_usd: Decimal
    billed_usd: Decimal
    calls: int

    @property
    def usd(self) -> Decimal:
        """What may be spent anew."""
        return subtract(self.held_usd, self.billed_usd)


class Row(NamedTuple):
    """What was used in a period, and the calls of unknown cost in it."""

    period: str
    amount: Decimal
    unknown: Unknown


def release(
    connection: Connection,
    key: Key,
    period: str,
    *,
    billed_usd: Decimal = NOTHING,
    seen_usd: Decimal | None = None,
) -> Released:
    """Give back what is held in a day or month; called with the key's row locked.

    Args:
        connection: where to.
        key: whose.
        period: a day or month.
        billed_usd: what those calls did cost, which stays spent.
        seen_usd: what somebody saw to be held; nothing happens where it is another amount by now.

    Raises:
        ConfigError: they cannot have cost that, or another amount is held.
    """
    found = _rows(connection, key)
    days = [row for row in found if len(row.period) > len("2026-11")]
    chosen = [row for row in days if row.period.startswith(period)]
    total = _sum_of(chosen)
    if seen_usd is not None and seen_usd != total.held:
        words = f"{dollars(total.held)} is held by now, not {dollars(seen_usd)}"
        raise ConfigError(words, param="seen_usd")
    if billed_usd:
        _check_bill(key, chosen, total, billed_usd)
    for row in found:
        parts = [day for day in chosen if day.period.startswith(row.period)]
        if parts:
            _write(connection, key, row, _sum_of(parts), billed_usd)
    return Released(period, total.held, billed_usd, total.calls)


def _rows(connection: Connection, key: Key) -> list[Row]:
    asked = connection.execute(READ, {"key_id": key.id}).all()
    return [
        Row(period, Decimal(amount), Unknown(Decimal(held), calls))
        for period, amount, held, calls in asked
    ]


def _sum_of(rows: Sequence[Row]) -> Unknown:
    total = ALL_KNOWN
    for row in rows:
        total = total.plus(row.unknown)
    return total


def _check_bill(key: Key, days: Sequence[Row], total: Unknown, billed_usd: Decimal) -> None:
    """What was billed belongs to one day, and fits into what is held for it.

    Raises:
        ConfigError: it does not.
    """
    if not days:
        raise _wrong("nothing is held that it could be taken from")
    if len(days) > 1:
        names = ", ".join(row.period for row in days)
        raise _wrong(f"calls of unknown cost were made on several days; name one of {names}")
    if billed_usd > total.held and key.has_budget:  # spent and leased must not pass its limit
        raise _wrong(f"{dollars(billed_usd)} is more than the {dollars(total.held)} that is held")


def _wrong(why: str) -> ConfigError:
    return ConfigError(f"billed_usd: {why}", param="billed_usd", why=why)


def _write(
    connection: Connection, key: Key, row: Row, released: Unknown, billed_usd: Decimal
) -> None:
    left = row.unknown.minus(released)
    amount = add(subtract(row.amount, released.held), billed_usd)
    connection.execute(
        WRITE,
        {
            "key_id": key.id,
            "period": row.period,
            "amount": plain(amount),
            "held": plain(left.held),
            "calls": left.calls,
        },
    )
