"""Streaming: no text that may be taken back is ever shown.

Drafts that can be rejected are held until they are accepted. The answer that will stand in any case
streams straight through.
"""

from cascade import Cascade, Tier
from cascade.testing import ScriptedModels
from scorers import NoRefusal

llm = Cascade(
    [
        Tier("gpt-5.4-nano", scorer=NoRefusal()),
        Tier("gpt-5.5"),
    ],
    models=ScriptedModels(
        {
            "gpt-5.4-nano": "I'm sorry, but I can't help with that.",
            "gpt-5.5": "Soak the pan in warm water first.",
        }
    ),
)

with llm.stream("How do I clean a burnt pan?") as chunks:
    for chunk in chunks:
        print(chunk.text, end="|" if chunk.text else "")
print()
print(chunks.completion.tier, f"${chunks.completion.cost_usd}")

# Soak| the| pan| in| warm| water| first.|
# gpt-5.5 $0.000272
