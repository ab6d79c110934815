"""A first chain: ask the cheap model, keep its answer if it was sure, else ask the dear one.

Runs offline: `ScriptedModels` answers in place of OpenAI. Leave out `models=` to ask the real ones.
"""

from cascade import Cascade, Tier
from cascade.testing import ScriptedModels, reply
from scorers import LogprobConfidence

scripted = ScriptedModels(
    {
        "gpt-5.4-nano": [
            reply("Paris", probabilities=[0.99], input_tokens=20),
            reply("Perhaps 1789", probabilities=[0.5, 0.3], input_tokens=24),
        ],
        "gpt-5.5": reply("1792", input_tokens=24),
    }
)

llm = Cascade(
    [
        Tier("gpt-5.4-nano", scorer=LogprobConfidence(), threshold=0.9),
        Tier("gpt-5.5"),
    ],
    models=scripted,
)

for question in ("What is the capital of France?", "When did France first become a republic?"):
    done = llm.complete(question)
    print(f"{done.text} | {done.tier} | cost {done.cost_usd} USD | saved {done.saved_usd} USD")

# Paris | gpt-5.4-nano | cost 0.00000525 USD | saved 0.00012475 USD
# 1792 | gpt-5.5 | cost 0.0001573 USD | saved -0.0000073 USD
