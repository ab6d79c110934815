"""The gateway as its users run it: a process of its own, keys, a chain in TOML."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from cascade.accounts import Accounts
from tests.outside.upstream import upstream

CHAIN = """
name = "support"

[[tier]]
model = "gpt-5.4-nano"
threshold = 0.9
endpoint = { base_url = "%(url)s" }
[tier.scorer]
use = "first_reject"
scorers = [{ use = "tool_calls" }, { use = "logprob_confidence" }]

[[tier]]
model = "gpt-5.4-mini"
endpoint = { base_url = "%(url)s" }
"""


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs: its API, where it keeps things, and its keys."""

    url: str
    database: str
    key: str
    poor_key: str
    admin_key: str

    @property
    def env(self):
        """What clients read: where the API is, and with which key."""
        return {
            "PATH": os.environ["PATH"],
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": self.key,
            "POOR_KEY": self.poor_key,
            "AI_SDK_LOG_WARNINGS": "false",
        }


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    """`cascade serve`, over a provider on this machine."""
    home = tmp_path_factory.mktemp("gateway")
    database = str(home / "gateway.sqlite3")
    with Accounts(database) as keys:
        _, key = keys.create("rich", budget_day_usd="100")
        _, poor = keys.create("poor", budget_day_usd="0.0000001")
        _, admin = keys.create("admin", is_admin=True)
    with upstream() as url:
        (home / "support.toml").write_text(CHAIN % {"url": url})
        command = [sys.executable, "-m", "cascade.cli", "serve", "--chain", "support.toml"]
        process = subprocess.Popen(
            [*command, "--port", "0", "--database", database],
            cwd=home,
            env={**os.environ, "OPENAI_API_KEY": "sk-upstream", "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Gateway(_address(process), database, key, poor, admin)
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 0, said


def _address(process):
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/v1", line):
            return found[0]
    raise AssertionError("".join(said))
