"""Command: real processes that pass, fail, hang, flood, fork and pry."""

import contextlib
import os
import selectors
import sys
import tempfile
import time
from pathlib import Path

import pytest
from scoring_help import draft_of, judged

from cascade import Abstained, ConfigError, Draft, Failed, Reply, Request, Score
from scorers import Command
from scorers.bounded_run import _feed

PYTHON = sys.executable


def run(code, answer="4", **settings):
    return Command([PYTHON, "-c", code], **settings)(draft_of(answer))


def test_exit_code_zero_accepts():
    """The answer comes on standard input; the last line written is the reason."""
    outcome = run("import sys; print('read', sys.stdin.read())")
    assert outcome == Score(1.0, "exit code 0: read 4")
    assert run("raise SystemExit('wrong sum')").reason == "exit code 1: wrong sum"


def test_a_file_takes_the_place_of_standard_input():
    """`{answer}` and `{request}` stand for files; nothing of an answer is read by a shell."""
    code = (
        "import sys, json; a, r = sys.argv[1:]; "
        "assert a.endswith('.py') and sys.stdin.read() == ''; "
        "print(open(a).read(), json.load(open(r))['messages'][0]['content'])"
    )
    scorer = Command([PYTHON, "-c", code, "{answer}", "{request}"], suffix=".py")
    draft = Draft(Request.build("Why?"), Reply("$(touch /tmp/x); `id`"))
    assert scorer(draft).reason == "exit code 0: $(touch /tmp/x); `id` Why?"


def test_each_request_may_bring_its_own_tests():
    """`{reference}` stands for a file with that label of the request; without it there is no say."""
    code = "import sys; a, r = map(open, sys.argv[1:]); exec(a.read() + '\\n' + r.read())"
    scorer = Command([PYTHON, "-c", code, "{answer}", "{reference}"])
    tested = Request.build("Write f.", metadata={"reference": "assert f(2) == 4"})
    assert scorer(Draft(tested, Reply("f = lambda x: x * x"))).value == 1.0
    assert scorer(Draft(tested, Reply("f = lambda x: x"))).value == 0.0
    outcome = scorer(draft_of("f = 1"))
    assert outcome == Abstained("the request's metadata holds no reference to judge by")


def test_code_is_taken_out_of_its_blocks():
    """With `answer="code"` the blocks are run, and an answer without any as it stands."""
    said = "Here:\n```python\nx = 2\n```\nand\n```\nassert x == 2\n```\n"
    scorer = Command([PYTHON, "-I", "{answer}"], answer="code", suffix=".py")
    assert scorer(draft_of(said)).value == 1.0
    assert scorer(draft_of("assert False")).value == 0.0
    assert scorer(draft_of("```\nassert False\n```")).reason == "exit code 1: AssertionError"


def test_a_command_that_hangs_has_not_passed():
    """After its time the command is killed, with all that it started."""
    marker = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); "
    begun = time.monotonic()
    outcome = run(marker + "print(p.pid, flush=True); time.sleep(60)", timeout_s=0.7)
    assert outcome.value == 0.0
    assert outcome.reason.startswith("it did not end within 0.7 s: ")
    assert time.monotonic() - begun < 10
    child = int(outcome.reason.rpartition(" ")[2])
    assert not alive(child)


def alive(pid):
    """Whether a process runs; one that waits for its parent to look does not."""
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


def test_one_that_closes_its_output_and_works_on_is_stopped_too():
    """A command without output is still bounded by its time."""
    code = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    assert run(code, timeout_s=0.7).reason == "it did not end within 0.7 s"


def test_what_it_leaves_behind_does_not_hold_the_request_up():
    """The command ends; a child that keeps its output open is killed, and the exit code counts."""
    begun = time.monotonic()
    outcome = run("import subprocess; subprocess.Popen(['sleep', '60']); print('done')")
    assert outcome == Score(1.0, "exit code 0: done")
    assert time.monotonic() - begun < 8


def test_a_flood_is_stopped():
    """Output beyond the bound ends the run."""
    outcome = run("while True: print('x' * 1000)", max_output_bytes=5_000)
    assert outcome == Score(0.0, "it wrote more than 5,000 bytes")


def test_a_long_answer_to_a_command_that_does_not_read_does_no_harm():
    """A broken pipe and a full one end as the command ends."""
    assert run("pass", "x" * 1_000_000).value == 1.0
    assert run("import time; time.sleep(60)", "x" * 1_000_000, timeout_s=0.5).value == 0.0
    code = "import sys; print(len(sys.stdin.read()))"
    assert run(code, "x" * 1_000_000).reason == "exit code 0: 1000000"


def test_keys_are_not_passed_unless_asked_for(monkeypatch):
    """The environment is small; a name that is asked for, and what is given, is passed."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    assert run(code).reason == "exit code 0: ['HOME', 'LANG', 'PATH', 'TMPDIR']"
    shown = run(
        "import os; print(os.environ['OPENAI_API_KEY'], os.environ['CI'])",
        pass_env=["OPENAI_API_KEY", "NOT_SET"],
        env={"CI": "1"},
    )
    assert shown.reason.endswith("sk-secret 1")
    assert "sk-secret" not in repr(Command([PYTHON], env={"K": "sk-secret"}))


def test_it_runs_in_an_empty_folder_that_goes_away(tmp_path):
    """Unless a folder is given."""
    outcome = run("import os; print(os.getcwd(), os.listdir())")
    folder = outcome.reason.split()[3]
    assert outcome.reason.endswith("[]")
    assert not Path(folder).exists()
    assert run("import os; print(os.getcwd())", cwd=str(tmp_path)).reason.endswith(str(tmp_path))


def test_other_endings():
    """A signal rejects, a code may abstain, a launcher without a program fails."""
    assert run("import os; os.kill(os.getpid(), 11)").reason == "killed by signal 11"
    assert run("raise SystemExit(5)", abstain_codes=[5]) == Abstained("exit code 5")
    failed, _ = judged(Command(["sh", "-c", "no-such-program"]), draft_of("x"))
    assert isinstance(failed, Failed)
    assert "exit code 127" in failed.reason


def test_a_program_that_vanished_fails(tmp_path):
    """What cannot be started is the scorer's failure, not the answer's."""
    program = tmp_path / "check.sh"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    scorer = Command(["./check.sh"], cwd=str(tmp_path))
    assert judged(scorer, draft_of("x"))[0].value == 1.0
    program.unlink()
    assert isinstance(judged(scorer, draft_of("x"))[0], Failed)


def test_it_runs_on_a_thread_of_its_own():
    """A command takes time, so it makes no promise to be quick."""
    assert not getattr(Command([PYTHON]), "inline", False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"argv": "pytest -q"}, "no shell reads it"),
        ({"argv": []}, "argv is empty"),
        ({"argv": ["a", 1]}, "no list of texts"),
        ({"argv": ["a\0b"]}, "no list of texts"),
        ({"argv": ["no-such-program-here"]}, "not found"),
        ({"argv": ["./check.sh"]}, "is relative"),
        ({"argv": ["./check.sh"], "cwd": "/"}, "not found"),
        ({"argv": [PYTHON], "timeout_s": 0}, "timeout_s 0"),
        ({"argv": [PYTHON], "timeout_s": float("inf")}, "timeout_s inf"),
        ({"argv": [PYTHON], "timeout_s": float("nan")}, "timeout_s nan"),
        ({"argv": [PYTHON], "max_output_bytes": 0}, "max_output_bytes 0"),
        ({"argv": [PYTHON], "answer": "all"}, "answer 'all'"),
        ({"argv": [PYTHON], "suffix": "/x"}, "suffix '/x'"),
        ({"argv": [PYTHON], "cwd": "/no/such/place"}, "is no folder"),
        ({"argv": [PYTHON], "env": ["A=1"]}, "env is no mapping"),
        ({"argv": [PYTHON], "env": {"A": 1}}, "env is no mapping"),
        ({"argv": [PYTHON], "pass_env": "PATH"}, "pass_env 'PATH'"),
        ({"argv": [PYTHON], "abstain_codes": [0]}, "abstain_codes"),
        ({"argv": [PYTHON], "abstain_codes": 5}, "abstain_codes 5"),
    ],
)
def test_mistakes_surface_when_the_scorer_is_made(settings, words):
    """A setting that cannot work is refused by name."""
    with pytest.raises(ConfigError, match=words):
        Command(**settings)


def test_where_a_zombie_cannot_be_seen_the_end_is_still_found(monkeypatch):
    """Systems without waitid learn of the end by reaping."""
    monkeypatch.delattr("os.waitid")
    assert run("import os, time; os.close(1); os.close(2); time.sleep(0.1)").value == 1.0


def test_a_full_pipe_is_written_to_later():
    """A pipe that takes nothing now keeps its bytes for the next time."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with open(read_end, "rb"), open(write_end, "wb", buffering=0) as pipe:  # noqa: PTH123
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(write_end, b"x" * 65_536)
        with selectors.DefaultSelector() as ready:
            assert _feed(pipe, b"more", ready) == b"more"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_command_that_cannot_be_killed_is_left_behind(monkeypatch):
    """One that became another user is waited for a while, and then reported as stopped."""
    pids = []

    def refuse(pid, sig):
        pids.append(pid)
        raise PermissionError

    monkeypatch.setattr("scorers.bounded_run.os.killpg", refuse)
    monkeypatch.setattr("scorers.bounded_run.PATIENCE_S", 0.05)
    outcome = run("import time; time.sleep(2)", timeout_s=0.3)
    assert outcome.reason == "it did not end within 0.3 s"
    os.kill(pids[0], 9)
    os.waitpid(pids[0], 0)


def test_windows_is_refused(monkeypatch):
    """Without process groups nothing can be stopped for sure."""
    monkeypatch.setattr("scorers.command.os.name", "nt")
    with pytest.raises(ConfigError, match="process groups"):
        Command([PYTHON])


def test_a_left_over_process_does_not_cost_the_verdict(monkeypatch, tmp_path):
    """One that left the group and keeps writing into the folder only leaves litter behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    litter = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); os.close(0); os.close(1); os.close(2)\n"
        "    end = time.monotonic() + 1\n"
        "    while time.monotonic() < end:\n"
        "        for n in range(100):\n"
        "            try: os.makedirs(f'../{n}/{n}', exist_ok=True)\n"
        "            except OSError: pass\n"
        "    os._exit(0)\n"
        "time.sleep(0.2)\n"
    )
    assert run(litter).value == 1.0
