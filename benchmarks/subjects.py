"""What is measured: ways to ask a model one question, each run in a process of its own.

`python -m benchmarks.subjects NAME PORT` builds the subject, then reads lines "COUNT CONCURRENCY
PLACE" and answers each with one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.provider import CHEAP, DEAR

THRESHOLD = 0.9
PRICES = {CHEAP: (0.20, 1.25), DEAR: (0.75, 4.50)}

Ask = Callable[[int], Awaitable[Any]]
"""Asks question number so-and-so and reads the whole answer."""


def prompt(number: int, *, hard: bool = False) -> str:
    """A prompt of about 30 tokens that no cache has seen."""
    return (
        f"Order {number}: the parcel was sent on Monday and has not arrived yet. Where is it, and "
        f"what should the customer do next? {'(hard)' if hard else '(easy)'}"
    )


def messages(number: int, *, hard: bool = False) -> list[Any]:
    """The same as messages."""
    return [{"role": "user", "content": prompt(number, hard=hard)}]


def _base(port: int, place: str) -> str:
    return f"http://127.0.0.1:{port}{place}/v1"


# The SDK ---------------------------------------------------------------------------------------


def _sdk(base: str) -> Any:
    import openai  # noqa: PLC0415  a subject loads what it needs

    return openai.AsyncOpenAI(base_url=base, api_key="sk-benchmark")


def sdk(base: str) -> Ask:
    """One plain call: what all the others are compared with."""
    client = _sdk(base)
    return lambda number: client.chat.completions.create(model=CHEAP, messages=messages(number))


def sdk_logprobs(base: str) -> Ask:
    """One call with log-probabilities, five alternatives for each of 200 tokens."""
    client = _sdk(base)
    return lambda number: client.chat.completions.create(
        model=CHEAP, messages=messages(number), logprobs=True, top_logprobs=5
    )


def sdk_stream(base: str) -> Ask:
    """One call whose answer is read event by event."""
    client = _sdk(base)

    async def ask(number: int) -> Any:
        stream = await client.chat.completions.create(
            model=CHEAP,
            messages=messages(number),
            stream=True,
            stream_options={"include_usage": True},
        )
        return [chunk async for chunk in stream]

    return ask


def by_hand(base: str, *, hard_half: bool = False) -> Ask:
    """A cascade as it is written by hand: mean log-probability, a threshold, a second call."""
    client = _sdk(base)

    async def ask(number: int) -> Any:
        cost = 0.0
        for model in (CHEAP, DEAR):
            done = await client.chat.completions.create(
                model=model,
                messages=messages(number, hard=hard_half and number % 2 == 1),
                logprobs=model == CHEAP,
            )
            price = PRICES[model]
            used = done.usage
            cost += (used.prompt_tokens * price[0] + used.completion_tokens * price[1]) / 1e6
            if model == DEAR:
                break
            tokens = done.choices[0].logprobs.content
            if math.exp(sum(token.logprob for token in tokens) / len(tokens)) >= THRESHOLD:
                break
        return done.choices[0].message.content, cost

    return ask


def by_hand_half(base: str) -> Ask:
    """The same where every second request escalates."""
    return by_hand(base, hard_half=True)


# Cascade ---------------------------------------------------------------------------------------


def _tiers() -> list[Any]:
    from cascade import Tier  # noqa: PLC0415
    from scorers import LogprobConfidence  # noqa: PLC0415

    return [Tier(CHEAP, scorer=LogprobConfidence(), threshold=THRESHOLD), Tier(DEAR)]


def _cascade(base: str, tiers: list[Any], *, own_client: bool = False) -> Any:
    from cascade import AsyncCascade, Endpoint  # noqa: PLC0415

    return AsyncCascade(tiers, client=_sdk(base) if own_client else Endpoint(base))


def cascade(base: str) -> Ask:
    """Accepted at tier one: prices, trace, budget checks and all."""
    llm = _cascade(base, _tiers())
    return lambda number: llm.complete(prompt(number))


def cascade_half(base: str) -> Ask:
    """Every second request escalates."""
    llm = _cascade(base, _tiers())
    return lambda number: llm.complete(prompt(number, hard=number % 2 == 1))


def cascade_logprobs(base: str) -> Ask:
    """Accepted on the log-probabilities of 200 tokens that come with five alternatives each."""
    llm = _cascade(base, _tiers())
    return lambda number: llm.complete(prompt(number), logprobs=True, top_logprobs=5)


def cascade_stream(base: str) -> Ask:
    """The answer of the last tier, passed on event by event."""
    from cascade import Tier  # noqa: PLC0415

    llm = _cascade(base, [Tier(CHEAP)])

    async def ask(number: int) -> Any:
        return [chunk async for chunk in llm.stream(prompt(number))]

    return ask


def cascade_client(base: str) -> Ask:
    """Accepted at tier one, over an `AsyncOpenAI` that the user brought."""
    llm = _cascade(base, _tiers(), own_client=True)
    return lambda number: llm.complete(prompt(number))


# Synchronous -----------------------------------------------------------------------------------


def _blocking(call: Callable[[int], Any]) -> Ask:
    async def ask(number: int) -> Any:
        return call(number)

    return ask


def sdk_sync(base: str) -> Ask:
    """One plain call of `openai.OpenAI`."""
    import openai  # noqa: PLC0415

    client = openai.OpenAI(base_url=base, api_key="sk-benchmark")
    return _blocking(
        lambda number: client.chat.completions.create(model=CHEAP, messages=messages(number))
    )


def cascade_sync(base: str) -> Ask:
    """Accepted at tier one by a `Cascade`."""
    from cascade import Cascade, Endpoint  # noqa: PLC0415

    llm = Cascade(_tiers(), client=Endpoint(base))
    return _blocking(lambda number: llm.complete(prompt(number)))


# Nothing but the engine ------------------------------------------------------------------------


class Instant:
    """A model client that costs nothing: it hands out a reply that it has already read."""

    def __init__(self) -> None:
        from benchmarks.provider import SURE  # noqa: PLC0415
        from cascade.core.wishes import Try  # noqa: PLC0415
        from cascade.wire.faults import decode  # noqa: PLC0415
        from cascade.wire.replies import read_reply  # noqa: PLC0415

        self._read = read_reply
        self._try = Try
        self._body = decode(SURE[CHEAP].partition(b"\r\n\r\n")[2])

    def call(self, call: Any) -> Any:
        """Answer at once."""
        reply = self._read(self._body)  # read anew: what a reply looks up once is part of the work
        call.tries.append(
            self._try("ok", 0.0, 0.0, reply=reply, usage=reply.usage, service_tier="default")
        )
        return reply


def engine(base: str) -> Ask:  # noqa: ARG001  nothing is sent
    """The engine alone, asynchronous: everything but the provider."""
    from cascade import AsyncCascade  # noqa: PLC0415

    class AsyncInstant(Instant):
        async def call(self, call: Any) -> Any:
            return super().call(call)

    llm = AsyncCascade(_tiers(), models=AsyncInstant())
    return lambda number: llm.complete(prompt(number))


def engine_sync(base: str) -> Ask:  # noqa: ARG001
    """The engine alone, synchronous."""
    from cascade import Cascade  # noqa: PLC0415

    llm = Cascade(_tiers(), models=Instant())
    return _blocking(lambda number: llm.complete(prompt(number)))


SUBJECTS: dict[str, Callable[[str], Ask]] = {
    "sdk": sdk,
    "sdk_logprobs": sdk_logprobs,
    "sdk_stream": sdk_stream,
    "by_hand": by_hand,
    "by_hand_half": by_hand_half,
    "cascade": cascade,
    "cascade_half": cascade_half,
    "cascade_logprobs": cascade_logprobs,
    "cascade_stream": cascade_stream,
    "cascade_client": cascade_client,
    "sdk_sync": sdk_sync,
    "cascade_sync": cascade_sync,
    "engine": engine,
    "engine_sync": engine_sync,
}

ONE_AT_A_TIME = frozenset({"sdk_sync", "cascade_sync", "engine", "engine_sync"})
"""Subjects for which concurrency means nothing."""


# Running one -----------------------------------------------------------------------------------


def resident_mb() -> float:
    """Memory of this process, in MB."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


async def measure(ask: Ask, first: int, count: int, concurrency: int) -> dict[str, Any]:
    """Ask so many questions, so many at once."""
    numbers = iter(range(first, first + count))
    taken: list[float] = []

    async def work() -> None:
        for number in numbers:
            begun = time.perf_counter()
            await ask(number)
            taken.append(time.perf_counter() - begun)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    taken.sort()
    return {
        "cpu_us": (time.process_time() - cpu) / count * 1e6,
        "wall_us": (time.perf_counter() - wall) / count * 1e6,
        "p50_ms": taken[len(taken) // 2] * 1e3,
        "p99_ms": taken[min(len(taken) - 1, int(len(taken) * 0.99))] * 1e3,
        "rss_mb": resident_mb(),
    }


def main(name: str, port: int) -> None:
    """Answer the parent's orders until it closes our input."""
    asked = 0
    with asyncio.Runner() as runner:
        subjects: dict[str, Ask] = {}
        print("ready", flush=True)
        for line in sys.stdin:
            count, concurrency, place = line.split(" ")
            base = _base(port, place.strip())
            if base not in subjects:
                subjects[base] = SUBJECTS[name](base)
            gc.collect()
            work = measure(subjects[base], asked, int(count), int(concurrency))
            asked += int(count)
            print(json.dumps(runner.run(work)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
