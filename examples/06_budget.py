"""A budget: a call that could break it is not made; nothing already paid for is lost."""

from cascade import Budget, BudgetExceeded, Cascade, Tier
from cascade.testing import ScriptedModels, reply
from scorers import LengthBetween

tiers = [
    Tier("gpt-5.4-nano", scorer=LengthBetween(min_words=3), params={"max_completion_tokens": 50}),
    Tier("gpt-5.5", params={"max_completion_tokens": 2000}),
]
models = ScriptedModels(
    {"gpt-5.4-nano": reply("Yes."), "gpt-5.5": reply("Yes, until Friday at noon.")}
)
llm = Cascade(tiers, models=models)

# gpt-5.5 could cost 2,000 tokens * $30 per million = $0.06 and a little for the prompt.
done = llm.complete("Can I still return the shoes?", budget="0.05")
print(f"{done.text!r}, accepted: {done.accepted}, {done.trace.reason}")

done = llm.complete("Can I still return the shoes?", budget="0.10")
print(f"{done.text!r}, accepted: {done.accepted}, cost ${done.cost_usd}")

try:
    llm.complete("Can I still return the shoes?", budget=Budget("0.00001"))
except BudgetExceeded as error:
    print(f"{type(error).__name__}: spent ${error.trace.cost_usd}")

# 'Yes.', accepted: False, best draft so far; budget: tier 'gpt-5.5': the call could cost up to $0.066528 and $0.04999675 of $0.05 is left; a lower max_completion_tokens lowers the bound
# 'Yes, until Friday at noon.', accepted: True, cost $0.00020325
# BudgetExceeded: spent $0
