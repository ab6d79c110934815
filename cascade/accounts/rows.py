"""Keys as rows of the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, text

from cascade.accounts.key import Key
from cascade.accounts.tables import CLOCK
from cascade.core.pricing import plain

__all__ = ["COLUMNS", "key_of", "keys_by", "now_of", "values_of"]

COLUMNS = (
    *("id", "name", "prefix", "created_at", "chains", "models", "budget_day_usd"),
    *("budget_month_usd", "requests_per_minute", "tokens_per_minute", "expires_at", "revoked_at"),
    "is_admin",
)


def now_of(connection: Connection) -> float:
    """The database's clock, in seconds since 1970."""
    return float(connection.execute(text(f"SELECT {CLOCK[connection.dialect.name]}")).scalar_one())


def keys_by(
    connection: Connection, column: str, values: list[str], *, lock: bool = False
) -> list[Mapping[str, Any]]:
    """Rows of keys in order of their ids, each with its digest and the clock as `now`."""
    clock = CLOCK[connection.dialect.name]
    locked = " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    statement = text(
        f"SELECT {', '.join(COLUMNS)}, digest, {clock} AS now FROM cascade_keys "  # noqa: S608
        f"WHERE {column} IN :values ORDER BY id{locked}"
    ).bindparams(bindparam("values", expanding=True))
    return [dict(row) for row in connection.execute(statement, {"values": values}).mappings()]


def key_of(row: Mapping[str, Any]) -> Key:
    """A row as a key."""
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
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
        "is_admin": int(key.is_admin),
    }


def _amount(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
