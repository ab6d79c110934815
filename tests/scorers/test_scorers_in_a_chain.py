"""The shipped scorers inside the engine: what is asked, booked and decided."""

import json

from cascade import Cascade, Price, Tier
from cascade.testing import ScriptedModels, reply
from scorers import AgreesWithEarlier, JsonSchema, LogprobConfidence, SelfCheck, first_reject

PRICE = Price.of("1", "2")
TICKET = {"type": "object", "properties": {"urgency": {"enum": ["low", "high"]}}}


def token(text, logprob):
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": []}


def small(scorer, **settings):
    return Tier("small", scorer=scorer, price=PRICE, **settings)


def test_a_gate_saves_the_paid_check():
    """An answer that breaks its schema escalates without the question behind the gate."""
    models = ScriptedModels({"small": '{"urgency": "hi"}', "big": '{"urgency": "high"}'})
    gate = first_reject(JsonSchema(TICKET), SelfCheck())
    done = Cascade([small(gate), Tier("big", price=PRICE)], models=models).complete("Urgent!")
    assert done.tier == "big"
    assert [charge.purpose for charge in done.trace.charges] == ["draft", "draft"]
    assert "$.urgency" in done.trace.attempts[0].reason


def test_a_self_check_is_asked_booked_and_read():
    """The verdict of a paid check accepts the draft, and its call is in the ledger."""
    models = ScriptedModels({"small": ["4", "Yes 95"], "big": "four"})
    chain = [small(SelfCheck(), threshold=0.9), Tier("big", price=PRICE)]
    done = Cascade(chain, models=models).complete("2+2?")
    assert done.tier == "small"
    assert [charge.purpose for charge in done.trace.charges] == ["draft", "scorer"]


def test_one_doubtful_field_escalates_and_agreement_accepts():
    """The weakest value rejects the first draft; the second agrees with it and stands."""
    text = json.dumps({"urgency": "high"})
    tokens = [token('{"urgency": "', -0.0), token("high", -2.0), token('"}', -0.0)]
    models = ScriptedModels({"small": reply(text, logprobs=tokens), "middle": text, "big": "x"})
    llm = Cascade(
        [
            small(LogprobConfidence(over="json_values"), threshold=0.8),
            Tier("middle", scorer=AgreesWithEarlier(), threshold=1.0, price=PRICE),
            Tier("big", price=PRICE),
        ],
        models=models,
    )
    done = llm.complete("Urgent!")
    assert done.tier == "middle"
    assert "$.urgency: mean p = 0.1353" in done.trace.attempts[0].reason
    assert "1 of 1 earlier drafts agree (json)" in done.trace.attempts[1].reason
