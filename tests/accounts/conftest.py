"""Accounts in each kind of database, clocks that can be set, and processes that spend."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from databases import database, postgres, server, sqlite, wire  # noqa: F401

import cascade
from cascade import StoreError
from cascade.accounts import Accounts, tables

HERE = Path(__file__).parent


@pytest.fixture
def open_accounts():
    """Opens accounts, and closes them after the test."""
    made = []

    def make(where, **settings):
        made.append(Accounts(getattr(where, "where", where), **settings))
        return made[-1]

    yield make
    for item in made:
        with suppress(StoreError):
            item.close()


@pytest.fixture
def accounts(database, open_accounts):  # noqa: F811
    """Accounts in each kind of database in turn."""
    return open_accounts(database)


@pytest.fixture
def shift_clock(monkeypatch):
    """Moves the databases' clocks, as seen from here, by so many seconds."""
    real = dict(tables.CLOCK)

    def shift(seconds):
        for kind, clock in real.items():
            monkeypatch.setitem(tables.CLOCK, kind, f"({clock} + {seconds!r})")

    return shift


@pytest.fixture
def set_clock(shift_clock):
    """Sets the databases' clocks, as seen from here, to a moment; they go on from there."""
    return lambda moment: shift_clock(moment.timestamp() - time.time())


@pytest.fixture
def spender():
    """Starts processes that spend from a key's budget; see `spender.py`."""
    started = []

    def start(*args):
        root = Path(cascade.__file__).parent.parent
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(HERE / "spender.py"), *map(str, args)],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
