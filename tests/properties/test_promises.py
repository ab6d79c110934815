"""What holds for every chain and every script: sums, caps, replays, streams."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade import (
    Abstained,
    Budget,
    Cascade,
    Chain,
    Policy,
    Price,
    Retry,
    RunError,
    Score,
    ScorerError,
    Tier,
    Trace,
    Usage,
    ask,
    replay,
)
from cascade.core.budget import worst_case_usd
from cascade.core.failures import KINDS
from cascade.testing import ManualClock, ScriptedModels, failure, reply

RATES = st.integers(0, 50).map(lambda cents: Decimal(cents).scaleb(-2))
PRICES = st.one_of(
    st.none(),
    st.builds(Price.of, RATES, RATES, cached_input=st.none() | RATES),
    st.just(Price.free()),
)
VALUES = st.integers(0, 20).map(lambda twentieth: twentieth / 20)
WORDS = st.sampled_from(["", " ", "yes", "no", "one two", "ünïcode\n text"])


@st.composite
def replies(draw, known=False):
    count = st.integers(0, 5000) if known else st.none() | st.integers(0, 5000)
    tokens = draw(count)
    return reply(
        draw(WORDS),
        input_tokens=tokens,
        output_tokens=draw(st.integers(0, 20)),
        cached_tokens=draw(st.integers(0, tokens or 0)),
        finish_reason=draw(st.sampled_from(["stop", "stop", "stop", "length", "content_filter"])),
        refusal=draw(st.sampled_from([None, None, None, "I will not."])),
        service_tier=draw(st.sampled_from(["default", None])),
    )


LINES = st.one_of(replies(), replies(), replies(), st.sampled_from(sorted(KINDS)).map(failure))


class Scripted:
    """A scorer that says what the script holds, and may ask first."""

    def __init__(self, says, asks, *, inline=True):
        self.says, self.asks, self.inline = says, asks, inline

    def __call__(self, draft):
        for model, forgiving in self.asks:
            try:
                yield from ask(model, f"Is {draft.text!r} right?", max_completion_tokens=20)
            except ScorerError:
                if not forgiving:
                    raise
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


SAYS = st.one_of(
    VALUES.map(Score),
    VALUES.map(Score),
    st.just(Abstained("?")),
    st.sampled_from([None, 2.0, "yes", True, LookupError("no")]),
)


@st.composite
def worlds(draw, most=5, prices=PRICES, lines=LINES):
    """A chain, and the lines of every model in it; each call finds at least one line."""
    count = draw(st.integers(1, most))
    names = [f"t{number}" for number in range(count)]
    asks = st.lists(st.tuples(st.sampled_from([None, "judge", *names]), st.booleans()), max_size=2)
    scorers = [draw(st.none() | st.builds(Scripted, SAYS, asks)) for _ in names]
    tiers = tuple(
        Tier(
            name,
            scorer=scorer,
            **({} if scorer is None else {"threshold": draw(VALUES)}),
            price=draw(prices),
            retry=Retry(max_tries=draw(st.integers(1, 3))),
            params={"max_completion_tokens": 20},
        )
        for name, scorer in zip(names, scorers, strict=True)
    )
    choice = st.sampled_from(["escalate", "accept"])
    policy = Policy(
        **{f"on_{name}": draw(choice) for name in ("abstain", "scorer_failure", "refusal", "length",
                                                   "content_filter", "empty")},
        on_rate_limit=draw(st.sampled_from(["escalate", "fail"])),
        on_not_found=draw(st.sampled_from(["escalate", "fail"])),
    )  # fmt: skip
    chain = Chain(tiers, policy=policy, allow_unknown_prices=True)
    script = {name: draw(st.lists(lines, min_size=1, max_size=3)) for name in [*names, "judge"]}
    return chain, script


class Endless:
    """A script that repeats its last line, so that it never runs out."""

    def __init__(self, lines):
        self.lines = list(lines)

    def __call__(self, call):
        return self.lines.pop(0) if len(self.lines) > 1 else self.lines[0]


def models_of(script):
    return ScriptedModels(
        {name: Endless(lines) for name, lines in script.items()}, clock=ManualClock(), latency_s=0.1
    )


def trace_of(chain, script, **more):
    seen = []
    llm = Cascade(chain, models=models_of(script), clock=ManualClock(), observers=[seen.append])
    try:
        trace = llm.complete("hello", **more).trace
    except RunError as error:
        trace = error.trace
    assert seen == [trace]
    return trace


def recomputed(chain, trace):
    """The cost of a trace in fractions, from tokens and rates alone; `None` where unknown."""
    total = Fraction(0)
    for charge in trace.charges:
        price = next((tier.price for tier in chain.tiers if tier.name == charge.tier), None)
        if charge.basis == "unknown":
            return None
        if charge.usage is None or price is None:
            continue
        rates, usage = price.standard, charge.usage
        cached = rates.input if rates.cached_input is None else rates.cached_input
        total += Fraction(rates.input) * usage.uncached_tokens / 10**6
        total += Fraction(cached) * usage.cached_tokens / 10**6
        total += Fraction(rates.output) * usage.output_tokens / 10**6
    return total


@settings(max_examples=200, deadline=None)
@given(worlds(most=16))
def test_every_request_ends_with_a_trace_that_adds_up(world):
    """Any chain and script ends in an answer or a declared error, and the books are exact."""
    chain, script = world
    trace = trace_of(chain, script)
    costs = [charge.cost_usd for charge in trace.charges]
    assert trace.cost_usd == (None if None in costs else sum(costs, Decimal(0)))
    again = recomputed(chain, trace)
    assert again == (None if trace.cost_usd is None else Fraction(trace.cost_usd))
    assert Trace.from_json(trace.to_json()) == trace


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_a_replay_gives_the_trace_back(world):
    """Deciding a recorded request again under its own chain gives an equal trace."""
    chain, script = world
    trace = trace_of(chain, script)
    assert replay(trace, chain) == trace
    assert replay(Trace.from_json(trace.to_json()), chain) == trace


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_accepted_means_score_at_threshold(world):
    """An attempt was accepted by its score exactly where score >= threshold."""
    chain, script = world
    trace = trace_of(chain, script)
    for attempt in trace.attempts:
        if attempt.score is None or attempt.score.value is None:
            continue
        reached = attempt.score.value >= attempt.threshold
        last = attempt.tier == chain.top.name
        assert (attempt.verdict == "accepted") == (reached or last)
    accepted = [attempt.tier for attempt in trace.attempts if attempt.verdict == "accepted"]
    assert accepted == ([trace.tier] if trace.status == "accepted" else [])


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_a_lower_threshold_never_adds_attempts(world, data):
    """Lowering thresholds can only end a request earlier."""
    chain, script = world
    judged = [tier for tier in chain.tiers if tier.scorer is not None]
    lower = {tier.name: data.draw(st.floats(0, tier.threshold)) for tier in judged}
    strict, lenient = trace_of(chain, script), trace_of(chain.with_thresholds(lower), script)
    assert len(lenient.attempts) <= len(strict.attempts)


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_a_stream_shows_the_answer_and_nothing_else(world):
    """The characters of a stream are those of the answer; none is ever taken back."""
    chain, script = world
    plain = trace_of(chain, script)
    stream = Cascade(chain, models=models_of(script), clock=ManualClock()).stream("hello")
    shown = []
    try:
        shown += [chunk.text for chunk in stream]
    except RunError:
        assert shown == []
    else:
        assert "".join(shown) == stream.completion.text
        assert stream.completion.trace.usage == plain.usage
    assert (stream.trace.status, stream.trace.tier) == (plain.status, plain.tier)
    assert stream.trace.attempts == plain.attempts


PAID = st.builds(Price.of, RATES, RATES)
KNOWN = st.builds(
    reply,
    WORDS,
    input_tokens=st.integers(0, 60),
    output_tokens=st.integers(0, 20),
)
HONEST = st.one_of(KNOWN, KNOWN, st.just(failure("rate_limit", status=429)))


@settings(max_examples=150, deadline=None)
@given(
    worlds(prices=PAID, lines=HONEST),
    st.integers(1, 3000),
    st.sampled_from(["return_best", "raise"]),
    st.integers(1, 3),
)
def test_a_budget_is_never_exceeded_where_costs_are_known(world, limit, on_exceeded, requests):
    """With honest providers no request, alone or sharing, spends more than the cap."""
    chain, script = world
    budget = Budget(Decimal(limit).scaleb(-7), on_exceeded=on_exceeded)
    traces = [trace_of(chain, script, budget=budget) for _ in range(requests)]
    spent = sum((trace.known_cost_usd for trace in traces), Decimal(0))
    assert spent <= budget.limit_usd
    assert budget.committed_usd == spent


@settings(max_examples=150, deadline=None)
@given(worlds(prices=PAID), st.integers(1, 3000))
def test_no_call_begins_after_a_budget_is_reached(world, limit):
    """Before every call its worst case still fits under the cap, whatever was paid before."""
    chain, script = world
    budget = Budget(Decimal(limit).scaleb(-7))
    committed = []
    models = models_of(script)
    real = models.call

    def call(wanted):
        bound = worst_case_usd(chain, wanted.tier, wanted.payload)
        committed.append((budget.committed_usd, bound))
        return real(wanted)

    models.call = call
    with suppress(RunError):
        Cascade(chain, models=models, budget=budget).complete("hello")
    for before, bound in committed:
        assert bound is not None
        assert before <= budget.limit_usd


@settings(max_examples=60, deadline=None)
@given(worlds(prices=PAID, lines=HONEST), st.integers(1, 3000))
def test_a_budgeted_request_replays(world, limit):
    """A request that its own budget stopped is decided the same way again."""
    chain, script = world
    for on_exceeded in ("return_best", "raise"):
        budget = Budget(Decimal(limit).scaleb(-7), on_exceeded=on_exceeded)
        trace = trace_of(chain, script, budget=budget)
        assert replay(trace, chain) == trace


@given(PRICES.filter(bool))
def test_prices_read_back(price):
    """A price written as data reads back as the same price."""
    assert Price.from_dict(price.to_dict()) == price


@pytest.mark.parametrize("chat", [True, False])
@given(st.tuples(*[st.integers(0, 10**6)] * 5))
def test_usage_reads_back_from_the_wire(chat, parts):
    """Token counts written as a provider would write them read back as the same counts."""
    uncached, cached, written, visible, reasoning = parts
    usage = Usage(uncached + cached + written, visible + reasoning, cached, written, reasoning)
    names = ("prompt", "completion") if chat else ("input", "output")
    wire = {
        f"{names[0]}_tokens": usage.input_tokens,
        f"{names[1]}_tokens": usage.output_tokens,
        f"{names[0]}_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        f"{names[1]}_tokens_details": {"reasoning_tokens": reasoning},
    }
    assert Usage.from_wire(wire) == usage
