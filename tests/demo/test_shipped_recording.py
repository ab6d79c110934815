"""The recording in `examples/recordings`: it is the demo's, and gives what its README prints."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cascade import load_chain
from cascade.calibration import read_recording
from cascade.calibration.fingerprint import tier_fingerprint
from cascade.cli import app
from cascade.demo.job import LABELS, chain_text, tickets

FOLDER = Path(__file__).parents[2] / "examples" / "recordings"
README = (FOLDER / "README.md").read_text()


@pytest.fixture(scope="module")
def recording():
    """The shipped one."""
    return read_recording(FOLDER / "tickets.parquet")


def test_it_is_small_and_whole(recording):
    """Less than a megabyte holds every answer of every tier to every ticket, with its texts."""
    assert (FOLDER / "tickets.parquet").stat().st_size < 1_000_000
    assert recording.ids.tolist() == [ticket.id for ticket in tickets()]
    assert recording.references.tolist() == [ticket.reference for ticket in tickets()]
    assert recording.answered.all()
    assert {text.strip() for text in recording.texts.ravel()} <= set(LABELS)
    assert (recording.cost_pusd > 0).all()


def test_it_is_of_the_chain_beside_it(recording):
    """The chain's file is the demo's, and its tiers are those that were recorded."""
    assert (FOLDER / "tickets.toml").read_text() == chain_text(openai=False)
    chain = load_chain(FOLDER / "tickets.toml")
    recorded = [tier.settings for tier in recording.tiers]
    assert [tier_fingerprint(tier) for tier in chain.tiers] == recorded


def test_the_tiers_differ_clearly(recording):
    """Each tier is right more often than the one below, by five points at least."""
    assert (np.diff(recording.quality.mean(axis=0)) > 0.05).all()


def steps():
    """The commands of the README with the lines they are shown to print."""
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            yield command, shown


def test_the_readme_prints_what_comes(tmp_path, monkeypatch):
    """Every command of the README runs without a model, and prints the lines that are shown."""
    for name in ("tickets.parquet", "tickets.toml"):
        shutil.copy(FOLDER / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for command, shown in steps():
        program, *arguments = shlex.split(command)
        assert program == "cascade"
        result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
        assert result.exit_code == 0, result.output
        printed = [line.rstrip() for line in result.output.splitlines()]
        for line in filter(None, shown.splitlines()):
            assert line in printed, f"{command}: {line!r} is not in\n{result.output}"
    assert (tmp_path / "tickets.html").exists()


def test_what_it_does_not_carry_is_refused(tmp_path):
    """One point is not promised: the command says so and about how many labels would do."""
    file = shutil.copy(FOLDER / "tickets.parquet", tmp_path)
    given = ["certify", str(file), "--chain", str(FOLDER / "tickets.toml"), "--epsilon", "1"]
    result = CliRunner().invoke(app, [*given, "--scores", "recorded"])
    assert result.exit_code == 1
    assert "1.0 point below the top tier cannot be promised" in result.stderr
    assert re.search(r"about [\d,]+ more", result.stderr.replace("\n", " "))
