"""The demo: its data, its arithmetic, and what the command shows, with scripted models."""

import json
import math
import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cascade import Cascade, Trace
from cascade.cli import app
from cascade.demo.job import (
    LABELS,
    Answered,
    Ticket,
    local_chain,
    openai_chain,
    run,
    summarise,
    tickets,
)
from cascade.demo.servers import GEMMA, SMOLLM
from cascade.testing import ScriptedModels, failure, reply

SERVERS = {
    name: SimpleNamespace(base_url=f"http://127.0.0.1:{port}/v1")
    for name, port in ((SMOLLM, 1), (GEMMA, 2))
}


def sure(label, p):
    """A one-token answer with its probability; the rest of the mass lies on another label."""
    other = next(name for name in LABELS if name != label)
    entry = {
        "token": f" {label}",
        "logprob": -0.0 if p == 1 else math.log(p),
        "top_logprobs": [
            {"token": f" {label}", "logprob": math.log(p)},
            {"token": f" {other}", "logprob": math.log(max(1e-9, 1 - p))},
        ],
    }
    return reply(f" {label}", logprobs=[entry], input_tokens=100, output_tokens=2)


def scripted():
    """Small is unsure of everything but deliveries, medium never, and always says payment."""
    truth = {ticket.text: ticket.label for ticket in tickets()}

    def small(call):
        label = truth[call.payload["messages"][-1]["content"]]
        return sure(label, 0.95 if label == "delivery" else 0.4)

    return ScriptedModels(
        {"small": small, "medium": lambda call: sure("payment", 0.9), "large": " technical"}
    )


def test_there_are_sixty_tickets_of_four_kinds():
    """The labelled set is balanced and holds no message twice."""
    found = tickets()
    assert len(found) == len({ticket.text for ticket in found}) == 60
    assert {label: sum(t.label == label for t in found) for label in LABELS} == dict.fromkeys(
        LABELS, 15
    )
    assert len(tickets(5)) == 5


def test_no_ticket_is_shown_to_a_model_beforehand():
    """The worked examples and the tickets have no message in common."""
    asked = {ticket.text for ticket in tickets()}
    for chain in (local_chain(SERVERS), openai_chain()):
        for tier in chain.tiers:
            shown = {message["content"] for message in tier.preamble}
            assert len(shown) > 8
            assert not shown & asked


def test_the_chains_are_what_the_command_says():
    """Three local tiers at OpenAI's list prices; four tiers of OpenAI's own."""
    local = local_chain(SERVERS)
    assert [local.price(tier).id.partition("@")[0] for tier in local.tiers] == [
        "gpt-5.4-nano",
        "gpt-5.4-mini",
        "gpt-5.4",
    ]
    models = [tier.model for tier in openai_chain().tiers]
    assert models == ["gpt-5.4-nano", "gpt-5.4-mini", "gpt-5.4", "gpt-5.5"]


def test_the_summary_adds_up():
    """Shares, right answers, tokens and costs of the tiers sum to those of the whole."""
    chain = local_chain(SERVERS)
    answered = list(run(Cascade(chain, models=scripted()), tickets()))
    summary = summarise(chain, answered, 1.0, answered, 2.0)
    small, medium, large = summary.tiers
    assert (small.asked, small.answered, small.right) == (60, 15, 15)
    assert (medium.asked, medium.answered, medium.right) == (45, 45, 15)
    assert (large.asked, large.answered) == (0, 0)
    assert summary.right == 30
    assert summary.cost_usd == small.cost_usd + medium.cost_usd
    # 60 x (100 x $0.20 + 2 x $1.25) and 45 x (100 x $0.75 + 2 x $4.50), per million
    assert small.cost_usd == Decimal("0.00135")
    assert medium.cost_usd == Decimal("0.00378")
    assert small.input_tokens == 6000
    assert summary.saved == 0


def test_a_request_without_an_answer_is_counted_as_wrong():
    """A failure is no exception, costs the sum its certainty, and is not right."""
    chain = local_chain(SERVERS)
    broken = ScriptedModels({tier.name: failure("server") for tier in chain.tiers})
    answered = list(run(Cascade(chain, models=broken), tickets(1)))
    assert not answered[0].right
    assert "server" in answered[0].error
    assert summarise(chain, answered, 1.0, answered, 1.0).cost_usd is None
    assert not Answered(Ticket("t", "?", ""), None).label


@pytest.fixture
def shown(monkeypatch):
    """Run the command with scripted models in place of the local servers."""

    @contextmanager
    def servers():
        yield SERVERS

    monkeypatch.setattr(sys.modules["cascade.cli.demo"], "local_models", servers)
    monkeypatch.setattr(Cascade, "_answering", lambda self, models, client: scripted())
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments):
        return CliRunner().invoke(app, ["demo", *arguments])

    return call


def test_the_command_shows_progress_a_trace_and_the_bill(shown):
    """At 80 columns nothing of the bill is cut off."""
    result = shown()
    assert result.exit_code == 0, result.output
    for words in ("60/60", "Trace ", "The bill", "together", "large alone", "15 (25%)"):
        assert words in result.output
    assert "…" not in result.output.partition("The bill")[2]


def test_the_command_speaks_json(shown, tmp_path):
    """With --json standard output is one JSON object; --output holds the traces."""
    file = tmp_path / "traces.jsonl"
    result = shown("--json", "--limit", "8", "--output", str(file))
    summary = json.loads(result.stdout)
    assert summary["requests"] == 8
    assert [tier["name"] for tier in summary["tiers"]] == ["small", "medium", "large"]
    assert Decimal(summary["cost_usd"]) > 0
    assert len([Trace.from_json(line) for line in file.read_text().splitlines()]) == 8


def test_openai_needs_a_key(shown):
    """`--openai` without a key is an error that names the variable, before anything is asked."""
    result = shown("--openai")
    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.stderr


def test_a_bad_output_is_found_first(shown, monkeypatch):
    """A file that cannot be written ends the demo before anything is asked."""
    monkeypatch.setattr(Cascade, "complete", None)
    result = shown("--output", "no/where.jsonl")
    assert (result.exit_code, "cannot be written" in result.stderr) == (2, True)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_interrupt_keeps_what_was_paid(shown, tmp_path, monkeypatch, form):
    """Ctrl-C leaves every trace until then in the file, and says what was spent."""
    complete, asked = Cascade.complete, []

    def interrupted(self, text, **more):
        asked.append(text)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return complete(self, text, **more)

    monkeypatch.setattr(Cascade, "complete", interrupted)
    file = tmp_path / "traces.jsonl"
    result = shown("--output", str(file), *form)
    assert result.exit_code == 130
    traces = [Trace.from_json(line) for line in file.read_text().splitlines()]
    assert len(traces) == 3
    spent = sum(trace.cost_usd for trace in traces)
    assert f"interrupted (after 3 requests; cost ${spent:f}" in result.stderr
    if form:
        assert Decimal(json.loads(result.stdout)["cost_usd"]) == spent


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_ends_the_demo(shown):
    """A trace that cannot be written ends the demo with one line and the cost."""
    result = shown("--output", "/dev/full")
    assert result.exit_code == 1
    assert "No space left on device (after 1 requests; cost $" in result.stderr
