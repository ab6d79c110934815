"""The command line with scripted models in place of the network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import cascade
from cascade import Cascade
from cascade.cli import app
from cascade.testing import ScriptedModels, failure, reply

ROOT = Path(cascade.__file__).parent.parent

CHAIN = """
name = "support"

[[tier]]
model = "nano"
scorer = { use = "length_between", min_words = 3 }
price = { input = "0.20", output = "1.25" }

[[tier]]
model = "big"
price = { input = "5", output = "30" }
"""

SCRIPTED = """
import sys, time
from cascade import Cascade
from cascade.cli import main
from cascade.testing import ScriptedModels

def answer(call):
    text = call.payload["messages"][-1]["content"]
    if "slow" in text:
        time.sleep(1.5)
    if "stuck" in text:
        time.sleep(60)
    if "climb" in text:
        with open(text.split()[-1], "a") as marks:
            marks.write(call.model + "\\n")
        if call.model == "nano":
            return "no"
        time.sleep(60)
    return f"this is a long answer to {text}"

class Parallel(ScriptedModels):
    in_order = False

Cascade._answering = lambda self, models, client: Parallel({"nano": answer, "big": answer})
sys.argv[0] = "cascade"
main()
"""


def answer(call):
    """What the scripted models say: short prompts are too much for the small one."""
    text = call.payload["messages"][-1]["content"]
    if "fail" in text:
        return failure("invalid", "the provider says no")
    if "broke" in text:
        return failure("billing", "no credit left", status=429, code="insufficient_quota")
    if call.tier.name == "nano" and "hard" in text:
        return reply("dunno", model="nano")
    if "tool" in text:
        call_ = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        return reply(None, tool_calls=[call_], finish_reason="tool_calls")
    return reply(f"a proper answer to {text}", model=call.model)


@pytest.fixture
def models(monkeypatch):
    made = ScriptedModels({"nano": answer, "big": answer})
    monkeypatch.setattr(Cascade, "_answering", lambda self, models, client: made)
    return made


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "chain.toml"
    path.write_text(CHAIN)
    return path


@pytest.fixture
def lines(tmp_path):
    """Writes a file of requests."""

    def write(*items):
        path = tmp_path / "requests.jsonl"
        path.write_text("".join(i if i.endswith("\n") else f"{i}\n" for i in items))
        return path

    return write


@pytest.fixture
def cli(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    runner = CliRunner()
    return lambda *args, **options: runner.invoke(app, [str(a) for a in args], **options)


@pytest.fixture
def process(tmp_path):
    """Starts the command line in a process of its own, with scripted models."""
    script = tmp_path / "scripted.py"
    script.write_text(SCRIPTED)

    def start(*args, stdout=subprocess.PIPE):
        return subprocess.Popen(
            [sys.executable, str(script), *map(str, args)],
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


@pytest.fixture
def read_lines():
    return lambda path: [json.loads(line) for line in path.read_text().splitlines()]
