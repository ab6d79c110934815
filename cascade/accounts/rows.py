"""Keys as rows of the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, TextualSelect, bindparam, column, text

from cascade.accounts.key import Key
from cascade.accounts.tables import CLOCK
from cascade.core.pricing import plain

__all__ = ["COLUMNS", "asking", "clock_of", "key_of", "keys_by", "now_of", "values_of"]

COLUMNS = (
    *("id", "name", "prefix", "created_at", "chains", "models", "budget_day_usd"),
    *("budget_month_usd", "requests_per_minute", "tokens_per_minute", "concurrency", "expires_at"),
    *("revoked_at", "is_admin"),
)


def now_of(connection: Connection) -> float:
    """The database's clock, in seconds since 1970."""
    return float(connection.execute(text(f"SELECT {clock_of(connection)}")).scalar_one())


def clock_of(connection: Connection) -> str:
    """The database's clock, in its own words."""
    return CLOCK[connection.dialect.name]


def keys_by(
    connection: Connection, column: str, values: list[str], *, lock: bool = False
) -> Sequence[Row[Any]]:
    """Keys in order of their ids: their columns, then the digest, and the clock as `now`."""
    must_lock = lock and connection.dialect.name == "postgresql"
    statement = _keys_statement(column, clock_of(connection), must_lock=must_lock)
    return connection.execute(statement, {"values": values}).all()


@cache
def _keys_statement(column: str, clock: str, *, must_lock: bool) -> TextualSelect:
    names = (*COLUMNS, "digest")
    return asking(
        f"SELECT {', '.join(names)}, {clock} AS now FROM cascade_keys "  # noqa: S608
        f"WHERE {column} IN :values ORDER BY id{' FOR UPDATE' if must_lock else ''}",
        *(*names, "now"),
        several=("values",),
    )


def asking(statement: str, *names: str, several: tuple[str, ...]) -> TextualSelect:
    """A question that is asked again and again.

    Its columns are named, so that SQLAlchemy finds out once and not with every answer what is in
    its rows.

    Args:
        statement: the question.
        names: of the columns, in order.
        several: the parameters that are lists.
    """
    asked = text(statement).bindparams(*(bindparam(name, expanding=True) for name in several))
    return asked.columns(*(column(name) for name in names))


def key_of(values: Sequence[Any]) -> Key:
    """The values of a key's columns as a key; what follows them is not looked at."""
    row = dict(zip(COLUMNS, values, strict=False))
    return Key(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        created_at=datetime.fromisoformat(row["created_at"]),
        chains=tuple(json.loads(row["chains"])),
        models=tuple(json.loads(row["models"])),
        budget_day_usd=_amount(row["budget_day_usd"]),
        budget_month_usd=_amount(row["budget_month_usd"]),
        requests_per_minute=row["requests_per_minute"],
        tokens_per_minute=row["tokens_per_minute"],
        concurrency=row["concurrency"],
        expires_at=_moment(row["expires_at"]),
        revoked_at=_moment(row["revoked_at"]),
        is_admin=bool(row["is_admin"]),
    )


def values_of(key: Key) -> dict[str, Any]:
    """A key as a row."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "created_at": key.created_at.isoformat(),
        "chains": json.dumps(key.chains),
        "models": json.dumps(key.models),
        "budget_day_usd": None if key.budget_day_usd is None else plain(key.budget_day_usd),
        "budget_month_usd": None if key.budget_month_usd is None else plain(key.budget_month_usd),
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "concurrency": key.concurrency,
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
        "is_admin": int(key.is_admin),
    }


def _amount(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
