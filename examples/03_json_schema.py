"""Structured answers: the schema is checked first, for free, then how sure each value is."""

import math

from cascade import Cascade, Reply, Tier
from cascade.testing import ScriptedModels, reply
from scorers import JsonSchema, LogprobConfidence, first_reject

TICKET = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "shipping", "account"]},
        "urgent": {"type": "boolean"},
    },
    "required": ["category", "urgent"],
    "additionalProperties": False,
}

sure = first_reject(JsonSchema(TICKET), LogprobConfidence(aggregate="min", over="json_values"))


def answer(*pieces: tuple[str, float]) -> Reply:
    """A reply made of tokens and their probabilities."""
    return reply(
        "".join(token for token, _ in pieces),
        logprobs=[{"token": token, "logprob": math.log(p)} for token, p in pieces],
    )


llm = Cascade(
    [
        Tier("gpt-5.4-nano", scorer=sure, threshold=0.8),
        Tier("gpt-5.4-mini", scorer=sure, threshold=0.8),
        Tier("gpt-5.5"),
    ],
    models=ScriptedModels(
        {
            # Valid JSON, but the schema knows no category "parcel".
            "gpt-5.4-nano": answer(
                ('{"category": "', 0.99), ("parcel", 0.9), ('", "urgent": true}', 0.99)
            ),
            # Valid; the model was sure of the braces and unsure of one value.
            "gpt-5.4-mini": answer(
                ('{"category": "', 0.99),
                ("shipping", 0.97),
                ('", "urgent": ', 0.99),
                ("true", 0.55),
                ("}", 0.99),
            ),
            "gpt-5.5": '{"category": "shipping", "urgent": false}',
        }
    ),
)

done = llm.complete("My parcel is two days late. No hurry, but where is it?")
for attempt in done.trace.attempts:
    print(f"{attempt.tier}: {attempt.verdict}, {attempt.reason}")
print(done.text)

# gpt-5.4-nano: escalated, score 0 < 0.8: JsonSchema: $.category: 'parcel' is not one of ['billing', 'shipping', 'account'] (enum)
# gpt-5.4-mini: escalated, score 0.55 < 0.8: LogprobConfidence: $.urgent: min p = 0.55, weakest of 2 values
# gpt-5.5: accepted, the last tier's answer stands
# {"category": "shipping", "urgent": false}
