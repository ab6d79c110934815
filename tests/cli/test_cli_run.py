"""`cascade run`: answers on standard output, words about them on standard error, honest exit codes."""

import json
import signal
import sys
import time
from decimal import Decimal

import pytest

from cascade import Trace, TraceStore


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def asking(chain, tmp_path):
    """Arguments that name a chain and a file for answers, and that file."""
    out = tmp_path / "out.jsonl"
    return ("--chain", chain, "--output", out), out


class TestOnePrompt:
    def test_prints_the_answer(self, cli, models, chain):
        """The answer goes to standard output, its cost to standard error."""
        done = cli("run", "hello", "--chain", chain)
        assert (done.exit_code, done.stdout) == (0, "a proper answer to hello\n")
        assert "accepted by nano · cost $0.00000" in done.stderr

    def test_json(self, cli, models, chain):
        """With --json standard output is one object that holds a readable trace."""
        done = cli("run", "hello", "--chain", chain, "--json")
        data = json.loads(done.stdout)
        assert (data["text"], data["tier"], data["accepted"]) == (
            "a proper answer to hello",
            "nano",
            True,
        )
        assert Trace.from_dict(data["trace"]).cost_usd == Decimal(data["cost_usd"])
        assert done.stderr == ""

    def test_a_prompt_from_standard_input(self, cli, models, chain):
        """A prompt of "-" is read from standard input."""
        assert (
            "answer to from stdin" in cli("run", "-", "--chain", chain, input="from stdin").stdout
        )

    def test_a_system_message(self, cli, models, chain):
        """--system is put before the prompt."""
        cli("run", "hello", "--chain", chain, "--system", "be brief")
        assert models.calls[0].payload["messages"][0] == {"role": "system", "content": "be brief"}

    def test_a_trace(self, cli, models, chain):
        """--show-trace shows both tiers, and the answer alone stays on standard output."""
        done = cli("run", "hard one", "--chain", chain, "--show-trace")
        assert done.stdout == "a proper answer to hard one\n"
        assert "1. nano" in done.stderr
        assert "escalated" in done.stderr
        assert "2. big" in done.stderr

    def test_a_stream(self, cli, models, chain):
        """--stream prints the same answer and never the rejected draft."""
        done = cli("run", "hard one", "--chain", chain, "--stream")
        assert (done.exit_code, done.stdout) == (0, "a proper answer to hard one\n")
        assert "accepted by big" in done.stderr

    @pytest.mark.parametrize("more", [(), ("--stream",), ("--json",)])
    def test_a_failure(self, cli, models, chain, more):
        """A request without an answer ends with 1 and one line that says why."""
        done = cli("run", "fail please", "--chain", chain, *more)
        assert done.exit_code == 1
        assert "invalid: the provider says no" in done.stderr
        assert "Traceback" not in done.stderr
        if more == ("--json",):
            assert json.loads(done.stdout)["trace"]["status"] == "refused"

    def test_a_tool_call(self, cli, models, chain):
        """An answer that is a tool call is printed as JSON."""
        done = cli("run", "use a tool", "--chain", chain)
        assert json.loads(done.stdout)[0]["function"]["name"] == "f"

    def test_an_answer_nobody_accepted(self, cli, models, chain, monkeypatch):
        """A best draft is printed with a warning."""
        done = cli("run", "hard one", "--chain", chain, "--budget", "0.00000001")
        assert done.exit_code == 1
        assert "budget" in done.stderr
        text = chain.read_text().replace(
            "[[tier]]", 'policy = {on_empty = "escalate"}\n[[tier]]', 1
        )
        chain.write_text(text)
        models._script["draft"]["big"] = ""
        done = cli("run", "hard one", "--chain", chain)
        assert (done.exit_code, done.stdout) == (0, "dunno\n")
        assert "warning: no tier accepted" in done.stderr

    def test_an_answer_cannot_act_on_a_terminal(self, cli, models, chain, monkeypatch):
        """Where standard output is a terminal, escape sequences in an answer are taken out."""
        models._script["draft"]["nano"] = "three \x1b[31mred\x07 words\nhere"
        assert "\x1b" in cli("run", "x", "--chain", chain).stdout
        from cascade.cli import output

        class Terminal:
            written = ""

            def isatty(self):
                return True

            def write(self, text):
                self.written += text

            def flush(self):
                pass

        terminal = Terminal()
        monkeypatch.setattr(output.sys, "stdout", terminal)
        output.write("three \x1b[31mred\x07 words\nhere \ud800")
        assert terminal.written == "three red words\nhere "

    def test_keeps_traces(self, cli, models, chain, tmp_path):
        """--store keeps the trace under the content policy asked for."""
        place = tmp_path / "t.db"
        cli("run", "hello", "--chain", chain, "--store", place, "--content", "none")
        with TraceStore(place) as store:
            kept = store.get(store.resolve("last"))
        assert (kept.content, kept.request, kept.tier) == ("none", None, "nano")

    @pytest.mark.parametrize("way", ["prompt", "stream", "file"])
    def test_overrides(self, cli, chain, models, tmp_path, way):
        """Where to start and stop, tags and a parent go with the one request, or with every one."""
        place, file = tmp_path / "t.db", tmp_path / "in.jsonl"
        file.write_text('"hello"\n"there"\n')
        asked = {"prompt": ["hello"], "stream": ["hello", "--stream"], "file": ["--input", file]}
        marks = ("--tag", "night", "--tag", "batch", "--parent", "run-7")
        done = cli(
            "run", *asked[way], "--chain", chain, "--store", place, "--start-at", "big", *marks
        )
        assert done.exit_code == 0
        with TraceStore(place) as store:
            kept = [store.get(row.id) for row in store.list(tag="night", parent="run-7")]
        assert len(kept) == (2 if way == "file" else 1)
        for trace in kept:
            assert [a.verdict for a in trace.attempts] == ["skipped", "accepted"]
            assert trace.tags == ("night", "batch")

    def test_writes_the_answer_to_a_file(self, cli, models, chain, tmp_path, read_lines):
        """--output holds one JSON line for a prompt too."""
        out = tmp_path / "out.jsonl"
        cli("run", "hello", "--chain", chain, "--output", out)
        assert read_lines(out)[0]["text"] == "a proper answer to hello"


class TestWrongCalls:
    @pytest.mark.parametrize(
        ("args", "words"),
        [
            ((), "give either a PROMPT or --input"),
            (("x", "--input", "y"), "give either a PROMPT or --input"),
            (("--input", "y", "--stream"), "go with a PROMPT"),
            (("x", "--stream", "--json"), "exclude each other"),
            (("x", "--chain", "nowhere.toml"), "nowhere.toml"),
            (("x", "--store", "no/where/t.db"), "there is no folder"),
            (("x", "--output", "no/where/t.jsonl"), "cannot be written"),
            (("--input", "nowhere.jsonl"), "cannot be read"),
            (("x", "--budget", "much"), "budget 'much'"),
            (("x", "--deadline", "-1"), "deadline_s"),
            (("",), "the prompt is empty"),
            (("x", "--content", "some"), "some"),
            (("x", "--concurrency", "0"), "concurrency"),
            (("x", "--start-at", "tiny"), "start_at='tiny': no tier 'tiny'"),
            (("x", "--start-at", "big", "--stop-at", "nano"), "comes after stop_at='nano'"),
            (("x", "--tag", " "), "tag ' ' is no text"),
            (("x", "--parent", ""), "parent is ''"),
        ],
    )
    @pytest.mark.usefixtures("models", "elsewhere")
    def test_end_with_2(self, cli, chain, args, words):
        """A call that cannot work ends with 2 and a message that names what is wrong."""
        given = args if "--chain" in args else (*args, "--chain", chain)
        done = cli("run", *given)
        assert done.exit_code == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


class TestFiles:
    def test_every_kind_of_line(self, cli, models, asking, read_lines, lines):
        """Strings, prompts, messages and Batch API lines are answered; bad lines named by number."""
        source = lines(
            '"plain"',
            "",
            '{"prompt": "asked", "temperature": 0, "custom_id": "p"}',
            '{"messages": [{"role": "user", "content": "hard talk"}]}',
            '{"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", '
            '"body": {"model": "x", "messages": [{"role": "user", "content": "batch"}]}}',
            "{broken",
            "[1]",
            '{"custom_id": "u", "url": "/v1/embeddings", "body": {}}',
            '{"url": "/v1/chat/completions", "body": 1}',
            '{"prompt": 1}',
            '{"question": "?"}',
            '{"messages": []}',
            '{"prompt": "fail"}',
        )
        args, out = asking
        done = cli("run", "--input", source, *args, "--system", "s")
        found = {item["line"]: item for item in read_lines(out)}
        assert sorted(found) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
        assert {n: found[n]["tier"] for n in (1, 3, 4, 5)} == {
            1: "nano", 3: "nano", 4: "big", 5: "nano",
        }  # fmt: skip
        assert (found[3]["custom_id"], found[5]["custom_id"]) == ("p", "b")
        for number, words in {
            6: "line 6: this is no JSON",
            7: "line 7: expected a JSON string or object, got list",
            8: "/v1/embeddings",
            9: "body is no object",
            10: "prompt is 1",
            11: "neither prompt, messages, input nor body",
            12: "line 12: messages is []",
            13: "the provider says no",
        }.items():
            assert words in found[number]["error"]
            assert words in done.stderr
        asked = [call.payload for call in models.calls]
        assert all(payload["messages"][0]["content"] == "s" for payload in asked)
        assert done.exit_code == 1
        assert "12: 4 answered, 8 failed" in done.stdout

    @pytest.mark.usefixtures("models")
    def test_an_empty_file_is_said_so(self, cli, asking, lines):
        """A file without a request is no failure, and not passed over in silence."""
        args, _ = asking
        done = cli("run", "--input", lines("", "  "), *args)
        assert (done.exit_code, "holds no request" in done.stderr) == (0, True)

    def test_a_line_has_options_of_its_own(  # noqa: PLR0917  fixtures
        self, cli, models, asking, read_lines, lines, tmp_path
    ):
        """Keywords of `complete` in a line apply to it alone and never reach the API."""
        source = lines(
            '{"prompt": "hard one", "budget": 0.0000001, "tags": ["own"], "parent": "p"}',
            '{"messages": [{"role": "user", "content": "x"}], "start_at": "big", "deadline_s": 60}',
            '{"prompt": "hard two", "stop_at": "nano", "metadata": {"a": "b"}}',
            '{"custom_id": "c", "start_at": "big", "body": {"messages": [{"role": "user", '
            '"content": "y"}]}}',
        )
        args, out = asking
        store = tmp_path / "traces.db"
        cli("run", "--input", source, *args, "--tag", "all", "--store", store)
        found = {item["line"]: item for item in read_lines(out)}
        assert "budget" in found[1]["error"]
        assert [found[n]["tier"] for n in (2, 3, 4)] == ["big", "nano", "big"]
        ours = {"budget", "tags", "parent", "start_at", "stop_at", "deadline_s"}
        assert not any(ours & call.payload.keys() for call in models.calls)
        assert [c.payload["metadata"] for c in models.calls if "metadata" in c.payload] == [
            {"a": "b"}
        ]
        with TraceStore(store) as kept:
            own = list(kept.iter_traces(tag="own"))
            assert [(one.tags, one.parent_id) for one in own] == [(("all", "own"), "p")]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('{"prompt": "x", "budget": "lots"}', "no amount in US dollars"),
            ('{"prompt": "x", "budget": true}', "budget True"),
            ('{"prompt": "x", "deadline_s": -1}', "deadline_s is -1"),
            ('{"prompt": "x", "start_at": 5}', "start_at is 5"),
            ('{"prompt": "x", "start_at": "huge"}', "huge"),
            ('{"prompt": "x", "tags": "a"}', "tags is 'a'"),
            ('{"prompt": "x", "parent": 7}', "parent is 7"),
            ('{"prompt": "x", "messages": []}', "prompt and messages are both given"),
            ('{"prompt": "x", "input": "y"}', "prompt and input are both given"),
            ('{"prompt": "x", "prompt": "y"}', "the key 'prompt' stands twice"),
            ('{"body": {"budget": "1", "messages": [{"role": "user", "content": "x"}]}}', "budget"),
        ],
    )
    @pytest.mark.usefixtures("models")
    def test_a_wrong_option_is_that_lines_failure(  # noqa: PLR0917  fixtures
        self, cli, asking, read_lines, lines, line, words
    ):
        """A wrong value, or a request asked twice over, fails its line; the others are answered."""
        args, out = asking
        done = cli("run", "--input", lines(line, '"fine"'), *args)
        found = {item["line"]: item for item in read_lines(out)}
        assert words in found[1]["error"]
        assert found[2]["tier"] == "nano"
        assert done.exit_code == 1

    @pytest.mark.usefixtures("models")
    def test_the_summary_adds_up(self, cli, asking, read_lines, lines):
        """The summary's cost and saving equal the sums over the lines, to the last digit."""
        source = lines('"one"', '"hard two"', '"three more words"', '"fail"')
        args, out = asking
        done = cli("run", "--input", source, *args, "--json")
        summary = json.loads(done.stdout)["summary"]
        items = read_lines(out)
        assert Decimal(summary["cost_usd"]) == sum(Decimal(i["cost_usd"]) for i in items)
        assert Decimal(summary["saved_usd"]) == sum(
            Decimal(i["saved_usd"]) for i in items if i["saved_usd"]
        )
        assert summary["by_tier"] == {"nano": 2, "big": 1}
        assert (summary["requests"], summary["failed"], summary["basis"]) == (4, 1, "exact")

    def test_without_a_file_for_answers(self, cli, models, chain, lines):
        """Answers go to standard output as JSON lines, the summary to standard error."""
        done = cli("run", "--input", lines('"one"', '"two"'), "--chain", chain)
        assert {json.loads(line)["line"] for line in done.stdout.splitlines()} == {1, 2}
        assert "2: 2 answered" in done.stderr
        whole = cli("run", "--input", lines('"one"'), "--chain", chain, "--json")
        assert json.loads(whole.stdout)["results"][0]["text"] == "a proper answer to one"

    def test_standard_input(self, cli, models, chain):
        """--input - reads requests from standard input."""
        done = cli("run", "--input", "-", "--chain", chain, input='"one"\n"two"\n')
        assert (done.exit_code, len(done.stdout.splitlines())) == (0, 2)

    def test_an_unknown_cost_stays_unknown(self, cli, models, chain, lines):
        """One unknown cost makes the sum unknown, with a lower bound."""
        from cascade.testing import reply

        models._script["draft"]["nano"] = reply("no usage in here", input_tokens=None)
        done = cli("run", "--input", lines('"one"', '"two"'), "--chain", chain)
        assert "cost            unknown, at least $0" in done.stderr
        assert "saved           unknown" in done.stderr

    def test_more_than_the_last_tier_alone(self, cli, models, chain, lines):
        """What was lost against the last tier is called that, and has no sign."""
        from cascade.testing import reply

        models._script["draft"]["nano"] = reply("no", input_tokens=20)  # too short: escalated
        done = cli("run", "--input", lines('"one"'), "--chain", chain)
        assert "lost            $" in done.stderr

    def test_an_account_that_cannot_pay(self, cli, models, chain, lines):
        """After a billing stop no further request is begun."""
        source = lines('"broke"', *['"more"'] * 50)
        done = cli("run", "--input", source, "--chain", chain, "--concurrency", 1)
        assert done.exit_code == 1
        assert len(models.calls) == 1
        assert "cannot pay" in done.stderr

    def test_models_that_break(self, cli, models, chain, lines):
        """An exception nobody foresaw fails its line only."""

        def answer(call):
            if "bad" in call.payload["messages"][-1]["content"]:
                raise RuntimeError("boom")
            return "a proper answer"

        models._script["draft"]["nano"] = answer
        done = cli("run", "--input", lines('"bad"', '"good"'), "--chain", chain)
        assert (done.exit_code, "line 1: RuntimeError: boom" in done.stderr) == (1, True)
        assert "2: 1 answered, 1 failed" in done.stderr


class TestProcesses:
    """What only a process of its own can show."""

    def test_finished_work_survives_an_interrupt(self, process, chain, lines, tmp_path, read_lines):
        """Ctrl-C waits for what is under way, keeps it, prints a summary and exits with 130."""
        out, place = tmp_path / "out.jsonl", tmp_path / "t.db"
        source = lines('"quick"', *['"slow"'] * 20)
        args = ("--chain", chain, "--output", out, "--store", place, "--concurrency", 2)
        run = process("run", "--input", source, *args)
        _wait_for(lambda: out.exists() and out.read_text().count("\n") >= 1)
        run.send_signal(signal.SIGINT)
        stdout, stderr = run.communicate(timeout=30)
        assert run.returncode == 130, stderr
        kept = read_lines(out)
        assert 1 <= len(kept) <= 5
        assert f"{len(kept)}: {len(kept)} answered" in stdout
        assert "interrupted" in stderr
        assert "Traceback" not in stderr
        with TraceStore(place) as store:
            assert store.count() == len(kept)

    def test_a_second_interrupt_leaves_at_once(self, process, chain, lines, tmp_path, read_lines):
        """A second Ctrl-C does not wait for a call that hangs; finished work is still kept."""
        out = tmp_path / "out.jsonl"
        source = lines('"quick"', '"stuck"')
        run = process("run", "--input", source, "--chain", chain, "--output", out)
        _wait_for(lambda: out.exists() and out.read_text().count("\n") >= 1)
        for _ in range(2):
            run.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, stderr = run.communicate(timeout=20)
        assert run.returncode == 130, stderr
        assert [item["error"] is None for item in read_lines(out)] == [True, False]

    def test_an_interrupted_prompt_is_booked(self, process, chain, tmp_path):
        """Ctrl-C during a single request exits with 130 and keeps its trace."""
        place = tmp_path / "t.db"
        run = process("run", "stuck", "--chain", chain, "--store", place)
        _wait_for(place.exists)
        time.sleep(1.0)
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=20)
        assert (run.returncode, "Traceback" in stderr) == (130, False), stderr
        with TraceStore(place) as store:
            assert store.list()[0].status == "cancelled"

    def test_exit_codes(self, process, chain):
        """The process ends with 0, 1 or 2 as documented, without tracebacks."""
        fine = process("run", "hi", "--chain", chain)
        wrong = process("run", "--chain", chain)
        unknown = process("trace", "show", "zz", "--store", "none.db")
        assert fine.communicate(timeout=30)[0] == "this is a long answer to hi\n"
        assert "error: give either" in wrong.communicate(timeout=30)[1]
        assert "no trace store" in unknown.communicate(timeout=30)[1]
        assert (fine.returncode, wrong.returncode, unknown.returncode) == (0, 2, 2)


def _wait_for(condition, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def test_a_warning_is_one_line(process, tmp_path):
    """A model near its end is warned about in one line, without source code."""
    run = process("run", "hi")
    _, stderr = run.communicate(timeout=30)
    assert all(
        line.startswith(("warning: ", "error: ", "accepted", "cancelled"))
        for line in stderr.splitlines()
    )
    assert sys.executable not in stderr
