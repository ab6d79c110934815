"""What a gateway costs: CPU and time of Cascade's, of a naive one and of LiteLLM's proxy.

    python -m benchmarks.gateway                          # over 10 minutes
    python -m benchmarks.gateway --litellm-venv FOLDER    # with LiteLLM's proxy, installed there
    python -m benchmarks.gateway --callgrind              # instructions per request; needs valgrind
    python -m benchmarks.gateway --callgrind --caches     # and what a cache of 1 MB does not hold
    python -m benchmarks.gateway --quick                  # a look

All stand before the same upstream, one process each on one core; the upstream and the clients have
the other. Each round measures them one after the other, in random order, and medians are taken: of
ratios, of what each round says. What else the machine does hits all alike. Cascade's gateway runs
as `cascade serve` does by default, with a key, budgets, rates, a scorer and traces with their
contents; the naive ones pass bytes on; LiteLLM's has a master key and no database. Ratios are to
the naive gateway on uvicorn as it is installed alone (h11).

Cascade's gateway asks the provider for log-probabilities, which its scorer reads, and so gets
replies four times as long as the others do. Where the client asks for them, all carry the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks.callgrind import CACHES, CALLGRIND, MISSED, count_twice, per_request
from benchmarks.gateways import (
    OTHER_CORE,
    OURS,
    Gateway,
    Served,
    litellm,
    make_litellm,
    served,
)
from benchmarks.overhead import child, provider, read_line, table, version

BASE = "naive (h11)"

SETTLE_S = 0.5
"""After the last answer: traces are written, and accounts settled, a moment later."""

TRACED_SETTLE_S = 6.0
"""The same where instructions are counted, which takes fifty times as long."""

PACED = "(paced)"

Figures = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        rounds: interleaved rounds.
        alone: requests of a round one at a time.
        together: requests of a round 32 at once.
        streams: streamed answers of a round, 32 at once.
        many: streamed answers of a round, 256 at once.
        traced: requests whose instructions are counted.
        slow: how much less a slow gateway is asked.
    """

    rounds: int = 7
    alone: int = 400
    together: int = 1600
    streams: int = 256
    many: int = 512
    traced: int = 100
    slow: int = 8

    @classmethod
    def quick(cls) -> Plan:
        """Enough to see that everything runs."""
        return cls(1, 20, 64, 32, 256, 5, 2)


class Clients:
    """The process that asks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        read_line(process)

    def ask(self, gateway: Gateway, count: int, concurrency: int, **more: Any) -> dict[str, Any]:
        """Ask so many questions, so many at once; every answer must be right."""
        order = {
            "port": gateway.port,
            "key": gateway.key,
            "model": gateway.streams if more.get("stream") else gateway.calls,
            "count": count,
            "concurrency": concurrency,
            **more,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(read_line(self._process))
        if found["wrong"]:
            raise RuntimeError(f"{gateway.name}: {found['wrong']}")
        return found


@contextmanager
def clients() -> Iterator[Clients]:
    """The process that asks, while it runs."""
    with child(sys.executable, "-m", "benchmarks.load", core=OTHER_CORE) as process:
        yield Clients(process)


def measured(
    client: Clients, gateway: Served, count: int, concurrency: int, **more: Any
) -> Figures:
    """One cell: what a number of requests cost the gateway, and how long they took."""
    warm = min(2 * concurrency, count, 64)
    client.ask(gateway.gateway, warm, min(concurrency, warm), **more)  # connections, caches
    time.sleep(SETTLE_S)
    before, loop_before = gateway.cpu_s(), gateway.loop_s()
    found = client.ask(gateway.gateway, count, concurrency, **more)
    time.sleep(SETTLE_S)
    return {
        "cpu_ms": (gateway.cpu_s() - before) / count * 1e3,
        "loop_ms": (gateway.loop_s() - loop_before) / count * 1e3,
        "rate": count / found["wall_s"],
        **{name: found[name] for name in ("p50_ms", "p99_ms", "first_p50_ms", "first_p99_ms")},
    }


Item = TypeVar("Item")


def shuffled(items: Iterable[Item]) -> list[Item]:
    """The same in random order."""
    found = list(items)
    random.shuffle(found)
    return found


CELLS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "alone": ("alone", 1, {}),
    "together": ("together", 32, {}),
    "alone, alike": ("alone", 1, {"logprobs": True}),
    "together, alike": ("together", 32, {"logprobs": True}),
    "stream": ("alone", 1, {"stream": True, "note": PACED}),
    "streams": ("streams", 32, {"stream": True, "note": PACED}),
    "bursts": ("streams", 32, {"stream": True}),
    "many": ("many", 256, {"stream": True, "note": PACED}),
}
"""What is asked: which of the plan's counts, how many at once, and how."""


def measure(gateways: Sequence[Gateway], plan: Plan, folder: Path) -> None:
    """Measure everything but instructions, and print it."""
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    with ExitStack() as stack:
        client = stack.enter_context(clients())
        running = [stack.enter_context(served(gateway, folder)) for gateway in gateways]
        begun = {one.gateway.name: one.rss_mb() for one in running}
        for _ in range(plan.rounds):
            # The machine changes its speed: what is compared is measured one after the other.
            order = [(cell, one) for cell in shuffled(CELLS) for one in shuffled(running)]
            for cell, one in order:
                size, concurrency, more = CELLS[cell]
                count = getattr(plan, size)
                if one.gateway.name.startswith("litellm"):
                    count = max(count // plan.slow, concurrency)
                found[one.gateway.name, cell].append(
                    measured(client, one, count, concurrency, **more)
                )
        ended = {one.gateway.name: one.rss_mb() for one in running}
        starts = {one.gateway.name: one.start_s for one in running}
    show_calls(Found(found), [one.name for one in gateways])
    show_streams(Found(found), [one.name for one in gateways])
    if "litellm proxy" in begun:
        show_litellm(Found(found))
    print("\nResident memory, MB, and time to begin\n")
    rows = [
        [one.name, f"{begun[one.name]:.0f}", f"{ended[one.name]:.0f}", f"{starts[one.name]:.1f}"]
        for one in gateways
        if one.command
    ]
    table(["gateway", "at first", "in the end", "start s"], rows)


@dataclass(frozen=True)
class Found:
    """What was measured: the figures of each round, by gateway and cell."""

    rounds: Mapping[tuple[str, str], Sequence[Figures]]

    def of(self, name: str, cell: str, figure: str) -> float:
        """The median of all rounds."""
        return median(one[figure] for one in self.rounds[name, cell])

    def ratio(self, name: str, cell: str, base: str = BASE) -> float:
        """CPU to another gateway's: the median of what each round says."""
        pairs = zip(self.rounds[name, cell], self.rounds[base, cell], strict=True)
        return median(one["cpu_ms"] / other["cpu_ms"] for one, other in pairs)

    def cpu(self, name: str, cell: str) -> str:
        """CPU of a request, and its ratio."""
        if name == "nothing":
            return "-"
        return f"{self.of(name, cell, 'cpu_ms'):.3f} ({self.ratio(name, cell):.2f})"


def show_calls(found: Found, names: Sequence[str]) -> None:
    """Whole answers."""
    of = found.of
    direct = of("nothing", "alone", "p50_ms")
    cells = ("alone", "together")
    rows = []
    for name in names:
        loop = " / ".join(f"{of(name, cell, 'loop_ms'):.3f}" for cell in cells)
        p50, p99 = of(name, "alone", "p50_ms"), of(name, "alone", "p99_ms")
        rows.append(
            [
                name,
                *(found.cpu(name, cell) for cell in cells),
                "-" if name == "nothing" else loop,
                f"{of(name, 'together', 'rate'):.0f}",
                f"{p50:.2f} / {p99:.2f}",
                f"{p50 - direct:.2f}",
            ]
        )
    print(f"\nWhole answers: CPU of the gateway's processes per request, ms (ratio to {BASE})\n")
    table(
        [
            *("gateway", "at 1", "at 32", "event loop's thread"),
            *("requests/s at 32", "p50 / p99 ms at 1", "added p50"),
        ],
        rows,
    )
    print("\nThe same where the client asks for log-probabilities: all carry the same replies\n")
    alike = ("alone, alike", "together, alike")
    rows = [[name, *(found.cpu(name, cell) for cell in alike)] for name in names]
    table(["gateway", "at 1", "at 32"], rows)


def show_litellm(found: Found) -> None:
    """How many times Cascade's CPU LiteLLM's proxy takes."""
    print("\nLiteLLM's proxy to Cascade's gateway, CPU per request\n")
    rows = [
        [words, *(f"{found.ratio('litellm proxy', cell, 'cascade'):.1f}" for cell in cells)]
        for words, cells in (
            ("whole answers", ("alone", "together")),
            ("where the client asks for log-probabilities", ("alone, alike", "together, alike")),
            ("streams, a token a millisecond", ("stream", "streams")),
        )
    ]
    table(["", "at 1", "at 32"], rows)


def show_streams(found: Found, names: Sequence[str]) -> None:
    """Streamed answers."""
    of = found.of
    direct = of("nothing", "stream", "first_p50_ms")
    rows = []
    for name in names:
        first = of(name, "stream", "first_p50_ms")
        many = [of(name, "many", figure) for figure in ("first_p50_ms", "first_p99_ms", "p99_ms")]
        rows.append(
            [
                name,
                *(found.cpu(name, cell) for cell in ("streams", "bursts")),
                f"{first:.2f}",
                f"{first - direct:.2f}",
                " / ".join(f"{one:.0f}" for one in many),
                f"{of(name, 'many', 'rate'):.0f}",
            ]
        )
    print(f"\nStreamed answers of 32 tokens: CPU per answer, 32 at once, ms (ratio to {BASE}), a")
    print(
        "token a millisecond or all of them in one piece; time to the first text, one at a time and"
    )
    print("256 at once, a token a millisecond\n")
    table(
        [
            "gateway",
            "CPU, token by token",
            "in one piece",
            "first ms",
            "added",
            "at 256: first p50 / p99 / whole p99 ms",
            "answers/s at 256",
        ],
        rows,
    )


def instructions(
    gateways: Sequence[Gateway], plan: Plan, folder: Path, tool: Sequence[str]
) -> None:
    """Instructions per request under callgrind, and misses where it counts them.

    One at a time; what the kernel does for them is left out.
    """
    counted: dict[str, list[tuple[float, float]]] = {}
    with clients() as client:
        for gateway in gateways:
            if gateway.command and not gateway.name.startswith("litellm"):
                counted[gateway.name] = [
                    _counted(gateway, client, plan.traced, folder, tool, **more)
                    for more in ({}, {"stream": True})
                ]
    base = counted[BASE]
    print("\nInstructions, millions (ratio): per whole answer, per streamed answer of 32 tokens\n")
    rows = []
    for name, cells in counted.items():
        ratios = [one / of for (one, _), (of, _) in zip(cells, base, strict=True)]
        told = zip(cells, ratios, strict=True)
        rows.append([name, *(f"{one / 1e6:.2f} ({ratio:.2f})" for (one, _), ratio in told)])
    table(["gateway", "whole", "streamed"], rows)
    if CACHES[0] in tool:
        print("\nMisses of a cache of 1 MB, thousands. All is slower still than without them: what")
        print("threads do by the clock counts for more, in the instructions above as well\n")
        rows = [[name, *(f"{one / 1e3:.1f}" for _, one in cell)] for name, cell in counted.items()]
        table(["gateway", "whole", "streamed"], rows)


def _counted(
    gateway: Gateway,
    client: Clients,
    count: int,
    folder: Path,
    tool: Sequence[str],
    **more: Any,
) -> tuple[float, float]:
    """Instructions and misses of a request to a gateway that has warmed up."""
    out = folder / f"callgrind-{gateway.port}"

    def ask(asked: int) -> None:
        client.ask(gateway, asked, 1, **more)
        time.sleep(TRACED_SETTLE_S)

    with served(gateway, folder, *tool, f"--callgrind-out-file={out}") as one:
        assert one.pid is not None
        ask(10)
        count_twice(ask, one.pid, count)
    misses = per_request(out, count, MISSED) if CACHES[0] in tool else 0.0
    return per_request(out, count), misses


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="few requests: shows that it runs")
    parser.add_argument("--callgrind", action="store_true", help="count instructions (valgrind)")
    parser.add_argument(
        "--caches", action="store_true", help="with --callgrind: what a cache of 1 MB does not hold"
    )
    parser.add_argument("--rounds", type=int, help="interleaved rounds")
    parser.add_argument(
        "--litellm-venv", type=Path, help="environment of LiteLLM's proxy; made where it is missing"
    )
    given = parser.parse_args()
    if given.caches and not given.callgrind:
        parser.error("--caches belongs to --callgrind")
    plan = Plan.quick() if given.quick else Plan()
    if given.rounds:
        plan = replace(plan, rounds=given.rounds)
    if given.callgrind and not shutil.which("valgrind"):
        parser.error("valgrind is not installed")
    names = ("uvicorn", "httptools", "uvloop", "aiohttp")
    print(f"Python {platform.python_version()}, {', '.join(f'{n} {version(n)}' for n in names)}")
    with tempfile.TemporaryDirectory() as place, provider() as upstream:
        folder = Path(place)
        gateways = [make(upstream, folder) for make in OURS.values()]
        if given.litellm_venv is None:
            print("litellm proxy: left out; --litellm-venv FOLDER says where it is, or may be put")
        else:
            make_litellm(given.litellm_venv)
            gateways.append(litellm(upstream, folder, given.litellm_venv))
        if given.callgrind:
            tool = (*CALLGRIND, *(CACHES if given.caches else ()))
            instructions(gateways, plan, folder, tool)
        else:
            measure(gateways, plan, folder)


if __name__ == "__main__":
    main()
