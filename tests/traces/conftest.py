"""Traces as a cascade makes them, from scripted models, and databases to keep them in."""

import os
import select
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

import cascade
from cascade import Cascade, Price, Score, Tier, TraceStore
from cascade.core.chain import Chain
from cascade.errors import RunError
from cascade.testing import ManualClock, ScriptedModels, failure, reply

PRICE = Price.of("0.20", "1.25", cached_input="0.02")


def unsure(draft):
    return Score(0.41, reason=f"only {len(draft.text)} characters like {draft.text[:12]!r}")


def sure(_draft):
    return Score(0.97, reason="well grounded")


def build_trace(
    prompt="Where is my parcel?",
    cheap="I do not know.",
    top="It arrives on Friday.",
    *,
    metadata=None,
    **params,
):
    """A request whose first tier is rejected, after a failed try, and whose second is accepted."""
    clock = ManualClock()
    seen = []
    models = ScriptedModels(
        {
            "nano": [
                failure("rate_limit", f"slow down: {cheap}", status=429),
                reply(cheap, cached_tokens=4),
            ],
            "big": reply(top, model="gpt-big-2026", input_tokens=200, output_tokens=40),
        },
        clock=clock,
        latency_s=0.25,
    )
    tiers = (
        Tier("nano", scorer=unsure, threshold=0.92, price=PRICE),
        Tier("big", scorer=sure, threshold=0.5, price=Price.of("5", "30")),
    )
    chain = Chain(tiers, name="support")
    llm = Cascade(chain, models=models, clock=clock, observers=[seen.append])
    llm.complete(prompt, metadata=metadata, **params)
    return seen[0]


def build_failed(kind="not_found", message="no such model"):
    """A request that nobody answered."""
    clock = ManualClock()
    models = ScriptedModels({"nano": failure(kind, message)}, clock=clock, latency_s=0.1)
    llm = Cascade([Tier("nano", price=PRICE)], models=models, clock=clock)
    with pytest.raises(RunError) as caught:
        llm.complete("hello")
    return caught.value.trace


@pytest.fixture
def make_trace():
    return build_trace


@pytest.fixture
def failed_trace():
    return build_failed()


@pytest.fixture
def trace():
    return build_trace()


class Database:
    """A place for a store, and a way past the store to what it keeps.

    Args:
        where: as the store is given it.
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


class Wire:
    """A way to a server that can be cut and mended: passes bytes on from a port of its own."""

    def __init__(self, host, port):
        self.target = (host or "127.0.0.1", port or 5432)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_cut = False
        self.is_silent = False  # it keeps the line, and passes nothing on
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
                    if self.is_silent:
                        time.sleep(0.01)
                        continue
                    for ready in select.select(list(others), [], [], 0.01)[0]:
                        with suppress(ConnectionError):
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


@pytest.fixture
def wire(server):
    made = Wire(server.host, server.port)
    yield made
    made.close()


@pytest.fixture
def sqlite(tmp_path):
    """An SQLite file that does not exist yet."""
    path = str(tmp_path / "traces.sqlite3")
    return Database(path, f"sqlite:///{path}")


on_postgres = pytest.param("postgres", marks=[pytest.mark.database, pytest.mark.loopback])


@pytest.fixture(params=["sqlite", on_postgres])
def database(request):
    """Each kind of database in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(database):
    made = TraceStore(database.where)
    yield made
    made.close()


@pytest.fixture
def run_python():
    """Runs code, or a script, in an interpreter that sees the package and `build_trace`."""
    root, here = Path(cascade.__file__).parent.parent, Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{here}"}

    def run(code, *args):
        way = [str(code)] if isinstance(code, Path) else ["-c", textwrap.dedent(code)]
        return subprocess.run(
            [sys.executable, "-W", "error", *way, *map(str, args)],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.env = env
    return run
