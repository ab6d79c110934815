"""Clients for a gateway that cost next to nothing: prepared requests, replies read as bytes.

`python -m benchmarks.load` reads orders, one JSON object a line, and answers each with one line of
JSON. An order holds `port`, `key`, `model`, `count` and `concurrency` (so many requests, so many at
once), and may hold `stream`, `logprobs` (ask for them), `note` (words that go into each prompt) and
`hard` (every so-manieth prompt is a hard one). Every answer is looked at: its status, and whether
all of its text is there.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from benchmarks.provider import TOKENS, loop_factory
from benchmarks.subjects import prompt

TEXT = re.compile(rb'"content":\s*"[^"]')
"""Where an event, or a whole answer, holds text."""

LONGEST_S = 60.0
"""After this long without an answer a client gives up."""


@dataclass
class Seen:
    """What the clients of one order have seen.

    Attributes:
        taken_s: from request to the end of its answer, for each.
        first_s: from request to the first text, for each.
        wrong: statuses, or what else was wrong, and how often.
    """

    taken_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    wrong: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """What is to be asked; see the module."""

    port: int
    model: str
    count: int
    concurrency: int = 1
    key: str = ""
    stream: bool = False
    logprobs: bool = False
    note: str = ""
    hard: int = 0

    def request(self, number: int) -> bytes:
        """The bytes of a request."""
        words = prompt(number, hard=bool(self.hard) and number % self.hard == 0)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": f"{words} {self.note}"}],
        }
        if self.logprobs:
            body["logprobs"] = True
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        data = json.dumps(body, separators=(",", ":")).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\n"
            f"host: 127.0.0.1:{self.port}\r\n"
            "accept: application/json\r\n"
            "content-type: application/json\r\n"
            f"authorization: Bearer {self.key}\r\n"
            f"content-length: {len(data)}\r\n\r\n"
        )
        return head.encode() + data


class Caller(asyncio.Protocol):
    """One connection that asks one question after the other.

    Args:
        order: what is asked.
        numbers: the numbers of the questions, shared with other connections.
        seen: where it is written down.
    """

    def __init__(self, order: Order, numbers: Iterator[int], seen: Seen) -> None:
        import httptools  # noqa: PLC0415  of the extra `gateway`

        self._parser_of = httptools.HttpResponseParser
        self._order = order
        self._numbers = numbers
        self._seen = seen
        self._transport: asyncio.Transport
        self._parser: Any = None
        self._body: list[bytes] = []
        self._begun = self._first = 0.0
        self._left: asyncio.TimerHandle | None = None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the first question."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not of that class
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count an answer that did not come to its end."""
        if not self.done.done():
            self._count(f"connection lost: {exc}")
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body; see whether it holds the first text."""
        self._body.append(data)
        if not self._first and TEXT.search(data):
            self._first = time.perf_counter()

    def on_message_complete(self) -> None:
        """Write an answer down, and ask the next question."""
        now = time.perf_counter()
        body, status = b"".join(self._body), self._parser.get_status_code()
        if status != 200:
            self._count(f"status {status}: {body[:200]!r}")
        elif not self._whole(body):
            self._count(f"not the whole answer: {body[-200:]!r}")
        self._seen.taken_s.append(now - self._begun)
        self._seen.first_s.append((self._first or now) - self._begun)
        self._next()

    def _whole(self, body: bytes) -> bool:
        if self._order.logprobs and b'"logprob":' not in body:
            return False
        if self._order.stream:
            return len(TEXT.findall(body)) == TOKENS and b"data: [DONE]" in body
        return TEXT.search(body) is not None and b'"total_tokens"' in body

    def _next(self) -> None:
        if self._left is not None:
            self._left.cancel()
        number = next(self._numbers, None)
        if number is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._left = asyncio.get_running_loop().call_later(LONGEST_S, self._transport.abort)
        self._parser = self._parser_of(self)
        self._body.clear()
        self._first = 0.0
        self._begun = time.perf_counter()
        self._transport.write(self._order.request(number))

    def _count(self, what: str) -> None:
        self._seen.wrong[what] = self._seen.wrong.get(what, 0) + 1


async def carry_out(order: Order, first: int = 0) -> dict[str, Any]:
    """Ask what an order says; prompts are numbered from `first`."""
    numbers, seen = iter(range(first, first + order.count)), Seen()
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    opened = await asyncio.gather(
        *(
            loop.create_connection(lambda: Caller(order, numbers, seen), "127.0.0.1", order.port)
            for _ in range(min(order.concurrency, order.count))
        )
    )
    await asyncio.gather(*(caller.done for _, caller in opened))
    return {
        "count": len(seen.taken_s),
        "wall_s": time.perf_counter() - begun,
        "p50_ms": _at(seen.taken_s, 0.5),
        "p99_ms": _at(seen.taken_s, 0.99),
        "first_p50_ms": _at(seen.first_s, 0.5),
        "first_p99_ms": _at(seen.first_s, 0.99),
        "wrong": seen.wrong,
    }


def _at(taken_s: list[float], share: float) -> float:
    ordered = sorted(taken_s)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3


def order_of(given: Mapping[str, Any]) -> Order:
    """An order from its JSON."""
    return Order(**given)


def main() -> None:
    """Carry out orders until the parent closes our input."""
    asked = 0
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print("ready", flush=True)
        for line in sys.stdin:
            order = order_of(json.loads(line))
            print(json.dumps(runner.run(carry_out(order, asked))), flush=True)
            asked += order.count


if __name__ == "__main__":
    main()
