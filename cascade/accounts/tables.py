"""The tables of keys, of what was used, and of what is leased; amounts are text, to the digit."""

from __future__ import annotations

from cascade.database.migrations import TableSet

__all__ = ["CLOCK", "TABLES"]

STEPS: tuple[tuple[str, ...], ...] = (
    (  # 1: keys, what they used in each period, and what is leased of the rest
        """
        CREATE TABLE cascade_keys (
            id TEXT COLLATE binary PRIMARY KEY,
            name TEXT COLLATE binary NOT NULL,
            prefix TEXT COLLATE binary NOT NULL,
            digest TEXT COLLATE binary NOT NULL UNIQUE,
            created_at TEXT COLLATE binary NOT NULL,
            chains TEXT NOT NULL,
            models TEXT NOT NULL,
            budget_day_usd TEXT,
            budget_month_usd TEXT,
            requests_per_minute BIGINT,
            tokens_per_minute BIGINT,
            expires_at TEXT,
            revoked_at TEXT,
            is_admin INTEGER NOT NULL
        )
        """,
        "CREATE UNIQUE INDEX cascade_keys_by_name ON cascade_keys (name) WHERE revoked_at IS NULL",
        """
        CREATE TABLE cascade_used (
            key_id TEXT COLLATE binary NOT NULL REFERENCES cascade_keys (id) ON DELETE CASCADE,
            what TEXT COLLATE binary NOT NULL,
            period TEXT COLLATE binary NOT NULL,
            amount TEXT NOT NULL,
            PRIMARY KEY (key_id, what, period)
        )
        """,
        """
        CREATE TABLE cascade_leases (
            key_id TEXT COLLATE binary NOT NULL REFERENCES cascade_keys (id) ON DELETE CASCADE,
            what TEXT COLLATE binary NOT NULL,
            period TEXT COLLATE binary NOT NULL,
            owner TEXT COLLATE binary NOT NULL,
            amount TEXT NOT NULL,
            step BIGINT NOT NULL,
            expires_at DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (key_id, what, period, owner)
        )
        """,
        "CREATE INDEX cascade_leases_by_expiry ON cascade_leases (expires_at)",
    ),
    # 2: how many requests of a key may be in flight
    ("ALTER TABLE cascade_keys ADD COLUMN concurrency BIGINT",),
    (  # 3: how much of an amount is held for calls of unknown cost, and how many they are
        "ALTER TABLE cascade_used ADD COLUMN held TEXT NOT NULL DEFAULT '0'",
        "ALTER TABLE cascade_used ADD COLUMN unknown_calls BIGINT NOT NULL DEFAULT 0",
    ),
)

TABLES = TableSet(
    what="a place for keys",
    versions="cascade_accounts_migrations",
    steps=STEPS,
    tables=frozenset({"cascade_keys", "cascade_used", "cascade_leases"}),
)

CLOCK = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "cast(extract(epoch from clock_timestamp()) as double precision)",
}
"""Seconds since 1970 by the database's clock, the one that all replicas share."""
