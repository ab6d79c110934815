"""How long a recording of a given size takes to write and to read, and how much memory.

    python -m benchmarks.recording_files --requests 100000 --tiers 4

Requests of 400 characters and answers of 160, each with a score, a signal and a charge. Reading
runs in a process of its own; its memory is the most that it held at any time, less what loading
the libraries took. Seconds are of the processor, so that what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cascade.calibration import (
    Charges,
    RecordedTier,
    Recording,
    read_recording,
    write_recording,
)

READ = """
from benchmarks.recording_files import read
read({path!r})
"""


def made(n: int, k: int) -> Recording:
    """A recording of n requests and k tiers, the same for every call."""
    rng = np.random.default_rng(0)
    cells, cost = n * k, rng.integers(0, 10**9, (n, k))
    asked = [
        {"messages": [{"role": "user", "content": f"question {i} ".ljust(400, "x")}]}
        for i in range(n)
    ]
    charges = Charges(
        request=np.repeat(np.arange(n), k),
        tier=np.tile(np.arange(k), n),
        purpose=np.full(cells, "draft", object),
        model=objects([f"model-{j}" for j in range(k)] * n),
        service_tier=np.full(cells, "default", object),
        batch=np.zeros(cells, bool),
        regional=np.zeros(cells, bool),
        tokens=rng.integers(1, 1000, (cells, 5)).astype(float),
        cost_pusd=cost.ravel(),
    )
    return Recording.build(
        [RecordedTier(f"tier-{j}", f"model-{j}") for j in range(k)],
        [f"q{i}" for i in range(n)],
        quality=rng.integers(0, 2, (n, k)).astype(float),
        cost_pusd=cost,
        requests=objects(asked),
        texts=objects([f"answer {i} ".ljust(160, "y") for i in range(cells)]).reshape(n, k),
        score=rng.random((n, k)),
        signals={"confidence": rng.normal(size=(n, k))},
        charges=charges,
    )


def objects(values: list[Any]) -> Any:
    """A list as an array of objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def read(path: str) -> None:
    """Read a recording and print as JSON what it took."""
    import pyarrow.parquet  # noqa: F401, PLC0415  not part of what is measured

    before, begun = peak_mb(), time.process_time()
    read_recording(path)
    print(json.dumps({"s": time.process_time() - begun, "mb": peak_mb() - before}))


def peak_mb() -> float:
    """The most memory that this process has held, in MB; Linux says, less what a parent held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--tiers", type=int, default=4)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.parquet"
        recording = made(wanted.requests, wanted.tiers)
        begun = time.process_time()
        write_recording(recording, path)
        took = time.process_time() - begun
        print(f"{recording!r}")
        print(f"write {took:.2f} s, {path.stat().st_size / 1e6:.1f} MB")
        code = READ.format(path=str(path))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603
        found = json.loads(done.stdout)
        print(f"read {found['s']:.2f} s, {found['mb']:.0f} MB of memory")


if __name__ == "__main__":
    main()
