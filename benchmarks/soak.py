"""A steady load on the gateway for a long time: memory stays flat, every request is in the books.

    python -m benchmarks.soak                      # 30 minutes at 50 requests a second
    python -m benchmarks.soak --minutes 10 --rate 100

A quarter of the requests are hard, so that they escalate, and a quarter are streamed. In the end
the gateway is told to stop, and what clients were told, what traces hold, what the key is charged
and what the upstream has seen are held against each other, costs to the last digit. Ends with 1
where anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.gateways import Gateway, Served, cascade, served
from benchmarks.overhead import provider, table
from benchmarks.provider import loop_factory
from benchmarks.subjects import prompt

SAMPLES = 20
"""How often memory is read, evenly over the time."""

PATIENCE_S = 60.0


@dataclass
class Told:
    """What the clients were told.

    Attributes:
        answers: how many whole answers they got.
        cost_usd: what these cost, by the gateway's own words.
        traces: ids of their traces.
        wrong: what else they got, and how often.
        taken_s: times to the end of an answer.
    """

    answers: int = 0
    cost_usd: Decimal = Decimal(0)
    traces: set[str] = field(default_factory=set)
    wrong: Counter[str] = field(default_factory=Counter)
    taken_s: list[float] = field(default_factory=list)


async def ask(session: aiohttp.ClientSession, gateway: Gateway, number: int, told: Told) -> None:
    """Ask one question and write down what came of it."""
    body: dict[str, Any] = {
        "model": gateway.calls,
        "messages": [{"role": "user", "content": prompt(number, hard=number % 4 == 1)}],
    }
    if number % 4 == 3:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    begun = time.perf_counter()
    try:
        async with session.post("/v1/chat/completions", json=body) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        told.wrong[f"{type(error).__name__}: {error}"] += 1
        return
    if answer.status != 200:
        told.wrong[f"status {answer.status}: {text[:200]}"] += 1
        return
    if "stream" in body:
        *_, last, done, _ = text.split("\n\n")
        assert done == "data: [DONE]", text[-200:]
        text = last.removeprefix("data: ")
    books = json.loads(text)["cascade"]
    told.answers += 1
    told.cost_usd += Decimal(books["cost_usd"])
    told.traces.add(books["trace_id"])
    told.taken_s.append(time.perf_counter() - begun)


async def load(gateway: Gateway, one: Served, count: int, rate: float) -> tuple[Told, list[float]]:
    """Ask so many questions at a steady rate; also the gateway's memory meanwhile."""
    told, memory = Told(), [one.rss_mb()]
    loop = asyncio.get_running_loop()
    headers = {"authorization": f"Bearer {gateway.key}"}
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    base = f"http://127.0.0.1:{gateway.port}"
    async with (
        aiohttp.ClientSession(base, headers=headers, timeout=timeout) as session,
        asyncio.TaskGroup() as tasks,
    ):
        begun = loop.time()
        for number in range(count):
            await asyncio.sleep(begun + number / rate - loop.time())
            tasks.create_task(ask(session, gateway, number, told))
            if number % max(1, count // SAMPLES) == 0:
                memory.append(one.rss_mb())
    memory.append(one.rss_mb())
    return told, memory


def upstream_requests(port: int) -> int:
    """Calls that the upstream has seen."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts["requests"]


def compare(told: Told, asked: int, calls: int, database: Path) -> bool:
    """Hold the books against each other; whether they agree."""
    from cascade import TraceStore  # noqa: PLC0415  loads SQLAlchemy
    from cascade.accounts import Accounts  # noqa: PLC0415

    kept, known, charged, in_traces = 0, 0, 0, Decimal(0)
    with TraceStore(str(database)) as store:
        for trace in store.iter_traces():
            kept += 1
            known += trace.id in told.traces
            charged += len(trace.charges)
            in_traces += trace.cost_usd if trace.cost_usd is not None else Decimal("NaN")
    with Accounts(str(database)) as accounts:
        (spent,) = accounts.spent().values()
    rows: list[tuple[str, Any, Any]] = [
        ("answers, of requests", told.answers, asked),
        ("traces, of answers", kept, told.answers),
        ("traces whose id a client was told", known, kept),
        ("calls in traces, of the upstream's", charged, calls),
        ("dollars in traces, of those told", in_traces, told.cost_usd),
        ("dollars charged to the key, of those told", spent.month_usd, told.cost_usd),
        ("dollars still leased, of none", spent.leased_usd, Decimal(0)),
    ]
    print()
    head = ["", "found", "expected", ""]
    table(head, [[name, str(a), str(b), "" if a == b else "differs"] for name, a, b in rows])
    for what, count in told.wrong.most_common(5):
        print(f"{count} times: {what}")
    return all(a == b for _, a, b in rows)


def main() -> int:
    """Load the gateway, and look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    given = parser.parse_args()
    count = max(1, int(given.minutes * 60 * given.rate))
    with tempfile.TemporaryDirectory() as place, provider() as upstream:
        folder = Path(place)
        gateway = cascade(upstream, folder)
        with served(gateway, folder) as one, asyncio.Runner(loop_factory=loop_factory()) as runner:
            begun, cpu = time.perf_counter(), one.cpu_s()
            told, memory = runner.run(load(gateway, one, count, given.rate))
            took, cpu = time.perf_counter() - begun, one.cpu_s() - cpu
        print(f"{count} requests in {took:.0f} s, {cpu / count * 1e3:.2f} ms of CPU each")
        print(f"memory, MB: {' '.join(f'{item:.0f}' for item in memory)}")
        quarter = len(memory) // 4
        grown = (memory[-1] - memory[quarter]) / (count * 0.75) * 1000
        print(f"growth after the first quarter: {grown:.3f} MB per 1,000 requests")
        taken = sorted(told.taken_s)
        if taken:
            middle, late = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
            print(f"latency, ms: p50 {middle * 1e3:.1f}, p99 {late * 1e3:.1f}")
        agrees = compare(told, count, upstream_requests(upstream), folder / "gateway.db")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
