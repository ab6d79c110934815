"""Structured answers: pass a pydantic class, get an instance; nothing paid is lost if it fails."""

from typing import Literal

from pydantic import BaseModel, Field

from cascade import Cascade, Draft, InvalidAnswer, Tier
from cascade.testing import ScriptedModels
from scorers import JsonSchema


class Ticket(BaseModel):
    """What a support message is about."""

    category: Literal["billing", "shipping", "account"]
    urgency: int = Field(ge=1, le=5)


models = ScriptedModels(
    {
        "gpt-5.4-nano": '{"category": "parcel", "urgency": 4}',
        "gpt-5.5": ['{"category": "shipping", "urgency": 4}', '{"category": "shipping"}'],
    }
)
llm = Cascade(
    [
        Tier("gpt-5.4-nano", scorer=JsonSchema(Ticket.model_json_schema())),
        Tier("gpt-5.5"),
    ],
    models=models,
)

done = llm.complete("My parcel is two days late!", response_format=Ticket)
print(repr(done.parsed), "from", done.tier)
sent = models.calls[0].payload["response_format"]["json_schema"]
print(sent["name"], "strict" if sent.get("strict") else "not strict", sent["schema"]["required"])

# The value is checked after the answer is paid for, so the error keeps the answer and its cost.
done = llm.complete("And another thing.", response_format=Ticket)
try:
    print(done.parsed)
except InvalidAnswer as error:
    print(error)
    print(error.completion.text, f"${error.completion.cost_usd}")


# A schema of your own works as well; it is sent as it is, and `parsed` is plain data.
def anything(draft: Draft) -> bool:
    """Accept every draft."""
    return bool(draft.text)


plain = Cascade([Tier("gpt-5.4-nano", scorer=anything), Tier("gpt-5.5")], models=models)
schema = {"type": "object", "properties": {"category": {"type": "string"}}}
print(plain.complete("Where is it?", response_format=schema).parsed)

# Ticket(category='shipping', urgency=4) from gpt-5.5
# Ticket strict ['category', 'urgency']
# the answer is no Ticket: $.urgency: Field required
# {"category": "shipping"} $0.000117
# {'category': 'parcel', 'urgency': 4}
