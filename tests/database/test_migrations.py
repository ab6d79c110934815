"""Several sets of tables in one database: each with its own steps, none in the way of the other."""

import threading
from dataclasses import replace

import pytest

from cascade import StoreError, TraceStore
from cascade.accounts import tables
from cascade.accounts.keyring import Keyring
from cascade.traces import migrations

KNOWN = list(range(1, len(tables.TABLES.steps) + 1))


def versions(database, name):
    return [row[0] for row in database.sql(f"SELECT number FROM {name} ORDER BY number")]  # noqa: S608


def test_traces_and_keys_share_a_database(database):
    """Both kinds of tables live in one place, in whatever order they come."""
    with TraceStore(database.where) as store:
        Keyring(database.where).create("app")
        assert store.count() == 0
    Keyring(database.where).create("other")
    TraceStore(database.where).close()
    assert versions(database, "cascade_migrations") == list(
        range(1, len(migrations.TABLES.steps) + 1)
    )
    assert versions(database, "cascade_accounts_migrations") == KNOWN


def test_a_store_of_before_keeps_its_numbers(database):
    """A trace store that was made by an older version gets keys beside its traces."""
    TraceStore(database.where).close()
    before = database.sql("SELECT number, applied_at FROM cascade_migrations ORDER BY number")
    Keyring(database.where).create("app")
    assert (
        database.sql("SELECT number, applied_at FROM cascade_migrations ORDER BY number") == before
    )


def test_keys_of_a_newer_version_are_refused(database):
    """Tables that a newer version has changed are not touched."""
    Keyring(database.where)
    database.sql("INSERT INTO cascade_accounts_migrations VALUES (99, 'x')")
    known = KNOWN[-1]
    with pytest.raises(
        StoreError, match=rf"schema version 99.*up to {known}; upgrade frugal-cascade"
    ):
        Keyring(database.where)


def test_later_steps_keep_keys(database, monkeypatch):
    """Keys of an older version work on after a step, which is applied once."""
    key, _ = Keyring(database.where).create("app", budget_day_usd="5")
    steps = (*tables.TABLES.steps, ("ALTER TABLE cascade_keys ADD COLUMN extra TEXT",))
    monkeypatch.setattr("cascade.accounts.keyring.TABLES", replace(tables.TABLES, steps=steps))
    for _ in range(2):
        assert Keyring(database.where).list() == [key]
    assert versions(database, "cascade_accounts_migrations") == [*KNOWN, KNOWN[-1] + 1]


def test_keys_of_the_first_version(database, monkeypatch):
    """Keys that were made before there was a limit of requests in flight have none, and can be given one."""
    first = replace(tables.TABLES, steps=tables.TABLES.steps[:1])
    with monkeypatch.context() as older:
        older.setattr("cascade.accounts.keyring.TABLES", first)
        Keyring(database.where)
    database.sql(
        "INSERT INTO cascade_keys VALUES ('key_1', 'app', 'ck-abcde', 'd', "
        "'2026-11-01T00:00:00+00:00', '[]', '[]', '5', NULL, 60, NULL, NULL, NULL, 0)"
    )
    keyring = Keyring(database.where)
    (key,) = keyring.list()
    assert (key.budget_day_usd, key.requests_per_minute, key.concurrency) == (5, 60, None)
    assert keyring.change("app", concurrency=4).concurrency == 4
    assert keyring.get("app").concurrency == 4


def test_many_at_once_make_the_tables_once(database):
    """Replicas that start together find the tables made once."""
    errors = []

    def start():
        try:
            Keyring(database.where).list()
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert versions(database, "cascade_accounts_migrations") == KNOWN
