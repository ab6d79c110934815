"""instructor asks a chain: a value that does not validate is asked for again, and both are booked."""

import instructor
from pydantic import BaseModel, Field

from cascade import Tier, openai_client, trace_of
from cascade.testing import ScriptedModels
from scorers import JsonSchema


class Ticket(BaseModel):
    """What a support message is about."""

    category: str
    urgency: int = Field(ge=1, le=5)


models = ScriptedModels(
    {
        "gpt-5.4-nano": [
            '{"category": "shipping"}',
            '{"category": "shipping", "urgency": 4}',
        ],
        "gpt-5.5": ['{"category": "shipping", "urgency": 9}'],
    }
)
traces = []
tiers = [
    Tier("gpt-5.4-nano", scorer=JsonSchema(Ticket.model_json_schema())),
    Tier("gpt-5.5"),
]
client = openai_client(tiers, models=models, observers=[traces.append])
ask = instructor.from_openai(client, mode=instructor.Mode.JSON)
ticket, done = ask.chat.completions.create_with_completion(
    model="cascade",
    messages=[{"role": "user", "content": "My parcel is two days late!"}],
    response_model=Ticket,
)
print(repr(ticket), "from", trace_of(done).tier)
for trace in traces:
    print(trace.tier, [attempt.verdict for attempt in trace.attempts], trace.cost_usd)

# Ticket(category='shipping', urgency=4) from gpt-5.4-nano
# gpt-5.5 ['escalated', 'accepted'] 0.0001745
# gpt-5.4-nano ['accepted'] 0.000007
