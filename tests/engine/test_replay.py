"""Replaying: the same request decided again, without a network."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cascade import (
    Budget,
    Cascade,
    Chain,
    Price,
    ReplayError,
    RunError,
    Score,
    Tier,
    Trace,
    Usage,
    ask,
    replay,
)
from cascade.core.wishes import ModelCall
from cascade.drivers.replay import RecordedModels
from cascade.testing import ScriptedModels, failure, reply

CHEAP, DEAR = Price.of("1", "2"), Price.of("4", "8")


def unsure(draft):
    return Score(0.4)


def asks(draft):
    said = yield from ask("top", "Is it right?")
    again = yield from ask("low", "Really?")
    return float(said.text) * float(again.text)


def chain(*thresholds, scorer=unsure):
    made = [
        Tier(f"t{number}", scorer=scorer, threshold=threshold, price=CHEAP)
        for number, threshold in enumerate(thresholds)
    ]
    return Chain((*made, Tier("top", price=DEAR)))


def recorded(tiers, script, **settings) -> Trace:
    llm = Cascade(tiers, models=ScriptedModels(script), **settings)
    try:
        return llm.complete("x", seed=1, metadata={"a": 1}).trace
    except RunError as error:
        return error.trace


SCRIPT = {"t0": [failure("rate_limit", status=429), "zero"], "t1": "one", "top": "the answer"}


def test_another_threshold_is_a_what_if():
    """A lower threshold shows what would have been answered, and what it would have cost."""
    trace = recorded(chain(0.9, 0.9), SCRIPT)
    earlier = replay(trace, chain(0.9, 0.3))
    assert (earlier.tier, earlier.status) == ("t1", "accepted")
    assert earlier.attempts[0] == trace.attempts[0]
    assert earlier.cost_usd < trace.cost_usd
    assert earlier.metadata == {"a": 1}


def test_a_call_that_was_not_recorded_is_an_error():
    """A chain that asks further than the recording reaches says which call is missing."""
    trace = recorded(chain(0.3), SCRIPT)
    with pytest.raises(ReplayError, match="holds no further draft call to tier 'top'"):
        replay(trace, chain(0.9))


@pytest.mark.parametrize("content", ["hashed", "none"])
def test_a_trace_without_replies_cannot_be_replayed(content):
    """A trace kept without its words says with which policy to record."""
    trace = replace(recorded(chain(0.3), SCRIPT), content=content)
    with pytest.raises(ReplayError, match=f"{content}.*record with content='full'"):
        replay(trace, chain(0.3))
    with pytest.raises(ReplayError, match="holds no request"):
        replay(replace(trace, content="full", request=None), chain(0.3))


def test_questions_of_scorers_are_replayed_turn_by_turn():
    """Each turn's scorer gets the answers that it got, in their order."""
    tiers = [
        Tier("low", scorer=asks, threshold=0.9, price=CHEAP),
        Tier("mid", scorer=asks, threshold=0.9, price=CHEAP),
        Tier("top", price=DEAR),
    ]
    models = ScriptedModels(
        {"low": "a", "mid": "b", "top": "c"},
        scorers={"top": ["1", "0.5"], "low": ["0.5", "1"]},
    )
    trace = Cascade(tiers, models=models).complete("x").trace
    assert replay(trace, tiers) == trace
    without = [replace(tiers[0], scorer=unsure), *tiers[1:]]
    assert replay(trace, without).attempts[1] != trace.attempts[0]
    assert replay(trace, without).attempts[1].score == trace.attempts[1].score


def test_a_retired_model_can_still_be_replayed():
    """A replay asks nobody, so no shutdown date stops it."""
    old = [Tier("gpt-4.1-nano")]
    trace = recorded(Chain(old, today=date(2026, 1, 1)), {"gpt-4.1-nano": "x"})
    assert replay(trace, old).attempts == trace.attempts


@pytest.mark.parametrize("on_exceeded", ["return_best", "raise"])
def test_a_budget_stops_a_replay_as_it_stopped_the_request(on_exceeded):
    """What happens at the cap is read from how the request ended."""
    tiers = [replace(tier, params={"max_completion_tokens": 10}) for tier in chain(0.9).tiers]
    budget = Budget("0.00015", on_exceeded=on_exceeded)
    trace = recorded(tiers, SCRIPT | {"t0": "zero"}, budget=budget)
    assert trace.status == {"return_best": "unaccepted", "raise": "budget_exceeded"}[on_exceeded]
    assert replay(trace, Chain(tuple(tiers))) == trace


def test_a_damaged_outcome_is_a_malformed_reply():
    """An outcome that nobody knows is replayed as an answer that was none."""
    trace = recorded(chain(), {"top": failure("server", "down", status=500)})
    (attempt,) = trace.attempts
    odd = replace(attempt, charges=(replace(attempt.charges[0], outcome="novel", message=None),))
    assert replay(replace(trace, attempts=(odd,)), chain()).charges[0].outcome == "malformed"


@pytest.mark.parametrize("answer", [reply("the answer"), failure("server")])
def test_a_recording_streams(answer):
    """A recording answers in chunks too, where there is an answer."""
    trace = recorded(chain(), {"top": answer})
    tier = Tier("top", price=DEAR)
    call = ModelCall(0, tier, "top", {}, attempt="top")
    stream = RecordedModels(trace, origin=5.0).stream(call)
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in stream)
    assert text == ("the answer" if stream.outcome.__class__.__name__ == "Reply" else "")
    assert call.tries[0].started >= 5.0
    assert call.tries[0].usage in (None, Usage(10, 2))


def test_a_chain_without_the_tier_that_was_asked_for():
    """A recorded route that another chain cannot follow is an error of the replay."""
    llm = Cascade(
        [Tier("low", price=CHEAP), Tier("top", price=DEAR)], models=ScriptedModels({"top": "x"})
    )
    trace = llm.complete("hello", start_at="top").trace
    assert replay(trace, llm.chain) == trace
    with pytest.raises(ReplayError, match=r"cannot be decided by this chain: start_at='top'"):
        replay(trace, [Tier("low", price=CHEAP)])


@pytest.mark.parametrize("asked", ["", []])
def test_a_request_that_is_all_in_its_template(asked):
    """A kept prompt of the Responses API may leave the input empty."""
    llm = Cascade([Tier("low", price=CHEAP)], models=ScriptedModels({"low": "x"}))
    trace = llm.complete({"input": asked, "prompt": {"id": "pmpt_1"}}).trace
    assert replay(trace, llm.chain) == trace
