"""`cascade trace`: kept traces listed, shown and exported."""

import json

import pytest

from cascade import Trace


@pytest.fixture
def place(cli, models, chain, tmp_path):
    """A store with two requests, the second one escalated."""
    path = tmp_path / "traces.sqlite3"
    for prompt in ("hello", "hard one"):
        cli("run", prompt, "--chain", chain, "--store", path)
    return path


def test_list(cli, place):
    """A list shows each trace in a line, newest first."""
    done = cli("trace", "list", "--store", place)
    assert done.exit_code == 0
    rows = done.stdout.splitlines()
    assert rows[0].split()[:2] == ["id", "begun,"]
    assert ("big" in rows[1], "nano" in rows[2]) == (True, True)
    assert "2 of 2 traces" in done.stderr


def test_list_json_and_filters(cli, place):
    """--json gives the rows with exact amounts; filters narrow them."""
    rows = json.loads(cli("trace", "list", "--store", place, "--json").stdout)
    assert [row["tier"] for row in rows] == ["big", "nano"]
    assert isinstance(rows[0]["cost_usd"], str)

    def count(*args):
        return len(json.loads(cli("trace", "list", "--store", place, "--json", *args).stdout))

    assert count("--tier", "big") == count("--limit", 1) == 1
    assert count("--status", "exhausted") == count("--since", "2999-01-01") == 0
    assert count("--since", "1h") == count("--since", "2w") == 2


def test_show(cli, place):
    """A trace is shown as a panel: by "last", and by the beginning of its id."""
    newest = json.loads(cli("trace", "list", "--store", place, "--json").stdout)[0]["id"]
    last = cli("trace", "show", "last", "--store", place)
    assert "2. big" in last.stdout
    assert cli("trace", "show", newest[:20], "--store", place).stdout == last.stdout
    assert cli("trace", "show", "--store", place).stdout == last.stdout


def test_show_json_and_file(cli, place, tmp_path):
    """--json gives the whole trace, and a file with it is shown like the trace itself."""
    text = cli("trace", "show", "last", "--store", place, "--json").stdout
    trace = Trace.from_json(text)
    file = tmp_path / "one.json"
    file.write_text(text)
    shown = cli("trace", "show", file)
    assert shown.stdout == cli("trace", "show", trace.id, "--store", place).stdout
    lines = tmp_path / "many.jsonl"
    lines.write_text(json.dumps(trace.to_dict()) + "\n{}\n")
    assert cli("trace", "show", lines).stdout == shown.stdout


def test_export(cli, place, tmp_path):
    """Export writes whole traces as JSON lines, oldest first, filtered."""
    out = tmp_path / "out.jsonl"
    done = cli("trace", "export", "--store", place, "--output", out)
    traces = [Trace.from_json(line) for line in out.read_text().splitlines()]
    assert [trace.tier for trace in traces] == ["nano", "big"]
    assert "2 traces written" in done.stderr
    piped = cli("trace", "export", "--store", place, "--tier", "big")
    assert [Trace.from_json(line) for line in piped.stdout.splitlines()] == traces[1:]
    told = cli("trace", "export", "--store", place, "--output", out, "--json")
    assert json.loads(told.stdout)["traces"] == 2


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("show", "zz"), 1, "no trace begins with 'zz'"),
        (("show", "nowhere.json"), 2, "cannot be read"),
        (("list", "--since", "yesterday"), 2, "'yesterday' is no moment"),
        (("list", "--limit", "0"), 2, "limit"),
        (("export", "--output", "no/where.jsonl"), 2, "cannot be written"),
    ],
)
def test_mistakes(cli, place, args, code, words):
    """Mistakes end with a message and an exit code that tells a wrong call from a missing trace."""
    done = cli("trace", *args, "--store", place)
    assert done.exit_code == code
    assert words in done.stderr


def test_damaged_input(cli, tmp_path):
    """A file that is no trace, and a store that is no store, are named."""
    file = tmp_path / "x.json"
    file.write_text("{}")
    done = cli("trace", "show", file)
    assert (done.exit_code, "this is no trace" in done.stderr) == (1, True)
    done = cli("trace", "list", "--store", file)
    assert (done.exit_code, "is not a trace store" in done.stderr) == (1, True)


def test_reading_makes_no_store(cli, tmp_path):
    """Listing a store that does not exist says so and makes no file."""
    missing = tmp_path / "none.db"
    done = cli("trace", "list", "--store", missing)
    assert (done.exit_code, missing.exists()) == (2, False)
    assert "there is no trace store" in done.stderr
