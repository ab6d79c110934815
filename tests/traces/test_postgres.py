"""Traces in PostgreSQL: what only a server can do to a store, and what it may show to whom.

What every database must do stands in `test_store.py`.
"""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from cascade import StoreError, TraceStore
from cascade.traces import writer
from cascade.traces.replacing import replace_rows
from cascade.traces.schema import rows_of

PASSWORD = "hunter2"

on_a_server = [pytest.mark.database, pytest.mark.loopback]


@pytest.fixture
def far_store(wire, postgres, monkeypatch):
    """A store behind the wire, whose retries are quick."""
    monkeypatch.setattr(writer, "RETRY_WAIT_S", 0.01)
    url = make_url(postgres.where).set(host="127.0.0.1", port=wire.port)
    made = TraceStore(url.render_as_string(hide_password=False))
    yield made
    wire.is_cut = False
    with suppress(StoreError):
        made.close()


@pytest.fixture
def store_of():
    """Opens stores, and closes them after the test."""
    made = []

    def make(database, **settings):
        made.append(TraceStore(database.where, **settings))
        return made[-1]

    yield make
    for item in made:
        with suppress(StoreError):
            item.close()


@contextmanager
def locked(postgres):
    """Another program holds the table of traces."""
    with postgres.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE traces IN ACCESS EXCLUSIVE MODE")
        yield


def cut_when(wire, flag):
    """Cut the wire when a program has made that file, and take the file away."""
    end = time.monotonic() + 20
    while not flag.exists() and time.monotonic() < end:
        time.sleep(0.01)
    wire.is_cut = True
    flag.unlink(missing_ok=True)


class TestWithoutAServer:
    @pytest.mark.parametrize(
        ("where", "step"),
        [
            (f"postgresql+psycopg://u:{PASSWORD}@127.0.0.1:1/d", "start the server"),
            (f"postgresql://u@127.0.0.1:1/d?password={PASSWORD}", "start the server"),
            (f"postgres://u:{PASSWORD}@/d?host=/nowhere", "start the server"),
            (f"postgresql://u:{PASSWORD}@127.0.0.1:1/d?nonsense=1", "take that option out"),
            (f"postgresql://u:x@{PASSWORD}@h/d", "percent-encoded"),
            (f"postgresql://u:x@y/{PASSWORD}@h/d", "percent-encoded"),
            (f"postgresql://u:x@h:{PASSWORD}/d", "percent-encoded"),
            (f"postgresql+psycopg_async://u:{PASSWORD}@h/d", r"e.g. postgresql\+psycopg://"),
            (f"postgresql+nodriver://u:{PASSWORD}@h/d", r"pip install frugal-cascade\[postgres\]"),
        ],
    )
    def test_a_url_that_cannot_work_is_refused(self, where, step):
        """The error names the URL without its password, and what to do."""
        with pytest.raises(StoreError, match=f"^'?postgres.*{step}") as caught:
            TraceStore(where)
        error = caught.value
        while error is not None:
            assert PASSWORD not in str(error)
            error = error.__cause__

    def test_a_missing_driver_says_how_to_install_it(self, run_python):
        """Without psycopg the error names the extra that brings it."""
        code = """
            import sys
            sys.modules["psycopg"] = None
            from cascade import StoreError, TraceStore
            for scheme in ("postgresql", "postgresql+psycopg"):
                try:
                    TraceStore(f"{scheme}://u:hunter2@127.0.0.1/d")
                except StoreError as error:
                    print(error)
        """
        lines = run_python(code).stdout.splitlines()
        assert ["pip install frugal-cascade[postgres]" in line for line in lines] == [True, True]
        assert PASSWORD not in "".join(lines)

    @pytest.mark.loopback
    def test_a_server_that_says_nothing_is_given_up(self):
        """A server that accepts and then falls silent holds nobody up for long."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            begun = time.monotonic()
            with pytest.raises(StoreError, match="timeout"):
                TraceStore(f"postgresql://u@127.0.0.1:{port}/d?connect_timeout=2")
            assert time.monotonic() - begun < 5


class TestOpening:
    pytestmark = on_a_server

    def test_a_missing_database_is_named(self, server):
        """A database that does not exist is one to make."""
        where = server.set(database="cascade_no_such", password=server.password or PASSWORD)
        with pytest.raises(StoreError, match='"cascade_no_such" does not exist; make it') as caught:
            TraceStore(where.render_as_string(hide_password=False))
        assert (server.password or PASSWORD) not in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "step"),
        [
            ("-csearch_path=cascade_no_such", "make the schema"),
            ("-cdefault_transaction_read_only=on", "name the primary server"),
        ],
    )
    def test_a_place_that_takes_no_tables(self, server, options, step):
        """A schema that does not exist and a server that only reads say so when opened."""
        url = server.update_query_dict({"options": options})
        with pytest.raises(StoreError, match=step):
            TraceStore(url.render_as_string(hide_password=False))

    def test_a_user_without_rights(self, postgres):
        """A user who may not make tables is told which right is missing."""
        schema = postgres.sql("SELECT current_schema()")[0][0]
        postgres.sql(f"CREATE ROLE {schema}; GRANT {schema} TO CURRENT_USER")
        postgres.sql(f"GRANT USAGE ON SCHEMA {schema} TO {schema}")
        options = f"-csearch_path={schema} -crole={schema}"
        url = make_url(postgres.where).update_query_dict({"options": options})
        try:
            with pytest.raises(StoreError, match=r"permission denied.*GRANT CREATE"):
                TraceStore(url.render_as_string(hide_password=False))
        finally:
            postgres.sql(f"DROP OWNED BY {schema}; DROP ROLE {schema}")

    def test_an_encoding_that_cannot_hold_every_text(self, server, postgres):
        """A database in Latin 1 is refused when opened, not trace by trace."""
        name = postgres.sql("SELECT current_schema()")[0][0]
        engine = postgres.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(
                f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
            )
            try:
                where = server.set(database=name).render_as_string(hide_password=False)
                with pytest.raises(StoreError, match=r"LATIN1 cannot hold.*ENCODING 'UTF8'"):
                    TraceStore(where)
            finally:
                connection.exec_driver_sql(f"DROP DATABASE {name}")

    def test_a_password_is_never_shown(self, server, postgres, trace, caplog):
        """Neither the name of a store nor what it logs holds the password of its URL."""
        secret = server.password or PASSWORD
        url = make_url(postgres.where).set(password=secret)
        url = url.update_query_dict({"sslpassword": secret})
        with TraceStore(url.render_as_string(hide_password=False), content="none") as store:
            store.save(replace(trace, status=None))
            with pytest.raises(StoreError) as caught:
                store.flush()
        with pytest.raises(StoreError) as closed:
            store.save(trace)
        told = f"{store!r} {store.where} {caught.value} {closed.value} {caplog.text}"
        assert secret not in told
        assert f"TraceStore('{store.where}', content='none')" in told

    def test_names_sort_byte_by_byte(self, store_of, postgres):
        """Order does not depend on the language of the server."""
        store_of(postgres)
        found = postgres.sql(
            "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = "
            "current_schema() AND column_name IN ('id', 'started_at', 'trace_id')"
        )
        assert found == [("C",)]


class TestKeeping:
    pytestmark = on_a_server

    @pytest.mark.parametrize("content", ["hashed", "none"])
    def test_no_word_reaches_the_server(self, postgres, store_of, make_trace, content):
        """Under "hashed" and "none" no word of a conversation is in any column."""
        talk = make_trace("my zebrafish", "a walrus", "an ocelot", metadata={"who": "pangolin"})
        store = store_of(postgres, content=content)
        store.save(talk)
        store.flush()
        kept = postgres.sql("SELECT t::text FROM traces t")
        raw = str(kept) + str(postgres.sql("SELECT c::text FROM charges c"))
        assert talk.id in raw
        assert [word for word in ("zebra", "walrus", "ocelot", "pangolin") if word in raw] == []

    def test_an_id_that_two_write_at_once(self, postgres, store_of, trace):
        """Whoever comes second waits and replaces; the same id from two machines is no error."""
        store = store_of(postgres)
        with postgres.engine.begin() as connection:
            replace_rows(connection, [rows_of(replace(trace, status="cancelled"))])
            store.save(trace)
            time.sleep(0.2)
        store.flush()
        assert (store.get(trace.id), store.count(), store.dropped) == (trace, 1, 0)
        assert postgres.sql("SELECT count(*) FROM charges") == [(len(trace.charges),)]

    def test_an_idle_store_holds_no_connection(self, postgres, trace, monkeypatch):
        """Many machines share a server's connections: a store without work has none."""
        monkeypatch.setattr(writer, "IDLE_S", 0.01)
        name = postgres.sql("SELECT current_schema()")[0][0]
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_schema()"
        url = make_url(postgres.where).update_query_dict({"application_name": name})
        with TraceStore(url.render_as_string(hide_password=False)) as store:
            store.save(trace)
            assert store.count() == 1
            end = time.monotonic() + 5
            while postgres.sql(query) != [(0,)] and time.monotonic() < end:
                time.sleep(0.01)
            assert postgres.sql(query) == [(0,)]


class TestTrouble:
    pytestmark = on_a_server

    def test_a_connection_that_breaks_costs_nothing(self, far_store, wire, trace):
        """A server that comes back between two tries loses no trace."""
        far_store.save(trace)
        far_store.flush()
        wire.is_cut = True
        while far_store._connection is None or any(t.is_alive() for t in wire.threads[1:]):
            time.sleep(0.001)
        wire.is_cut = False
        far_store.save(replace(trace, id="next"))
        far_store.flush()
        assert (far_store.count(), far_store.dropped) == (2, 0)

    def test_a_server_that_stays_away_is_told(self, far_store, wire, trace, caplog):
        """Tries are bounded; then traces count as dropped, and flush says why, once."""
        far_store.save(trace)
        far_store.flush()
        wire.is_cut = True
        begun = time.monotonic()
        for number in range(600):
            far_store.save(replace(trace, id=f"t{number}"))
        with pytest.raises(StoreError, match=r"600 traces could not be written: .*connection"):
            far_store.flush()
        assert time.monotonic() - begun < 10
        far_store.flush()
        assert far_store.dropped == 600
        assert "could not be written" in caplog.text
        with pytest.raises(StoreError, match=r"check that its server|start the server"):
            far_store.count()
        wire.is_cut = False
        far_store.save(replace(trace, id="after"))
        far_store.flush()
        assert far_store.count() == 2

    def test_a_server_away_at_exit_is_a_warning(self, run_python, wire, postgres, tmp_path):
        """What cannot be written when the program ends is logged; the exit code stays."""
        code = """
            import os, sys, time
            from conftest import build_trace
            from cascade import TraceStore
            store = TraceStore(sys.argv[1])
            open(sys.argv[2], "w").close()
            while os.path.exists(sys.argv[2]):
                time.sleep(0.01)
            store.save(build_trace())
        """
        url = make_url(postgres.where).set(host="127.0.0.1", port=wire.port)
        cutting = threading.Thread(target=cut_when, args=(wire, flag := tmp_path / "open"))
        cutting.start()
        done = run_python(code, url.render_as_string(hide_password=False), flag)
        cutting.join()
        assert done.returncode == 0
        assert "1 traces could not be written" in done.stderr

    def test_a_lock_that_passes_costs_nothing(self, postgres, store_of, trace, monkeypatch):
        """A table that another program holds for a moment is waited for."""
        monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 10)
        store = store_of(postgres)
        with locked(postgres):
            store.save(trace)
            time.sleep(0.1)
        store.flush()
        assert (store.count(), store.dropped) == (1, 0)

    def test_a_lock_that_stays_is_told(self, postgres, store_of, trace, monkeypatch):
        """A table that another program keeps is given up, by who writes and by who reads."""
        monkeypatch.setattr("cascade.database.place.BUSY_TIMEOUT_MS", 10)
        monkeypatch.setattr(writer, "RETRY_WAIT_S", 0.01)
        store = store_of(postgres)
        with locked(postgres):
            store.save(trace)
            with pytest.raises(StoreError, match=r"1 traces could not be written: .*lock timeout"):
                store.flush()
            with pytest.raises(StoreError, match="another program is writing"):
                store.count()

    def test_tables_that_are_gone_drop_a_batch_at_once(self, postgres, store_of, trace):
        """Trouble with the place is not looked for in one trace after the other."""
        store = store_of(postgres)
        postgres.sql("DROP TABLE charges; DROP TABLE tags; DROP TABLE traces")
        for number in range(500):
            store.save(replace(trace, id=f"t{number}"))
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"500 traces could not be written: .*traces"):
            store.flush()
        assert time.monotonic() - begun < 5
