"""`cascade serve`: what it refuses before it listens, and what it says when it does."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import cascade
from cascade.cli.serve import _plain

ROOT = Path(cascade.__file__).parent.parent

FREE = """
name = "{name}"

[[tier]]
model = "big"
endpoint = {{ base_url = "http://127.0.0.1:9/v1" }}
price = {{ input = "0", output = "0" }}
"""


@pytest.fixture
def free(tmp_path):
    """Writes a chain that costs nothing: `free("support")`."""

    def write(name, file=None):
        path = tmp_path / f"{file or name}.toml"
        text = FREE.format(name=name)
        path.write_text(text if name else text.partition("\n\n")[2])
        return path

    return write


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104
def test_without_keys_on_loopback_only(cli, free, host):
    """`--insecure-local` at an address that others can reach is refused, with the way out."""
    done = cli("serve", "--chain", free("a"), "--insecure-local", "--host", host)
    assert done.exit_code == 2
    assert "--insecure-local answers everybody" in done.stderr
    assert "cascade keys create" in done.stderr


def test_one_name_one_chain(cli, free):
    """Two files of one name are refused; a file without a name is called as the file."""
    done = cli("serve", "--chain", free("a"), "--chain", free("a", "b"))
    assert done.exit_code == 2
    assert "there is a chain 'a' already" in done.stderr
    done = cli("serve", "--chain", free(None, "a"), "--chain", free("a", "b"))
    assert "there is a chain 'a' already" in done.stderr


def test_models(cli, free):
    """A plain model needs a name of its own and a price."""
    done = cli("serve", "--chain", free("a"), "--models", "gpt-5.4-mini,a")
    assert done.exit_code == 2
    assert "there is a chain of that name" in done.stderr
    done = cli("serve", "--chain", free("a"), "--models", "nobody-knows")
    assert done.exit_code == 2
    assert "nobody-knows" in done.stderr


def test_a_model_brings_its_snapshots():
    """A dated id that the table lists is asked for by itself, and booked under its own name."""
    dated = "gpt-5.4-mini-2026-03-17"
    made = _plain(["gpt-5.4-mini", "gpt-5.5-2026-04-23"], {})
    assert list(made) == ["gpt-5.4-mini", "gpt-5.5-2026-04-23", dated]
    assert (made[dated].name, made[dated].tiers[0].model) == (dated, dated)
    assert list(_plain(["gpt-5.4-mini"], {dated: None})) == ["gpt-5.4-mini"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "--chain"),
        (["--max-concurrent", "0"], "max_concurrent=0"),
        (["--drain-s", "-1"], "drain_s=-1"),
        (["--budget", "much"], "budget 'much'"),
        (["--database", "nosuch://x"], "--database: "),
        (["--database", "."], "--database: "),
    ],
)
def test_what_cannot_work(cli, free, tmp_path, args, words):
    """A setting that cannot work ends the command with its name before anything listens."""
    chain = ["--chain", free("a")] if args else []
    place = [] if "--database" in args else ["--database", tmp_path / "kept.sqlite3"]
    done = cli("serve", *chain, *place, *args)
    assert done.exit_code == 2
    assert words in done.stderr


@pytest.mark.loopback
def test_a_port_in_use(cli, free, tmp_path):
    """An address that is taken is said in one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place = tmp_path / "kept.sqlite3"
        done = cli("serve", "--chain", free("a"), "--database", place, "--port", port)
    assert done.exit_code == 2
    assert f"cannot listen at 127.0.0.1:{port}" in done.stderr
    assert "give another --port (0 for any)" in " ".join(done.stderr.split())


@pytest.mark.loopback
def test_a_missing_key_of_the_provider(cli, tmp_path):
    """A chain whose provider wants a key that is not there is refused before anything is served."""
    path = tmp_path / "openai.toml"
    path.write_text('name = "a"\n[[tier]]\nmodel = "gpt-5.4-nano"\n')
    place = tmp_path / "kept.sqlite3"
    done = cli("serve", "--chain", path, "--database", place, "--port", "0", "--insecure-local")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: there is no key: set OPENAI_API_KEY")
    assert "a server on this machine" in " ".join(done.stderr.split())


class Process:
    """`cascade serve` in a process of its own."""

    def __init__(self, folder, *args):
        self._running = subprocess.Popen(
            [sys.executable, "-m", "cascade.cli", "serve", "--port", "0", *map(str, args)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(folder)},
        )
        self.said = ""
        while not (found := re.search(r"at (http://127\.0\.0\.1:\d+)/v1", self.said)):
            line = self._running.stderr.readline()
            assert line, self.said
            self.said += line
        self.root = found[1]

    def get(self, path, secret=None):
        head = {"authorization": f"Bearer {secret}"} if secret else {}
        found = httpx.get(self.root + path, headers=head, follow_redirects=True)
        return found.status_code, found.text

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._running.kill()
        self._running.wait(30)
        self._running.stderr.close()

    def end(self):
        self._running.send_signal(signal.SIGTERM)
        self.said += self._running.stderr.read()
        return self._running.wait(30)


@pytest.mark.loopback
def test_a_first_start(cli, free, tmp_path):
    """Without a key it says how to make one; a key made meanwhile works at once, and ends well."""
    place = tmp_path / "kept.sqlite3"
    chains = ("--chain", free("a"), "--chain", free("b"))
    with Process(tmp_path, *chains, "--database", place) as process:
        assert process.get("/v1/models")[0] == 401
        made = cli("keys", "create", "team", "--database", place, "--json")
        secret = re.search(r"ck-[\w-]{43}", made.stdout)[0]
        status, body = process.get("/v1/models", secret)
        assert status == 200
        assert [model["id"] for model in json.loads(body)["data"]] == ["a", "b"]
        assert process.get("/ui/")[0] == 200  # the login
        assert process.end() == 0
        assert "there is no key yet" in process.said
        assert "cascade keys create" in process.said


@pytest.mark.loopback
def test_a_budget_and_answers_without_a_cap(cli, tmp_path):
    """It says at the start, once, how much of a key's budget one call may keep."""
    place, chain = tmp_path / "kept.sqlite3", tmp_path / "support.toml"
    chain.write_text(FREE.format(name="support").replace('output = "0"', 'output = "30"'))
    with chain.open("a") as file:
        file.write("[tier.capabilities]\nmax_output_tokens = 128000\n")
    cli("keys", "create", "team", "--budget-day", "20", "--database", place)
    with Process(tmp_path, "--chain", chain, "--database", place) as process:
        assert process.end() == 0
        assert process.said.count("$20 a day") == 1
        assert "nothing caps the answers of support/big $3.84:" in " ".join(process.said.split())


@pytest.mark.loopback
def test_without_keys(free, tmp_path):
    """Without keys it warns, and answers everybody on this machine; pages can be left out."""
    place = tmp_path / "kept.sqlite3"
    options = ("--insecure-local", "--no-ui", "--metrics-open")
    with Process(tmp_path, "--chain", free("a"), "--database", place, *options) as process:
        assert process.get("/v1/models")[0] == 200
        assert process.get("/metrics")[0] == 200
        assert process.get("/ui/")[0] == 404
        assert process.end() == 0
        assert "every program on this machine can spend your money" in process.said


@pytest.mark.loopback
def test_a_recording_for_the_pages(free, tmp_path):
    """A recording of the chain brings quality and the best single model to its page."""
    place = tmp_path / "kept.sqlite3"
    recording = ROOT / "examples" / "recordings" / "tickets.parquet"
    options = ("--insecure-local", "--recording", recording)
    with Process(tmp_path, "--chain", free("a"), "--database", place, *options) as process:
        with httpx.Client(base_url=process.root) as client:
            asked = {"model": "a", "messages": [{"role": "user", "content": "hello"}]}
            assert client.post("/v1/chat/completions", json=asked).status_code == 502
        status, body = process.get("/ui/chain?name=a")
        assert status == 200
        assert "With quality, from the recording" in body


def test_a_recording_that_is_not_there(cli, free):
    """A recording is looked for before anything is served."""
    done = cli("serve", "--chain", free("a"), "--recording", "none.parquet")
    assert done.exit_code == 2
    assert "'none.parquet': there is no such file" in done.stderr
