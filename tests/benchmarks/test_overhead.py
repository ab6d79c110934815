"""The benchmarks run; what they measure is nobody's test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.loopback
def test_the_overhead_is_measured():
    """A few requests go through the provider on this machine, and a table comes out."""
    command = [sys.executable, "-m", "benchmarks.overhead", "--quick", "--only", "cascade_sync"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (row,) = [line.split("|") for line in done.stdout.splitlines() if "cascade_sync" in line]
    assert float(row[2]) > 0, done.stdout
