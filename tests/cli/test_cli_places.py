"""Where commands write is looked at before they work, and a store is named in the same ways."""

import json
from pathlib import Path

import pytest

from cascade.cli.files import check_folder, check_place
from cascade.cli.output import UsageError

WRITING = {
    "report": ("report", "none.parquet", "-o"),
    "report-charts": ("report", "none.parquet", "--charts"),
    "certify": ("certify", "none.parquet", "--chain", "none.toml", "-o"),
    "certify-chain": ("certify", "none.parquet", "--chain", "none.toml", "--chain-output"),
    "certify-ledger": ("certify", "none.parquet", "--chain", "none.toml", "--ledger"),
    "record": ("record", "none.jsonl", "--chain", "none.toml", "-o"),
    "import": ("recording", "import", "none.csv", "-o"),
    "run": ("run", "hello", "--chain", "none.toml", "--store", "new.db", "-o"),
    "demo": ("demo", "-o"),
    "html": ("trace", "html", "-o"),
    "export": ("trace", "export", "-o"),
}
"""Calls whose every input is missing or empty: what is said first is what was looked at first."""


@pytest.mark.parametrize("args", WRITING.values(), ids=WRITING)
def test_a_place_is_looked_at_before_the_work(cli, tmp_path, monkeypatch, args):
    """A place where nothing can be written ends any command with 2 before it reads or asks."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("kept")
    Path("none.parquet").touch()  # a recording that is not there would be told first
    done = cli(*args, "file/x")
    assert done.exit_code == 2, done.output
    assert (
        f"error: {args[-1] if args[-1] != '-o' else '--output'} 'file/x' cannot be" in done.stderr
    )
    assert "is no folder" in " ".join(done.stderr.split())
    assert {path.name for path in tmp_path.iterdir()} == {"file", "none.parquet"}
    assert Path("file").read_text() == "kept"


def test_what_is_wrong_with_a_place(tmp_path, monkeypatch):
    """Each mistake is named with what to do; a place that is fine is left as it is."""
    check_place(None)
    check_place(tmp_path / "new.html")
    check_folder(None, "--charts")
    check_folder(tmp_path / "made" / "later", "--charts")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="it is a folder; name a file in it"):
        check_place(tmp_path)
    with pytest.raises(UsageError, match=r"there is no folder .*; make it, or name another"):
        check_place(tmp_path / "none" / "x", "--chain-output")
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    with pytest.raises(UsageError, match=r"--ledger .* may not be written; name another place"):
        check_place(tmp_path / "x", "--ledger")
    with pytest.raises(UsageError, match=r"--charts .* may not be written"):
        check_folder(tmp_path / "x", "--charts")


@pytest.fixture
def kept(cli, models, chain, tmp_path):
    """A store with one trace."""
    store = tmp_path / "kept.db"
    assert cli("run", "hello", "--chain", chain, "--store", store).exit_code == 0
    return store


OVER_A_STORE = [("stats",), ("trace", "list"), ("trace", "export")]


@pytest.mark.parametrize("command", OVER_A_STORE, ids=" ".join)
def test_a_store_is_an_argument_or_an_option(cli, kept, monkeypatch, command):
    """Commands over a store take it either way; the argument wins over the environment."""
    named = cli(*command, "--store", kept)
    assert named.exit_code == 0
    assert named.output
    assert cli(*command, kept).output == named.output
    assert cli(*command, kept, "--store", kept).output == named.output
    monkeypatch.setenv("CASCADE_DATABASE_URL", "other.db")
    assert cli(*command, kept).output == named.output
    both = cli(*command, kept, "--store", "other.db")
    assert (both.exit_code, "give one of them" in both.stderr) == (2, True)
    missing = cli(*command, "nowhere.db")
    assert (missing.exit_code, "no trace store 'nowhere.db'" in missing.stderr) == (2, True)


def test_pages_take_a_store_either_way(cli, tmp_path):
    """`cascade ui` does as well."""
    for args in (["none.db"], ["--store", "none.db"]):
        done = cli("ui", *args)
        assert (done.exit_code, "no trace store 'none.db'" in done.stderr) == (2, True)
    both = cli("ui", "one.db", "--store", "other.db")
    assert (both.exit_code, "give one of them" in both.stderr) == (2, True)


def test_answers_go_to_a_file(cli, models, chain, tmp_path):
    """`-o` is short for `--output` where answers are written, too."""
    out = tmp_path / "answers.jsonl"
    assert cli("run", "hello", "--chain", chain, "-o", out).exit_code == 0
    assert json.loads(out.read_text())["text"] == "a proper answer to hello"
