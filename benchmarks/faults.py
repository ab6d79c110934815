"""Every fault at every place where a model is called: what was paid must stand in the trace.

    python -m benchmarks.faults

Rows are faults, columns the call that meets one: the draft of each of three tiers, a scorer's
question, one of two samples asked at once. Each runs through the sync and the async cascade, whole
and streamed, through the genuine SDK. A cell shows how requests ended, and "charged n of n": the
exchanges that the provider saw and those that are in the trace. It is marked "!" where a call is
missing, or where one that the provider worked on costs nothing by the books.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from benchmarks.faked import (
    Asked,
    Pieces,
    async_client,
    chunks,
    completion,
    json_reply,
    sse_reply,
    sync_client,
)
from cascade import (
    AsyncCascade,
    Cascade,
    Draft,
    Price,
    Reply,
    Retry,
    Score,
    Tier,
    Trace,
    ask,
    sample,
)

Answer = Callable[[Asked], httpx2.Response]

SITES = ("first draft", "second draft", "last draft", "scorer's question", "a sample")
MODES = ("sync", "async", "stream", "async stream")

SHORT = {
    "accepted": "ok",
    "unaccepted": "best draft",
    "exhausted": "exhausted",
    "billing_stopped": "billing",
    "refused": "refused",
    "interrupted": "broke off",
    "cancelled": "cancelled",
    "deadline_exceeded": "deadline",
}


def error(status: int, message: str, **details: Any) -> Answer:
    """The provider refuses, or fails."""
    kind = details.pop("type", "invalid_request_error")
    body = {"error": {"message": message, "type": kind, "param": None, "code": None, **details}}
    return lambda _asked: json_reply(body, status)


def raises(exception: Exception) -> Answer:
    """The connection fails."""

    def answer(_asked: Asked) -> httpx2.Response:
        raise exception

    return answer


def breaks(exception: Exception) -> Answer:
    """The connection fails in the middle of the answer."""

    def answer(asked: Asked) -> httpx2.Response:
        if asked.get("stream"):
            parts = sse_reply(list(chunks("half of an"))[:3], done=False)
            pieces = parts.stream.pieces  # type: ignore[union-attr]  our own Pieces
            kind = "text/event-stream"
        else:
            pieces, kind = [b'{"id": "chatcmpl-1", "choi'], "application/json"
        return httpx2.Response(
            200, stream=Pieces(pieces, exception), headers={"content-type": kind}
        )

    return answer


def says(text: str | None, **more: Any) -> Answer:
    """An answer that is odd."""

    def answer(asked: Asked) -> httpx2.Response:
        if asked.get("stream") and text is not None:
            keys = {"finish_reason", "usage"}
            return sse_reply(chunks(text, **{k: v for k, v in more.items() if k in keys}))
        return json_reply(completion(text, **more))

    return answer


def body(content: bytes, kind: str = "application/json") -> Answer:
    """A 200 that is no answer."""
    return lambda _asked: httpx2.Response(200, content=content, headers={"content-type": kind})


LEAVES = object()
"""The caller goes away while the model works."""

FREE = frozenset(
    {
        "429 rate limit",
        "429 billing stop",
        "400 parameter",
        "400 prompt too long",
        "400 content policy",
        "401 wrong key",
        "403 forbidden",
        "404 no such model",
        "no connection",
    }
)
"""Faults before any token was made: these cost nothing; others cost something, or nobody knows."""

FAULTS: dict[str, Any] = {
    "500": error(500, "broken", type="server_error"),
    "503 overloaded": error(503, "overloaded", code="server_is_overloaded"),
    "504 with HTML": lambda _asked: httpx2.Response(504, content=b"<html>gateway</html>"),
    "429 rate limit": error(429, "slow down", code="rate_limit_exceeded"),
    "429 billing stop": error(429, "no credit", type="insufficient_quota"),
    "400 parameter": error(400, "Unsupported parameter: 'stop'", param="stop"),
    "400 prompt too long": error(400, "too long", code="context_length_exceeded"),
    "400 content policy": error(400, "blocked", code="content_policy_violation"),
    "401 wrong key": error(401, "no such key", code="invalid_api_key"),
    "403 forbidden": error(403, "not allowed"),
    "404 no such model": error(404, "gone", code="model_not_found"),
    "no connection": raises(httpx2.ConnectError("refused")),
    "silence": raises(httpx2.ReadTimeout("silent")),
    "reset before the answer": raises(httpx2.ReadError("reset")),
    "reset within the answer": breaks(httpx2.ReadError("reset")),
    "silence within the answer": breaks(httpx2.ReadTimeout("silent")),
    "HTML with status 200": body(b"<html>login</html>", "text/html"),
    "half of a JSON": body(b'{"id": "chatcmpl-1", "choices": [{"ind'),
    "an error with status 200": body(b'{"error": {"message": "inner", "code": null}}'),
    "no choices": body(b'{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}'),
    "no usage": says("fine", usage=None),
    "an empty answer": says(""),
    "a refusal": says(None, refusal="I will not."),
    "an answer cut off": says("half of", finish_reason="length"),
    "the caller leaves": LEAVES,
}  # fmt: skip


@dataclass
class Provider:
    """Answers calls, and puts one fault at one place."""

    site: str
    fault: Any
    seen: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, asked: Asked) -> bool:
        """Whether this call meets the fault."""
        again = asked.get("user") == "sample"
        places = {"small": SITES[4] if again else SITES[0], "medium": SITES[1], "large": SITES[2]}
        site = places.get(asked["model"], SITES[3])
        met = site == self.site and not (again and "a sample" in self.seen)
        self.seen.append("a sample" if again else site)
        return met

    def answer(self, asked: Asked) -> httpx2.Response:
        """Answer, synchronously."""
        if self.meets(asked):
            if self.fault is LEAVES:
                raise KeyboardInterrupt
            response: httpx2.Response = self.fault(asked)
            return response
        return says("fine")(asked)

    async def answer_async(self, asked: Asked) -> httpx2.Response:
        """Answer, asynchronously."""
        if self.meets(asked):
            if self.fault is LEAVES:
                self.left.set()
                await asyncio.sleep(60)
            response: httpx2.Response = self.fault(asked)
            return response
        return says("fine")(asked)


def tiers_for(site: str) -> list[Tier]:
    """Three tiers whose scorers let the request come to the place."""
    once = Retry(max_tries=2, initial_s=0, max_wait_s=0)

    def rejects(_draft: Draft) -> Score:
        return Score(0.0)

    def asks(_draft: Draft) -> Generator[Any, Any, Score]:
        yield from ask("judge", "Is it right?")
        return Score(1.0)

    def samples(draft: Draft) -> Generator[Any, Any, Score]:
        found = yield from sample(draft, 2, user="sample")
        return Score(sum(isinstance(item, Reply) for item in found) / 2)

    first: Any = {SITES[3]: asks, SITES[4]: samples}.get(site, rejects)
    price = Price.of("1", "2")
    judge = Tier("judge", price=price, retry=once)
    small = Tier("small", scorer=first, threshold=0.9, price=price, retry=once)
    medium = Tier("medium", scorer=rejects, price=price, retry=once)
    tiers = [small, medium, Tier("large", price=price, retry=once)]
    return [*tiers[:2], judge, tiers[2]] if site == SITES[3] else tiers


def run(site: str, fault: Any, mode: str) -> tuple[Trace, int]:
    """One request; its trace, and how many exchanges the provider saw."""
    traces: list[Trace] = []
    provider = Provider(site, fault)
    chain, watch = tiers_for(site), {"observers": [traces.append]}
    if mode.startswith("async"):
        llm = AsyncCascade(chain, client=async_client(provider.answer_async), **watch)
        asyncio.run(_ask_async(llm, provider, stream=mode == "async stream"))
    else:
        blocking = Cascade(chain, client=sync_client(provider.answer), **watch)
        with suppress(Exception, KeyboardInterrupt):  # the trace says what it was
            if mode == "stream":
                list(blocking.stream("hello"))
            else:
                blocking.complete("hello")
    [trace] = traces
    return trace, len(provider.seen)


async def _ask_async(llm: AsyncCascade, provider: Provider, *, stream: bool) -> None:
    async def ask_it() -> None:
        if not stream:
            await llm.complete("hello")
            return
        async for _ in llm.stream("hello"):
            pass

    asked = asyncio.ensure_future(ask_it())
    leaving = asyncio.ensure_future(provider.left.wait())
    await asyncio.wait([asked, leaving], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    leaving.cancel()
    await asyncio.gather(asked, leaving, return_exceptions=True)


def wrong(fault: str, trace: Trace, seen: int) -> bool:
    """Whether a call is missing from the books, or one that may be billed stands there as free."""
    if len(trace.charges) < seen:  # a call that was stopped before it was sent may be one more
        return True
    return fault not in FREE and any(charge.cost_usd == Decimal(0) for charge in trace.charges)


def cell(fault: str, site: str) -> tuple[str, int]:
    """One fault at one place, in every mode: the text of the cell, and how often it was wrong."""
    ends: dict[str, None] = {}
    charged = exchanges = bad = 0
    for mode in MODES:
        trace, seen = run(site, FAULTS[fault], mode)
        ends[SHORT.get(trace.status, trace.status)] = None
        charged += len(trace.charges)
        exchanges += seen
        bad += wrong(fault, trace, seen)
    mark = " !" if bad else ""
    return f"{', '.join(ends)}\ncharged {charged} of {exchanges}{mark}", bad


def main() -> None:
    """Print the matrix."""
    table = Table(title="what was paid stands in the trace", show_lines=True)
    table.add_column("fault", no_wrap=True)
    for site in SITES:
        table.add_column(site)
    failures = 0
    for fault in FAULTS:
        cells = [cell(fault, site) for site in SITES]
        failures += sum(bad for _, bad in cells)
        table.add_row(fault, *(text for text, _ in cells))
    Console(width=140).print(table)
    runs = len(FAULTS) * len(SITES) * len(MODES)
    print(f"{len(FAULTS)} faults at {len(SITES)} places in {len(MODES)} modes: {runs} requests, "
          f"{failures} with a call missing from the trace or wrongly free")  # fmt: skip
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
