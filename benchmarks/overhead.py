"""What Cascade costs beside a plain call of the SDK: CPU, instructions, latency, memory, import.

    python -m benchmarks.overhead                # everything but instructions; about 4 minutes
    python -m benchmarks.overhead --callgrind    # instructions per request, which repeat to 1 %
    python -m benchmarks.overhead --quick        # a look
    python -m benchmarks.overhead --only sdk,cascade

A provider on this machine answers with prepared bytes from a process on another core. Every subject
runs in a process of its own; rounds are interleaved in random order and medians are taken, so what
else the machine does hits all alike. Ratios are to `sdk`, one plain call of `AsyncOpenAI` that
returns a typed object, in the same run at the same concurrency.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.callgrind import CALLGRIND, count_twice, per_request
from benchmarks.subjects import ONE_AT_A_TIME, SUBJECTS

ROOT = Path(__file__).parent.parent

BASE = "sdk"

SLOW = ("sdk", "by_hand", "cascade", "cascade_client")
"""Subjects that are also measured against a provider that takes 20 ms."""

IMPORTS = (
    "import cascade",
    "from cascade import Cascade, Tier",
    "from cascade import AsyncCascade, Tier",
    "from scorers import LogprobConfidence",
    "import openai",
)


CLIENT_CORE, PROVIDER_CORE = 0, 1


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        rounds: interleaved rounds.
        counts: requests per round, by concurrency.
        slow_count: requests of each round at 256 against the slow provider.
        memory_count: requests before memory is read.
        imports: fresh interpreters per import.
        traced: requests whose instructions are counted.
    """

    rounds: int = 11
    counts: tuple[tuple[int, int], ...] = ((1, 200), (32, 320), (256, 768))
    slow_count: int = 1024
    memory_count: int = 20_000
    imports: int = 9
    traced: int = 15

    @classmethod
    def quick(cls) -> Plan:
        """Enough to see that everything runs."""
        return cls(2, ((1, 20), (32, 64), (256, 256)), 256, 500, 1, 5)


# Processes -------------------------------------------------------------------------------------


def pinned(core: int) -> Any:
    """What keeps a child on one core, where there are two."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {cores[core]})


@contextmanager
def child(
    *command: str, core: int, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that talks in lines and ends when its input does."""
    process = subprocess.Popen(  # noqa: S603  our own modules
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT), **(env or {})},
        preexec_fn=pinned(core),  # noqa: PLW1509  no threads here
    )
    try:
        yield process
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line a child prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended early with status {process.wait()}")
    return line


class Subject:
    """A subject's process."""

    def __init__(self, name: str, port: int, stack: ExitStack, *wrapper: str) -> None:
        self.name = name
        self._process = stack.enter_context(
            child(
                *wrapper,
                *(sys.executable, "-m", "benchmarks.subjects", name, str(port)),
                core=CLIENT_CORE,
            )
        )
        self.pid = self._process.pid
        read_line(self._process)

    def run(self, count: int, concurrency: int, place: str = "") -> dict[str, float]:
        """Ask `count` questions, `concurrency` at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count} {concurrency} {place}\n")
        self._process.stdin.flush()
        result: dict[str, float] = json.loads(read_line(self._process))
        return result


@contextmanager
def provider() -> Iterator[int]:
    """The provider's port, while it runs."""
    with child(sys.executable, "-m", "benchmarks.provider", core=PROVIDER_CORE) as process:
        yield int(read_line(process))


def connections(port: int) -> int:
    """Connections the provider has seen, this one included."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        counts: dict[str, int] = json.load(answer)

    return counts["connections"]


# Measuring -------------------------------------------------------------------------------------


def cpu(names: Sequence[str], plan: Plan, port: int) -> None:
    """CPU time per request, accepted at once, at several concurrencies."""
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as stack:
        subjects = [Subject(name, port, stack) for name in names]
        cells = [
            (subject, concurrency, count)
            for subject in subjects
            for concurrency, count in plan.counts
            if concurrency == 1 or subject.name not in ONE_AT_A_TIME
        ]
        for subject, concurrency, _ in cells:
            subject.run(2 * concurrency, concurrency)  # connections, caches, lazy imports
        for _ in range(plan.rounds):
            random.shuffle(cells)
            for subject, concurrency, count in cells:
                found[subject.name, concurrency].append(subject.run(count, concurrency))
    print("\nCPU time per request, user + system of all threads: microseconds (ratio to sdk)\n")
    columns = [f"at {concurrency}" for concurrency, _ in plan.counts]
    rows = []
    for name in names:
        cells_of = [found.get((name, concurrency)) for concurrency, _ in plan.counts]
        bases = [found.get((BASE, concurrency)) for concurrency, _ in plan.counts]
        row = [
            _ratio(middle(cell, "cpu_us"), base and middle(base, "cpu_us")) if cell else "-"
            for cell, base in zip(cells_of, bases, strict=True)
        ]
        rows.append([name, *row, f"{middle(cells_of[0] or [], 'p50_ms'):.2f}"])
    table(["subject", *columns, "p50 ms at 1"], rows)


def slow(names: Sequence[str], plan: Plan, port: int) -> None:
    """Latency at 256 concurrent requests against a provider that takes 20 ms, and connections."""
    rows = []
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    opened: dict[str, list[int]] = defaultdict(list)
    with ExitStack() as stack:
        subjects = [Subject(name, port, stack) for name in names if name in SLOW]
        for subject in subjects:
            subject.run(512, 256, "/slow")
        for _ in range(plan.rounds):
            random.shuffle(subjects)
            for subject in subjects:
                before = connections(port)
                found[subject.name].append(subject.run(plan.slow_count, 256, "/slow"))
                opened[subject.name].append(connections(port) - before - 1)
    if not found:
        return
    for name in (name for name in names if name in found):
        cell = found[name]
        rate = 1e6 / middle(cell, "wall_us")
        rows.append(
            [
                name,
                f"{middle(cell, 'p50_ms'):.0f}",
                f"{middle(cell, 'p99_ms'):.0f}",
                f"{rate:.0f}",
                f"{median(opened[name]):.0f}",
            ]
        )
    print("\nA provider that takes 20 ms, 256 requests at once, after a warm-up of 512\n")
    table(["subject", "p50 ms", "p99 ms", "requests/s", "new connections per burst"], rows)


def memory(names: Sequence[str], plan: Plan, port: int) -> None:
    """Resident memory after many requests."""
    rows = []
    for name in (name for name in names if name in (BASE, "cascade")):
        with ExitStack() as stack:
            subject = Subject(name, port, stack)
            early = subject.run(500, 32)["rss_mb"]
            late = (
                subject.run(plan.memory_count - 500, 32)["rss_mb"]
                if plan.memory_count > 500
                else early
            )
            rows.append([name, f"{early:.0f}", f"{late:.0f}"])
    if not rows:
        return
    print("\nResident memory, MB, 32 at once\n")
    table(["subject", "after 500", f"after {plan.memory_count:,}"], rows)


def imports(plan: Plan) -> None:
    """What an import costs a fresh interpreter, byte code present."""
    rows = []
    for code in IMPORTS:
        program = (
            "import time; c, w = time.process_time(), time.perf_counter(); "
            f"{code}; print(time.process_time() - c, time.perf_counter() - w)"
        )
        taken = []
        with tempfile.TemporaryDirectory() as folder:  # byte code is kept, but not beside sources
            more = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
            for _ in range(plan.imports + 1):
                with child(sys.executable, "-c", program, core=CLIENT_CORE, env=more) as process:
                    taken.append([float(word) * 1e3 for word in read_line(process).split()])
        used, wall = (median(column) for column in zip(*taken[1:], strict=True))
        rows.append([code, f"{used:.0f}", f"{wall:.0f}"])
    print("\nImport in a fresh interpreter, ms\n")
    table(["statement", "CPU", "wall"], rows)


def instructions(names: Sequence[str], plan: Plan, port: int) -> None:
    """Instructions per request under callgrind, the kernel's left out."""
    print(f"\nInstructions per request, millions, over {plan.traced} requests one at a time\n")
    base: float | None = None
    for place, name in enumerate(names):
        count = _counted(name, plan.traced, port)
        base = count if name == BASE else base
        row = [name.ljust(16), f"{count / 1e6:6.2f}", f"{count / base:.2f}" if base else "-"]
        table(["subject".ljust(16), "     M", "ratio to sdk"], [row], headed=place == 0)


def _counted(name: str, count: int, port: int) -> float:
    """Instructions of one request of a subject that has warmed up."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        out = Path(folder, "out")
        subject = Subject(name, port, stack, *CALLGRIND, f"--callgrind-out-file={out}")
        subject.run(10, 1)
        count_twice(lambda asked: subject.run(asked, 1), subject.pid, count)
        stack.close()
        return per_request(out, count)


# Showing ---------------------------------------------------------------------------------------


def middle(cell: Sequence[dict[str, float]], name: str) -> float:
    """The median of a figure over the rounds."""
    return median(run[name] for run in cell) if cell else float("nan")


def _ratio(value: float, base: float | None) -> str:
    return f"{value:.0f} ({value / base:.2f})" if base else f"{value:.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, headed: bool = True) -> None:
    """Print a Markdown table, or further rows of one."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    above = [head, ["-" * width for width in widths]] if headed else []
    for row in [*above, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="few requests: shows that it runs")
    parser.add_argument("--callgrind", action="store_true", help="count instructions (valgrind)")
    parser.add_argument("--only", default="", help=f"subjects, from {', '.join(SUBJECTS)}")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or list(SUBJECTS)
    if unknown := [name for name in names if name not in SUBJECTS]:
        parser.error(f"unknown subjects {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    plan = Plan.quick() if given.quick else Plan()
    versions = [f"{name} {version(name)}" for name in ("openai", "httpx2", "aiohttp")]
    print(f"Python {platform.python_version()}, {', '.join(versions)}, {platform.machine()}")
    with provider() as port:
        if given.callgrind:
            if not shutil.which("valgrind"):
                parser.error("valgrind is not installed")
            instructions(names, plan, port)
            return
        cpu(names, plan, port)
        slow(names, plan, port)
        memory(names, plan, port)
    imports(plan)


def version(name: str) -> str:
    """The version of a distribution."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    main()
