"""`cascade trace`: kept traces listed, shown and exported."""

import json
import shutil
import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from cascade import Trace, TraceStore


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
    assert (count("--until", "1h"), count("--until", "2999-01-01")) == (0, 2)
    assert (count("--chain", "support"), count("--chain", "other")) == (2, 0)


@pytest.fixture
def crew(place):
    """The same store with what a crew asked: two requests for a run, one for the first of them."""
    with TraceStore(place) as store:
        base = store.get(store.resolve("last"))
        for name, parent, tags in (
            ("plan", "run-7", ("agent:planner",)),
            ("write", "run-7", ()),
            ("check", "plan", ("agent:checker", "slow")),
        ):
            store.save(replace(base, id=name, parent_id=parent, tags=tags))
    return place


def test_tags_and_parents(cli, crew):
    """A list shows what requests were made for and their tags; both narrow lists and exports."""
    rows = json.loads(cli("trace", "list", "--store", crew, "--tag", "slow", "--json").stdout)
    assert [(row["id"], row["parent_id"], row["tags"]) for row in rows] == [
        ("check", "plan", ["agent:checker", "slow"])
    ]
    made = cli("trace", "list", "--store", crew, "--parent", "run-7")
    assert ("plan" in made.stdout, "write" in made.stdout, "check" in made.stdout) == (
        True,
        True,
        False,
    )
    assert "2 of 2 found among 5 traces" in made.stderr
    assert (
        len(cli("trace", "export", "--store", crew, "--parent", "run-7").stdout.splitlines()) == 2
    )
    shown = cli("trace", "show", "check", "--store", crew).stdout
    assert ("agent:checker, slow" in shown, "for    plan" in shown) == (True, True)


def test_names_that_no_trace_has(cli, crew):
    """A tag, chain or parent that no trace names is told, with those that there are."""
    for option, words in (
        ("--tag", "has a tag 'zzz'; there are: agent:checker, agent:planner, slow"),
        ("--chain", "went to a chain 'zzz'; there are: support"),
        ("--parent", "was made for 'zzz'; give the whole id"),
    ):
        done = cli("trace", "list", "--store", crew, option, "zzz")
        assert (done.exit_code, words in " ".join(done.stderr.split())) == (0, True)


def test_tree(cli, crew):
    """A tree shows each request with its cost and what everything below it came to."""
    data = json.loads(cli("trace", "tree", "plan", "--store", crew, "--json").stdout)
    one = Decimal(data["nodes"][1]["own_cost_usd"])
    assert [(node["id"], node["depth"]) for node in data["nodes"]] == [("plan", 0), ("check", 1)]
    assert (data["requests"], Decimal(data["cost_usd"])) == (2, 2 * one)
    assert {name: part["requests"] for name, part in data["by_tag"].items()} == {
        "agent:planner": 1,
        "agent:checker": 1,
        "slow": 1,
    }
    shown = cli("trace", "tree", "plan", "--store", crew)
    for words in (
        "plan accepted by big #agent:planner",
        "check",
        "by tag",
        "by tier",
        "made for run-7",
    ):
        assert words in shown.stdout


def test_tree_of_a_run_without_a_trace(cli, crew):
    """A run is the root of what was made for it, and it is said that it left no trace itself."""
    done = cli("trace", "tree", "run-7", "--store", crew)
    assert "run-7 no trace of its own" in done.stdout
    assert "run-7 has no trace of its own" in done.stderr
    assert "3 requests" in done.stdout
    assert "no tag" in done.stdout
    missing = cli("trace", "tree", "run-8", "--store", crew)
    assert (missing.exit_code, "no trace begins with 'run-8'" in missing.stderr) == (1, True)


def test_tree_with_an_unknown_cost_and_a_cycle(cli, crew):
    """An unknown cost shows its lower bound, and ids that lead in a circle are told."""
    with TraceStore(crew) as store:
        plan = store.get("plan")
        lost = replace(plan.attempts[0].charges[0], cost_usd=None, basis="unknown", usage=None)
        first = replace(plan.attempts[0], charges=(lost,))
        store.save(replace(plan, parent_id="check", attempts=(first, *plan.attempts[1:])))
    shown = cli("trace", "tree", "plan", "--store", crew).stdout
    assert "unknown, at least $" in shown
    assert "plan was met before: a cycle, counted once" in shown
    with TraceStore(crew) as store:
        store.save(replace(store.get("write"), tier=None, status="exhausted"))
    shown = cli("trace", "tree", "run-7", "--store", crew).stdout
    assert "write exhausted ·" in shown


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


def test_page(cli, place, tmp_path, monkeypatch):
    """A trace is written as a web page: to standard output, a file, or a new file that is opened."""
    piped = cli("trace", "html", "--store", place)
    assert piped.stdout.startswith("<!doctype html>")
    file = tmp_path / "out.html"
    done = cli("trace", "html", "last", "-o", file, "--store", place)
    assert (done.stdout, file.read_text(encoding="utf-8")) == ("", piped.stdout)
    assert "written to" in done.stderr
    seen = []
    monkeypatch.setattr("webbrowser.open", seen.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shown = cli("trace", "html", "--open", "--store", place)
    assert "no web browser could be started" in shown.stderr
    assert Path(url2pathname(urlsplit(seen[0]).path)).read_text(encoding="utf-8") == piped.stdout


def test_a_page_that_cannot_be_written(cli, place, tmp_path):
    """A page never overwrites its store or its trace, and a full or missing place is told."""
    file = tmp_path / "one.json"
    file.write_text(cli("trace", "show", "--store", place, "--json").stdout)
    for args, code, words in (
        (("last", "-o", place), 2, "same file as --store"),
        ((file, "-o", file), 2, "same file as ID|FILE"),
        ((file, "-o", tmp_path / "no" / "x.html"), 2, "cannot be written: there is no folder"),
        (("zz",), 1, "no trace begins with 'zz'"),
    ):
        done = cli("trace", "html", *args, "--store", place)
        assert (done.exit_code, words in " ".join(done.stderr.split())) == (code, True)


def test_an_id_names_no_other_place(cli, place, tmp_path, monkeypatch):
    """An id that reads like a path makes a file in the folder for temporary files only."""
    with TraceStore(place) as store:
        store.save(replace(store.get(store.resolve("last")), id="../../evil/\x00id"))
    monkeypatch.setattr("webbrowser.open", lambda url: True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = cli("trace", "html", "..", "--open", "--store", place)
    assert done.exit_code == 0
    assert [path.name for path in tmp_path.glob("cascade-*/*")] == ["______evil__id.html"]


def test_diff(cli, place, tmp_path):
    """Two traces, by id or from files, are compared; --json gives the same as data."""
    second, first = _ids(cli, place)[:2]
    shown = cli("trace", "diff", first, "last", "--store", place)
    assert shown.exit_code == 0
    for words in (first, second, "nano", "big", "was not tried before, but after"):
        assert words in shown.stdout
    file = tmp_path / "one.json"
    file.write_text(cli("trace", "show", first, "--store", place, "--json").stdout)
    data = json.loads(cli("trace", "diff", file, second, "--store", place, "--json").stdout)
    assert (data["same"], data["before"], data["after"]) == (False, first, second)
    assert {"name": "tier", "before": "nano", "after": "big"} in data["changes"]
    same = cli("trace", "diff", first, file, "--store", place, "--exit-code")
    assert (same.exit_code, "the same" in same.stdout) == (0, True)
    other = cli("trace", "diff", first, second, "--store", place, "--exit-code", "--json")
    assert (other.exit_code, json.loads(other.stdout)["same"]) == (1, False)
    missing = cli("trace", "diff", first, "zz", "--store", place)
    assert (missing.exit_code, "no trace begins with 'zz'" in missing.stderr) == (1, True)


@pytest.mark.parametrize("command", ["show", "html"])
def test_a_store_is_told_from_a_trace(cli, place, command):
    """Where a trace is named a store is none; the words say how a store is given."""
    done = cli("trace", command, place)
    assert done.exit_code == 2
    told = " ".join(done.stderr.split())
    assert "it is a trace store; name a trace, or leave it out, and give --store" in told


def test_a_list_of_few(cli, place):
    """`-n` is short for `--limit`; a list of nothing names no next step."""
    assert "1 of 2 traces" in cli("trace", "list", "-n", 1, "--store", place).stderr
    assert "`cascade trace show ID`" in cli("trace", "list", "--store", place).stderr
    assert "trace show" not in cli("trace", "list", "--tier", "x", "--store", place).stderr


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
        (("list", "--status", "acepted"), 2, "did you mean 'accepted'?"),
        (("export", "--status", "zzz"), 2, "expected one of accepted, unaccepted"),
        (("show", "last", "--line", "2"), 2, "--line goes with"),
        (("list", "--until", "soon"), 2, "--until 'soon' is no moment"),
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
    assert (done.exit_code, "is no database of Cascade's" in done.stderr) == (1, True)


def test_reading_makes_no_store(cli, tmp_path):
    """Listing a store that does not exist says so and makes no file."""
    missing = tmp_path / "none.db"
    done = cli("trace", "list", "--store", missing)
    assert (done.exit_code, missing.exists()) == (2, False)
    assert "there is no trace store" in done.stderr


@pytest.mark.parametrize(
    "damage", ["json = '{'", "json = X'00'", "cost_usd = 'abc'", "duration_s = 'long'"]
)
def test_a_damaged_row_stops_nothing(cli, place, tmp_path, damage):
    """A damaged row is named, counted and left out; everything else is listed and exported."""
    first, second = _ids(cli, place)
    with sqlite3.connect(place) as connection:
        connection.execute(f"UPDATE traces SET {damage} WHERE id = ?", (first,))  # noqa: S608
    connection.close()
    out = tmp_path / "out.jsonl"
    what = ("list",) if "json" not in damage else ("export", "--output", out)
    done = cli("trace", *what, "--store", place)
    assert done.exit_code == 1
    assert f"trace {first}" in done.stderr
    assert "1 damaged traces left out" in done.stderr
    kept = done.stdout if what == ("list",) else out.read_text()
    assert (second[:12] in kept, first in kept) == (True, False)


def _ids(cli, place):
    rows = json.loads(cli("trace", "list", "--store", place, "--json").stdout)
    return [row["id"] for row in rows]


def test_a_tier_that_answered_nothing(cli, place):
    """A tier that no trace names is told, with those that there are."""
    for command in ("list", "export"):
        done = cli("trace", command, "--store", place, "--tier", "bigg")
        assert (done.exit_code, "a tier 'bigg'" in done.stderr) == (0, True)
        assert "big, nano" in " ".join(done.stderr.split())


def test_an_export_never_overwrites_its_store(cli, place):
    """--output may not be the store itself."""
    before = place.read_bytes()
    done = cli("trace", "export", "--store", place, "--output", place)
    assert (done.exit_code, "same file as --store" in done.stderr) == (2, True)
    assert place.read_bytes() == before


def test_a_file_of_many_traces(cli, place, tmp_path):
    """Of several traces in a file the first is shown, said so, and --line chooses another."""
    out = tmp_path / "out.jsonl"
    cli("trace", "export", "--store", place, "--output", out)
    first = cli("trace", "show", out)
    assert "the first of 2 traces" in first.stderr
    second = cli("trace", "show", out, "--line", "2")
    assert (second.stdout != first.stdout, second.stderr) == (True, "")
    assert cli("trace", "show", out, "--line", "3").exit_code == 2
    one = tmp_path / "one.json"
    one.write_text(cli("trace", "show", "--store", place, "--json").stdout)
    assert "--line goes with" in cli("trace", "show", one, "--line", "2").stderr
    out.write_text("{}")
    assert str(out) in cli("trace", "show", out).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_standard_output_on_a_full_disk(process, place, tmp_path):
    """A list or export that standard output cannot take ends with 1 and one line."""
    shutil.copy(place, tmp_path / "copy.db")
    for command in ("list", "export"):
        with Path("/dev/full").open("w") as full:
            run = process("trace", command, "--store", tmp_path / "copy.db", stdout=full)
            _, stderr = run.communicate(timeout=30)
        assert run.returncode == 1
        assert stderr.splitlines() == [
            "error: standard output cannot be written: No space left on device"
        ]


def test_a_reader_that_has_enough(process, place):
    """An export into a pipe that nobody reads to its end stops with 1 and says nothing."""
    run = process("trace", "export", "--store", place)
    run.stdout.close()
    assert (run.wait(timeout=30), run.stderr.read()) == (1, "")
    run.stderr.close()


def test_answers_are_no_traces(cli, models, chain, tmp_path):
    """A file of answers is called so, with the way to the traces; a missing file is named once."""
    out = tmp_path / "out.jsonl"
    cli("run", "hello", "--chain", chain, "--output", out, "--store", tmp_path / "t.db")
    told = cli("trace", "show", out)
    trace_id = json.loads(out.read_text())["trace_id"]
    assert told.exit_code == 2
    assert "is an answer that `cascade run` wrote, not a trace" in told.stderr
    assert f"cascade trace show {trace_id} --store" in told.stderr
    out.write_text('{"trace_id": null, "error": "x"}')
    assert "nobody was asked" in cli("trace", "show", out).stderr
    out.write_text("not json")
    assert "is an answer" not in cli("trace", "show", out).stderr
    missing = cli("trace", "show", tmp_path / "none.json").stderr
    assert missing.count("none.json") == 1
    assert "[Errno" not in missing
