"""The secret that signs sessions, kept beside the keys: the same for all replicas, and for good."""

from __future__ import annotations

import os
import secrets

from sqlalchemy import text

from cascade.accounts.line import Line
from cascade.database.migrations import TableSet, migrate
from cascade.database.place import url_of

__all__ = ["kept_secret"]

TABLES = TableSet(
    what="a place for the dashboard's secret",
    versions="cascade_dashboard_migrations",
    steps=(("CREATE TABLE cascade_dashboard (id INTEGER PRIMARY KEY, secret TEXT NOT NULL)",),),
    tables=frozenset({"cascade_dashboard"}),
)

KEEP = "INSERT INTO cascade_dashboard (id, secret) VALUES (1, :secret) ON CONFLICT (id) DO NOTHING"

READ = "SELECT secret FROM cascade_dashboard WHERE id = 1"


def kept_secret(where: str | os.PathLike[str]) -> bytes:
    """The secret kept there; made with the first call.

    Whoever reads the database can sign sessions with it, as they could make themselves keys.

    Args:
        where: path of an SQLite file or a database URL, such as that of keys.

    Raises:
        StoreError: the place cannot be used.
    """
    with Line(url_of(where)).once() as connection:
        migrate(connection, TABLES)
        connection.execute(text(KEEP), {"secret": secrets.token_hex(32)})
        return bytes.fromhex(connection.execute(text(READ)).scalar_one())
