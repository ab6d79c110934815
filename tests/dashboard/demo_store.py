"""A realistic store to look at, from scripted models: `python tests/dashboard/demo_store.py FILE 10000`.

Three chains over thirty days, busier by day and on weekdays, with rejected drafts, retries, failures,
calls of unknown cost, an agent's run with children, and a few texts that nobody should trust.
"""

from __future__ import annotations

import math
import random
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cascade import Cascade, Score, Tier, TraceStore, ask
from cascade.core.chain import Chain
from cascade.errors import RunError
from cascade.testing import ManualClock, ScriptedModels, failure, reply
from scorers import LogprobConfidence, first_reject

DAYS = 30
RUN = "run-nightly-report"

HOSTILE = (
    "<script>document.title='ran'</script><img src=x onerror=document.title='ran'>",
    "</pre></main><h1>Owned</h1><style>body{display:none}</style>{{ 7 * 7 }}",
    "abc\u202edcba\u2066 \x00 NUL and \u200bzero width",
    "W" * 3_000,
    "line\n" * 400,
    "<a href='javascript:alert(1)'>click</a><form action='https://evil.example/'><input name=k></form>",
)

QUESTIONS = (
    "Where is my parcel {n}? It was due on Tuesday.",
    "Please change the address of order {n} to Hauptstraße 4, Köln.",
    "I was charged twice for invoice {n}. Can you refund one of them?",
    "How do I reset the password of account {n}?",
    "Заказ {n} не пришёл. Что делать?",
    "订单 {n} 的退款什么时候到账？",  # noqa: RUF001  as it is written
    "The app shows error {n} since the update, on Android 16.",
    "Cancel subscription {n} at the end of the month, please.",
)

ANSWERS = (
    "Parcel {n} left the depot this morning and arrives on Friday.",
    "The address of order {n} has been changed; nothing else is needed.",
    "One of the two charges for invoice {n} is refunded within three working days.",
    "Open Settings, Security, Reset password, and follow the mail sent to account {n}.",
    "Error {n} goes away when the cache is cleared: Settings, Apps, Storage, Clear cache.",
)


def self_check(draft):
    """Ask the cheapest model whether the answer is right; its cost is booked."""
    found = yield from ask("gpt-5.4-nano", f"Is this right?\n{draft.text}", max_completion_tokens=4)
    return Score(float(found.text or 0), reason=f"it says {found.text} of 1")


def polite(draft):
    """A rule that costs nothing."""
    evasive = "nothing else is needed" in draft.text
    return Score(0.2 if evasive else 0.97, reason="evasive" if evasive else "reads like an answer")


@lru_cache
def chains():
    """Three chains, by name."""
    confident = first_reject(LogprobConfidence(), self_check, stop_below=0.8)
    made = (
        Chain(
            (
                Tier("gpt-5.4-nano", scorer=confident, threshold=0.9),
                Tier("gpt-5.4-mini", scorer=confident, threshold=0.8),
                Tier("gpt-5.4", scorer=self_check, threshold=0.6),
                Tier("gpt-5.5"),
            ),
            name="support",
        ),
        Chain(
            (
                Tier("gpt-5.4-nano", scorer=polite, threshold=0.5),
                Tier("gpt-5.5"),
            ),
            name="triage",
        ),
        Chain(
            (
                Tier("gpt-5.4-mini", scorer=self_check, threshold=0.85),
                Tier("gpt-5.5", scorer=polite, threshold=0.5),
            ),
            name="extract",
        ),
    )
    return {chain.name: chain for chain in made}


class Demo:
    """Makes one trace after another; the same ones for the same seed."""

    def __init__(self, seed=0, until=None):
        self.random = random.Random(seed)
        self.clock = random.Random(seed)  # of its own: how often it is asked depends on the day
        self.until = until or datetime(2026, 11, 27, 12, tzinfo=UTC)
        self.number = 0

    def trace(self):
        """A request of some chain, with all that may happen to one."""
        chance, self.number = self.random, self.number + 1
        chain = chains()[chance.choices(("support", "triage", "extract"), (6, 3, 1))[0]]
        number = chance.randrange(10_000, 100_000)
        question = chance.choice(QUESTIONS).format(n=number)
        answer = chance.choice(ANSWERS).format(n=number)
        if chance.random() < 0.004:
            answer = chance.choice(HOSTILE)
        if chance.random() < 0.002:
            question = f"{question}\n" * 300
        clock, seen = ManualClock(), []
        size = round(chance.lognormvariate(5.4, 0.6))
        script = {
            tier.name: self.lines(tier, answer, size, hard=chance.random()) for tier in chain.tiers
        }
        checks = {"gpt-5.4-nano": self.check(chance.random())}
        models = ScriptedModels(
            script, scorers=checks, clock=clock, latency_s=chance.lognormvariate(-0.6, 0.5)
        )
        tags = [chance.choice(("web", "app", "mail"))] + (["vip"] if chance.random() < 0.05 else [])
        llm = Cascade(chain, models=models, clock=clock, observers=[seen.append])
        cap = "0.000001" if chance.random() < 0.002 else None
        with suppress(RunError):  # it left a trace, as all do
            llm.complete(question, tags=tags, metadata={"ticket": number}, budget=cap)
        return self.dated(seen[0])

    def lines(self, tier, answer, size, *, hard):
        """What a model answers: now and then it fails once, for good, or says nothing of tokens."""
        chance = self.random
        sure = min(0.999, max(0.3, chance.gauss(0.93 if hard < 0.75 else 0.7, 0.06)))
        tokens = None if chance.random() < 0.003 else size
        words = max(8, len(answer.split()))
        text = reply(
            answer,
            model=f"{tier.model}-2026-09-01",
            input_tokens=tokens,
            output_tokens=words * 3 if tokens else None,
            cached_tokens=0 if tokens is None or chance.random() < 0.7 else size // 2,
            probabilities=[sure] * 4,
        )
        if chance.random() < 0.01:
            return [failure("rate_limit", "slow down", status=429), text]
        if chance.random() < 0.004:
            return failure("not_found", "The model does not exist", status=404)
        return text

    def check(self, luck):
        """What the model says that is asked whether an answer is right."""
        believed = 0.95 if luck < 0.7 else max(0.0, min(1.0, self.random.gauss(0.6, 0.25)))
        return reply(f"{believed:.2f}", input_tokens=120, output_tokens=2)

    def dated(self, trace):
        """The trace at some moment of the last weeks: by day, and on working days, more often."""
        chance = self.random
        while True:
            moment = self.until - timedelta(seconds=self.clock.random() * DAYS * 86_400)
            busy = 0.35 + 0.65 * math.sin(math.pi * ((moment.hour - 5) % 24) / 24) ** 2
            if self.clock.random() < busy * (0.4 if moment.weekday() > 4 else 1.0):
                break
        stamp = f"{int(moment.timestamp() * 1000):012x}"
        return replace(
            trace,
            id=f"{stamp}-{chance.getrandbits(64):016x}",
            started_at=moment.isoformat(timespec="milliseconds"),
            parent_id=RUN if chance.random() < 0.002 else None,
        )


def family(demo):
    """A request, two made for it, and one made for the second."""
    root, *others = (demo.trace() for _ in range(4))
    first, second, last = others
    return [
        replace(root, tags=(*root.tags, "agent")),
        replace(first, parent_id=root.id),
        replace(second, parent_id=root.id),
        replace(last, parent_id=second.id),
    ]


def fill(store, count, *, seed=0, until=None):
    """Save so many traces, a family among them; returns the id of the family's root."""
    demo = Demo(seed, until)
    kin = family(demo) if count >= 4 else []
    for trace in kin:
        store.save(trace)
    for _ in range(count - len(kin)):
        store.save(demo.trace())
        if demo.number % 1000 == 0:
            store.flush()
    store.flush()
    return kin[0].id if kin else None


if __name__ == "__main__":
    where, count = Path(sys.argv[1]), int(sys.argv[2])
    with TraceStore(where) as made:
        root = fill(made, count, until=datetime.now(UTC))
    print(f"{count} traces in {where}; a family begins with {root}")
