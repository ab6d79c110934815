"""The Responses API: ask in its form, get its form back, through tiers of either API."""

from cascade import Cascade, RequestError, Tier
from cascade.testing import ScriptedModels, reply

models = ScriptedModels(
    {
        "gpt-5.4-mini": "Perhaps Lyon?",
        "gpt-5.5": reply("Paris.", model="gpt-5.5", input_tokens=21, api="responses"),
    }
)
llm = Cascade(
    [
        # A server that knows Chat Completions only, or a habit: this tier is asked there.
        Tier("gpt-5.4-mini", api="chat", scorer=lambda draft: "?" not in draft.text),
        # A tier without `api` is asked where the request was meant for.
        Tier("gpt-5.5"),
    ],
    models=models,
)

asked = {"instructions": "One word.", "input": "Capital of France?", "reasoning": {"effort": "low"}}
done = llm.complete(asked)
for call in models.calls:
    print(call.tier.name, call.api, {k: v for k, v in call.payload.items() if "reason" in k})
print(done.text, done.reply.wire["object"], done.reply.wire["output"][0]["type"])

# Streams come in the caller's form, too.
kinds = [chunk.wire["type"] for chunk in llm.stream(asked)]
print(kinds[0], "...", kinds[-1])

# What one of the tiers could not be asked is refused before any of them is paid.
try:
    llm.complete({**asked, "previous_response_id": "resp_123"})
except RequestError as error:
    print(error)

# gpt-5.4-mini chat {'reasoning_effort': 'low'}
# gpt-5.5 responses {'reasoning': {'effort': 'low'}}
# Paris. response message
# response.created ... response.completed
# tier 'gpt-5.4-mini': previous_response_id has no equivalent in Chat Completions; set params={'previous_response_id': None} on that tier to drop it there, or give the tier api='responses'
