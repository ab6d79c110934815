"""One face for both clients: the same scenario runs through the sync and the async cascade."""

from __future__ import annotations

import asyncio
import json

import openai
from fake_openai import KEY

from cascade import AsyncCascade, Cascade, Tier
from cascade.core.pricing import Price
from cascade.core.tier import Retry
from cascade.provider.client import AsyncOpenAIModels, OpenAIModels
from cascade.provider.exchange import Way
from cascade.provider.http_client import AiohttpClient
from cascade.provider.short_way import ShortWay
from cascade.testing import ManualClock

PRICE = Price.of(input="1", output="2")
"""Dollars per million: the usual 100 + 10 tokens cost 0.00012."""


class Face:
    """A cascade, sync or async, driven from a plain function.

    Args:
        kind: "sync", "async"; "aiohttp": async over the connections that Cascade itself makes;
            "short": as Cascade itself sends over them.
        runner: whether it brings its own event loop, for tests that are plain functions.

    Attributes:
        waits: the pauses between tries, in seconds; nobody sleeps.
        traces: every closed trace.
    """

    def __init__(
        self, kind, tiers, *, client="default", key=KEY, base_url=None, runner=True, **settings
    ):
        short, connections = (
            kind == "short",
            "aiohttp" if kind in ("aiohttp", "short") else "httpx2",
        )
        self.kind = kind = "async" if connections == "aiohttp" else kind
        self.waits = []
        self.traces = []
        self.runner = asyncio.Runner() if kind == "async" and runner else None
        self.clock = settings.get("clock")
        if client == "default":
            sdk = openai.AsyncOpenAI if kind == "async" else openai.OpenAI
            http = AiohttpClient() if connections == "aiohttp" else None
            client = sdk(api_key=key, base_url=base_url, http_client=http)
        self.client = client
        room = AsyncOpenAIModels if kind == "async" else OpenAIModels
        timing = {"clock": self.clock} if self.clock else {}
        if kind == "async":
            timing["connections"] = connections
        self.models = room(
            client, sleep=self._awaited if kind == "async" else self._slept, **timing
        )
        if short:
            self.models._ways[client] = Way.of(client, ShortWay(http))
        engine = AsyncCascade if kind == "async" else Cascade
        self.llm = engine(tiers, models=self.models, observers=[self.traces.append], **settings)

    def _slept(self, seconds):
        self.waits.append(seconds)
        if isinstance(self.clock, ManualClock):
            self.clock.advance(seconds)

    async def _awaited(self, seconds):
        self._slept(seconds)

    def run(self, value):
        return self.runner.run(value) if self.runner else value

    def complete(self, asked="Capital of France?", **params):
        return self.run(self.llm.complete(asked, **params))

    def stream(self, asked="Capital of France?", **params):
        """Read a stream to its end: the stream and its chunks."""
        if not self.runner:
            stream = self.llm.stream(asked, **params)
            return stream, list(stream)

        async def read():
            stream = self.llm.stream(asked, **params)
            return stream, [chunk async for chunk in stream]

        return self.run(read())

    def read_some(self, count, asked="Capital of France?", **params):
        """Read a few chunks, then stop reading: the stream and the chunks."""
        if not self.runner:
            with self.llm.stream(asked, **params) as stream:
                return stream, [next(stream) for _ in range(count)]

        async def read():
            async with self.llm.stream(asked, **params) as stream:
                return stream, [await anext(stream) for _ in range(count)]

        return self.run(read())

    def close(self):
        if isinstance(self.client, openai.OpenAI | openai.AsyncOpenAI):
            self.run(self.client.close())
        self.run(self.models.close())
        self.run(self.llm.close())
        if self.runner:
            self.runner.close()


def bodies(route):
    """The JSON bodies that a route has received, in order."""
    return [json.loads(call.request.content) for call in route.calls]


def one(**settings):
    """A chain of one tier, which tries once."""
    retry = settings.pop("retry", Retry(max_tries=1))
    return [Tier("gpt-5.4-mini", price=PRICE, retry=retry, **settings)]


def pair(**settings):
    """A chain of two tiers, each of which tries once."""
    retry = settings.pop("retry", Retry(max_tries=1))
    return [
        Tier("gpt-5.4-mini", name="small", price=PRICE, retry=retry, **settings),
        Tier("gpt-5.4", name="big", price=PRICE, retry=retry),
    ]
