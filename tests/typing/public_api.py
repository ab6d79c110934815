"""The public API written down for type checkers; it is checked and never run.

Covers what callers write: building, asking, streaming, scorers of every form, errors, replays.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, assert_type

from cascade import (
    Abstained,
    AsyncCascade,
    AsyncMany,
    Budget,
    Cascade,
    Chain,
    ChainExhausted,
    Chunk,
    Completion,
    Draft,
    Endpoint,
    Failed,
    Many,
    ManyResult,
    Needs,
    Outcome,
    Policy,
    Price,
    Progress,
    Reply,
    Request,
    RequestError,
    Retry,
    RunError,
    Score,
    Scorer,
    ScoreRecord,
    Scoring,
    Tier,
    Trace,
    Usage,
    ask,
    evaluate,
    load_chain,
    openai_chain,
    replay,
    scorer_name,
)
from cascade.testing import ManualClock, ScriptedModels, failure, reply


def says_yes(draft: Draft) -> bool:
    """A function of a draft."""
    return "yes" in draft.text


def certain(draft: Draft) -> float:
    """A function that gives a number."""
    return 1.0 if draft.reply.logprobs else 0.0


@dataclass(frozen=True)
class LongEnough:
    """An object with a setting."""

    words: int

    def __call__(self, draft: Draft) -> Score:
        """Judge by length."""
        return Score(min(1.0, len(draft.text.split()) / self.words), reason="length")


def polite(draft: Draft) -> Scoring:
    """A generator that asks a model."""
    answer = yield from ask("gpt-5.4-nano", f"Is this polite? {draft.text}", max_tokens=1)
    assert_type(answer, Reply)
    return Score(float(answer.text == "yes"))


def unsure(draft: Draft) -> Generator[Any, Any, Score | Abstained]:
    """A combinator that judges a part."""
    outcome = yield from evaluate(polite, draft)
    assert_type(outcome, Score | Abstained | Failed)
    return outcome if isinstance(outcome, Score) else Abstained("no word")


async def checked_elsewhere(draft: Draft) -> Score:
    """A coroutine function."""
    return Score(1.0 if draft.earlier else 0.0)


SCORERS: list[Scorer] = [says_yes, certain, LongEnough(3), polite, unsure, checked_elsewhere]

TIERS = [
    Tier(
        "gpt-5.4-nano",
        scorer=polite,
        threshold=0.9,
        params={"reasoning_effort": None},
        preamble=({"role": "user", "content": "1+1"}, {"role": "assistant", "content": "2"}),
        retry=Retry(max_tries=2),
        scorer_timeout_s=None,
    ),
    Tier(
        "local",
        name="mine",
        scorer=LongEnough(3),
        price=Price.free(),
        client=Endpoint("http://h/v1"),
    ),
    Tier("gpt-5.5"),
]


def values() -> None:
    """What the values hold."""
    chain = Chain(tuple(TIERS), policy=Policy(on_refusal="accept"), allow_unknown_prices=True)
    assert_type(chain.with_thresholds({"mine": 0.5}), Chain)
    assert_type(chain.top, Tier)
    assert_type(chain.digest, str)
    assert_type(load_chain("chain.toml"), Chain)
    assert_type(openai_chain({"type": "object"}), Chain)
    assert_type(Budget("0.05", on_exceeded="raise").left_usd, Decimal)
    assert_type(Price.of("1", 2, cached_input=Decimal("0.5")), Price)
    assert_type(Usage(1, 2) + Usage(3, 4), Usage)
    assert_type(Request.build("hello", {"seed": 1}, metadata={"user": "ann"}), Request)
    assert_type(Needs(logprobs=True) | Needs(top_logprobs=3), Needs)
    assert_type(scorer_name(polite), str)
    verdict: Outcome = Score(1.0)
    assert_type(verdict.reason, str)


def blocking() -> None:
    """The sync cascade."""
    models = ScriptedModels({"mine": [reply("x", probabilities=[0.5]), failure("server")]})
    with Cascade(TIERS, models=models, budget="0.05", deadline_s=10, clock=ManualClock()) as llm:
        done = llm.complete("hello", temperature=0, metadata={"user": "ann"})
        assert_type(done, Completion)
        assert_type(done.text, str)
        assert_type(done.cost_usd, Decimal | None)
        assert_type(done.saved_usd, Decimal | None)
        assert_type(done.cost_by_tier, dict[str, Decimal | None])
        assert_type(done.trace, Trace)
        assert_type(llm.complete({"input": "hello"}, text_format={"type": "object"}).parsed, Any)
        assert_type(done.trace.attempts[0].score, ScoreRecord | None)
        with llm.stream([{"role": "user", "content": "hello"}], budget=Decimal(1)) as stream:
            for chunk in stream:
                assert_type(chunk, Chunk)
        assert_type(stream.completion, Completion | None)
        assert_type(stream.trace, Trace | None)
        assert_type(
            llm.complete_rounds(["a", {"messages": []}]), list[Completion | RunError | RequestError]
        )
        with llm.complete_many(iter(["a"]), concurrency=4, progress=print, seed=1) as many:
            assert_type(many, Many)
            for result in many:
                assert_type(result, ManyResult)
                assert_type(result.unwrap(), Completion)
                assert_type(result.error, BaseException | None)
        assert_type(many.progress, Progress)
        try:
            llm.complete(Request.build("again"))
        except ChainExhausted as error:
            assert_type(error.trace, Trace)
        assert_type(replay(done.trace, llm.chain), Trace)
        assert_type(Trace.from_json(done.trace.to_json(indent=2)), Trace)


async def awaiting() -> None:
    """The async cascade."""
    async with AsyncCascade(TIERS, store="traces.db", observers=[print]) as llm:
        assert_type(await llm.complete("hello"), Completion)
        async with llm.stream("hello", deadline_s=2.5) as stream:
            async for chunk in stream:
                assert_type(chunk.text, str)
        rounds = await llm.complete_rounds(["a", "b"], concurrency=4)
        assert_type(rounds, list[Completion | RunError | RequestError])
        async with llm.complete_many(["a"], ordered=False, tags=["night"]) as many:
            assert_type(many, AsyncMany)
            async for result in many:
                assert_type(result.completion, Completion | None)
