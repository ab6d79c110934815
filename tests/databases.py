"""Databases for tests: files, schemas of their own in a PostgreSQL, and a line that can be cut."""

import os
import select
import socket
import threading
import uuid
from contextlib import suppress

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

on_a_server = [pytest.mark.database, pytest.mark.loopback]


class Database:
    """A place for tables, and a way past its users to what they keep.

    Args:
        where: as its users are given it.
        url: the same for SQLAlchemy.
    """

    def __init__(self, where, url=None):
        self.where = where
        self.engine = create_engine(url or where, poolclass=NullPool)

    def sql(self, statement):
        """The rows of a statement, in a transaction of its own."""
        with self.engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []


class Wire:
    """A way to a server that can fall silent, be cut, and mended.

    Attributes:
        is_silent: the line is kept and nothing passes.
        is_cut: the line breaks, and no other is made.
    """

    def __init__(self, host, port):
        self.target = (host or "127.0.0.1", port or 5432)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_cut = self.is_silent = False
        self.threads = []
        self._spawn(self._accept)

    def _spawn(self, work, *args):
        self.threads.append(threading.Thread(target=work, args=args))
        self.threads[-1].start()

    def _accept(self):
        with suppress(OSError):  # the listener is closed: the end
            while True:
                near, _ = self.listener.accept()
                self._spawn(self._pass_on, near)

    def _pass_on(self, near):
        with near:
            if self.is_cut:
                return
            with socket.create_connection(self.target) as far:
                others = {near: far, far: near}
                while not self.is_cut:
                    for ready in select.select(list(others), [], [], 0.01)[0]:
                        with suppress(ConnectionError):
                            if self.is_silent:
                                threading.Event().wait(0.01)
                                continue
                            if data := ready.recv(65536):
                                others[ready].sendall(data)
                                continue
                        return

    def close(self):
        self.is_cut = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture(scope="session")
def server():
    """URL of a PostgreSQL; skipped by name where none answers, unless one is required."""
    url = os.environ.get(
        "CASCADE_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
    )
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
        engine.connect().close()
    except (SQLAlchemyError, ImportError) as error:
        reason = " ".join(str(getattr(error, "orig", error)).split())
        message = f"no PostgreSQL answers at {make_url(url)!r} (CASCADE_TEST_POSTGRES): {reason}"
        if os.environ.get("CASCADE_REQUIRE_DATABASE") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return make_url(url)


@pytest.fixture
def postgres(server):
    """A schema of its own in a PostgreSQL, gone after the test."""
    schema = f"cascade_test_{uuid.uuid4().hex[:12]}"
    plain = server.render_as_string(hide_password=False)
    Database(plain).sql(f"CREATE SCHEMA {schema}")
    url = server.update_query_dict({"options": f"-csearch_path={schema}"})
    yield Database(url.render_as_string(hide_password=False))
    Database(plain).sql(f"SET lock_timeout = '10s'; DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def sqlite(tmp_path):
    """An SQLite file that does not exist yet."""
    path = str(tmp_path / "traces.sqlite3")
    return Database(path, f"sqlite:///{path}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=on_a_server)])
def database(request):
    """Each kind of database in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def wire(server):
    """A line to the server."""
    made = Wire(server.host, server.port)
    yield made
    made.close()
