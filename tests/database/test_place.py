"""Where tables are kept: what a path, a URL and the environment mean."""

import pytest

from cascade import StoreError, TraceStore
from cascade.accounts.keyring import Keyring
from cascade.database.place import default_place, engine_of, file_of, shown, url_of


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_plain_postgresql_takes_psycopg_3(scheme):
    """The URL that everybody writes needs no driver named, and no driver that nobody has."""
    url = url_of(f"{scheme}://user@host/name")
    assert url.drivername == "postgresql+psycopg"
    assert engine_of(url).dialect.driver == "psycopg"


def test_the_environment_says_where_if_nothing_else_does(monkeypatch, tmp_path):
    """Traces and keys go to CASCADE_DATABASE_URL unless a program names a place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CASCADE_DATABASE_URL", raising=False)
    assert default_place() == "traces.sqlite3"
    for value, file in ((f"sqlite:///{tmp_path}/one.db", "one.db"), ("two.db", "two.db")):
        monkeypatch.setenv("CASCADE_DATABASE_URL", value)
        assert file_of(url_of(None)) == tmp_path / file
        with TraceStore() as store:
            assert store.count() == 0
        assert Keyring().list() == []
        assert (tmp_path / file).exists()
    assert file_of(url_of("three.db")) == tmp_path / "three.db"
    monkeypatch.setenv("CASCADE_DATABASE_URL", "")
    assert default_place() == "traces.sqlite3"


def test_a_url_in_the_environment_that_is_none_is_told_without_its_password(monkeypatch):
    """What cannot be read is refused with the form that works."""
    monkeypatch.setenv("CASCADE_DATABASE_URL", "postgresql://u:hunter2@h:port/d")
    with pytest.raises(StoreError, match="is no database URL; expected one like") as caught:
        Keyring()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in shown(url_of("postgresql://u:hunter2@h/d"))


def test_a_new_file_is_for_its_owner_alone(tmp_path):
    """What people asked is nobody else's to read; a file that is there keeps its permissions."""
    new, there = tmp_path / "new.sqlite3", tmp_path / "there.sqlite3"
    there.touch(mode=0o644)
    for path in (new, there):
        with TraceStore(path) as store:
            assert store.count() == 0
    assert (new.stat().st_mode & 0o777, there.stat().st_mode & 0o777) == (0o600, 0o644)
    beside = [path for path in tmp_path.iterdir() if path.name.startswith("new.sqlite3-")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in beside)
