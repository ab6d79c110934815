"""The demo: its data, and what the command records, shows and proves, with scripted models."""

import json
import math
import os
import signal
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace
from zlib import crc32

import pytest
from typer.testing import CliRunner

from cascade import Cascade, load_chain
from cascade.calibration import Certificate, read_recording
from cascade.cli import app
from cascade.core.pricing import model_table
from cascade.demo.job import LABELS, STANDS_IN_FOR, local_chain, openai_chain, tickets
from cascade.demo.servers import GEMMA, SMOLLM
from cascade.testing import ScriptedModels, reply

SERVERS = {
    name: SimpleNamespace(base_url=f"http://127.0.0.1:{port}/v1")
    for name, port in ((SMOLLM, 1), (GEMMA, 2))
}

RIGHT = {"small": 0.6, "medium": 0.7, "large": 0.85, "top": 0.9}
"""How often each scripted tier is right: the hardest tickets are hard for all."""


def sure(label, p):
    """A one-token answer with its probability; the rest of the mass lies on another label."""
    other = next(name for name in LABELS if name != label)
    entry = {
        "token": f" {label}",
        "logprob": math.log(p),
        "top_logprobs": [
            {"token": f" {label}", "logprob": math.log(p)},
            {"token": f" {other}", "logprob": math.log(1 - p)},
        ],
    }
    return reply(f" {label}", logprobs=[entry], input_tokens=100, output_tokens=2)


def scripted():
    """Models that are right where a ticket is easy enough for them, and surer the easier it is."""
    truth = {ticket.request: ticket.reference for ticket in tickets()}

    def tier(share):
        def answer(call):
            text = call.payload["messages"][-1]["content"]
            ease = 1 - crc32(text.encode()) % 1000 / 1000
            right = truth[text]
            wrong = LABELS[(LABELS.index(right) + 1) % 4]
            return sure(right if ease > 1 - share else wrong, 0.4 + 0.55 * ease)

        return answer

    return ScriptedModels({name: tier(share) for name, share in RIGHT.items()})


def test_there_are_six_hundred_tickets_of_four_kinds():
    """The labelled set is balanced, holds no message twice, and says how each one came in."""
    found = tickets()
    assert len(found) == len({ticket.request for ticket in found}) == 600
    assert Counter(ticket.reference for ticket in found) == dict.fromkeys(LABELS, 150)
    assert {ticket.slice for ticket in found} == {"chat", "email"}
    assert [ticket.id for ticket in tickets(2)] == ["t001", "t002"]


def test_no_ticket_is_shown_to_a_model_beforehand():
    """The worked examples and the tickets have no message in common."""
    asked = {ticket.request for ticket in tickets()}
    for chain in (local_chain(SERVERS), openai_chain()):
        for tier in chain.tiers:
            shown = {message["content"] for message in tier.preamble}
            assert len(shown) > 8
            assert not shown & asked


def test_the_chains_are_what_the_command_says():
    """Four local tiers at the list prices of OpenAI's; four tiers of OpenAI's own."""
    local = local_chain(SERVERS)
    for tier in local.tiers:
        assert tier.price.standard == model_table().find(STANDS_IN_FOR[tier.name]).price.standard
    assert [tier.client.base_url[-5:] for tier in local.tiers] == [":1/v1", *[":2/v1"] * 3]
    assert [tier.model for tier in openai_chain().tiers] == list(STANDS_IN_FOR.values())


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Run the command with scripted models in place of the local servers."""

    @contextmanager
    def servers():
        yield SERVERS

    from cascade.calibration.recorder import recording_run
    from cascade.cli import demo_run

    models = scripted()
    monkeypatch.setattr(demo_run, "local_models", servers)
    monkeypatch.setattr(recording_run, "live_models", lambda *_: models)
    monkeypatch.setattr(Cascade, "_answering", lambda self, *_: models)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(app, ["demo", *arguments])

    call.models = models
    return call


def test_the_command_records_shows_proves_and_reports(shown, tmp_path):
    """At 80 columns nothing of the bill is cut off; every file can be used by its own command."""
    result = shown("--limit", "400")
    assert result.exit_code == 0, result.output
    for words in ("400 labelled", "Trace ", "The bill", "together", "Proved: ", "Plan: "):
        assert words in result.output
    assert "…" not in result.output.partition("The bill")[2]
    folder = tmp_path / "cascade-demo"
    assert "cascade-demo/report.html" in result.output
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    recording = read_recording(folder / "tickets.parquet")
    assert len(recording) == 400
    certificate = Certificate.load(folder / "certificate.json")
    assert certificate.epsilon == 0.05
    chain = load_chain(folder / "tickets.toml")
    assert [tier.name for tier in chain.tiers] == list(recording.names)


def test_what_the_labels_do_not_carry_is_said(shown, tmp_path):
    """Forty tickets prove nothing: the command says so, and how many more would do."""
    result = shown("--limit", "40")
    assert result.exit_code == 0, result.output
    assert "Not proved: " in result.output
    assert not (tmp_path / "cascade-demo" / "certificate.json").exists()
    assert (tmp_path / "cascade-demo" / "report.html").exists()


def test_the_command_speaks_json(shown):
    """With --json standard output is one JSON object, words go to standard error."""
    result = shown("--json", "--limit", "40", "--output", "elsewhere")
    summary = json.loads(result.stdout)
    assert summary["requests"] == summary["what_if"]["n"] == 40
    assert [tier["name"] for tier in summary["what_if"]["tiers"]] == list(RIGHT)
    assert summary["certificate"] is None
    assert summary["report"] == "elsewhere/report.html"


def test_nothing_is_asked_twice(shown):
    """A second demo in the same folder takes the recording that is there."""
    assert shown("--limit", "40").exit_code == 0
    before = len(shown.models.calls)
    result = shown("--limit", "40")
    assert result.exit_code == 0
    assert "recorded before" in result.stderr
    assert len(shown.models.calls) - before <= len(RIGHT)  # the one request that is shown


def test_a_recording_of_other_tickets_is_no_stand_in(shown):
    """With another limit the folder's recording is refused, and the next step named."""
    assert shown("--limit", "40").exit_code == 0
    result = shown("--limit", "50")
    assert result.exit_code == 2
    assert "holds 40 tickets, not 50: give --limit 40" in result.stderr.replace("\n", " ")


def test_openai_needs_a_key(shown, monkeypatch):
    """`--openai` without a key is an error that names the variable, before anything is asked."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = shown("--openai")
    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.stderr


def test_a_bad_folder_is_found_first(shown):
    """A folder that cannot be written ends the demo before anything is asked."""
    result = shown("--output", "/dev/null/demo")
    assert (result.exit_code, "cannot be made" in result.stderr) == (2, True)
    assert not shown.models.calls


def test_an_interrupt_keeps_what_was_recorded(shown, tmp_path, monkeypatch):
    """After Ctrl-C the same command goes on where it was, and asks nothing twice."""
    answer = type(shown.models).call
    before = signal.getsignal(signal.SIGINT)

    def interrupting(self, *given, **named):
        if len(self.calls) == 30:
            os.kill(os.getpid(), signal.SIGINT)
        return answer(self, *given, **named)

    monkeypatch.setattr(type(shown.models), "call", interrupting)
    result = shown("--limit", "40")
    assert result.exit_code == 130
    assert "interrupted: " in result.stderr
    assert (tmp_path / "cascade-demo" / "tickets.parquet.journal").exists()
    assert signal.getsignal(signal.SIGINT) is before
    asked = len(shown.models.calls)
    assert asked < 4 * 40
    assert shown("--limit", "40").exit_code == 0
    assert len(shown.models.calls) <= 4 * 40 + 4
