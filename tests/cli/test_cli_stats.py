"""`cascade stats`: the requests of a store, added up."""

import json
import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from cascade import TraceStore


@pytest.fixture
def place(cli, models, chain, tmp_path):
    """A store with three requests, the last of them escalated."""
    path = tmp_path / "traces.sqlite3"
    for prompt in ("hello", "again", "hard one"):
        cli("run", prompt, "--chain", chain, "--store", path)
    return path


def test_tables(cli, place):
    """Totals, tiers and scorers are shown."""
    done = cli("stats", "--store", place)
    assert done.exit_code == 0
    for words in ("3 requests", "3 accepted", "66.7 %", "LengthBetween", "saved"):
        assert words in done.stdout


def test_the_place_of_the_environment_is_read(cli, place, monkeypatch):
    """Where no store is named, the database of the environment is the one."""
    monkeypatch.setenv("CASCADE_DATABASE_URL", str(place))
    assert "3 requests" in cli("stats").stdout
    assert "3 of 3 traces" in cli("trace", "list").stderr
    assert str(place) in cli("doctor", "--json").stdout


def test_json(cli, place):
    """--json gives exact amounts as text and shares as numbers."""
    data = json.loads(cli("stats", "--store", place, "--json").stdout)
    with TraceStore(place) as store:
        total = sum(trace.cost_usd for trace in store.iter_traces())
    assert Decimal(data["cost"]["usd"]) == total
    assert [(tier["tier"], tier["answered"]) for tier in data["tiers"]] == [("nano", 2), ("big", 1)]
    assert data["cost"]["unknown"] == 0
    assert data["scorers"][0]["runs"] == 3


def test_filters(cli, place):
    """Filters narrow what is added up; a name that nothing has is told."""
    with TraceStore(place) as store:
        last = store.get(store.resolve("last"))
        store.save(replace(last, id="x", tags=("slow",), parent_id="run", status="exhausted"))

    def count(*args):
        return json.loads(cli("stats", "--store", place, "--json", *args).stdout)["requests"]

    assert (count("--tag", "slow"), count("--parent", "run"), count("--tier", "big")) == (1, 1, 2)
    assert (count("--status", "exhausted"), count("--until", "2w"), count("--since", "1h")) == (
        1,
        0,
        4,
    )
    assert count("--chain", "support") == 4
    told = cli("stats", "--store", place, "--chain", "suport")
    assert (told.exit_code, "there are: support" in " ".join(told.stderr.split())) == (0, True)
    assert "0 requests" in told.stdout


def test_a_damaged_trace_is_left_out(cli, place):
    """A damaged trace is named and left out, and the command ends with 1."""
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE traces SET json = '{' WHERE tier = 'big'")
    connection.close()
    done = cli("stats", "--store", place)
    assert (done.exit_code, "1 damaged traces left out" in done.stderr) == (1, True)
    assert "2 requests" in done.stdout


def test_a_store_that_is_none(cli, tmp_path):
    """A store that does not exist is told and not made."""
    place = tmp_path / "none.db"
    for given in ([place], ["--store", place]):
        done = cli("stats", *given)
        said = done.stderr.replace("\n", "")
        assert (done.exit_code, f"there is no trace store '{place}'; check the name" in said) == (
            2,
            True,
        )
    assert not place.exists()


def test_a_bar_shows_how_far_a_long_run_has_come(cli, place, monkeypatch):
    """In a terminal many traces have a progress bar on standard error, and the same result."""
    plain = cli("stats", "--store", place, "--json").stdout
    monkeypatch.setattr("cascade.cli.stats.LONG", 2)
    monkeypatch.setattr(Console, "is_terminal", True)
    done = cli("stats", "--store", place, "--json")
    assert (done.exit_code, done.stdout) == (0, plain)
    assert "adding up" in done.stderr
