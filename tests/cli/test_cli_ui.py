"""`cascade ui`: serves a store to this machine until it is told to end."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from cascade import Cascade, Price, Tier, TraceStore
from cascade.accounts import Accounts
from cascade.core.chain import Chain
from cascade.testing import ScriptedModels

pytestmark = pytest.mark.loopback


@pytest.fixture
def place(tmp_path):
    """A store with a trace."""
    path = tmp_path / "traces.sqlite3"
    chain = Chain((Tier("small", price=Price.of("1", "2")),), name="support")
    with TraceStore(path) as store:
        Cascade(chain, models=ScriptedModels({"small": "Paris"}), store=store).complete("Capital?")
    return path


@pytest.fixture
def run():
    """Starts the command; gives the process and the address that it prints."""
    running = []

    def start(*args):
        process = subprocess.Popen(
            [sys.executable, "-m", "cascade.cli", "ui", *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "COLUMNS": "400"},
            text=True,
        )
        running.append(process)
        line = process.stderr.readline()
        assert " at http" in line, line + process.stderr.read()
        return process, line.partition(" at ")[2].split(" ")[0]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def read(address):
    with urllib.request.urlopen(address, timeout=20) as response:  # noqa: S310  our own
        return response.read().decode()


def ended(*args):
    """What the command says that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "cascade.cli", "ui", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "COLUMNS": "400"},
    )


def test_it_serves_and_ends(run, place):
    """Pages of the store under a printed address of this machine; Ctrl-C ends it quietly."""
    process, address = run(place, "--port", 0)
    assert address.startswith("http://127.0.0.1:")
    page = read(address + "?range=all")
    assert "support" in page
    assert "Log out" not in page
    assert "Keys and budgets" not in page
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode in (0, 130)
    assert "Traceback" not in said
    assert "interrupted" not in said


def test_keys_of_the_same_place(run, place):
    """Where a gateway keeps its keys in the same store, they are there to manage."""
    accounts = Accounts(place)
    accounts.create("shop")
    accounts.close()
    _, address = run(place, "--port", 0)
    assert "shop" in read(address + "keys")


def test_looking_makes_no_tables(run, place):
    """A store without keys has none afterwards."""
    _, address = run(place, "--port", 0)
    with pytest.raises(urllib.error.HTTPError):
        read(address + "keys")
    with TraceStore(place) as store, store.reading() as connection:
        from sqlalchemy import inspect

        assert not inspect(connection).has_table("cascade_keys")


def test_with_a_recording(run, place):
    """A recording of a chain adds its quality."""
    recording = "examples/recordings/tickets.parquet"
    _, address = run(place, "--port", 0, "--recording", f"support={recording}")
    assert "With quality, from the recording" in read(address + "chain?name=support&range=all")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nothing.sqlite3"], "nothing.sqlite3"),
        (["PLACE", "--port", "PORT"], "cannot be used"),
        (["PLACE", "--recording", "x.parquet"], "say of which chain"),
        (["PLACE", "--recording", "support=x.parquet"], "there is no such file"),
        (["PLACE", "--chain", "x.toml"], "x.toml"),
    ],
)
def test_what_cannot_work(place, args, words):
    """A store, port, chain or recording that cannot be used ends it at once, with the next step."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"PLACE": place, "PORT": taken.getsockname()[1]}
        done = ended(*(given.get(arg, arg) for arg in args))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra(monkeypatch):
    """Where the server is not installed, the message names what to install."""
    from cascade.cli import ui

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ui.UsageError, match=r"pip install frugal-cascade\[gateway\]"):
        ui._parts()
