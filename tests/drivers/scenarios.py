"""Requests as data: the tiers, what the models answer, and how each must end.

Every scenario goes through every driver in `test_every_scenario.py`. Scripts and tiers come from
functions, because a script is used up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cascade import (
    Abstained,
    Ask,
    Budget,
    Capabilities,
    Policy,
    Price,
    Reply,
    Retry,
    Score,
    ScorerError,
    Tier,
    ask,
    ask_all,
    sample,
)
from cascade.testing import failure, reply

LATENCY_S = 0.25
"""What every try takes on the manual clock."""

CHEAP, MIDDLE, DEAR = Price.of("1", "2"), Price.of("2", "4"), Price.of("4", "8")

NOBODY = threading.Event()
"""Never set: what waits for it hangs."""


def says(value):
    """A scorer that always says the same."""

    def fixed(draft):
        return value

    return fixed


def good(draft):
    """Accepts answers that say they are good."""
    return Score(1.0 if "good" in draft.text else 0.2, reason=f"read {draft.text!r}")


def raises(draft):
    raise LookupError("no such word")


def hangs(draft):
    NOBODY.wait(20)
    return 1.0


def abstains(draft):
    return Abstained("nothing to go by")


def asks_judge(draft):
    """Asks another model and scores its yes or no."""
    said = yield from ask("judge", f"Is {draft.text!r} right?", max_completion_tokens=4)
    return Score(float(said.text == "yes"), reason=said.text)


def asks_twice(draft):
    """Asks the model that wrote the draft, then a tier of the chain by its name."""
    first = yield from ask(None, "Are you sure?")
    second = yield from ask("top", [{"role": "user", "content": "Is it sure?"}], logprobs=True)
    return 0.5 * (first.text == "yes") + 0.5 * (second.text == "yes")


def forgives(draft):
    """Handles a question that fails."""
    try:
        yield from ask("judge", "Is it right?")
    except ScorerError as error:
        return Score(0.6, reason=f"judge away: {error}")
    return Score(1.0)


def samples(draft):
    """Asks the tier twice more; the last good answer is returned instead of the draft."""
    further = yield from sample(draft, 2, temperature=0.7)
    answers = [item for item in further if isinstance(item, Reply)]
    found = [item for item in answers if "good" in item.text]
    share = len(found) / 2
    return Score(share, reason=f"{len(answers)} samples", reply=found[-1] if found else None)


def asks_all(draft):
    """Puts two questions at once; one goes to a model that nobody has."""
    yes, nobody = yield from ask_all(
        Ask("top", ({"role": "user", "content": "Right?"},)), Ask("", ())
    )
    return Score(float(yes.text == "yes" and isinstance(nobody, ScorerError)))


def asks_nobody(draft):
    return Score(1.0 if (yield from ask_all()) == [] else 0.0)


@dataclass(frozen=True)
class KnowsEarly:
    """Accepts what is good; knows a bad answer by its first words."""

    def __call__(self, draft):
        return good(draft)

    def hopeless(self, text, tokens, threshold):
        return f"read {text!r}" if "bad" in text else None


def repaired(call):
    """Answers well if it was shown what was rejected, and why."""
    asked = call.payload["messages"]
    shown = asked[-1]["content"]
    told = len(asked) == 2 and '"bad"' in shown and "score 0.2 < 0.5" in shown
    return "good" if told else "lost"


async def awaits(draft):
    await asyncio.sleep(0)
    return Score(1.0 if "good" in draft.text else 0.0, reason="slept on it")


async def never_comes(draft):
    await asyncio.sleep(20)


@dataclass(frozen=True)
class LongEnough:
    """An object scorer with a setting."""

    words: int

    def __call__(self, draft):
        found = len(draft.text.split())
        return Score(min(1.0, found / self.words), reason=f"{found} words")


@dataclass(frozen=True)
class Inline:
    """Quick, so it runs on the calling thread."""

    inline = True

    def __call__(self, draft):
        return len(draft.earlier) / 2


@dataclass(frozen=True)
class InlineQuestion:
    """Runs on the calling thread and asks a model."""

    inline = True

    def __call__(self, draft):
        yield from ask("top", "Is it right?")
        return 1.0


def three(first=good, second=good, **settings):
    """Three tiers, the last without a scorer."""
    return lambda: [
        Tier("low", scorer=first, price=CHEAP, **settings),
        Tier("mid", scorer=second, price=MIDDLE, **settings),
        Tier("top", price=DEAR),
    ]


@dataclass(frozen=True)
class Scenario:
    """A request and how it must end.

    Attributes:
        tiers: makes the tiers.
        script: makes the models' lines.
        status: the trace's status.
        tier: who answered.
        text: the answer, `None` where an error is raised.
        asked: the tiers asked, in order.
        cost: exact dollars as text, `None` where unknown.
        scorers: makes the lines for scorers' questions.
        settings: of the cascade; a callable value is called for each driver.
        only_async: needs a driver that can await.
        replays: replaying the trace gives it back.
    """

    tiers: Callable[[], list[Tier]]
    script: Callable[[], dict[str, Any]]
    status: str
    tier: str | None
    text: str | None
    asked: tuple[str, ...]
    cost: str | None
    scorers: Callable[[], dict[str, Any]] = dict
    settings: dict[str, Any] = field(default_factory=dict)
    only_async: bool = False
    replays: bool = True


# One word costs 10 tokens in and 1 out: 12, 24 and 48 millionths of a dollar on the three tiers.
ALL_THREE = ("low", "mid", "top")


def one_rejected(first, why="0.000036", **more):
    """A first scorer that does not accept, and a second tier that does."""
    return Scenario(
        three(first), lambda: {"low": "bad", "mid": "good"}, "accepted", "mid", "good",
        ("low", "mid"), why, **more,
    )  # fmt: skip


SCENARIOS: dict[str, Scenario] = {
    "the first tier is accepted": Scenario(
        three(), lambda: {"low": "good"}, "accepted", "low", "good", ("low",), "0.000012"
    ),
    "the second tier is accepted": one_rejected(good),
    "the last tier's answer stands": Scenario(
        three(), lambda: {"low": "bad", "mid": "bad", "top": "a longer answer"},
        "accepted", "top", "a longer answer", ALL_THREE, "0.0001",
    ),
    "a scorer abstains": one_rejected(abstains),
    "an abstention is accepted by policy": Scenario(
        three(abstains), lambda: {"low": "bad"}, "accepted", "low", "bad", ("low",), "0.000012",
        settings={"policy": Policy(on_abstain="accept")},
    ),
    "a scorer raises": one_rejected(raises),
    "a scorer's failure is accepted by policy": Scenario(
        three(raises), lambda: {"low": "bad"}, "accepted", "low", "bad", ("low",), "0.000012",
        settings={"policy": Policy(on_scorer_failure="accept")},
    ),
    "a scorer returns None": one_rejected(says(None)),
    "a scorer returns NaN": one_rejected(says(float("nan"))),
    "a scorer returns 2.0": one_rejected(says(2.0)),
    "a scorer returns text": one_rejected(says("yes")),
    "a scorer hangs": Scenario(
        three(hangs, scorer_timeout_s=0.05), lambda: {"low": "bad", "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000036",
    ),
    "a scorer on the calling thread": Scenario(
        three(scorer_timeout_s=None), lambda: {"low": "bad", "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000036",
    ),
    "a scorer with settings": Scenario(
        three(LongEnough(4)), lambda: {"low": "two words"}, "accepted", "low", "two words",
        ("low",), "0.000014",
    ),
    "an inline scorer sees earlier drafts": Scenario(
        three(Inline(), Inline()), lambda: {"low": "bad", "mid": "also"},
        "accepted", "mid", "also", ("low", "mid"), "0.000036",
    ),
    "a partial as scorer": one_rejected(partial(lambda word, draft: word in draft.text, "good")),
    "a scorer asks another model": Scenario(
        lambda: [
            Tier("low", scorer=asks_judge, price=CHEAP),
            Tier("judge", price=DEAR),
        ],
        lambda: {"low": "good"}, "accepted", "low", "good", ("low",), "0.00006",
        scorers=lambda: {"judge": "yes"},
    ),
    "a scorer asks an unpriced model": Scenario(
        three(asks_judge), lambda: {"low": "good"}, "accepted", "low", "good", ("low",), None,
        scorers=lambda: {"judge": "yes"},
    ),
    "a scorer asks twice": Scenario(
        lambda: [
            Tier("low", scorer=asks_twice, threshold=0.9, price=CHEAP),
            Tier("mid", scorer=good, price=MIDDLE),
            Tier("top", price=DEAR),
        ],
        lambda: {"low": "bad", "mid": "good"}, "accepted", "mid", "good", ("low", "mid"),
        "0.000096",
        scorers=lambda: {"low": ["yes"], "top": [reply("no", probabilities=[0.9])]},
    ),
    "a scorer's question fails": one_rejected(
        asks_judge, None, scorers=lambda: {"judge": failure("server", status=500)}
    ),
    "a scorer handles its failed question": Scenario(
        three(forgives), lambda: {"low": "bad"}, "accepted", "low", "bad", ("low",), None,
        scorers=lambda: {"judge": [failure("timeout"), failure("overloaded"), failure("server")]},
    ),
    "a scorer's question meets a billing stop": Scenario(
        three(asks_judge), lambda: {"low": "good"}, "billing_stopped", None, None, ("low",),
        "0.000012", scorers=lambda: {"judge": failure("billing", status=429)},
    ),
    "a scorer takes samples": Scenario(
        three(samples), lambda: {"low": "bad"}, "accepted", "low", "so good", ("low",), "0.000038",
        scorers=lambda: {"low": ["good", "so good"]},
    ),
    "samples that convince nobody": Scenario(
        three(samples), lambda: {"low": "bad", "mid": "good"}, "accepted", "mid", "good",
        ("low", "mid"), "0.00006", scorers=lambda: {"low": "worse"},
    ),
    "a sample fails": Scenario(
        three(samples, retry=Retry(max_tries=1)), lambda: {"low": "bad"},
        "accepted", "low", "good", ("low",), "0.000024",
        scorers=lambda: {"low": [failure("overloaded", status=429), "good"]},
    ),
    "a sample meets a billing stop": Scenario(
        three(samples, retry=Retry(max_tries=1)), lambda: {"low": "bad"},
        "billing_stopped", None, None, ("low",), "0.000024",
        scorers=lambda: {"low": ["good", failure("billing", status=429)]},
    ),
    "samples on the last tier": Scenario(
        lambda: [Tier("low", scorer=samples, price=CHEAP)],
        lambda: {"low": "the draft"}, "accepted", "low", "the draft", ("low",), "0.000038",
        scorers=lambda: {"low": "good"},
    ),
    "the budget has room for one sample": Scenario(
        lambda: [
            Tier("low", scorer=samples, price=CHEAP, params={"max_completion_tokens": 10}),
            Tier("top", price=DEAR),
        ],
        lambda: {"low": "bad"}, "accepted", "low", "good", ("low",), "0.000024",
        scorers=lambda: {"low": ["good", "good"]}, settings={"budget": "0.00015"},
    ),
    "questions put at once": Scenario(
        three(asks_all), lambda: {"low": "bad"}, "accepted", "low", "bad", ("low",), "0.00006",
        scorers=lambda: {"top": "yes"},
    ),
    "no questions put at once": Scenario(
        three(asks_nobody), lambda: {"low": "bad"}, "accepted", "low", "bad", ("low",), "0.000012"
    ),
    "a draft is left before its end": Scenario(
        three(KnowsEarly()), lambda: {"low": "it is bad and it goes on and on", "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.00004",
        settings={"policy": Policy(stop_early=True)},
    ),
    "a draft is lost by its last word": Scenario(
        three(KnowsEarly()), lambda: {"low": "it goes on and on and ends bad", "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.00005",
        settings={"policy": Policy(stop_early=True)},
    ),
    "a good draft is read to its end": Scenario(
        three(KnowsEarly()), lambda: {"low": "it is good and it goes on and on"},
        "accepted", "low", "it is good and it goes on and on", ("low",), "0.000028",
        settings={"policy": Policy(stop_early=True)},
    ),
    "a watched draft fails": Scenario(
        three(KnowsEarly(), retry=Retry(max_tries=1)),
        lambda: {"low": failure("connection"), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), None,
        settings={"policy": Policy(stop_early=True)},
    ),
    "a rejected draft is repaired": Scenario(
        three(), lambda: {"low": "bad", "mid": repaired},
        "accepted", "mid", "good", ("low", "mid"), "0.000036",
        settings={"policy": Policy(repair=True)},
    ),
    "a prompt that only the second window holds": Scenario(
        three(capabilities=Capabilities(max_input_tokens=1)),
        lambda: {"top": "it fits"}, "accepted", "top", "it fits", ALL_THREE, "0.000056",
    ),
    "a coroutine scorer": one_rejected(awaits, only_async=True),
    "a coroutine scorer that hangs": Scenario(
        three(never_comes, scorer_timeout_s=0.05), lambda: {"low": "bad", "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000036", only_async=True,
    ),
    "retries, then success": Scenario(
        three(), lambda: {"low": [failure("rate_limit", status=429), failure("unreachable"), "good"]},
        "accepted", "low", "good", ("low",), "0.000012",
    ),
    "retries exhausted, then the next tier": Scenario(
        three(), lambda: {"low": failure("rate_limit", status=429), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000024",
    ),
    "a rate limit ends the request by policy": Scenario(
        three(retry=Retry(max_tries=1)), lambda: {"low": failure("rate_limit", status=429)},
        "refused", None, None, ("low",), "0",
        settings={"policy": Policy(on_rate_limit="fail")},
    ),
    "a timeout costs an unknown amount": Scenario(
        three(retry=Retry(max_tries=1)), lambda: {"low": failure("timeout"), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), None,
    ),
    "a billing stop": Scenario(
        three(), lambda: {"low": "bad", "mid": failure("billing", status=429)},
        "billing_stopped", None, None, ("low", "mid"), "0.000012",
    ),
    "the provider refuses": Scenario(
        three(), lambda: {"low": failure("auth", status=401)}, "refused", None, None, ("low",), "0"
    ),
    "a model that is gone": Scenario(
        three(), lambda: {"low": failure("not_found", status=404), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000024",
        settings={"policy": Policy(on_not_found="escalate")},
    ),
    "the prompt does not fit": Scenario(
        three(), lambda: {"low": failure("context_length", status=400), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000024",
    ),
    "an interrupted stream ends the request": Scenario(
        three(), lambda: {"low": "bad", "mid": "bad", "top": failure("interrupted")},
        "interrupted", None, None, ALL_THREE, None,
    ),
    "a refusal": Scenario(
        three(), lambda: {"low": reply(None, refusal="I will not."), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000036",
    ),
    "a refusal on the last tier stands": Scenario(
        three(), lambda: {"low": "bad", "mid": "bad", "top": reply(None, refusal="I will not.")},
        "accepted", "top", "", ALL_THREE, "0.000084",
    ),
    "an answer cut at its limit": Scenario(
        three(), lambda: {"low": reply("good", finish_reason="length"), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000036",
    ),
    "an empty answer": Scenario(
        three(), lambda: {"low": reply(" \n"), "mid": "good"},
        "accepted", "mid", "good", ("low", "mid"), "0.000036",
    ),
    "an empty answer on the last tier": Scenario(
        three(), lambda: {"low": "bad", "mid": "worse", "top": reply("")},
        "unaccepted", "mid", "worse", ALL_THREE, "0.000084",
    ),
    "blank text on the last tier": Scenario(
        three(), lambda: {"low": "bad", "mid": "worse", "top": reply("  \n ")},
        "unaccepted", "mid", "worse", ALL_THREE, "0.000084",
    ),
    "nothing but empty answers": Scenario(
        three(), lambda: dict.fromkeys(ALL_THREE, reply("")),
        "exhausted", None, None, ALL_THREE, "0.000084",
    ),
    "a content filter": Scenario(
        three(), lambda: {"low": reply("ba", finish_reason="content_filter")},
        "accepted", "low", "ba", ("low",), "0.000012",
    ),
    "tool calls": Scenario(
        three(lambda draft: bool(draft.reply.tool_calls)),
        lambda: {"low": reply(None, finish_reason="tool_calls", tool_calls=[
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ])},
        "accepted", "low", "", ("low",), "0.000012",
    ),
    "tool calls on the last tier": Scenario(
        three(), lambda: {"low": "bad", "mid": "bad", "top": reply(None, tool_calls=[
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ])},
        "accepted", "top", "", ALL_THREE, "0.000084",
    ),
    "the budget stops the second call": Scenario(
        three(params={"max_completion_tokens": 10}), lambda: {"low": "bad"}, "unaccepted", "low", "bad", ("low", "mid"), "0.000012",
        settings={"budget": lambda: Budget("0.00015")},
    ),
    "the budget stops the second call and raises": Scenario(
        three(params={"max_completion_tokens": 10}), lambda: {"low": "bad"}, "budget_exceeded", None, None, ("low", "mid"), "0.000012",
        settings={"budget": lambda: Budget("0.00015", on_exceeded="raise")},
    ),
    "the budget stops the first call": Scenario(
        three(), dict, "budget_exceeded", None, None, ("low",), "0",
        settings={"budget": lambda: Budget("0.00000001")},
    ),
    "the deadline passes between tiers": Scenario(
        three(Inline(), Inline()), lambda: {"low": "bad"}, "unaccepted", "low", "bad",
        ("low", "mid"), "0.000012", settings={"deadline_s": 0.25},
    ),
    "the deadline passes before a scorer runs": Scenario(
        three(), lambda: {"low": "good"}, "unaccepted", "low", "good", ("low", "mid"), "0.000012",
        settings={"deadline_s": 0.25},
        replays=False,  # scorers run again in a replay, which takes no time
    ),
    "the deadline passes before a scorer's question": Scenario(
        three(InlineQuestion()), lambda: {"low": "good"}, "unaccepted", "low", "good", ("low",),
        "0.000012", settings={"deadline_s": 0.25},
    ),
    "the deadline passes in the only call": Scenario(
        lambda: [Tier("low", price=CHEAP)], lambda: {"low": failure("deadline")},
        "deadline_exceeded", None, None, ("low",), None,
    ),
    "sixteen tiers": Scenario(
        lambda: [
            *(Tier(f"t{number}", scorer=good, price=CHEAP) for number in range(15)),
            Tier("t15", price=DEAR),
        ],
        lambda: {f"t{number}": "bad" for number in range(16)},
        "accepted", "t15", "bad", tuple(f"t{number}" for number in range(16)), "0.000228",
    ),
    "one tier": Scenario(
        lambda: [Tier("low", price=CHEAP)], lambda: {"low": "well then"},
        "accepted", "low", "well then", ("low",), "0.000014",
    ),
    "one tier with a scorer": Scenario(
        lambda: [Tier("low", scorer=good, price=CHEAP)], lambda: {"low": "bad"},
        "accepted", "low", "bad", ("low",), "0.000012",
    ),
    "a tier without a scorer takes what comes": Scenario(
        three(None), lambda: {"low": "bad"}, "accepted", "low", "bad", ("low",), "0.000012"
    ),
    "every tier fails": Scenario(
        three(retry=Retry(max_tries=1)),
        lambda: {"low": failure("overloaded", status=503), "mid": failure("malformed"),
                 "top": failure("context_length", status=400)},
        "exhausted", None, None, ALL_THREE, None,
    ),
    "the last tier fails": Scenario(
        three(), lambda: {"low": "bad", "mid": "worse", "top": failure("context_length")},
        "unaccepted", "mid", "worse", ALL_THREE, "0.000036",
    ),
    "usage is not reported": Scenario(
        three(), lambda: {"low": reply("good", input_tokens=None)},
        "accepted", "low", "good", ("low",), None,
    ),
    "escalation to a free local tier": Scenario(
        lambda: [Tier("low", scorer=good, price=CHEAP), Tier("local", price=Price.free())],
        lambda: {"low": "bad", "local": reply("mine", input_tokens=None)},
        "accepted", "local", "mine", ("low", "local"), "0.000012",
    ),
}  # fmt: skip
