"""Certificates from the command line: made, shown, checked, and planned for."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cascade.calibration import read_attempts, read_recording, write_recording
from cascade.calibration.imports.recorded_tiers import recorded_tier
from cascade.calibration.proof.splits import SHARES
from cascade.cli import app
from cascade.cli.output import UsageError
from cascade.cli.plan_labels import CERTIFY
from cascade.cli.shares import margin_of, points_of, share_of, target_of
from cascade.config import load_chain
from tests.calibration.builders import recording

CHAIN = """
name = "support"

[[tier]]
model = "nano"
scorer = { use = "length_between", min_words = 3 }
threshold = 0.5
price = { input = "0.20", output = "1.25" }

[[tier]]
model = "big"
price = { input = "5", output = "30" }
"""


def cascade(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def files(tmp_path):
    """A recorded chain whose scorer tells right from wrong; 1,000 requests."""
    chain = tmp_path / "support.toml"
    chain.write_text(CHAIN)
    return chain, recorded(tmp_path, chain, 1_000)


def recorded(folder, chain, n):
    rng = np.random.default_rng(0)
    right = rng.random(n) < 0.7
    quality = np.column_stack([right, np.ones(n)]).astype(float)
    score = np.column_stack([right, np.full(n, np.nan)]).astype(float)
    made = recording(quality, [10**6, 10**9], names=["nano", "big"], score=score)
    built = load_chain(chain)
    tiers = tuple(recorded_tier(built, tier) for tier in built.tiers)
    path = folder / f"support-{n}.parquet"
    write_recording(replace(made, tiers=tiers), path)
    return path


def test_scores_that_a_file_brought_are_certified(files):
    """Scores of an unnamed scorer decide where they are asked for, and the certificate says so."""
    chain, data = files
    made = read_recording(data)
    unnamed = (replace(tier, scorer="", scorer_settings="") for tier in made.tiers)
    write_recording(replace(made, tiers=tuple(unnamed)), data)
    done = cascade(
        "certify", data, "--chain", chain, "--epsilon", 2, "--single", "--scores", "recorded"
    )
    assert done.exit_code == 0, done.output
    assert "nano >= " in done.stdout
    assert "how the scores of 'nano' were made" in done.stdout


def test_a_top_tier_that_is_never_right(files):
    """Where no share of its quality can be kept, the option that asks for points is named."""
    chain, data = files
    made = read_recording(data)
    quality = made.quality.copy()
    quality[:, 1] = 0
    write_recording(replace(made, quality=quality), data)
    done = cascade("certify", data, "--chain", chain, "--single", "--scores", "recorded")
    assert "has quality 0" in done.stderr
    assert "on the command line --epsilon, in Python epsilon=" in done.stderr


def test_a_certificate_is_made_shown_and_checked(files, tmp_path):
    """The command certifies, writes the file and counts the attempt; the others read the file."""
    chain, data = files
    output, served = tmp_path / "certificate.json", tmp_path / "served.toml"
    made = cascade(
        "certify", data, "--chain", chain, "--epsilon", 2, "-o", output,
        "--scores", "recorded", "--chain-output", served,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "at most 2.0 points below big" in made.stdout
    assert f"written: {output}" in made.stderr.replace("\n", "")
    then = f"next: cascade report {data} --certificate {output} --chain {served} --scores recorded"
    assert then.split() == made.stderr.partition("written: ")[2].split()[-len(then.split()) :]
    (attempt,) = read_attempts(f"{data}.attempts")
    assert (attempt.number, attempt.epsilon) == (1, 0.02)

    shown = cascade("certificate", "show", output)
    assert shown.exit_code == 0
    assert "attempt" in shown.stdout
    as_data = json.loads(cascade("certificate", "show", output, "--json").stdout)
    assert as_data["epsilon_points"] == 2

    holds = cascade("certificate", "check", output, "--chain", served)
    assert holds.exit_code == 0, holds.output
    assert holds.stdout.startswith("It holds.")
    checked = json.loads(
        cascade("certificate", "check", output, "--chain", served, "--json").stdout
    )
    assert (checked["holds"], checked["notes"]) == (True, [])


def test_a_changed_chain_is_void(files, tmp_path):
    """Another model makes the check end with 1 and name the change."""
    chain, data = files
    output, served = tmp_path / "certificate.json", tmp_path / "served.toml"
    cascade("certify", data, "--chain", chain, "--single", "-o", output,
            "--scores", "recorded", "--chain-output", served)  # fmt: skip
    served.write_text(served.read_text().replace('model = "nano"', 'model = "pico"\nname = "nano"'))
    found = cascade("certificate", "check", output, "--chain", served)
    assert found.exit_code == 1
    assert "model is 'pico'; certified was 'nano'" in found.stderr.replace("\n", " ")
    policy = '[policy]\non_empty = "accept"\n'
    served.write_text(served.read_text().replace("[policy]\n", policy))
    both = cascade("certificate", "check", output, "--chain", served, "--json")
    assert both.exit_code == 1
    lines = [line.strip() for line in both.stderr.splitlines()]
    assert "tier 'nano': model is 'pico'; certified was 'nano';" in lines
    assert "policy: on_empty is 'accept'; certified was 'escalate';" in lines
    assert json.loads(both.stdout)["holds"] is False


def test_the_same_command_again_is_the_same_attempt(files):
    """Running it twice spends nothing more; another margin does, and then none is the only one."""
    chain, data = files
    for margin in (2, 2, 3):
        assert cascade(
            "certify", data, "--chain", chain, "--epsilon", margin, "--scores", "recorded"
        ).exit_code == 0  # fmt: skip
    assert [attempt.number for attempt in read_attempts(f"{data}.attempts")] == [1, 2]
    refused = cascade("certify", data, "--chain", chain, "--single", "--scores", "recorded")
    assert refused.exit_code == 2
    words = refused.stderr.replace("\n", " ")
    assert "counts 2 attempts on them, the last on 20" in words
    assert "for 3.0 points; leave out single (--single), which makes this attempt 3" in words
    assert len(read_attempts(f"{data}.attempts")) == 2


def test_a_single_attempt_is_not_counted(files):
    """Where nothing was tried before, it spends the whole error and writes no ledger."""
    chain, data = files
    single = cascade(
        "certify", data, "--chain", chain, "--single", "--json", "--scores", "recorded"
    )
    assert "next: the same command with --chain-output" in single.stderr
    found = json.loads(single.stdout)
    assert (found["attempt"], found["spent"]) == (0, found["delta"])
    assert not Path(f"{data}.attempts").exists()


def test_too_few_labels_end_with_1_and_a_number(files, tmp_path):
    """Where the labels do not carry it, the message says how many more would."""
    chain, _ = files
    data = recorded(tmp_path, chain, 120)
    found = cascade("certify", data, "--chain", chain, "--epsilon", 2, "--json",
                    "--scores", "recorded")  # fmt: skip
    assert found.exit_code == 1
    assert re.search(
        r"about \d+ more to certify on \([\d,]+ in all\) would do if they are alike, "
        r"i.e. some [\d,]+ recorded, of which 40 % certify",
        json.loads(found.stdout)["error"],
    )


def test_answers_that_were_not_graded_count_as_wrong(files, tmp_path):
    """Unless they are to be left out, which the promise then says."""
    chain, data = files
    made = read_recording(data)
    quality = made.quality.copy()
    quality[::5, 0] = np.nan
    part = tmp_path / "part.parquet"
    write_recording(replace(made, quality=quality), part)
    said = "certify", part, "--chain", chain, "--epsilon", 2, "--scores", "recorded"
    refused = cascade(*said)
    assert refused.exit_code == 1
    assert "of them not graded" in refused.stderr.replace("\n", " ")
    left_out = cascade(*said, "--missing", "drop")
    assert left_out.exit_code == 0, left_out.output
    assert "not graded were left out" in left_out.stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "98%", "--epsilon", "2"], "give one"),
        (["--single", "--ledger", "x"], "leave --ledger out"),
        (["--epsilon", "two"], "'two' is no number"),
        (["--confidence", "950"], "expected a share"),
        (["--confidence", "100"], "expected percent above 0 and below 100"),
        (["--epsilon", "100"], "expected points of quality from 0 and below 100"),
        (["--epsilon", "0.05"], "did you mean 5 (points)? Write 0.05% if not"),
        (["--target", "0.05"], "keeps 5 % of the quality: did you mean 95%? Write 5% if not"),
    ],
)
def test_calls_that_cannot_work_end_with_2(files, options, words):
    """Contradictions and numbers that are none are refused before anything is looked at."""
    chain, data = files
    found = cascade("certify", data, "--chain", chain, *options)
    assert found.exit_code == 2
    assert words in found.stderr.replace("\n", " ")
    assert not read_attempts(f"{data}.attempts")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epsilon", "0"], "expected points of quality above 0 and below 100"),
        (["--epsilon", "0.02"], "did you mean 2 (points)?"),
        (["--power", "100"], "--power '100': expected percent above 0 and below 100"),
        (["--confidence", "100"], "--confidence '100': expected percent above 0 and below 100"),
        (["--harm", "60", "--gain", "50"], "expected percent of requests"),
        (["--acceptance", "0"], "expected percent of requests above 0"),
    ],
)
def test_plans_that_cannot_be_are_refused_in_points_and_percent(options, words):
    """What is asked in points and percent is refused in them, by the option's name."""
    found = cascade("plan-labels", *options)
    assert found.exit_code == 2
    assert words in found.stderr.replace("\n", " ")


def test_a_certificate_that_is_none_is_refused(tmp_path):
    """A file of another kind ends with 2 and is named."""
    (tmp_path / "x.json").write_text("{}")
    found = cascade("certificate", "show", tmp_path / "x.json")
    assert found.exit_code == 2
    assert "no certificate" in found.stderr


def test_labels_are_planned():
    """The table holds the margin asked for, the recommendation its numbers."""
    found = cascade("plan-labels", "--epsilon", 2, "--harm", 1, "--gain", 0.5, "--acceptance", 60)
    assert found.exit_code == 0
    (row,) = [line.split() for line in found.stdout.splitlines() if line.split()[0] == "2"]
    assert int(row[1]) == pytest.approx(597, rel=0.02)
    assert int(row[2]) == pytest.approx(0.6 * int(row[1]), abs=1)
    assert row[3] == "151"
    assert f"certify on {row[1]} requests, of which {row[2]} need a label" in found.stderr
    recorded = f"{math.ceil(int(row[1]) / SHARES[1]):,}"
    assert f"40 % of a recording certify: record some {recorded} requests" in found.stderr
    assert SHARES[1] == CERTIFY
    assert "no number" in found.stdout  # half a point, with half a point of net harm


def test_a_later_attempt_is_planned_for():
    """The error that an attempt may make is what is planned with."""
    plain = json.loads(cascade("plan-labels", "--harm", 0, "--json").stdout)
    third = json.loads(cascade("plan-labels", "--harm", 0, "--attempt", 3, "--json").stdout)
    assert plain["requests"] == 151
    assert third["requests"] > 250
    assert third["delta"] == pytest.approx(0.00338, abs=1e-5)


def test_what_no_labels_certify_ends_with_1():
    """Net harm beyond the margin is refused in words."""
    found = cascade("plan-labels", "--epsilon", 2, "--harm", 3)
    assert found.exit_code == 1
    assert "no number of labels" in found.stderr


def test_shares_are_read_as_people_write_them():
    """Percent signs, percent and shares mean the same; points are always points."""
    assert share_of("98%", "-") == share_of("98", "-") == share_of("0.98", "-") == 0.98
    assert share_of("1%", "-") == 0.01
    assert share_of("1", "-") == 1
    assert points_of("2", "-") == points_of(" 2 % ", "-") == 0.02
    assert points_of("0.5", "-") == 0.005
    assert margin_of("0", "-") == 0
    assert margin_of("0.05%", "-") == pytest.approx(0.0005)
    assert target_of("5%", "-") == 0.05
    assert target_of("98", "-") == target_of("0.98", "-") == 0.98
    for text in ("-1", "101", "x", "nan"):
        with pytest.raises(UsageError):
            share_of(text, "--target")
        with pytest.raises(UsageError):
            points_of(text, "--epsilon")
