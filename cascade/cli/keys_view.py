"""Keys as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from cascade.accounts import Key, Spent
from cascade.accounts.key import EVERY
from cascade.core.clean import harmless
from cascade.core.pricing import plain

__all__ = ["key_table", "keys_table"]


def keys_table(keys: Sequence[Key], spent: Mapping[str, Spent], now: datetime) -> Table:
    """One line for each key."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = ["name", "id", "secret", "may use", "today", "this month", "a minute", "ends"]
    are_counted = any(key.concurrency is not None for key in keys)
    if are_counted:
        columns.insert(-1, "at once")
    for column in columns:
        is_amount = column in ("today", "this month")
        table.add_column(column, justify="right" if is_amount else "left", overflow="fold")
    for key in keys:
        sums = spent.get(key.id)
        table.add_row(
            _text(key.name),
            key.id,
            f"{key.prefix}...",
            _text(_may_use(key)),
            _of(sums.day_usd if sums else None, key.budget_day_usd),
            _of(sums.month_usd if sums else None, key.budget_month_usd),
            _rates(key),
            *([_at_once(key)] if are_counted else []),
            _ends(key, now),
        )
    return table


def key_table(key: Key, spent: Spent | None, now: datetime) -> Table:
    """One key, line by line."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    lines = {
        "name": key.name,
        "id": key.id,
        "secret": f"{key.prefix}...",
        "made": key.created_at.strftime("%Y-%m-%d %H:%M UTC"),
        "may use": _may_use(key),
        "today": _of(spent.day_usd if spent else None, key.budget_day_usd),
        "this month": _of(spent.month_usd if spent else None, key.budget_month_usd),
        "in use": f"${plain(spent.leased_usd)}" if spent else "?",
        "a minute": _rates(key),
        "at once": _at_once(key),
        "ends": _ends(key, now),
    }
    for name, value in lines.items():
        table.add_row(name, _text(value))
    return table


def _text(words: str) -> Text:
    return Text(harmless(words))


def _may_use(key: Key) -> str:
    models = ["every model"] if EVERY in key.models else [*key.models]
    names = ", ".join([*(key.chains or ["all chains"]), *models])
    return f"{names}; admin" if key.is_admin else names


def _of(spent: Decimal | None, limit: Decimal | None) -> str:
    shown = "?" if spent is None else f"${plain(spent)}"
    return shown if limit is None else f"{shown} of ${plain(limit)}"


def _rates(key: Key) -> str:
    rates = {"requests": key.requests_per_minute, "tokens": key.tokens_per_minute}
    given = [f"{limit:,} {name}" for name, limit in rates.items() if limit is not None]
    return ", ".join(given) or "no limit"


def _at_once(key: Key) -> str:
    return "no limit" if key.concurrency is None else f"{key.concurrency:,}"


def _ends(key: Key, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return key.end_words
    return f"{'ended' if key.expires_at <= now else 'on'} {key.end_words}"
