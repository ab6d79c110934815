"""The genuine OpenAI client, answered by a chain: swap one line, keep the rest of the program."""

import openai
from pydantic import BaseModel

from cascade import Tier, openai_client, trace_of
from cascade.testing import ScriptedModels
from scorers import LengthBetween

models = ScriptedModels(
    {
        "gpt-5.4-nano": ["Hm.", '{"city": "Paris"}', "Hm."],
        "gpt-5.5": ["Paris is the capital of France.", "It has two million people."],
    }
)
tiers = [Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=2)), Tier("gpt-5.5")]

client = openai_client(tiers, models=models)  # instead of openai.OpenAI()
asked = [{"role": "user", "content": "Capital of France?"}]
done = client.chat.completions.create(model="cascade", messages=asked)
print(done.choices[0].message.content)
print(done.cascade["tier"], done.cascade["cost_usd"], done.usage.total_tokens, "tokens")
print([attempt.verdict for attempt in trace_of(done).attempts])


# Parsed answers, streams and the Responses API are the SDK's own.
class Place(BaseModel):
    """An answer as a value."""

    city: str


parsed = client.responses.parse(model="cascade", input="Capital of France?", text_format=Place)
print(repr(parsed.output_parsed), "from", parsed.cascade["tier"])

stream = client.chat.completions.create(model="cascade", messages=asked, stream=True)
print("|".join(chunk.choices[0].delta.content or "" for chunk in stream))
print("streamed for", trace_of(stream).cost_usd)

# What is said to the cascade itself rides along; errors are the SDK's, with the trace attached.
try:
    client.chat.completions.create(
        model="cascade", messages=asked, extra_body={"cascade": {"budget": "0.000001"}}
    )
except openai.RateLimitError as error:
    print(error.code, trace_of(error).status)
client.close()

# Paris is the capital of France.
# gpt-5.5 0.00023325 27 tokens
# ['escalated', 'accepted']
# Place(city='Paris') from gpt-5.4-nano
# It| has| two| million| people.|
# streamed for 0.00020325
# insufficient_quota budget_exceeded
