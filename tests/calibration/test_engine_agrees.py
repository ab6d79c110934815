"""A18: a recording decides and costs what the engine does, request by request."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from cascade import (
    Abstained,
    Cascade,
    Chain,
    Policy,
    Price,
    Retry,
    RunError,
    Score,
    Tier,
    ask,
    replay,
)
from cascade.calibration import import_traces, what_if
from cascade.calibration.money import usd_of
from cascade.testing import ScriptedModels, failure, reply

NAMES = ("a", "b", "c")
PRICES = {"a": Price.of("0.20", "1.25"), "b": Price.of("0.75", "4.50"), "c": Price.of("5", "30")}
ONCE = Retry(max_tries=1)


def by_text(draft):
    """Says what the answer says of itself."""
    if draft.text == "abstain":
        return Abstained("no signal")
    if draft.text == "broken":
        raise RuntimeError("the scorer broke")
    return Score(float(draft.text))


def by_earlier(draft):
    """Looks at what was bought before."""
    if not draft.earlier:
        return Abstained("nothing to compare with")
    same = sum(other.text == draft.text for other in draft.earlier)
    return Score(same / len(draft.earlier) * 0.9)


def by_asking(draft):
    """Asks a model, which costs."""
    said = yield from ask(None, f"How good is {draft.text!r}?")
    return Score(float(said.text))


SCORERS = {"text": by_text, "earlier": by_earlier, "asks": by_asking, "none": None}

ANSWERS = st.one_of(
    st.sampled_from(["0.1", "0.5", "0.5", "0.9", "abstain", "broken"]),
    st.sampled_from(["refused", "cut", "filtered", "empty", "down"]),
)


def line(kind, tokens):
    """What a tier says."""
    usage = {"input_tokens": 10 + tokens, "output_tokens": 1 + tokens}
    return {
        "refused": reply(None, refusal="I cannot", **usage),
        "cut": reply("0.3", finish_reason="length", **usage),
        "filtered": reply("0.3", finish_reason="content_filter", **usage),
        "empty": reply("", **usage),
        "down": failure("rate_limit", "too many", status=429),
    }.get(kind) or reply(kind, **usage)


@st.composite
def worlds(draw):
    """Requests with what every tier says, the recorded scorers, and another chain to decide by."""
    kinds = draw(st.fixed_dictionaries({n: st.sampled_from(sorted(SCORERS)) for n in NAMES}))
    requests = draw(
        st.lists(
            st.fixed_dictionaries({n: st.tuples(ANSWERS, st.integers(0, 9)) for n in NAMES}),
            min_size=1,
            max_size=6,
        )
    )
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 3))]
    thresholds = {n: draw(st.sampled_from([0.0, 0.1, 0.45, 0.5, 0.9, 1.0])) for n in names}
    judged = draw(st.lists(st.sampled_from(["0.2", "0.5", "0.8"]), min_size=9, max_size=9))
    return kinds, requests, names, thresholds, judged


def tier(name, kind, threshold):
    scored = {} if kind == "none" else {"scorer": SCORERS[kind], "threshold": threshold}
    return Tier(name, price=PRICES[name], retry=ONCE, **scored)


END = Tier("end", price=Price.free(), retry=ONCE)


def recorded(kinds, requests, judged):
    """Every tier asked and judged, one trace per request: no score reaches 1, and the end fails."""
    scorers = {**SCORERS, "none": lambda draft: 0.0}
    tiers = [replace(tier(n, "none", 1.0), scorer=scorers[kinds[n]], threshold=1.0) for n in NAMES]
    policy = Policy(on_content_filter="escalate")
    traces = []
    for place, said in enumerate(requests):
        script = {name: line(*said[name]) for name in NAMES}
        script["end"] = failure("server", "never answers", status=500)
        judge = reply(judged[place % len(judged)], input_tokens=7, output_tokens=1)
        models = ScriptedModels(script, scorers=dict.fromkeys(NAMES, judge))
        try:
            llm = Cascade([*tiers, END], models=models, policy=policy)
            traces.append(llm.complete(f"question {place}").trace)
        except RunError as error:
            traces.append(error.trace)
    return traces


@settings(max_examples=100)
@given(worlds())
def test_a_what_if_is_the_engine(world):
    """For any scorers, tiers, order and thresholds every decision and cost is the engine's own."""
    kinds, requests, names, thresholds, judged = world
    traces = recorded(kinds, requests, judged)
    whole = Chain((*(tier(n, kinds[n], 1.0) for n in NAMES), END))
    recording = import_traces(traces, chain=whole)
    chain = Chain(tuple(tier(name, kinds[name], thresholds[name]) for name in names))
    found = what_if(chain, recording, resamples=1)
    for row, trace in enumerate(traces):
        mine = found.outcomes
        theirs = replay(trace, chain)
        returned = None if mine.returned[row] < 0 else recording.names[mine.returned[row]]
        assert returned == theirs.tier
        assert usd_of(mine.cost_pusd[row]) == theirs.cost_usd
        assert mine.calls[row] == sum(attempt.asked for attempt in theirs.attempts)
        assert mine.stop[row] == len(theirs.attempts) - 1
    total = sum((replay(trace, chain).cost_usd for trace in traces), Decimal(0))
    assert found.total_usd == total
    assert what_if(chain, recording, resamples=1).digest == found.digest
