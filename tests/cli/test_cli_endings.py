"""`cascade run` when it ends badly: what was paid is told, and no file is lost."""

import json
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from cascade import Cascade, Price, Tier, TraceStore
from cascade.cli.output import warn_once
from cascade.cli.stopping import Stop
from cascade.core.failures import CallFailure
from cascade.core.wishes import Try
from cascade.errors import ConfigError
from cascade.testing import ScriptedModels

TOP = [Tier("top", price=Price.free())]
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


def _wait_for(condition, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def without_a_key(call, words):
    """Fail as the provider room does: the call is written down as not sent."""
    failure = CallFailure("unreachable", words)
    call.tries.append(Try("unreachable", 0.0, 0.0, failure=failure))
    raise ConfigError(words)


@pytest.fixture
def second_tier_without_a_key(models, monkeypatch):
    """The second tier's key is missing, which is found when it is asked."""
    asked = models.call

    def call(wish):
        if wish.tier.name == "big":
            without_a_key(wish, "environment variable BIG_KEY is not set")
        return asked(wish)

    monkeypatch.setattr(models, "call", call)


class TestSecondInterrupt:
    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_what_was_paid_is_known(self, process, chain, lines, tmp_path, form):
        """Requests left in their second tier are counted, cost an unknown amount, and are kept."""
        out, place, marks = tmp_path / "out.jsonl", tmp_path / "t.db", tmp_path / "marks"
        source = lines(*[f'"climb {n} {marks}"' for n in range(4)])
        args = ("--output", out, "--store", place, "--concurrency", 4, *form)
        run = process("run", "--input", source, "--chain", chain, *args)
        _wait_for(lambda: marks.exists() and marks.read_text().count("big") == 4)
        for _ in range(2):
            run.send_signal(signal.SIGINT)
            time.sleep(0.2)
        stdout, stderr = run.communicate(timeout=20)
        assert (run.returncode, "Traceback" in stderr) == (130, False), stderr
        assert "4 left under way: the cost is at least $0.0000" in stderr
        items = [json.loads(line) for line in out.read_text().splitlines()]
        assert [(item["cost_usd"], item["basis"]) for item in items] == [(None, "unknown")] * 4
        with TraceStore(place) as store:
            kept = list(store.iter_traces())
        assert {trace.id for trace in kept} == {item["trace_id"] for item in items}
        assert {trace.status for trace in kept} == {"cancelled"}
        known = sum(trace.known_cost_usd for trace in kept)
        assert known > 0
        if form:
            summary = json.loads(stdout)["summary"]
            assert (summary["requests"], summary["left_under_way"]) == (4, 4)
            assert (summary["cost_usd"], summary["basis"]) == (None, "unknown")
            assert Decimal(summary["known_cost_usd"]) == known
        else:
            assert "4: 0 answered, 4 left under way" in stdout
            assert "unknown, at least $0.0000" in stdout

    def test_what_is_ready_is_still_taken(self):
        """Results that are ready when the second interrupt comes are handed out."""
        all_begun = threading.Barrier(3)
        models = ScriptedModels({"top": lambda call: all_begun.wait(10) >= 0 and "yes"})
        models.in_order = False
        many = Cascade(TOP, models=models).complete_many(["a", "b", "c"], ordered=False)
        stop = Stop()
        stop.many = many
        first = next(many)
        time.sleep(0.1)
        stop.on_signal(2, None)
        stop.on_signal(2, None)
        assert [result.unwrap().text for result in [first, *many]] == ["yes"] * 3
        with pytest.raises(KeyboardInterrupt):
            stop.on_signal(2, None)

    def test_the_wait_for_input_ends(self):
        """The first Ctrl-C breaks off the wait for more input, and answers under way come in."""
        stop = Stop()

        def work():
            yield "1"
            stop.on_signal(2, None)
            yield "2"

        llm = Cascade(TOP, models=ScriptedModels({"top": "yes"}))
        results = list(llm.complete_many(stop.reading(work())))
        assert [result.index for result in results] == [0]
        assert stop.interrupted


class TestOutputFile:
    @pytest.mark.parametrize(
        "args",
        [
            ("--input", "nowhere.jsonl"),
            ("x", "--chain", "nowhere.toml"),
            ("",),
            ("x", "--store", "no/where/t.db"),
            ("x", "--budget", "much"),
            ("x", "--deadline", "-1"),
        ],
    )
    @pytest.mark.usefixtures("models")
    def test_a_run_that_cannot_work_empties_nothing(self, cli, chain, tmp_path, monkeypatch, args):
        """An existing file keeps its content where input, chain, prompt, store or limits fail."""
        monkeypatch.chdir(tmp_path)
        out = tmp_path / "precious.jsonl"
        out.write_text("precious\n")
        given = args if "--chain" in args else (*args, "--chain", chain)
        assert cli("run", *given, "--output", out).exit_code == 2
        assert out.read_text() == "precious\n"

    @pytest.mark.usefixtures("models")
    def test_a_missing_key_empties_nothing(self, cli, chain, lines, tmp_path, monkeypatch):
        """An existing file keeps its content where the first tier's key is found missing."""
        monkeypatch.setattr(
            ScriptedModels, "call", lambda self, call: without_a_key(call, "no key")
        )
        out = tmp_path / "precious.jsonl"
        out.write_text("precious\n")
        done = cli("run", "--input", lines('"a"'), "--chain", chain, "--output", out)
        assert (done.exit_code, "no key" in done.stderr) == (2, True)
        assert out.read_text() == "precious\n"

    @pytest.mark.usefixtures("models")
    def test_a_run_replaces_what_was_there(self, cli, chain, lines, tmp_path, read_lines):
        """A run that works replaces the file's content, also where there is nothing to answer."""
        out = tmp_path / "out.jsonl"
        out.write_text("old\n")
        cli("run", "--input", lines('"a"'), "--chain", chain, "--output", out)
        assert [item["line"] for item in read_lines(out)] == [1]
        cli("run", "--input", lines(""), "--chain", chain, "--output", out)
        assert out.read_text() == ""

    @pytest.mark.parametrize("option", ["--input", "--chain", "--store"])
    @pytest.mark.usefixtures("models")
    def test_what_is_read_is_not_written_over(self, cli, chain, lines, tmp_path, option):
        """--output may not be the file of --input, --chain or --store, however it is spelled."""
        source, place = lines('"a"'), tmp_path / "t.db"
        TraceStore(place).close()
        same = {"--input": source, "--chain": chain, "--store": place}[option]
        spelled = tmp_path / ".." / tmp_path.name / same.name
        before = same.read_bytes()
        args = ("--input", source, "--chain", chain, "--store", place, "--output", spelled)
        done = cli("run", *args)
        assert (done.exit_code, f"same file as {option}" in done.stderr) == (2, True)
        assert same.read_bytes() == before
        url = cli("run", "x", "--chain", chain, "--store", f"sqlite:///{place}", "--output", place)
        assert "same file as --store" in url.stderr

    @needs_full
    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_a_full_disk(self, process, chain, lines, form):
        """A full disk ends with 1, one line that says so, and the summary."""
        source = lines(*['"hi"'] * 5)
        run = process("run", "--input", source, "--chain", chain, "--output", FULL, *form)
        stdout, stderr = run.communicate(timeout=30)
        assert (run.returncode, "Traceback" in stderr) == (1, False), stderr
        assert stderr.count("cannot be written: No space left") == 1
        if form:
            assert json.loads(stdout)["summary"]["answered"] >= 1
        else:
            assert "answered" in stderr
        one = process("run", "hi", "--chain", chain, "--output", FULL)
        stdout, stderr = one.communicate(timeout=30)
        assert (one.returncode, "Traceback" in stderr, "cost $" in stderr) == (1, False, True)
        assert stdout == "this is a long answer to hi\n"

    @needs_full
    @pytest.mark.parametrize("args", [("hi",), ("hi", "--stream"), ("--input",)])
    def test_standard_output_on_a_full_disk(self, process, chain, lines, args):
        """Answers that standard output cannot take end with 1, one line and the costs."""
        given = (*args, lines('"hi"')) if "--input" in args else args
        with FULL.open("w") as full:
            run = process("run", *given, "--chain", chain, stdout=full)
            _, stderr = run.communicate(timeout=30)
        assert (run.returncode, "Traceback" in stderr) == (1, False), stderr
        assert "standard output cannot be written: No space left" in stderr
        assert "cost" in stderr


@pytest.mark.usefixtures("second_tier_without_a_key")
class TestMisconfiguredInFlight:
    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_a_file(self, cli, chain, lines, tmp_path, form):
        """What was answered and paid before is written and added up; the error is named once."""
        out = tmp_path / "out.jsonl"
        source = lines('"easy"', '"hard one"', '"hard two"', '"never"')
        args = ("--chain", chain, "--output", out, "--concurrency", 1, *form)
        done = cli("run", "--input", source, *args)
        assert (done.exit_code, done.stderr.count("BIG_KEY")) == (2, 1)
        easy, hard = map(json.loads, out.read_text().splitlines())
        assert (easy["tier"], hard["tier"]) == ("nano", None)
        assert Decimal(hard["cost_usd"]) > 0
        assert "BIG_KEY" in hard["error"]
        if form:
            data = json.loads(done.stdout)
            assert "BIG_KEY" in data["error"]
            paid = Decimal(easy["cost_usd"]) + Decimal(hard["cost_usd"])
            assert Decimal(data["summary"]["cost_usd"]) == paid
        else:
            assert "2: 1 answered, 1 failed" in done.stdout

    def test_one_prompt(self, cli, chain):
        """A single prompt says what its first tier cost, in words and as JSON."""
        done = cli("run", "hard one", "--chain", chain)
        assert (done.exit_code, done.stderr.count("BIG_KEY")) == (2, 1)
        assert "cost $0.0000" in done.stderr
        done = cli("run", "hard one", "--chain", chain, "--json")
        data = json.loads(done.stdout)
        assert (done.exit_code, "BIG_KEY" in data["error"]) == (2, True)
        assert Decimal(data["cost_usd"]) > 0
        assert data["trace"]["status"] == "cancelled"

    def test_nobody_was_asked(self, cli, chain, lines, models, monkeypatch):
        """Where the first tier's key is missing nothing is counted; the error is named once."""
        monkeypatch.setattr(models, "call", lambda call: without_a_key(call, "no key"))
        done = cli("run", "--input", lines('"x"', '"y"'), "--chain", chain)
        assert (done.exit_code, done.stdout, done.stderr.count("no key")) == (2, "", 1)


class TestInterruptedPrompt:
    @pytest.mark.parametrize("form", [(), ("--json",), ("--stream",)])
    def test_says_what_was_spent(self, process, chain, tmp_path, form):
        """Ctrl-C on a single prompt exits with 130 and tells the cost known so far."""
        marks = tmp_path / "marks"
        run = process("run", f"climb {marks}", "--chain", chain, *form)
        _wait_for(lambda: marks.exists() and "big" in marks.read_text())
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=20)
        assert (run.returncode, "Traceback" in stderr) == (130, False), stderr
        assert "interrupted" in stderr
        if "--json" in form:
            data = json.loads(stdout)
            assert (data["cost_usd"], data["error"]) == (None, "interrupted")
            assert data["trace"]["status"] == "cancelled"
        else:
            assert "cancelled · cost unknown, at least $0.0000" in stderr


@pytest.mark.parametrize("module", ["typer", "cascade.cli.commands", "cascade.cli.run"])
def test_an_interrupt_while_the_program_loads(module):
    """Ctrl-C before the first command runs ends with 130 and prints nothing."""
    code = f"""
import sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from cascade.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_an_interrupt_while_a_command_works(cli, monkeypatch):
    """Ctrl-C is told in a word where the command itself has nothing to say of it."""

    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr("cascade.calibration.read_recording", interrupted)
    done = cli("recording", "show", __file__)
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")


def test_a_warning_is_said_once(capsys):
    """A chain that is built again warns in the same words; they are for people to read once."""
    show = warn_once()
    for words in ("one", "two", "one"):
        show(UserWarning(words), UserWarning, "file.py", 1)
    assert capsys.readouterr().err == "warning: one\nwarning: two\n"


@pytest.mark.usefixtures("models")
class TestErrors:
    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("x", "--content", "none"), "--store"),
            (("x", "--concurrency", "4"), "goes with --input"),
        ],
    )
    def test_options_that_do_nothing(self, cli, chain, args, words):
        """An option that could have no effect is refused."""
        done = cli("run", *args, "--chain", chain)
        assert (done.exit_code, words in done.stderr) == (2, True)

    @pytest.mark.parametrize(
        "args",
        [
            ("run", "x", "--chain", "nowhere.toml"),
            ("run", "x", "--concurrency", "0"),
            ("trace", "list", "--store", "nowhere.db"),
            ("prices", "zzz"),
        ],
    )
    def test_are_json_as_well(self, cli, args):
        """With --json a wrong call prints an object with its error, and the words for people."""
        done = cli(*args, "--json")
        assert done.exit_code == 2
        assert json.loads(done.stdout)["error"]
        assert done.stderr

    def test_do_not_speak_of_python(self, cli, chain):
        """An error on the command line says reason and amount, not where Python keeps a trace."""
        done = cli("run", "fail", "--chain", chain)
        assert ".trace" not in done.stderr
        assert "(spent $0)" in done.stderr

    def test_exit_codes_are_documented(self, cli):
        """The help of `cascade run` tells what each exit code means."""
        text = " ".join(cli("run", "--help").stdout.split())
        for words in ("Ends with 0", "with 1 where", "with 2 where", "with 130 after Ctrl-C"):
            assert words in text
