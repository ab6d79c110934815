"""Making, finding, changing and revoking keys."""

from __future__ import annotations

import builtins
import os
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from cascade.accounts import releasing, spending
from cascade.accounts.key import Key, Secret, digest_of, new_secret, shown_part
from cascade.accounts.line import Line
from cascade.accounts.periods import finest, moment_of
from cascade.accounts.releasing import Released
from cascade.accounts.rows import COLUMNS, key_of, keys_by, now_of, values_of
from cascade.accounts.spending import DaySpent, Spent
from cascade.accounts.tables import TABLES
from cascade.core.budget import Budget
from cascade.database.migrations import migrate
from cascade.database.place import file_of, url_of
from cascade.errors import ConfigError, StoreError

__all__ = ["Keyring"]

Amount = str | int | Decimal

PERIOD = re.compile(r"\d{4}-\d{2}(-\d{2})?", re.ASCII)

CHANGEABLE = frozenset(
    {
        *("name", "chains", "models", "budget_day_usd", "budget_month_usd"),
        *("requests_per_minute", "tokens_per_minute", "concurrency", "expires_at", "is_admin"),
    }
)


class Keyring:
    """The keys that a database holds; every call waits for the database.

    Args:
        where: path of an SQLite file or a database URL; `CASCADE_DATABASE_URL` unless given, else
            the file "traces.sqlite3". Traces may be kept in the same place.

    Raises:
        StoreError: the place cannot be used.
    """

    def __init__(self, where: str | os.PathLike[str] | None = None) -> None:
        url = url_of(where)
        file = file_of(url)
        self._line = Line(url if file is None else url.set(database=str(file)))
        self.where = self._line.where
        try:
            with self._line.once() as connection:
                migrate(connection, TABLES)
        except StoreError as error:
            named = str(error).startswith(self.where)
            raise error if named else StoreError(f"{self.where}: {error}") from None

    def create(
        self,
        name: str,
        *,
        chains: Collection[str] = (),
        models: Collection[str] = (),
        budget_day_usd: Amount | None = None,
        budget_month_usd: Amount | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        concurrency: int | None = None,
        expires_at: datetime | None = None,
        is_admin: bool = False,
    ) -> tuple[Key, Secret]:
        """Make a key; arguments as the attributes of `Key`.

        Returns:
            The key, and its secret, which is kept nowhere.

        Raises:
            ConfigError: a setting that cannot be, or a live key has that name.
        """
        secret = new_secret()
        settings: dict[str, Any] = {
            "chains": chains,
            "models": models,
            "budget_day_usd": budget_day_usd,
            "budget_month_usd": budget_month_usd,
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "concurrency": concurrency,
            "expires_at": expires_at,
            "is_admin": is_admin,
        }
        with self._line.once() as connection:
            key = Key(
                id=f"key_{secrets.token_hex(6)}",
                name=name,
                prefix=shown_part(secret),
                created_at=moment_of(now_of(connection)),
                **settings,
            )
            _check_free(connection, key)
            row = {**values_of(key), "digest": digest_of(secret)}
            places = ", ".join(f":{column}" for column in row)
            connection.execute(
                text(f"INSERT INTO cascade_keys ({', '.join(row)}) VALUES ({places})"),  # noqa: S608
                row,
            )
        return key, secret

    def list(self) -> list[Key]:
        """All keys, the oldest first, revoked and expired ones too."""
        with self._line.once() as connection:
            return _all(connection)

    def get(self, which: str) -> Key:
        """The key of that id or name; a live one rather than a revoked one of the same name.

        Raises:
            StoreError: there is none.
        """
        with self._line.once() as connection:
            return self._get(connection, which)

    def change(self, which: str, **changes: Any) -> Key:
        """Change settings of a key; processes that serve it see that within seconds.

        Raises:
            StoreError: there is no such key, or it was revoked.
            ConfigError: no such setting, or a value that cannot be.
        """
        unknown = sorted(set(changes) - CHANGEABLE)
        if unknown:
            raise ConfigError(
                f"a key has no setting {unknown[0]!r} to change; "
                f"expected one of {', '.join(sorted(CHANGEABLE))}"
            )
        with self._line.once() as connection:
            key = self._get(connection, which)
            if key.revoked_at is not None:
                raise StoreError(
                    f"key {key.name!r} ({key.id}) was revoked, which is for good; make a new one "
                    "with `cascade keys create`"
                )
            key = replace(key, **changes)
            _check_free(connection, key)
            _update(connection, values_of(key))
        return key

    def revoke(self, which: str) -> Key:
        """End a key for good; processes that serve it refuse it within seconds.

        Raises:
            StoreError: there is no such key.
        """
        with self._line.once() as connection:
            key = self._get(connection, which)
            if key.revoked_at is None:
                key = replace(key, revoked_at=moment_of(now_of(connection)))
                _update(connection, values_of(key))
        return key

    def release(
        self,
        which: str,
        period: str | None = None,
        *,
        billed_usd: Amount = 0,
        seen_usd: Decimal | None = None,
    ) -> Released:
        """Give back to a key's budget what is held for calls of unknown cost.

        For whoever has looked at the provider's bill. Processes that serve the key spend it from
        their next request on. Calls that end while this happens stay held.

        Args:
            which: id or name of the key.
            period: a day, "2026-11-27", or a month, "2026-11"; this month unless given. What is
                given back to a day is given back to its month.
            billed_usd: what those calls did cost, which stays spent; at most what is held.
            seen_usd: what somebody saw to be held, if it shall be given back only then.

        Returns:
            What was held, and what of it stays spent.

        Raises:
            StoreError: there is no such key.
            ConfigError: no such period, an amount that cannot be, or another one is held.
        """
        if period is not None and not PERIOD.fullmatch(period):
            words = f"{period!r} is no day or month; expected e.g. 2026-11-27 or 2026-11"
            raise ConfigError(words, param="period")
        billed = Budget(billed_usd).limit_usd if billed_usd else Decimal(0)
        with self._line.once() as connection:
            key_id = self._get(connection, which).id
            (row,) = keys_by(connection, "id", [key_id], lock=True)
            month = finest("usd", float(row.now))[0][: len("2026-11")]
            return releasing.release(
                connection, key_of(row), period or month, billed_usd=billed, seen_usd=seen_usd
            )

    def spent(self) -> dict[str, Spent]:
        """What each key has spent today and this month, by its id; written within 0.2 seconds."""
        with self._line.once() as connection:
            nothing, found = spending.spent(connection)
            return {key.id: found.get(key.id, nothing) for key in _all(connection)}

    def spent_by_day(
        self, which: str | None = None, since: str | None = None
    ) -> Sequence[DaySpent]:
        """What was spent on each day, the oldest first.

        Args:
            which: id or name of a key; `None` for all.
            since: a day, e.g. "2026-11-01"; `None` for all.
        """
        key_id = None if which is None else self.get(which).id
        with self._line.once() as connection:
            return spending.days(connection, key_id, since)

    def now(self) -> datetime:
        """The database's clock, by which keys expire and days end."""
        with self._line.once() as connection:
            return moment_of(now_of(connection))

    def _get(self, connection: Connection, which: str) -> Key:
        keys = _all(connection)
        found = next((key for key in keys if key.id == which), None)
        if found is not None:  # though another be called so
            return found
        named = [key for key in keys if key.name == which]
        live = [key for key in named if key.revoked_at is None]
        if not named:
            raise StoreError(f"no key {which!r} in {self.where}; `cascade keys list` shows them")
        return (live or named)[-1]


def _all(connection: Connection) -> builtins.list[Key]:
    statement = f"SELECT {', '.join(COLUMNS)} FROM cascade_keys ORDER BY created_at, id"  # noqa: S608
    return [key_of(row) for row in connection.execute(text(statement))]


def _check_free(connection: Connection, key: Key) -> None:
    found = text(
        "SELECT count(*) FROM cascade_keys WHERE name = :name AND id <> :id AND revoked_at IS NULL"
    )
    if (
        key.revoked_at is None
        and connection.execute(found, {"name": key.name, "id": key.id}).scalar_one()
    ):
        words = f"there is a key {key.name!r} already; revoke it, or take another name"
        raise ConfigError(words, param="name")


def _update(connection: Connection, row: Mapping[str, Any]) -> None:
    sets = ", ".join(f"{column} = :{column}" for column in row if column != "id")
    connection.execute(text(f"UPDATE cascade_keys SET {sets} WHERE id = :id"), dict(row))  # noqa: S608
