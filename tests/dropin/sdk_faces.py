"""One face for both clients of the SDK, and an API below them that is no more than its replies."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from itertools import count

import httpx2
import openai
from fake_openai import KEY

from cascade import Tier, async_openai_client, openai_client
from cascade.core.tier import Retry
from cascade.testing import ScriptedModels, reply

ASKED = [{"role": "user", "content": "Capital of France?"}]


def not_hm(draft):
    return draft.text != "Hm."


def two_tiers(**settings):
    """A cheap tier whose "Hm." is rejected, and one whose answer stands."""
    retry = Retry(max_tries=1)
    return [
        Tier("gpt-5.4-nano", scorer=not_hm, retry=retry, **settings),
        Tier("gpt-5.5", retry=retry, **settings),
    ]


_numbers = count(1)


def numbered(text, **more):
    """A reply with an id of its own, as the API gives each."""
    made = reply(text, **more)
    made.wire["id"] = f"chatcmpl-{next(_numbers)}"
    return made


def scripted(cheap="Hm.", top="Paris it is."):
    """Models of `two_tiers`."""
    return ScriptedModels(
        {
            "gpt-5.4-nano": lambda call: numbered(cheap, model=call.model),
            "gpt-5.5": lambda call: numbered(top, model=call.model),
        }
    )


class FakeApi:
    """Answers what goes out, in order; the last reply goes on.

    Attributes:
        sent: every request: method, path, headers, query, body.
    """

    def __init__(self, *replies):
        self.replies = list(replies)
        self.sent = []

    def __call__(self, request):
        self.sent.append(request)
        made = self.replies[min(len(self.sent), len(self.replies)) - 1]
        if isinstance(made, Exception):
            raise made
        return httpx2.Response(made.status_code, headers=dict(made.headers), content=made.content)

    def bodies(self):
        return [json.loads(request.content) for request in self.sent]


def carrier(kind, api):
    """What a client of a kind sends with, answered by `api`."""
    http = httpx2.AsyncClient if kind == "async" else httpx2.Client
    return http(transport=httpx2.MockTransport(api))


def plain_client(kind, api):
    """The SDK's own client, e.g. for a tier."""
    make = openai.AsyncOpenAI if kind == "async" else openai.OpenAI
    return make(api_key="sk-of-the-tier-01", http_client=carrier(kind, api), max_retries=0)


class Sdk:
    """A drop-in client, sync or async, driven from a plain function.

    Args:
        kind: "sync" or "async".
        chains: what it answers by.
        api: what goes out; `None` where all is scripted.
    """

    def __init__(self, kind, chains, *, api=None, **settings):
        self.kind = kind
        self.traces = []
        self.runner = asyncio.Runner() if kind == "async" else None
        settings.setdefault("observers", [self.traces.append])
        if api is not None:
            settings = {"api_key": KEY, "http_client": carrier(kind, api), **settings}
        make = async_openai_client if kind == "async" else openai_client
        self.client = make(chains, **settings)

    @property
    def chat(self):
        return self.client.chat.completions

    @property
    def responses(self):
        return self.client.responses

    def run(self, value):
        """A call's result."""
        return self.runner.run(_awaited(value)) if self.runner else value

    def create(self, model="cascade", **more):
        """A chat completion."""
        return self.run(self.chat.create(model=model, messages=ASKED, **more))

    def respond(self, model="cascade", **more):
        """A response."""
        return self.run(self.responses.create(model=model, input="Capital of France?", **more))

    def read(self, stream):
        """Everything of a stream."""
        return self.run(_read(stream)) if self.runner else list(stream)

    def inside(self, manager, visit):
        """What `visit` makes of a context manager's value; awaited where it gives a coroutine."""
        if not self.runner:
            with manager as value:
                return visit(value)

        async def enter():
            async with AsyncExitStack() as stack:
                made = visit(await stack.enter_async_context(manager))
                return await made if asyncio.iscoroutine(made) else made

        return self.run(enter())

    def close(self):
        self.run(self.client.close())
        if self.runner:
            self.runner.close()


async def _awaited(value):
    return await value


async def _read(stream):
    return [item async for item in stream]
