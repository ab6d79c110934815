"""How much text a stream shows that the answer then does not hold: it must be none.

    python -m benchmarks.retraction                  # 10,000 streams
    python -m benchmarks.retraction --streams 1000

Every stream goes through a chain of three tiers whose drafts are mostly rejected, through the
genuine SDK and the sync or the async cascade in turn. Drafts are accepted, rejected, refused,
empty, cut, failing; the last answer is sometimes empty, sometimes broken off. A character that was
shown and does not stand at its place in the answer counts as retracted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import track

from benchmarks.faked import (
    Asked,
    async_client,
    chunks,
    completion,
    json_reply,
    sse_reply,
    sync_client,
)
from cascade import AsyncCascade, Cascade, Draft, Policy, Price, Retry, RunError, Tier

KINDS = ("rejected", "rejected", "rejected", "accepted", "refused", "empty", "cut", "failed")
LAST_KINDS = ("good", "good", "good", "good", "empty", "broken", "failed")
ACCEPTED = "\N{CHECK MARK}"
ROUND = 100


@dataclass
class Count:
    """What was seen."""

    streams: int = 0
    rejected: int = 0
    shown: int = 0
    retracted: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    def add(self, shown: str, answer: str | None, trace: Any) -> None:
        """Compare what was shown with the answer, or with what the last tier was saying."""
        final = answer if answer is not None else text_of("large", "broken")
        kept = next(
            (
                place
                for place, pair in enumerate(zip(shown, final, strict=False))
                if pair[0] != pair[1]
            ),
            min(len(shown), len(final)),
        )
        self.streams += 1
        self.rejected += any(attempt.verdict == "escalated" for attempt in trace.attempts)
        self.shown += len(shown)
        self.retracted += len(shown) - kept
        self.ends[trace.status] += 1


def text_of(model: str, kind: str) -> str:
    """What a model says."""
    mark = ACCEPTED if kind in ("accepted", "good") else "no"
    return f"{model} says {mark} " + " ".join(f"{model}{place}" for place in range(12))


def reply_to(asked: Asked) -> httpx2.Response:
    """What a model of the chain answers: its kind stands in the prompt, by model."""
    kinds = dict(item.split("=") for item in asked["messages"][-1]["content"].split())
    kind, model = kinds[asked["model"]], asked["model"]
    text = text_of(model, kind)
    if kind == "failed":
        return json_reply({"error": {"message": "broken", "type": "server_error"}}, 500)
    if kind == "refused":
        return json_reply(completion(None, refusal="I will not."))
    if kind == "cut":
        return json_reply(completion(text, finish_reason="length"))
    if asked.get("stream"):
        events = list(chunks("" if kind == "empty" else text))
        return sse_reply(events[:6], done=False) if kind == "broken" else sse_reply(events)
    return json_reply(completion("" if kind == "empty" else text))


def accepts(draft: Draft) -> bool:
    """Accepts the drafts that are meant to be accepted."""
    return ACCEPTED in draft.text


def settings() -> dict[str, Any]:
    """The tiers and the policy of every stream."""
    once = Retry(max_tries=1)
    tiers = [
        Tier(name, scorer=accepts, price=Price.of("1", "2"), retry=once, scorer_timeout_s=None)
        for name in ("small", "medium")
    ]
    tiers.append(Tier("large", price=Price.of("4", "8"), retry=once))
    return {"tiers": tiers, "policy": Policy(on_length="escalate")}


def prompts(count: int, seed: int) -> list[str]:
    """Prompts that say how each model behaves."""
    dice = random.Random(seed)  # noqa: S311  repeatable, not secret
    return [
        f"small={dice.choice(KINDS)} medium={dice.choice(KINDS)} large={dice.choice(LAST_KINDS)}"
        for _ in range(count)
    ]


def run_sync(llm: Cascade, asked: list[str], count: Count) -> None:
    """Read streams one after the other."""
    for prompt in asked:
        shown, stream = "", llm.stream(prompt)
        try:
            for chunk in stream:
                shown += chunk.text
        except RunError as error:
            count.add(shown, None, error.trace)
        else:
            count.add(shown, stream.completion and stream.completion.text, stream.trace)


async def run_async(llm: AsyncCascade, asked: list[str], count: Count) -> None:
    """Read streams at once."""

    async def read(prompt: str) -> None:
        shown, stream = "", llm.stream(prompt)
        try:
            async for chunk in stream:
                shown += chunk.text
        except RunError as error:
            count.add(shown, None, error.trace)
        else:
            count.add(shown, stream.completion and stream.completion.text, stream.trace)

    await asyncio.gather(*map(read, asked))


async def answer(asked: Asked) -> httpx2.Response:
    """`reply_to`, awaited."""
    return reply_to(asked)


def main() -> None:
    """Run, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    asked, count, begun = prompts(options.streams, options.seed), Count(), time.perf_counter()
    rounds = [asked[place : place + ROUND] for place in range(0, len(asked), ROUND)]
    blocking = Cascade(**settings(), client=sync_client(reply_to))
    awaiting = AsyncCascade(**settings(), client=async_client(answer))
    with asyncio.Runner() as runner:
        for place, part in enumerate(track(rounds, "streaming", console=Console(stderr=True))):
            if place % 2:
                runner.run(run_async(awaiting, part, count))
            else:
                run_sync(blocking, part, count)
    print(f"{count.streams:,} streams, {count.rejected:,} of them with a rejected draft")
    print(f"{count.shown:,} characters shown, {count.retracted:,} of them retracted")
    print("ended", ", ".join(f"{name}: {n:,}" for name, n in count.ends.most_common()))
    print(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
