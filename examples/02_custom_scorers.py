"""Four ways to write a scorer: a function, an object, a coroutine function, a generator."""

import asyncio
import re
from dataclasses import dataclass

from cascade import AsyncCascade, Draft, Score, Scoring, Tier, ask
from cascade.testing import ScriptedModels


def names_an_order(draft: Draft) -> bool:
    """A function of a draft is a scorer."""
    return re.search(r"\border #\d+", draft.text) is not None


@dataclass(frozen=True)
class LongEnough:
    """An object is a scorer with settings."""

    words: int

    def __call__(self, draft: Draft) -> Score:
        found = len(draft.text.split())
        return Score(min(1.0, found / self.words), reason=f"{found} words")


async def known_to_the_shop(draft: Draft) -> float:
    """A coroutine function may wait for a service; AsyncCascade only."""
    await asyncio.sleep(0)  # a look-up in a database would stand here
    return 0.0 if "#99" in draft.text else 1.0


def polite(draft: Draft) -> Scoring:
    """A generator asks a model; what that costs is booked with the request."""
    answer = yield from ask("gpt-5.4-nano", f"Answer yes or no: is this polite?\n{draft.text}")
    return Score(float(answer.text.lower().startswith("yes")), reason=answer.text)


async def main() -> None:
    """Each scorer sends the request one tier further; the last tier's answer stands."""
    llm = AsyncCascade(
        [
            Tier("gpt-5.4-nano", name="function", scorer=names_an_order),
            Tier("gpt-5.4-nano", name="object", scorer=LongEnough(words=6), threshold=0.9),
            Tier("gpt-5.4-nano", name="coroutine", scorer=known_to_the_shop),
            Tier("gpt-5.4-mini", name="generator", scorer=polite),
            Tier("gpt-5.5", name="top"),
        ],
        models=ScriptedModels(
            {
                "function": "It is on its way.",
                "object": "See order #12.",
                "coroutine": "Your order #99 is on its way.",
                "generator": "Wait. Order #12 comes when it comes.",
                "top": "Your order #12 arrives on Monday.",
            },
            scorers={"function": "no, it is not"},
        ),
    )
    done = await llm.complete("Where is my order?")
    for attempt in done.trace.attempts:
        print(f"{attempt.tier}: {attempt.verdict}, {attempt.reason}")
    print(f"cost ${done.cost_usd}, of which scorers ${done.scoring_cost_usd}")


asyncio.run(main())

# function: escalated, score 0 < 0.5
# object: escalated, score 0.5 < 0.9: 3 words
# coroutine: escalated, score 0 < 0.5
# generator: escalated, score 0 < 0.5: no, it is not
# top: accepted, the last tier's answer stands
# cost $0.00030075, of which scorers $0.000007
