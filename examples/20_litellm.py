"""LiteLLM as a client of a chain: `completion(client=...)` with the drop-in client."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch its prices on import

import litellm

from cascade import Tier, openai_client, trace_of
from cascade.testing import ScriptedModels
from scorers import LengthBetween

models = ScriptedModels({"gpt-5.4-nano": "Hm.", "gpt-5.5": "Paris is the capital."})
tiers = [Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=2)), Tier("gpt-5.5")]
client = openai_client(tiers, models=models)
asked = [{"role": "user", "content": "Capital of France?"}]

done = litellm.completion(model="openai/cascade", messages=asked, client=client)
print(done.choices[0].message.content)
print("booked:", trace_of(done).cost_usd, [a.verdict for a in trace_of(done).attempts])
# LiteLLM multiplies the tokens of all attempts by one price, so its own figure is not the bill.
print("LiteLLM's guess:", litellm.completion_cost(done))

stream = litellm.completion(model="openai/cascade", messages=asked, client=client, stream=True)
print("|".join(chunk.choices[0].delta.content or "" for chunk in stream))

# Paris is the capital.
# booked: 0.00017325 ['escalated', 'accepted']
# LiteLLM's guess: 0.00025
# Paris| is| the| capital.||
