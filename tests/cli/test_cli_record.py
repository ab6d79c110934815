"""`cascade record`: what it writes, says, and keeps when it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cascade
from cascade.calibration import read_recording
from cascade.cli import app
from cascade.engine.lazy import LazyModels
from cascade.testing import ScriptedModels, failure, reply

CHAIN = """
name = "support"

[[tier]]
model = "nano"
scorer = { use = "length_between", min_words = 3 }
price = { input = "0.20", output = "1.25" }
params = { max_completion_tokens = 9 }

[[tier]]
model = "big"
price = { input = "5", output = "30" }
params = { max_completion_tokens = 9 }
"""

ROOT = str(Path(cascade.__file__).parent.parent)


def answer(call):
    text = call.payload["messages"][-1]["content"]
    if "broke" in text:
        return failure("billing", "no credit left", status=429, code="insufficient_quota")
    if call.model == "nano" and "hard" in text:
        return "dunno"
    return reply(f"the answer to {text}", model=call.model)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a chain and data, and models that answer."""
    made = ScriptedModels({"nano": answer, "big": answer, "wise": answer})
    monkeypatch.setattr("cascade.calibration.recorder.recording_run.live_models", lambda *_: made)
    (tmp_path / "chain.toml").write_text(CHAIN)
    rows = [
        {"id": "a", "prompt": "one", "right": "the answer to one"},
        {"id": "b", "prompt": "hard two", "right": "the answer to hard two"},
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return made


def run(*args):
    return CliRunner().invoke(app, ["record", "data.jsonl", "--chain", "chain.toml", *args])


def test_a_recording_is_written_and_summed_up(place):
    """Per tier what it answered, how well and for how much; then what to do next."""
    done = run("-o", "out.parquet", "--column", "reference=right")
    assert done.exit_code == 0, done.output
    assert "2 of 2" in done.stdout
    assert "50.0 %" in done.stdout
    assert "next: cascade certify out.parquet --chain chain.toml" in done.stdout
    found = read_recording("out.parquet")
    assert found.quality.tolist() == [[1, 1], [0, 1]]
    assert not Path("out.parquet.journal").exists()


def test_the_summary_as_json(place):
    """Amounts are exact, and add up to the charges of the recording."""
    done = run("-o", "out.parquet", "--json", "--metric", "f1", "--column", "reference=right")
    data = json.loads(done.stdout)
    assert data["quality"] == "f1"
    assert data["complete"] == 2
    assert [tier["answered"] for tier in data["tiers"]] == [2, 2]
    assert data["tiers"][0]["scored"] == 1.0
    charges = read_recording("out.parquet").charges.cost_pusd.sum()
    assert round(float(data["spent_usd"]) * 10**12) == charges


def test_without_references_d0_is_told(place):
    """The last tier is asked twice, and how often it disagreed with itself stands there."""
    done = run("-o", "out.parquet", "--double-calls", "1")
    assert done.exit_code == 0, done.output
    assert "no example has a reference" in done.stderr
    assert "d0         0.0 %" in done.stdout
    assert "(1 asked twice)" in done.stdout


def test_a_dry_run_asks_nobody(place):
    """It says how much would be asked and paid, and leaves nothing behind."""
    done = run("--dry-run", "-o", "out.parquet")
    assert done.exit_code == 0
    assert "requests   2 to ask" in done.stdout
    assert "calls      6" in done.stdout  # two of them second answers
    assert "at worst   $" in done.stdout
    assert not place.calls
    assert not Path("out.parquet.journal").exists()
    data = json.loads(run("--dry-run", "--json").stdout)
    assert float(data["least_usd"]) < float(data["expected_usd"]) < float(data["most_usd"])


def test_a_cap_says_what_is_left(place):
    """The run ends with 1, and the same command under a higher cap goes on."""
    done = run("-o", "out.parquet", "--max-cost", "0.0008", "--column", "reference=right")
    assert done.exit_code == 1, done.output
    assert "could break the cap of $0.0008" in done.stderr
    assert "1 of 2 examples are not complete: 2 calls, about $0.0" in done.stderr
    assert len(read_recording("out.parquet")) == 1
    before = len(place.calls)
    done = run("-o", "out.parquet", "--max-cost", "1", "--column", "reference=right")
    assert done.exit_code == 0, done.output
    assert len(place.calls) == before + 2
    assert len(read_recording("out.parquet")) == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "give the file of the recording with -o"),
        (["-o", "data.jsonl"], "the same file as EXAMPLES"),
        (["-o", "x.parquet", "--column", "right"], "expected e.g. reference=gold"),
        (["-o", "x.parquet", "--column", "reference=silver"], "'silver'"),
        (["-o", "x.parquet", "--metric", "normalized"], "did you mean 'normalised'"),
        (["-o", "x.parquet", "--witness", "nobody"], "has no price"),
        (["-o", "no/such/folder/x.parquet"], "cannot be written"),
    ],
)
def test_calls_that_cannot_work(place, args, words):
    """Told in one line, with 2, before anything is asked."""
    done = run(*args)
    assert done.exit_code == 2, done.output
    assert words in done.stderr.replace("\n", " ")
    assert not place.calls


def test_an_account_without_credit_keeps_what_was_paid(place):
    """It ends with 1, names the reason once, and the journal stays."""
    Path("data.jsonl").write_text('{"prompt": "one"}\n{"prompt": "broke"}\n{"prompt": "three"}\n')
    done = run("-o", "out.parquet", "--concurrency", "1")
    assert done.exit_code == 1
    assert "stopped: the account cannot pay" in done.stderr
    assert len(read_recording("out.parquet")) == 2
    assert Path("out.parquet.journal").exists()


def test_one_tier_is_recorded_with_a_word_about_it(place):
    """What cannot be done with a single tier is said before and after."""
    text = CHAIN.split("[[tier]]")
    Path("chain.toml").write_text("[[tier]]".join([text[0], text[2]]))
    done = run("-o", "out.parquet", "--double-calls", "0")
    assert done.exit_code == 0, done.output
    assert "nothing to choose between" in done.stderr
    assert "next: one tier alone has no plan" in done.stdout
    assert "d0         not measured" in done.stdout


def test_what_is_odd_about_a_tier_is_noted(place, monkeypatch):
    """Failures of tiers, scorers and metrics, and unknown costs, stand below the table."""
    script = {"nano": failure("malformed", "HTML"), "big": reply("x", input_tokens=None)}
    made = ScriptedModels(script)
    monkeypatch.setattr("cascade.calibration.recorder.recording_run.live_models", lambda *_: made)
    Path("data.jsonl").write_text('{"prompt": "one", "reference": "no record"}\n')
    done = run("-o", "out.parquet", "--metric", "json")
    words = " ".join(done.stdout.split())
    assert "tier 'nano' answered nothing" in words
    assert "tier 'big': 1 answer could not be graded by 'json'" in words
    assert "tier 'big': the cost of 1 request is unknown" in words
    assert "spent $0, 2 calls of unknown cost" in words


def test_without_a_key_the_dry_run_says_so(place, monkeypatch):
    """A dry run tells what stands in the way, and the run itself ends with 2."""

    def live(client, models, clock):
        return LazyModels("OpenAIModels", client, clock)

    monkeypatch.setattr("cascade.calibration.recorder.recording_run.live_models", live)
    done = run("--dry-run")
    assert done.exit_code == 0
    assert "note       there is no key: set OPENAI_API_KEY" in done.stdout
    done = run("-o", "out.parquet")
    assert done.exit_code == 2
    assert "there is no key" in done.stderr
    assert not Path("out.parquet.journal").exists()


PROGRAM = """
import sys, time
from cascade.calibration.recorder import recording_run
from cascade.cli import main
from cascade.testing import ScriptedModels

def answer(call):
    with open("asked", "a") as file:
        file.write(f"{call.attempt} {call.payload['messages'][-1]['content']}\\n")
    time.sleep(0.15 if call.model == "nano" else SLOW)
    return f"the answer to {call.payload['messages'][-1]['content']}"

class Parallel(ScriptedModels):
    in_order = False

SLOW = float(open("slow").read())
made = Parallel({"nano": answer, "big": answer})
recording_run.live_models = lambda *_: made
sys.argv[0] = "cascade"
main()
"""


def started(folder, slow):
    (folder / "chain.toml").write_text(CHAIN)
    lines = [json.dumps({"id": f"q{i}", "prompt": f"p{i}", "reference": "x"}) for i in range(12)]
    (folder / "data.jsonl").write_text("\n".join(lines))
    (folder / "slow").write_text(str(slow))
    command = [sys.executable, "-c", PROGRAM, "record", "data.jsonl", "--chain", "chain.toml"]
    command += ["-o", "out.parquet", "--concurrency", "3"]
    env = {**os.environ, "PYTHONPATH": ROOT}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=env, text=True, **pipes)


def wait_for(folder, count):
    """Until so many calls have begun."""
    for _ in range(400):
        if asked(folder) and len(asked(folder)) >= count:
            return
        time.sleep(0.05)
    raise AssertionError("the recording did not get going")


def asked(folder):
    file = folder / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_one_interrupt_finishes_what_is_under_way(tmp_path):
    """Ctrl-C: nothing new is begun, the recording so far is written, and the next run goes on."""
    process = started(tmp_path, 0.2)
    wait_for(tmp_path, 8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "finishing what is under way" in err
    assert "the same command goes on" in err
    found = read_recording(tmp_path / "out.parquet")
    assert 3 <= len(found) < 12
    assert found.answered.all()
    assert "next: the same command again" in out
    again = started(tmp_path, 0)
    _, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    calls = asked(tmp_path)
    assert len(calls) == len(set(calls)) == 24
    assert len(read_recording(tmp_path / "out.parquet")) == 12


def test_two_interrupts_leave_and_book_what_is_under_way(tmp_path):
    """Ctrl-C twice: calls under way are booked as unknown, answers that came are asked no more."""
    process = started(tmp_path, 60)
    wait_for(tmp_path, 6)  # three drafts of each tier
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    found = read_recording(tmp_path / "out.parquet")
    assert len(found) == 3
    assert found.answered.tolist() == [[True, False]] * 3
    assert (found.cost_pusd[:, 1] == -1).all()
    again = started(tmp_path, 0)
    _, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    calls = asked(tmp_path)
    assert len([call for call in calls if call.startswith("nano")]) == 12
    assert len([call for call in calls if call.startswith("big")]) == 12 + 3
    assert read_recording(tmp_path / "out.parquet").answered.all()


def test_a_kill_loses_only_what_is_under_way(tmp_path):
    """After kill -9 the next run asks for nothing that had come to its end."""
    process = started(tmp_path, 0.1)
    wait_for(tmp_path, 10)
    process.kill()
    process.communicate(timeout=30)
    journal = (tmp_path / "out.parquet.journal").read_bytes()
    ended = {json.loads(line)["id"] for line in journal.splitlines()[1:] if b'"asked"' in line}
    assert ended
    before = asked(tmp_path)
    again = started(tmp_path, 0)
    _, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    twice = {call.split()[1].replace("p", "q") for call in asked(tmp_path)[len(before) :]}
    assert not twice & ended
    assert len(read_recording(tmp_path / "out.parquet")) == 12


def test_nobody_there_is_told_with_the_first_error(place, monkeypatch):
    """A tier that cannot be reached: why, how often, and the same command as the next step."""

    def unreachable(call):
        return (
            failure("unreachable", "connection refused") if call.model == "nano" else answer(call)
        )

    made = ScriptedModels({"nano": unreachable, "big": answer})
    monkeypatch.setattr("cascade.calibration.recorder.recording_run.live_models", lambda *_: made)
    done = run("-o", "out.parquet", "--column", "reference=right")
    assert done.exit_code == 1
    assert "tier 'nano' failed on 2 requests, first: unreachable: connection refused" in done.stdout
    assert "next: repair what failed, then the same command again" in done.stdout
    assert "cascade certify" not in done.stdout


def test_a_complete_recording_leaves_nothing_to_do(place):
    """The same command again ends with 0, asks nobody and sums up what is there."""
    first = run("-o", "out.parquet", "--column", "reference=right")
    asked = len(place.calls)
    done = run("-o", "out.parquet", "--column", "reference=right")
    assert done.exit_code == 0, done.output
    assert "complete; nothing to do" in done.stderr
    assert len(place.calls) == asked
    assert done.stdout == first.stdout


def test_columns_that_are_not_used_are_named(place):
    """A column without a part, such as a misspelt one, is told on stderr."""
    done = run("--dry-run")
    assert done.stderr.count("columns that are not used: 'right'") == 1
    assert "not used" not in run("--dry-run", "--column", "reference=right").stderr
