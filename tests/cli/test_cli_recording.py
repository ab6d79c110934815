"""`cascade recording`: shown and imported on the command line."""

import json
import tomllib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cascade.calibration import About, read_recording, write_recording
from cascade.config import chain_from_dict, load_chain
from scorers import NoRefusal
from tests.calibration.builders import recording

TICKETS = Path(__file__).parents[2] / "examples" / "recordings" / "tickets.parquet"

ROWS = [
    {"query_id": i, "model": m, "output": f"{m} {i}", "correct": c, "prompt_tokens": 10, "completion_tokens": 5, "cost_usd": u, "task": t}
    for i, t in (("a", "x"), ("b", "y"))
    for m, c, u in (("big", 1, 0.002), ("small", int(i == "a"), 0.001))
]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "responses.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.parquet"


def words(text):
    return " ".join(text.split())


class TestShow:
    def test_for_people(self, cli, out):
        """Tiers, quality, cost, coverage, gaps and what is odd are shown."""
        made = recording(
            [[1, 1, np.nan], [0, 1, 0], [np.nan, 1, 1]],
            [[2_000_000, 50_000_000, -1], [4_000_000, -1, 1], [2, 3, 4]],
            names=["nano", "top", "peer"],
            witnesses=1,
            answered=[[True, True, False], [True] * 3, [True] * 3],
            score=[[0.5, np.nan, np.nan], [np.nan] * 3, [0.5, np.nan, np.nan]],
            signals={"conf": np.zeros((3, 3))},
            slices=np.array(["billing", "billing", ""], object),
            weights=np.array([1.0, 3.0, 1.0]),
        )
        write_recording(made, out)
        done = cli("recording", "show", out)
        shown = words(done.stdout)
        assert done.exit_code == 0
        assert "nano 3 3 25.0 % $0.000002 66.7 %" in shown
        assert "peer (witness) 2 2" in shown
        assert "requests 3, weighted slices billing 2, none 1 signals conf 100.0 %" in shown
        assert (
            "note requests were not asked; plans with it cannot be replayed on them: 'peer' 1"
            in shown
        )
        assert "note answers of unknown quality: 'nano' 1" in shown
        assert "note requests of unknown cost: 'top' 1" in shown

    def test_a_last_tier_that_is_not_the_best(self, cli, out):
        """A cheaper tier that is better is named, unless a chain says which tier is the last."""
        for cost, chain, told in (([1, 9], "", True), ([9, 1], "", False), ([1, 9], "own", False)):
            made = recording([[1, 0], [1, 1]], cost, names=["a", "b"], about=About(chain=chain))
            write_recording(made, out)
            shown = words(cli("recording", "show", out).stdout)
            assert ("top tier 'b' is not the best model: 'a' is better" in shown) == told

    def test_double_calls(self, cli, out):
        """How often the last tier disagrees with itself is shown where it was measured."""
        about = About(quality="top tier", self_disagreement=0.08, self_disagreement_calls=100)
        write_recording(recording([[1, 0]], 5, about=about), out)
        shown = words(cli("recording", "show", out).stdout)
        assert "d0 8.0 % of 100 double calls of the last tier differ" in shown

    def test_as_json(self, cli, out):
        """--json gives exact amounts as text, and numbers for the rest."""
        write_recording(recording([[1, 0]], [[7, 9]]), out)
        data = json.loads(cli("recording", "show", out, "--json").stdout)
        assert data["tiers"][0]["cost_usd"] == "0.000000000007"
        assert (data["requests"], data["gaps"], data["slices"]) == (1, 0, {"": 1})
        assert data["about"]["content"] == "full"

    def test_nothing_known(self, cli, out):
        """A recording of nothing but gaps and unknowns is shown as that."""
        made = recording(
            [[np.nan, np.nan]], -1, answered=np.zeros((1, 2), bool), signals={"x": np.zeros((1, 2))}
        )
        write_recording(made, out)
        assert "t0 0 0 - unknown -" in words(cli("recording", "show", out).stdout)

    def test_no_recording(self, cli, table):
        """A file that is none ends with 2 and one line."""
        done = cli("recording", "show", table, "--json")
        assert (done.exit_code, "is no Parquet" in json.loads(done.stdout)["error"]) == (2, True)


class TestImportOfTables:
    def test_a_table(self, cli, table, out):
        """A table becomes a recording, is shown, and what was written is said on standard error."""
        done = cli("recording", "import", table, "-o", out)
        assert (done.exit_code, "2 requests by 2 tiers written to" in words(done.stderr)) == (
            0,
            True,
        )
        assert "small 2 2 50.0 % $0.001" in words(done.stdout)
        assert read_recording(out).names == ("small", "big")

    def test_one_of_each(self, cli, table, out):
        """One request is one request."""
        done = cli("recording", "import", table, "-o", out, "--tiers", "small", "--where", "task=x")
        assert "1 request by 1 tier written to" in words(done.stderr)

    def test_a_missing_file(self, cli, tmp_path, out):
        """It is named once."""
        done = cli("recording", "import", tmp_path / "none.csv", "-o", out)
        assert words(done.stderr).count("cannot be read") == 1

    def test_options(self, cli, table, out, tmp_path):
        """Tiers, witnesses, prices, columns, signals and rows are as the options say."""
        prices = tmp_path / "prices.json"
        prices.write_text('{"top": {"in": 0.3, "out": 1}}')
        done = cli(
            *(
                "recording",
                "import",
                table,
                "-o",
                out,
                "--tiers",
                "top=big",
                "--witnesses",
                "small",
            ),
            *("--prices", prices, "--column", "text=", "--signal", "completion_tokens", "--json"),
            *("--where", "task=x", "--scale", "0,2", "--estimate-tokens"),
        )
        data = json.loads(done.stdout)
        assert [(t["tier"], t["model"], t["role"]) for t in data["tiers"]] == [
            ("top", "big", "tier"),
            ("small", "small", "witness"),
        ]
        assert data["tiers"][0]["cost_usd"] == "0.000008"
        assert (data["requests"], data["with_text"], list(data["signals"])) == (
            1,
            0,
            ["completion_tokens"],
        )
        assert data["tiers"][0]["quality"] == 0.5

    def test_requests_without_text(self, cli, table, out, tmp_path):
        """How many requests have no text is said, and of which the table of requests says none."""
        done = cli("recording", "import", table, "-o", out)
        assert "2 of 2 requests have no text: no scorer can judge" in words(done.stdout)
        queries = tmp_path / "queries.csv"
        queries.write_text("query_id,prompt\na,What?\nc,Why?\n")
        done = cli("recording", "import", table, "--queries", queries, "-o", out)
        assert "1 of 2 requests have no text" in words(done.stdout)
        assert "queries.csv lacks 1 of 2 requests" in words(done.stdout)
        queries.write_text("query_id,prompt\na,What?\nb,Why?\n")
        done = cli("recording", "import", table, "--queries", queries, "-o", out)
        assert "no text" not in done.stdout
        assert "lacks" not in done.stdout

    def test_wide(self, cli, out, tmp_path):
        """--wide reads a row per request."""
        path = tmp_path / "wide.csv"
        path.write_text("id,question,a_correct,b_correct\n1,?,1,0\n")
        assert cli("recording", "import", path, "--wide", "-o", out).exit_code == 0
        assert read_recording(out).quality.tolist() == [[0.0, 1.0]]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--tag", "x"], "--tag does not go with a table of answers; it is for --store"),
            (["--tiers", "a=big,a=small"], "names 'a' twice"),
            (["--column", "quality"], "--column 'quality': expected NAME=VALUE"),
            (["--where", "=x"], "--where '=x': expected NAME=VALUE"),
            (["--scale", "5"], "--scale '5': expected worst and best"),
            (["--wide", "--queries", "q.csv"], "--queries does not go with --wide"),
            (["--prices", "none.json"], "--prices 'none.json' cannot be read"),
            (
                ["--store", "traces.sqlite3"],
                "give a table of answers, or --store with a trace store",
            ),
        ],
    )
    def test_calls_that_cannot_work(self, cli, table, out, options, said):
        """A wrong call ends with 2 and says what was expected; nothing is written."""
        done = cli("recording", "import", table, "-o", out, *options)
        assert (done.exit_code, said in words(done.stderr)) == (2, True)
        assert not out.exists()

    @pytest.mark.parametrize(
        ("content", "said"), [("no", "is no JSON"), ("[]", "expected an object of prices")]
    )
    def test_prices_that_are_none(self, cli, table, tmp_path, content, said):
        """A file without prices is named."""
        path = tmp_path / "prices.json"
        path.write_text(content)
        out = tmp_path / "out.parquet"
        done = cli("recording", "import", table, "-o", out, "--prices", path)
        assert (done.exit_code, said in words(done.stderr)) == (2, True)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("a.csv", "no column is the model"),
            ("a.parquet", "a.parquet' cannot be read"),
            ("a.txt", "a.txt' ends in '.txt'; expected one of"),
        ],
    )
    def test_files_that_are_no_table(self, cli, tmp_path, name, said):
        """A wrong file ends with 2, as a wrong call does."""
        (tmp_path / name).write_text("a,b\n1,2\n")
        done = cli("recording", "import", tmp_path / name, "-o", tmp_path / "out.parquet")
        assert (done.exit_code, said in words(done.stderr)) == (2, True)

    def test_a_recording_is_told_from_a_table(self, cli, chain, out):
        """What is a recording already need not be imported, and asks nothing."""
        done = cli("recording", "import", TICKETS, "-o", out)
        assert (done.exit_code, "is a recording, not a table" in words(done.stderr)) == (2, True)
        done = cli("record", TICKETS, "--chain", chain, "-o", out)
        assert (done.exit_code, "is a recording, not requests" in words(done.stderr)) == (2, True)
        assert not out.exists()

    def test_nothing_is_written_over_what_is_read(self, cli, table):
        """The output may not be the input."""
        done = cli("recording", "import", table, "-o", table)
        assert (done.exit_code, "is the same file as RESPONSES" in words(done.stderr)) == (2, True)


class TestChain:
    """`cascade recording chain` writes a file that the other commands take."""

    def test_from_a_table_to_a_price(self, cli, table, out, tmp_path):
        """An import without prices becomes a chain, whose costs are the recorded ones."""
        done = cli("recording", "import", table, "-o", out)
        assert f"next: cascade recording chain {out}" in words(done.stderr)
        file = tmp_path / "chain.toml"
        done = cli("recording", "chain", out, "-o", file)
        assert (done.exit_code, f"next: cascade what-if {out}" in words(done.stderr)) == (0, True)
        made = load_chain(file)
        assert [tier.model for tier in made] == ["small", "big"]
        assert made.allow_unknown_prices
        assert made.tiers[0].scorer is None  # there is nothing that it could read
        done = cli("what-if", out, "--chain", file, "--json")
        assert json.loads(done.stdout)["chosen"]["total_usd"] == "0.002"

    def test_prices_names_and_scorers(self, cli, table, out, tmp_path):
        """Given prices and tiers' names stay; where texts are there, a scorer holds its place."""
        prices, queries = tmp_path / "prices.json", tmp_path / "queries.csv"
        prices.write_text('{"small": {"in": 0.3, "out": 1}, "big": {"in": 3, "out": 10}}')
        queries.write_text("query_id,prompt\na,What?\nb,Why?\n")
        options = ("--prices", prices, "--queries", queries, "--tiers", "first=small,big")
        cli("recording", "import", table, "-o", out, *options)
        done = cli("recording", "chain", out)
        made = chain_from_dict(tomllib.loads(done.stdout))
        assert (made.allow_unknown_prices, made.tiers[0].name) == (False, "first")
        assert made.price(made.tiers[1]).standard.output == 10
        assert (made.tiers[0].scorer, made.top.scorer) == (NoRefusal(), None)

    def test_scores_that_a_file_brought(self, cli, out):
        """Recorded scores need a scorer that holds their place."""
        write_recording(recording([[1, 1]], [1, 2], score=[[0.5, np.nan]], names=["a", "b"]), out)
        assert "no_refusal" in cli("recording", "chain", out).stdout.split("[[tier]]")[1]

    def test_what_has_a_chain(self, cli, out):
        """A recorded chain has a file, which says more."""
        done = cli("recording", "chain", TICKETS)
        assert (done.exit_code, "use that chain's file" in words(done.stderr)) == (2, True)

    def test_where_it_cannot_be_written(self, cli, table, out, tmp_path):
        """The recording is not written over, and a full disk is told."""
        cli("recording", "import", table, "-o", out)
        done = cli("recording", "chain", out, "-o", out)
        assert (done.exit_code, "is the same file as FILE" in words(done.stderr)) == (2, True)
        done = cli("recording", "chain", out, "-o", "/dev/full")
        assert (done.exit_code, "cannot be written" in words(done.stderr)) == (1, True)


class TestImportOfTraces:
    @pytest.fixture
    def store(self, cli, models, chain, tmp_path):
        """Three served requests, the last of them escalated."""
        path = tmp_path / "traces.sqlite3"
        for prompt in ("hello", "again", "hard one"):
            cli("run", prompt, "--chain", chain, "--store", path, "--tag", prompt.split()[0])
        return path

    def test_served_requests(self, cli, store, chain, out):
        """Kept traces become a recording with gaps where a tier was never asked."""
        done = cli("recording", "import", "--store", store, "--chain", chain, "-o", out)
        assert (done.exit_code, "'big' 2" in words(done.stdout)) == (0, True)
        found = read_recording(out)
        assert (found.names, found.answered.sum()) == (("nano", "big"), 4)
        assert found.tiers[0].settings
        assert found.about.chain == "support"

    def test_with_labels(self, cli, store, out, lines):
        """Labelled requests are joined by what was asked."""
        examples = lines('{"prompt": "hard one", "answer": "yes", "id": "q"}')
        done = cli(
            "recording", "import", "--store", store, "--examples", examples, "-o", out, "--json"
        )
        data = json.loads(done.stdout)
        assert (data["requests"], data["with_reference"], data["gaps"]) == (1, 1, 0)

    def test_filters(self, cli, store, out):
        """Filters of the store apply; none found is told."""
        cli("recording", "import", "--store", store, "--tag", "again", "-o", out)
        assert len(read_recording(out)) == 1
        done = cli("recording", "import", "--store", store, "--tag", "nope", "-o", out)
        assert (done.exit_code, "has a tag 'nope'; there are" in words(done.stderr)) == (2, True)
        assert "there is no trace to make a recording of" in words(done.stderr)

    def test_damaged_traces(self, cli, store, out):
        """A damaged trace is named and left out; the others are imported, and the end is 1."""
        import sqlite3

        with closing(sqlite3.connect(store)) as base, base:
            base.execute("update traces set json = '{}' where rowid = 1")
        done = cli("recording", "import", "--store", store, "-o", out)
        assert (done.exit_code, "1 damaged traces left out" in words(done.stderr)) == (1, True)
        assert len(read_recording(out)) == 2

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--tiers", "nano"], "--tiers does not go with --store"),
            (["--since", "yesterday-ish"], "since"),
        ],
    )
    def test_calls_that_cannot_work(self, cli, store, out, options, said):
        """What is for tables does not go with a store."""
        done = cli("recording", "import", "--store", store, "-o", out, *options)
        assert (done.exit_code, said in words(done.stderr)) == (2, True)

    def test_neither(self, cli, out):
        """One of the two must be given."""
        done = cli("recording", "import", "-o", out)
        assert (done.exit_code, "give a table of answers, or --store" in words(done.stderr)) == (
            2,
            True,
        )
