"""The Decisions API through the real SDK: sent as it is, priced by itself, replayed."""

from __future__ import annotations

from decimal import Decimal

import fake_openai as fake
import pytest
import respx
from faces import PRICE, bodies
from fake_openai import answer, completion, decision
from openai.types import Decision as WireDecision

from cascade import Budget, Tier, decide, replay
from cascade.core.budget import worst_case_usd
from cascade.core.chain import Chain
from cascade.core.tier import Retry
from cascade.core.trace import Trace
from cascade.wire.decisions import read_decision
from cascade.wire.faults import MalformedReply

QUESTIONS = [{"type": "predicate", "instructions": "Is it right?"}]
YES = {"type": "predicate", "probability": 0.93, "name": None}


def verdict(draft):
    reply = yield from decide("gpt-6-luna", draft.text, QUESTIONS, safety_identifier="s")
    return reply.wire["answers"][0]["probability"]


def tiers(**settings):
    return [
        Tier("gpt-5.4-mini", price=PRICE, scorer=verdict, threshold=0.9, **settings),
        Tier("gpt-5.4", price=PRICE),
    ]


@pytest.fixture
def apis():
    with respx.mock(using="httpcore2", assert_all_called=False) as router:
        yield router.post(fake.URL), router.post(fake.DECISIONS_URL)


def test_a_decision_is_asked_and_priced(face, apis):
    """Nothing is added to it; it costs ten cents per million tokens of input, and no output."""
    chat, decisions = apis
    chat.return_value = answer(completion())
    decisions.return_value = answer(decision(YES))
    result = face(tiers()).complete()
    assert bodies(decisions) == [
        {"model": "gpt-6-luna", "input": "Paris", "questions": QUESTIONS, "safety_identifier": "s"}
    ]
    _, charge = result.trace.charges
    assert (charge.cost_usd, charge.basis) == (Decimal("0.00002"), "exact")  # 200 tokens
    assert charge.price_id == "gpt-6-luna/decisions@2026-11-22"
    assert result.trace.attempts[0].score.value == 0.93
    assert result.tier == "gpt-5.4-mini"


def test_a_decision_is_replayed(face, apis):
    """A recorded decision answers again, from JSON as well."""
    chat, decisions = apis
    chat.return_value = answer(completion())
    decisions.return_value = answer(decision(YES))
    trace = face(tiers()).complete().trace
    assert replay(Trace.from_json(trace.to_json()), tiers()) == trace


def test_a_decision_is_retried_on_its_own_tier(face, apis):
    """A server that stumbles is asked again; each try is a charge."""
    chat, decisions = apis
    chat.return_value = answer(completion())
    decisions.side_effect = [fake.BROKEN, answer(decision(YES))]
    luna = Tier("gpt-6-luna", retry=Retry(max_tries=2, initial_s=0))
    result = face([*tiers()[:1], luna]).complete()
    assert [charge.outcome for charge in result.trace.charges] == ["ok", "server", "ok"]
    assert result.accepted


def test_a_failed_decision_is_a_failed_scorer(face, apis):
    """What is no decision makes the scorer fail, and the request escalates."""
    chat, decisions = apis
    chat.return_value = answer(completion())
    decisions.return_value = answer({"id": "x"})
    result = face(tiers()).complete()
    assert "scorer failed" in result.trace.attempts[0].reason
    assert "answers is missing" in result.trace.attempts[0].reason
    assert result.tier == "gpt-5.4"


def test_its_bound_is_its_own():
    """A budget reserves what a decision can cost: its input, at its own price."""
    chain = Chain((Tier("gpt-6-luna"),))
    asked = {"input": "x" * 1000, "questions": QUESTIONS}
    bound = worst_case_usd(chain, chain.top, asked)
    assert Decimal("0.0001") < bound < Decimal("0.0002")
    assert Budget(bound).reserve(bound)


def test_reading_a_decision():
    """The text is the answers as compact JSON; the SDK takes the same body."""
    body = decision(YES, {"type": "refusal"})
    WireDecision.model_validate(body)
    made = read_decision(body)
    assert made.text == '[{"type":"predicate","probability":0.93,"name":null},{"type":"refusal"}]'
    assert (made.api, made.wire, made.usage.input_tokens) == ("decisions", body, 200)
    assert read_decision({"answers": []}).notes == ("usage is missing", "model is missing")
    for broken in ([], {}, {"answers": 5}, fake.error_body("no")):
        with pytest.raises(MalformedReply):
            read_decision(broken)
