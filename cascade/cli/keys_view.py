"""Keys as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from cascade.accounts import Key, Released, Spent
from cascade.accounts.key import EVERY
from cascade.core.clean import harmless
from cascade.core.dollars import dollars

__all__ = ["key_table", "keys_table", "released_words", "unknown_words"]


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
            _today(sums, key),
            _this_month(sums, key),
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
        "today": _today(spent, key),
        "this month": _this_month(spent, key),
        "in use": f"{dollars(spent.leased_usd)}" if spent else "?",
        "a minute": _rates(key),
        "at once": _at_once(key),
        "ends": _ends(key, now),
    }
    for name, value in lines.items():
        table.add_row(name, _text(value))
    return table


def unknown_words(keys: Sequence[Key], spent: Mapping[str, Spent]) -> str:
    """What is said of calls of unknown cost, with the next step; empty where there are none."""
    sums = [spent[key.id] for key in keys if key.id in spent]
    calls = sum(one.month_unknown_calls for one in sums)
    if not calls:
        return ""
    if not any(one.month_held_usd for one in sums):
        return f"{_calls(calls)} this month: more may have been spent"
    return (
        f"{_calls(calls)} this month, held at the worst case; when you have looked at the "
        "provider's bill, `cascade keys release NAME` gives it back"
    )


def released_words(key: Key, done: Released) -> str:
    """What was given back to a key's budget."""
    if not done.calls:
        return f"nothing is held for key {key.name!r} in {done.period}"
    kept = f"; {dollars(done.billed_usd)} stays spent" if done.billed_usd else ""
    shown = dollars(max(done.usd, Decimal(0)))
    return (
        f"{shown} is given back to key {key.name!r}, for {_calls(done.calls)} "
        f"in {done.period}{kept}"
    )


def _calls(number: int) -> str:
    return f"{number:,} call{'' if number == 1 else 's'} of unknown cost"


def _text(words: str) -> Text:
    return Text(harmless(words))


def _may_use(key: Key) -> str:
    models = ["every model"] if EVERY in key.models else [*key.models]
    names = ", ".join([*(key.chains or ["all chains"]), *models])
    return f"{names}; admin" if key.is_admin else names


def _today(sums: Spent | None, key: Key) -> str:
    if sums is None:
        return _of("?", key.budget_day_usd)
    shown = _amount(sums.day_usd, sums.day_held_usd, sums.day_unknown_calls)
    return _of(shown, key.budget_day_usd)


def _this_month(sums: Spent | None, key: Key) -> str:
    if sums is None:
        return _of("?", key.budget_month_usd)
    shown = _amount(sums.month_usd, sums.month_held_usd, sums.month_unknown_calls)
    return _of(shown, key.budget_month_usd)


def _amount(spent: Decimal, held: Decimal, unknown_calls: int) -> str:
    """What was spent, and apart from it what nobody knows: "$0.0123 + $4.93 held"."""
    shown = f"{dollars(spent)}"
    if held:
        return f"{shown} + {dollars(held)} held"
    return f"{shown} + {unknown_calls} unknown" if unknown_calls else shown


def _of(shown: str, limit: Decimal | None) -> str:
    return shown if limit is None else f"{shown} of {dollars(limit)}"


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
